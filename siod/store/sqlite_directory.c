/* Businesses and their phone numbers. */
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/map.h"
#include "siod/store/sqlite_backend.h"

/* Who owns a phone number: asked by every webhook, changed almost never. */
enum { PHONES_MAX = 4096, PHONE_LEN_MAX = 64 };

struct sqlite_phones {
    int64_t business_id;
    UT_hash_handle hh;
    size_t len;
    char id[];
};

void sqlite_phones_forget(struct sqlite_writer *writer)
{
    struct sqlite_phones *phone, *next;

    HASH_ITER (hh, writer->phones, phone, next) {
        HASH_DEL(writer->phones, phone);
        free(phone);
    }
}

static void phones_learn(struct sqlite_writer *writer, struct str phone_number_id,
                         int64_t business_id)
{
    struct sqlite_phones *phone;

    if (writer->phones_changed || phone_number_id.len > PHONE_LEN_MAX) {
        return;
    }
    if (HASH_COUNT(writer->phones) >= PHONES_MAX) {
        sqlite_phones_forget(writer);
    }
    phone = xmalloc(sizeof(*phone) + phone_number_id.len);
    phone->business_id = business_id;
    phone->len = phone_number_id.len;
    memcpy(phone->id, phone_number_id.data, phone_number_id.len);
    HASH_ADD_KEYPTR(hh, writer->phones, phone->id, phone->len, phone);
}

static void phones_change(struct sqlite_writer *writer)
{
    sqlite_phones_forget(writer);
    writer->phones_changed = true;
}

/* 0 = nobody. */
static enum err phone_owner(struct sqlite_writer *writer, struct str phone_number_id,
                            int64_t *ret_business_id, enum store_source *ret_source)
{
    struct query q = query_begin(&writer->conn, ST_PHONE_OWNER,
                                 "SELECT business.id, business.source FROM phone_number"
                                 " JOIN business ON business.id = phone_number.business_id"
                                 " WHERE phone_number_id = ?");

    *ret_business_id = 0;
    put_str_full(&q, phone_number_id);
    if (query_row(&q)) {
        *ret_business_id = get_int(&q);
        *ret_source = (enum store_source)get_int(&q);
    }
    return query_end(&q);
}

static enum err business_any(struct sqlite_writer *writer, int64_t *ret_business_id)
{
    struct query q =
        query_begin(&writer->conn, ST_BUSINESS_ANY, "SELECT min(id) FROM business WHERE takes_any");

    if (query_row(&q)) {
        *ret_business_id = get_int(&q);
    }
    return query_end(&q);
}

enum err sqlite_business_by_phone(struct store_tx *tx, struct str phone_number_id,
                                  int64_t *ret_business_id)
{
    struct sqlite_writer *writer = writer_of(tx);
    struct sqlite_phones *phone;
    enum store_source source;
    int64_t business_id = 0;
    enum err err;

    HASH_FIND(hh, writer->phones, phone_number_id.data, phone_number_id.len, phone);
    if (phone != NULL) {
        *ret_business_id = phone->business_id;
        return OK;
    }
    err = phone_owner(writer, phone_number_id, &business_id, &source);
    if (err == OK && business_id == 0) {
        err = business_any(writer, &business_id);
    }
    if (err == OK) {
        phones_learn(writer, phone_number_id, business_id);
        *ret_business_id = business_id;
    }
    return err;
}

/* ------------------------------------------------------------------ businesses */

enum err sqlite_position_advance(struct store_tx *tx, int64_t business_id, int64_t count,
                                 int64_t *ret_position)
{
    struct sqlite_writer *writer = writer_of(tx);
    struct query q =
        query_begin(&writer->conn, ST_POSITION_ADVANCE,
                    "UPDATE business SET position = position + ? WHERE id = ? RETURNING position");
    bool found;

    put_int(&q, count);
    put_int(&q, business_id);
    found = query_row(&q);
    if (found) {
        *ret_position = get_int(&q);
        writer->batch_rows += count;
    }
    enum err err = query_run(&q);
    return err == OK && !found ? ERR_NOT_FOUND : err;
}

enum err sqlite_business_check(struct store_tx *tx, int64_t business_id)
{
    struct query q =
        query_begin(&writer_of(tx)->conn, ST_BUSINESS_CHECK, "SELECT 1 FROM business WHERE id = ?");
    bool found;

    put_int(&q, business_id);
    found = query_row(&q);
    enum err err = query_end(&q);
    return err == OK && !found ? ERR_NOT_FOUND : err;
}

enum err sqlite_business_ensure(struct store_tx *tx, int64_t business_id)
{
    struct query q =
        query_begin(&writer_of(tx)->conn, ST_BUSINESS_ENSURE,
                    "INSERT INTO business (id, name, source, created_at_ms) VALUES (?, x'', ?, ?)"
                    " ON CONFLICT (id) DO NOTHING");

    put_int(&q, business_id);
    put_int(&q, STORE_SOURCE_TOKEN);
    put_int(&q, tx->now_ms);
    return query_run(&q);
}

static enum err business_source(struct sqlite_writer *writer, int64_t id, bool *ret_found,
                                enum store_source *ret_source)
{
    struct query q =
        query_begin(&writer->conn, ST_BUSINESS_SOURCE, "SELECT source FROM business WHERE id = ?");

    put_int(&q, id);
    *ret_found = query_row(&q);
    if (*ret_found) {
        *ret_source = (enum store_source)get_int(&q);
    }
    return query_end(&q);
}

static bool put_by_this_job(const struct sqlite_writer *writer, int64_t id)
{
    const int64_t *ids = (const void *)writer->put_ids.data;

    for (size_t i = 0; i < writer->put_ids.len / sizeof(*ids); i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

static enum err phone_change(struct sqlite_writer *writer, enum sqlite_statement id,
                             const char *sql, struct str phone_number_id, int64_t business_id)
{
    struct query q = query_begin(&writer->conn, id, sql);

    put_str_full(&q, phone_number_id);
    put_int(&q, business_id);
    return query_run(&q);
}

/* Takes a number for `business`, unless another one has it. Two businesses of the configuration are
 * both put at start: there the one whose turn is still to come has lost it. */
static enum err phone_take(struct sqlite_writer *writer, const struct store_business *business,
                           struct str phone, struct errmsg *msg)
{
    enum store_source source = STORE_SOURCE_TOKEN;
    int64_t owner;
    enum err err = phone_owner(writer, phone, &owner, &source);

    if (err == OK && owner != 0 && owner != business->id) {
        if (source != STORE_SOURCE_CONFIG || business->source != STORE_SOURCE_CONFIG ||
            put_by_this_job(writer, owner)) {
            return err_set(msg, ERR_EXISTS, "phone number id %.*s belongs to business %lld already",
                           STR_ARG(phone), (long long)owner);
        }
        err = phone_change(writer, ST_PHONE_REMOVE,
                           "DELETE FROM phone_number WHERE phone_number_id = ? AND business_id = ?",
                           phone, owner);
    }
    if (err == OK) {
        err = phone_change(writer, ST_PHONE_ADD,
                           "INSERT INTO phone_number (phone_number_id, business_id) VALUES (?, ?)"
                           " ON CONFLICT DO NOTHING",
                           phone, business->id);
    }
    return err;
}

static enum err phones_clear(struct sqlite_writer *writer, int64_t business_id)
{
    struct query q = query_begin(&writer->conn, ST_PHONE_CLEAR,
                                 "DELETE FROM phone_number WHERE business_id = ?");

    put_int(&q, business_id);
    return query_run(&q);
}

static enum err business_write(struct store_tx *tx, const struct store_business *business)
{
    struct query q = query_begin(
        &writer_of(tx)->conn, ST_BUSINESS_PUT,
        "INSERT INTO business (id, name, source, takes_any, created_at_ms) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, source = excluded.source,"
        " takes_any = excluded.takes_any");

    put_int(&q, business->id);
    put_str_full(&q, business->name);
    put_int(&q, business->source);
    put_int(&q, business->takes_any);
    put_int(&q, tx->now_ms);
    return query_run(&q);
}

enum err sqlite_business_put(struct store_tx *tx, const struct store_business *business,
                             struct errmsg *msg)
{
    struct sqlite_writer *writer = writer_of(tx);
    enum store_source source;
    bool found;
    enum err err = business_source(writer, business->id, &found, &source);

    if (err == OK && found && source == STORE_SOURCE_CONFIG &&
        business->source == STORE_SOURCE_CONTROL) {
        return err_set(msg, ERR_READ_ONLY, "business %lld %s", (long long)business->id,
                       err_text(ERR_READ_ONLY));
    }
    phones_change(writer);
    buf_add(&writer->put_ids, &business->id, sizeof(business->id));
    if (err == OK) {
        err = business_write(tx, business);
    }
    if (err == OK) {
        err = phones_clear(writer, business->id);
    }
    for (size_t i = 0; err == OK && i < business->phone_number_count; i++) {
        err = phone_take(writer, business, business->phone_number_ids[i], msg);
    }
    return err;
}

static enum err business_release(struct sqlite_writer *writer, int64_t id)
{
    struct query q = query_begin(&writer->conn, ST_BUSINESS_RELEASE,
                                 "UPDATE business SET source = ?, takes_any = 0 WHERE id = ?");
    enum err err;

    put_int(&q, STORE_SOURCE_CONTROL);
    put_int(&q, id);
    err = query_run(&q);
    return err == OK ? phones_clear(writer, id) : err;
}

enum err sqlite_business_retain(struct store_tx *tx, const int64_t *ids, size_t count)
{
    struct sqlite_writer *writer = writer_of(tx);
    struct query q = query_begin(&writer->conn, ST_BUSINESS_CONFIGURED,
                                 "SELECT id FROM business WHERE source = ?");
    autobuf struct buf gone = BUF_INIT;
    enum err err;

    put_int(&q, STORE_SOURCE_CONFIG);
    while (query_row(&q)) {
        int64_t id = get_int(&q);
        size_t i = 0;

        while (i < count && ids[i] != id) {
            i++;
        }
        if (i == count) {
            buf_add(&gone, &id, sizeof(id));
        }
    }
    err = query_end(&q);
    phones_change(writer);
    for (size_t at = 0; err == OK && at < gone.len; at += sizeof(int64_t)) {
        int64_t id;

        memcpy(&id, gone.data + at, sizeof(id));
        err = business_release(writer, id);
    }
    return err;
}

/* Mentions of a contact (mention.h), as far as the database says what to look for, and where. */
#include <inttypes.h>
#include <stdio.h>

#include "libshared/json.h"
#include "siod/store/mention.h"
#include "siod/store/sqlite_backend.h"

static enum err add_names(struct query *q, struct mention_names *names)
{
    while (query_row(q)) {
        enum mention kind = (enum mention)get_int(q);

        mention_names_add(names, kind, get_str(q));
    }
    return query_end(q);
}

enum err sqlite_contact_names(struct sqlite_conn *conn, int64_t contact_id,
                              struct mention_names *names)
{
    struct query q = query_begin(
        conn, ST_ERASE_NAMES,
        "SELECT ?2, phone FROM contact WHERE id = ?1 UNION"
        " SELECT ?2, wa_id FROM contact WHERE id = ?1 UNION"
        " SELECT ?2, user_id FROM contact WHERE id = ?1 UNION"
        " SELECT ?3, username FROM contact WHERE id = ?1 UNION"
        " SELECT iif(kind = ?4, ?3, ?2), value FROM contact_alias WHERE contact_id = ?1 UNION"
        " SELECT iif(kind = ?4, ?3, ?2), value FROM erasure_alias WHERE contact_id = ?1");

    put_int(&q, contact_id);
    put_int(&q, MENTION_ID);
    put_int(&q, MENTION_USERNAME);
    put_int(&q, STORE_ALIAS_USERNAME);
    return add_names(&q, names);
}

void sqlite_contact_own_id(int64_t contact_id, struct mention_names *names)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRId64, contact_id);

    mention_names_add(names, MENTION_CONTACT, (struct str) { digits, (size_t)len });
}

enum err sqlite_contact_chat_ids(struct sqlite_conn *conn, int64_t contact_id,
                                 struct mention_names *names)
{
    struct query q = query_begin(conn, ST_ERASE_IN_CHATS,
                                 "SELECT ?2, CAST(id AS BLOB) FROM chat WHERE contact_id = ?1"
                                 " AND group_id IS NULL");

    put_int(&q, contact_id);
    put_int(&q, MENTION_CHAT);
    return add_names(&q, names);
}

/* As sqlite_business_by_phone(), on any connection. */
static int64_t owner_now(struct sqlite_numbers *numbers, struct str phone_number_id)
{
    struct query q = query_begin(numbers->conn, ST_NUMBER_OWNER,
                                 "SELECT coalesce((SELECT business_id FROM phone_number"
                                 " WHERE phone_number_id = ?),"
                                 " (SELECT min(id) FROM business WHERE takes_any), 0)");
    int64_t business_id = 0;
    enum err err;

    put_str_full(&q, phone_number_id);
    if (query_row(&q)) {
        business_id = get_int(&q);
    }
    err = query_end(&q);
    numbers->err = numbers->err != OK ? numbers->err : err;
    return business_id;
}

static enum mention_owner number_owner(void *arg, struct str phone_number_id)
{
    struct sqlite_numbers *numbers = arg;
    int64_t business_id;

    if (numbers->owners.json == NULL) {
        owners_read(numbers->told, &numbers->owners);
    }
    business_id = owners_find(&numbers->owners, phone_number_id);
    if (business_id == 0) {
        business_id = owner_now(numbers, phone_number_id);
    }
    return business_id == numbers->business_id ? MENTION_OF_OWN
           : business_id == 0                  ? MENTION_OF_NOBODY
                                               : MENTION_OF_OTHERS;
}

struct mention_numbers sqlite_numbers_of(struct sqlite_numbers *numbers)
{
    return (struct mention_numbers) { .owner = number_owner, .arg = numbers };
}

void sqlite_numbers_told(struct sqlite_numbers *numbers, struct str owners)
{
    owners_finish(&numbers->owners);
    numbers->told = owners;
}

void sqlite_numbers_finish(struct sqlite_numbers *numbers)
{
    owners_finish(&numbers->owners);
}

bool sqlite_audit_mentions(struct str args, const struct mention_names *names, int64_t business_id)
{
    static const struct json_limits limits = { .mend_utf8 = true };
    autojson json_t *root = NULL;
    int64_t business;

    if (!mention_in(args, names)) {
        return false;
    }
    root = json_read(args, &limits, NULL);
    return !json_id(json_object_get(root, "business"), &business) || business == business_id;
}

/* What is known of one contact, or of one business, for those who look somebody up. */
#include "libshared/id.h"
#include "siod/store/sqlite_backend.h"

static struct query reads(struct store_reader *reader, enum sqlite_statement id, const char *sql)
{
    return query_begin(&reader_of(reader)->conn, id, sql);
}

enum err sqlite_business_count(struct store_reader *reader, int64_t business_id,
                               struct store_business_counts *ret_counts)
{
    struct query q = reads(reader, ST_BUSINESS_COUNT,
                           "SELECT (SELECT count(*) FROM chat INDEXED BY chat_waiting"
                           "  WHERE state = 0 AND business_id = ?1),"
                           " (SELECT count(*) FROM chat INDEXED BY chat_assigned"
                           "  WHERE state = 1 AND business_id = ?1),"
                           " (SELECT count(*) FROM agent WHERE business_id = ?1)");

    put_int(&q, business_id);
    if (query_row(&q)) {
        ret_counts->waiting = get_int(&q);
        ret_counts->assigned = get_int(&q);
        ret_counts->agents = get_int(&q);
    }
    return query_end(&q);
}

/* ?1: the business or 0, ?2: the name, ?3: the same as an id, or 0. */
static enum err contacts(struct query *q, int64_t business_id, struct str name,
                         bool (*fn)(void *arg, const struct store_contact *contact), void *arg)
{
    bool number = str_starts_with(name, STR("+"));
    int64_t id = 0;

    if (number) {
        name = str_skip(name, 1);
    } else {
        (void)id_parse(name, &id);
    }
    put_int(q, business_id);
    put_str_full(q, name);
    put_int(q, id);
    while (query_row(q)) {
        struct store_contact contact;

        get_contact(q, &contact);
        if (!fn(arg, &contact)) {
            break;
        }
    }
    return query_end(q);
}

/* An alias is found by its business: each is asked, there are few beside the contacts. */
enum err sqlite_contacts_named(struct store_reader *reader, int64_t business_id, struct str name,
                               bool (*fn)(void *arg, const struct store_contact *contact),
                               void *arg)
{
    struct query q =
        reads(reader, ST_CONTACTS_NAMED,
              "SELECT " CONTACT_COLUMNS " FROM contact WHERE contact.id IN"
              " (SELECT alias.contact_id FROM business CROSS JOIN contact_alias AS alias"
              "  ON alias.business_id = business.id AND alias.kind IN (0, 1, 2)"
              "  AND alias.value = ?2 UNION SELECT ?3)"
              " AND (?1 = 0 OR contact.business_id = ?1) ORDER BY contact.id");

    return contacts(&q, business_id, name, fn, arg);
}

/* There are few at a time. */
enum err sqlite_contacts_in_erasure(struct store_reader *reader, int64_t business_id,
                                    struct str name,
                                    bool (*fn)(void *arg, const struct store_contact *contact),
                                    void *arg)
{
    struct query q =
        reads(reader, ST_CONTACTS_IN_ERASURE,
              "SELECT " CONTACT_COLUMNS " FROM erasure JOIN contact ON contact.id = contact_id"
              " WHERE (contact.id = ?3 OR EXISTS (SELECT 1 FROM erasure_alias AS alias"
              "  WHERE alias.contact_id = contact.id AND alias.kind IN (0, 1, 2)"
              "  AND alias.value = ?2))"
              " AND (?1 = 0 OR contact.business_id = ?1) ORDER BY contact.id");

    return contacts(&q, business_id, name, fn, arg);
}

enum err sqlite_aliases(struct store_reader *reader, int64_t contact_id,
                        bool (*fn)(void *arg, enum store_alias kind, struct str value), void *arg)
{
    struct query q = reads(reader, ST_ALIASES,
                           "SELECT kind, value FROM contact_alias WHERE contact_id = ?1 UNION ALL"
                           " SELECT kind, value FROM erasure_alias WHERE contact_id = ?1"
                           " ORDER BY kind, value");

    put_int(&q, contact_id);
    while (query_row(&q)) {
        enum store_alias kind = (enum store_alias)get_int(&q);

        if (!fn(arg, kind, get_str(&q))) {
            break;
        }
    }
    return query_end(&q);
}

enum err sqlite_contact_chats(struct store_reader *reader, int64_t contact_id,
                              bool (*fn)(void *arg, const struct store_chat *chat), void *arg)
{
    struct query q =
        reads(reader, ST_CONTACT_CHATS,
              "SELECT " CHAT_COLUMNS ", " CONTACT_COLUMNS
              " FROM chat LEFT JOIN contact ON contact.id = chat.contact_id WHERE chat.id IN"
              " (SELECT id FROM chat WHERE contact_id = ?1"
              "  UNION SELECT chat_id FROM chat_participant WHERE contact_id = ?1)"
              " ORDER BY chat.id");

    put_int(&q, contact_id);
    while (query_row(&q)) {
        struct store_chat chat;

        get_chat(&q, &chat);
        get_contact(&q, &chat.contact);
        if (!fn(arg, &chat)) {
            break;
        }
    }
    return query_end(&q);
}

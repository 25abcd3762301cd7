/* Revoked tokens. */
#include "siod/store/sqlite_backend.h"

#define REVOCATION_COLUMNS                                                                         \
    "jti, business_id, user_id, issued_before_ms, expires_s, at_ms, who, reason"
#define REVOCATION_INSERT                                                                          \
    "INSERT INTO revocation (" REVOCATION_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
/* The one that goes further stands, with its reason; of two that go as far the later one that has
 * a reason. */
#define REVOCATION_STANDS                                                                          \
    "excluded.issued_before_ms > issued_before_ms OR"                                              \
    " (excluded.issued_before_ms = issued_before_ms AND coalesce(excluded.reason, '') <> '')"
#define REVOCATION_GROW                                                                            \
    " DO UPDATE SET issued_before_ms = max(issued_before_ms, excluded.issued_before_ms),"          \
    " expires_s = max(expires_s, excluded.expires_s),"                                             \
    " at_ms = iif(" REVOCATION_STANDS ", excluded.at_ms, at_ms),"                                  \
    " who = iif(" REVOCATION_STANDS ", excluded.who, who),"                                        \
    " reason = iif(" REVOCATION_STANDS ", excluded.reason, reason)"
#define REVOCATION_RETURNING " RETURNING " REVOCATION_COLUMNS

static void get_revocation(struct query *query, struct store_revocation *ret_revocation)
{
    ret_revocation->jti = get_str(query);
    ret_revocation->business_id = get_int(query);
    ret_revocation->user_id = get_int(query);
    ret_revocation->issued_before_ms = get_int(query);
    ret_revocation->expires_s = get_int(query);
    ret_revocation->at_ms = get_int(query);
    ret_revocation->who = get_str(query);
    ret_revocation->reason = get_str(query);
}

static struct query begin_put(struct sqlite_conn *conn, bool by_jti)
{
    return by_jti ? query_begin(conn, ST_REVOKE_JTI,
                                REVOCATION_INSERT
                                " ON CONFLICT (jti) WHERE jti IS NOT NULL" REVOCATION_GROW
                                ", business_id = iif(excluded.user_id <> 0, excluded.business_id,"
                                " business_id),"
                                " user_id = iif(excluded.user_id <> 0, excluded.user_id,"
                                " user_id)" REVOCATION_RETURNING)
                  : query_begin(conn, ST_REVOKE_USER,
                                REVOCATION_INSERT
                                " ON CONFLICT (business_id, user_id)"
                                " WHERE jti IS NULL" REVOCATION_GROW REVOCATION_RETURNING);
}

enum err sqlite_revocation_put(struct store_tx *tx, const struct store_revocation *revocation,
                               struct store_revocation *ret_now)
{
    struct query q = begin_put(&writer_of(tx)->conn, revocation->jti.data != NULL);

    put_str(&q, revocation->jti);
    put_int(&q, revocation->business_id);
    put_int(&q, revocation->user_id);
    put_int(&q, revocation->issued_before_ms);
    put_int(&q, revocation->expires_s);
    put_int(&q, tx->now_ms);
    put_str_full(&q, revocation->who);
    put_str_full(&q, revocation->reason);
    if (query_row(&q)) {
        get_revocation(&q, ret_now);
        ret_now->jti = ret_now->who = ret_now->reason = STR_NONE;
    }
    return query_run(&q);
}

enum err sqlite_revocations_purge(struct store_tx *tx, int64_t expired_before_s, unsigned limit,
                                  void (*fn)(void *arg, const struct store_revocation *revocation),
                                  void *arg)
{
    struct query q =
        query_begin(&writer_of(tx)->conn, ST_REVOCATIONS_PURGE,
                    "DELETE FROM revocation WHERE id IN (SELECT id FROM revocation"
                    " WHERE expires_s < ? ORDER BY expires_s LIMIT ?)" REVOCATION_RETURNING);

    put_int(&q, expired_before_s);
    put_int(&q, limit);
    while (query_row(&q)) {
        struct store_revocation revocation;

        get_revocation(&q, &revocation);
        if (fn != NULL) {
            fn(arg, &revocation);
        }
    }
    return query_end(&q);
}

enum err sqlite_revocations(struct store_reader *reader,
                            bool (*fn)(void *arg, const struct store_revocation *revocation),
                            void *arg)
{
    struct query q =
        query_begin(&reader_of(reader)->conn, ST_REVOCATIONS,
                    "SELECT " REVOCATION_COLUMNS " FROM revocation ORDER BY at_ms DESC, id DESC");

    while (query_row(&q)) {
        struct store_revocation revocation;

        get_revocation(&q, &revocation);
        if (!fn(arg, &revocation)) {
            break;
        }
    }
    return query_end(&q);
}

/* For tests of the store: a fresh database in a temporary directory, a loop on this thread, and
 * write and read jobs that are waited for. */
#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>
#include <sqlite3.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/log.h"
#include "siod/store/sqlite_backend.h"
#include "tests/lib/faultvfs.h"

enum { DEADLINE_MS = 30000 };

struct seen_event {
    int64_t business_id, position;
    char *args, *origin;
};

struct fixture {
    char dir[64];
    char *path, *url;
    struct loop *loop;
    struct store *store;
    struct store_config config;
    struct timer alarm;
    struct seen_event *events; /* everything that on_commit brought */
    size_t event_count;
    unsigned failures, recoveries; /* on_health calls */
    struct errmsg msg;
};

UNUSED static void fixture_on_commit(void *arg, struct store_events *events)
{
    struct fixture *f = arg;

    f->events = xrealloc(f->events, (f->event_count + events->count) * sizeof(*f->events));
    for (size_t i = 0; i < events->count; i++) {
        f->events[f->event_count++] = (struct seen_event) {
            .business_id = events->rows[i].business_id,
            .position = events->rows[i].position,
            .args = xstrndup(events->rows[i].args.data, events->rows[i].args.len),
            .origin = xstrndup(events->rows[i].origin.data, events->rows[i].origin.len),
        };
    }
    store_events_free(events);
}

UNUSED static void fixture_on_health(void *arg, enum store_health health, const char *reason)
{
    struct fixture *f = arg;

    if (health == STORE_OK) {
        f->recoveries++;
    } else {
        f->failures++;
        assert_true(reason[0] != '\0');
    }
}

UNUSED static void fixture_alarm(struct timer *timer)
{
    (void)timer;
}

/* Runs the loop until the expression is true. */
#define WAIT_FOR(f_, expression_)                                                                  \
    do {                                                                                           \
        uint64_t wait_deadline = clock_monotonic_ms() + DEADLINE_MS;                               \
                                                                                                   \
        while (!(expression_)) {                                                                   \
            if (clock_monotonic_ms() > wait_deadline) {                                            \
                fail_msg("waited in vain for %s", #expression_);                                   \
            }                                                                                      \
            timer_set((f_)->loop, &(f_)->alarm, 100, fixture_alarm);                               \
            ev_run(loop_ev((f_)->loop), EVRUN_ONCE);                                               \
        }                                                                                          \
    } while (0)

/* A directory, a loop and a configuration; nothing is opened yet. `options` follow the path. */
UNUSED static struct fixture *fixture_new(const char *options)
{
    struct fixture *f = xnew(struct fixture);

    log_set_level(getenv("STORE_TEST_LOG") != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
    snprintf(f->dir, sizeof(f->dir), "/tmp/siod-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->path = xasprintf("%s/siod.db", f->dir);
    f->url = xasprintf("sqlite:%s%s", f->path, options);
    f->loop = loop_new();
    f->config = (struct store_config) {
        .url = f->url,
        .synchronous_full = true,
        .retry_ms = 2,
        .on_commit = fixture_on_commit,
        .on_health = fixture_on_health,
        .arg = f,
    };
    return f;
}

UNUSED static void fixture_open(struct fixture *f)
{
    enum err err = store_open(f->loop, &f->config, &f->store, &f->msg);

    if (err != OK) {
        fail_msg("store_open: %s", f->msg.text);
    }
}

UNUSED static void fixture_drain(struct fixture *f)
{
    ev_run(loop_ev(f->loop), EVRUN_NOWAIT);
    ev_run(loop_ev(f->loop), EVRUN_NOWAIT);
}

UNUSED static void fixture_close(struct fixture *f)
{
    store_close(TAKE(f->store));
    fixture_drain(f);
}

UNUSED static void fixture_forget_events(struct fixture *f)
{
    for (size_t i = 0; i < f->event_count; i++) {
        free(f->events[i].args);
        free(f->events[i].origin);
    }
    free(TAKE(f->events));
    f->event_count = 0;
}

UNUSED static void fixture_unlink(const struct fixture *f, const char *name)
{
    autofree char *path = xasprintf("%s/%s", f->dir, name);

    unlink(path);
}

UNUSED static void fixture_free(struct fixture *f)
{
    static const char *const files[] = { "siod.db",      "siod.db-wal",   "siod.db-shm",
                                         "image.db",     "image.db-wal",  "image.db-shm",
                                         "siod.db-lock", "image.db-lock", "image.db-journal" };

    fixture_close(f);
    loop_free(f->loop);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        fixture_unlink(f, files[i]);
    }
    rmdir(f->dir);
    fixture_forget_events(f);
    free(f->path);
    free(f->url);
    free(f);
}

/* In place of what was there: a closed database as an earlier program left it, with the first
 * `version` migrations and what `sql` adds. */
UNUSED static void fixture_at_schema(struct fixture *f, unsigned version, const char *sql)
{
    sqlite3 *db = NULL;
    char *text;

    fixture_close(f);
    fixture_unlink(f, "siod.db");
    fixture_unlink(f, "siod.db-wal");
    fixture_unlink(f, "siod.db-shm");
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    for (unsigned i = 0; i < version; i++) {
        assert_int_equal(sqlite3_exec(db, sqlite_migrations[i].sql, NULL, NULL, NULL), SQLITE_OK);
    }
    text = xasprintf("PRAGMA application_id = %d; PRAGMA user_version = %u; %s",
                     SQLITE_APPLICATION_ID, version, sql);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s", sqlite3_errmsg(db));
    }
    free(text);
    sqlite3_close(db);
}

UNUSED static int fixture_setup(void **state)
{
    struct fixture *f = fixture_new("");

    fixture_open(f);
    *state = f;
    return 0;
}

UNUSED static int fixture_teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

/* ------------------------------------------------------------------ jobs */

/* A write job with its outcome. `body` runs on the writer thread. */
struct write {
    struct store_job job;
    enum err (*body)(struct store_tx *tx, void *arg);
    void *arg;
    bool done;
    enum err err;
};

UNUSED static enum err write_apply(struct store_job *job, struct store_tx *tx)
{
    struct write *write = CONTAINER_OF(job, struct write, job);

    return write->body(tx, write->arg);
}

UNUSED static void write_done(struct store_job *job, enum err err)
{
    struct write *write = CONTAINER_OF(job, struct write, job);

    write->done = true;
    write->err = err;
}

UNUSED static bool write_submit(struct fixture *f, struct write *write,
                                enum err (*body)(struct store_tx *tx, void *arg), void *arg)
{
    *write = (struct write) { .job = { .apply = write_apply, .done = write_done },
                              .body = body,
                              .arg = arg };
    return store_submit(f->store, &write->job);
}

/* The same for a job that nobody waits for. */
UNUSED static bool write_submit_patient(struct fixture *f, struct write *write,
                                        enum err (*body)(struct store_tx *tx, void *arg), void *arg)
{
    *write = (struct write) { .job = { .apply = write_apply, .done = write_done, .patient = true },
                              .body = body,
                              .arg = arg };
    return store_submit(f->store, &write->job);
}

/* Submits and waits. */
UNUSED static enum err write_now(struct fixture *f,
                                 enum err (*body)(struct store_tx *tx, void *arg), void *arg)
{
    struct write write;

    assert_true(write_submit(f, &write, body, arg));
    WAIT_FOR(f, write.done);
    return write.err;
}

struct read {
    struct store_query query;
    enum err (*body)(struct store_reader *reader, void *arg);
    void *arg;
    bool done;
    enum err err;
};

UNUSED static enum err read_fetch(struct store_query *query, struct store_reader *reader)
{
    struct read *read = CONTAINER_OF(query, struct read, query);

    return read->body(reader, read->arg);
}

UNUSED static void read_done(struct store_query *query, enum err err)
{
    struct read *read = CONTAINER_OF(query, struct read, query);

    read->done = true;
    read->err = err;
}

UNUSED static void read_submit(struct fixture *f, struct read *read,
                               enum err (*body)(struct store_reader *reader, void *arg), void *arg)
{
    *read = (struct read) { .query = { .fetch = read_fetch, .done = read_done },
                            .body = body,
                            .arg = arg };
    store_ask(f->store, &read->query);
}

UNUSED static enum err read_now(struct fixture *f,
                                enum err (*body)(struct store_reader *reader, void *arg), void *arg)
{
    struct read read;

    read_submit(f, &read, body, arg);
    WAIT_FOR(f, read.done);
    return read.err;
}

/* ------------------------------------------------------------------ a look into the file */

/* The first column of the first row, as an integer, over a connection of its own. */
UNUSED static int64_t sql_int(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    int64_t value;

    assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

UNUSED static void sql_exec(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    char *error = NULL;

    assert_int_equal(
        sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
        fail_msg("%s: %s", sql, error);
    }
    sqlite3_close(db);
}

/* ------------------------------------------------------------------ a delivery */

/* What a webhook with one text message does to the store, as a job. */
struct delivery_job {
    int64_t business_id;
    char wamid[48];
    char sender[24];
    bool poison;    /* fails at its end, after everything was written */
    bool duplicate; /* found out by apply */
    int64_t chat_id, message_id;
};

UNUSED static enum err delivery_contact(struct store_tx *tx, struct delivery_job *d, int64_t *ret)
{
    struct store_contact contact = { .business_id = d->business_id,
                                     .name = STR("Ann"),
                                     .wa_id = str_of(d->sender) };
    enum err err =
        store_contact_by_alias(tx, d->business_id, STORE_ALIAS_WA_ID, contact.wa_id, ret);

    if (err == OK && *ret == 0) {
        err = store_contact_create(tx, &contact, ret);
        if (err == OK) {
            err =
                store_contact_alias_add(tx, d->business_id, *ret, STORE_ALIAS_WA_ID, contact.wa_id);
        }
    }
    return err;
}

UNUSED static enum err delivery_rows(struct store_tx *tx, struct delivery_job *d,
                                     int64_t contact_id)
{
    struct store_chat chat = { .business_id = d->business_id,
                               .phone_number_id = STR("100"),
                               .contact.id = contact_id };
    struct store_message message = { .business_id = d->business_id,
                                     .contact_id = contact_id,
                                     .phone_number_id = STR("100"),
                                     .wamid = str_of(d->wamid),
                                     .type = STR("text"),
                                     .text = STR("hello"),
                                     .raw = STR("{}"),
                                     .wa_timestamp_s = 1700000000 };
    struct store_waiting reopened;
    bool created, inserted;
    enum err err = store_chat_ensure(tx, &chat, &d->chat_id, &created);

    message.chat_id = d->chat_id;
    if (err == OK) {
        err = store_message_append(tx, &message, &d->message_id, &inserted);
    }
    if (err != OK || !inserted) {
        d->duplicate = err == OK;
        return err;
    }
    err = store_chat_touch(tx, d->chat_id, d->message_id, message.wa_timestamp_s, true, &reopened);
    if (err == OK) {
        err = store_log_append(tx, d->business_id, STR("chat"), STR("new_message"), message.wamid);
    }
    if (err == OK) {
        err = store_log_append(tx, d->business_id, STR("business"), STR("received"), message.wamid);
    }
    return err;
}

UNUSED static enum err delivery_body(struct store_tx *tx, void *arg)
{
    struct delivery_job *d = arg;
    struct store_webhook webhook = { .received_at_ms = 1, .app = STR("main"), .counts = STR("{}") };
    int64_t contact_id = 0, webhook_id;
    enum err err;

    d->duplicate = false;
    webhook.body = str_of(d->wamid);
    err = store_webhook_append(tx, &webhook, &webhook_id);
    if (err == OK) {
        err = store_business_ensure(tx, d->business_id);
    }
    if (err == OK) {
        err = delivery_contact(tx, d, &contact_id);
    }
    if (err == OK) {
        err = delivery_rows(tx, d, contact_id);
    }
    return err == OK && d->poison ? ERR_SYNTAX : err;
}

/* ---- bodies of jobs */

/* Runs a body on the writer or on a reader and expects it to succeed. */
#define WRITE(f_, body_, arg_) assert_int_equal(write_now((f_), (body_), (arg_)), OK)
#define READ(f_, body_, arg_)  assert_int_equal(read_now((f_), (body_), (arg_)), OK)

/* In a body: pass an error on, as the jobs of the daemon do. */
#define TRY(expression_)                                                                           \
    do {                                                                                           \
        enum err try_err = (expression_);                                                          \
        if (try_err != OK) {                                                                       \
            return try_err;                                                                        \
        }                                                                                          \
    } while (0)

/* For code on the store's threads, where cmocka cannot fail a test. */
#define MUST(expression_)                                                                          \
    do {                                                                                           \
        if (!(expression_)) {                                                                      \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #expression_);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

UNUSED static bool same(struct str value, const char *text)
{
    return text == NULL ? value.data == NULL : value.data != NULL && str_eq(value, str_of(text));
}

UNUSED static enum err two_contacts(struct store_tx *tx, int64_t *ret_first, int64_t *ret_second)
{
    struct store_contact contact = { .business_id = 1, .name = STR("Ann"), .wa_id = STR("491") };

    TRY(store_business_ensure(tx, 1));
    TRY(store_contact_create(tx, &contact, ret_first));
    return store_contact_create(tx, &contact, ret_second);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* The store's functions on webhooks, the audit and the log of events, through write and read jobs.
 */
#include "libshared/buf.h"
#include "store_fixture.h"

/* ------------------------------------------------------------------ webhooks, audit */

static enum err webhooks_rows_body(struct store_tx *tx, void *arg)
{
    struct store_webhook webhook = { .received_at_ms = 11,
                                     .app = STR("main"),
                                     .body = { "a\0b", 3 },
                                     .counts = STR("{\"inbound\":1}") };
    int64_t first, id;

    (void)arg;
    TRY(store_webhook_append(tx, &webhook, &first));
    webhook.state = STORE_WEBHOOK_QUARANTINED;
    webhook.reason = STR("unknown number");
    TRY(store_webhook_append(tx, &webhook, &id));
    MUST(id == first + 1);
    return store_audit_append(tx, STR("root"), STR("webhook replay"), STR("{}"));
}

struct webhook_list {
    bool with_body;
    unsigned seen;
};

static bool webhook_row(void *arg, const struct store_webhook *webhook)
{
    struct webhook_list *list = arg;

    list->seen++;
    MUST(webhook->id == 3 - list->seen);
    MUST(webhook->received_at_ms == 11);
    MUST(same(webhook->app, "main") && same(webhook->counts, "{\"inbound\":1}"));
    MUST(same(webhook->reason, webhook->id == 2 ? "unknown number" : ""));
    MUST(webhook->state == (webhook->id == 2 ? STORE_WEBHOOK_QUARANTINED : STORE_WEBHOOK_DONE));
    MUST(webhook->body.len == (list->with_body ? 3 : 0));
    return true;
}

static enum err webhooks_body(struct store_reader *reader, void *arg)
{
    struct webhook_list *list = arg;

    const struct store_webhook_filter filter = { .with_body = list->with_body,
                                                 .limit = list->with_body ? 0 : 2 };

    return store_webhooks(reader, &filter, webhook_row, list);
}

static enum err count_body(struct store_reader *reader, void *arg)
{
    return store_count(reader, arg);
}

static void test_webhooks_are_listed_newest_first_with_or_without_bodies(void **state)
{
    struct fixture *f = *state;
    struct webhook_list without = { .with_body = false }, with = { .with_body = true };
    struct store_counts counts;

    WRITE(f, webhooks_rows_body, NULL);
    READ(f, webhooks_body, &without);
    assert_int_equal(without.seen, 2);
    READ(f, webhooks_body, &with);
    assert_int_equal(with.seen, 2);
    READ(f, count_body, &counts);
    assert_int_equal(counts.webhooks, 2);
    assert_int_equal(counts.quarantined, 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM audit"), 1);
}

static enum err fields_write_body(struct store_tx *tx, void *arg)
{
    static const char *const fields[] = { "[\"messages\"]",
                                          "[\"messages\",\"account_update\"]",
                                          "[\"account_update_2\"]",
                                          "[\"a\\\",\\\"account_update\"]",
                                          "[]",
                                          "[\"account_update\"]" };

    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const struct store_webhook webhook = { .app = STR("main"), .fields = str_of(fields[i]) };
        int64_t id;

        TRY(store_webhook_append(tx, &webhook, &id));
    }
    return OK;
}

struct field_list {
    struct str field;
    struct buf ids;
};

static bool field_row(void *arg, const struct store_webhook *webhook)
{
    buf_add_i64(arg, webhook->id);
    buf_add_char(arg, ' ');
    return true;
}

static enum err fields_read_body(struct store_reader *reader, void *arg)
{
    struct field_list *list = arg;
    const struct store_webhook_filter filter = { .field = list->field };

    return store_webhooks(reader, &filter, field_row, &list->ids);
}

static void test_webhooks_are_found_by_a_field_in_them(void **state)
{
    static const struct {
        struct str field;
        const char *ids;
    } cases[] = {
        { { NULL, 0 }, "6 5 4 3 2 1 " },
        { STR_INIT("messages"), "2 1 " },
        { STR_INIT("account_update"), "6 2 " },
        { STR_INIT("a\",\"account_update"), "4 " },
        { STR_INIT(","), "" },
        { STR_INIT("calls"), "" },
    };

    WRITE(*state, fields_write_body, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct field_list list = { .field = cases[i].field };

        READ(*state, fields_read_body, &list);
        assert_string_equal(list.ids.len > 0 ? list.ids.data : "", cases[i].ids);
        buf_finish(&list.ids);
    }
}

static bool audit_row(void *arg, const struct store_audit *audit)
{
    buf_printf(arg, "%lld:%.*s:%.*s:%.*s ", (long long)audit->id, STR_ARG(audit->who),
               STR_ARG(audit->command), STR_ARG(audit->args));
    MUST(audit->at_ms > 0);
    return true;
}

static enum err audits_write_body(struct store_tx *tx, void *arg)
{
    (void)arg;
    TRY(store_audit_append(tx, STR("root"), STR("first"), STR("{}")));
    TRY(store_audit_append(tx, STR("root"), STR("second"), STR("{\"a\":1}")));
    return store_audit_append(tx, STR("nobody"), STR("third"), STR("{}"));
}

static enum err audits_read_body(struct store_reader *reader, void *arg)
{
    return store_audits(reader, 2, audit_row, arg);
}

static void test_the_audit_is_listed_newest_first(void **state)
{
    struct fixture *f = *state;
    autobuf struct buf text = BUF_INIT;

    WRITE(f, audits_write_body, NULL);
    READ(f, audits_read_body, &text);
    assert_string_equal(text.data, "3:nobody:third:{} 2:root:second:{\"a\":1} ");
}

struct find {
    int64_t message_id;
    const char *wamid;
    struct buf text;
};

static enum err find_body(struct store_reader *reader, void *arg)
{
    struct find *find = arg;
    struct store_message message;
    struct store_contact contact;
    enum err err =
        store_message_find(reader, find->message_id, str_of(find->wamid), &message, &contact);

    buf_clear(&find->text);
    if (err == OK) {
        buf_printf(&find->text, "%lld %.*s %.*s", (long long)message.id, STR_ARG(message.wamid),
                   STR_ARG(contact.wa_id));
    }
    return err;
}

static enum err other_phone_body(struct store_tx *tx, void *arg)
{
    struct store_message message = { .business_id = 1,
                                     .chat_id = 1,
                                     .contact_id = 1,
                                     .phone_number_id = STR("999"),
                                     .wamid = STR("z"),
                                     .type = STR("text"),
                                     .raw = STR("{}") };
    int64_t id;
    bool inserted;

    (void)arg;
    return store_message_append(tx, &message, &id, &inserted);
}

static void test_a_message_is_found_by_id_and_by_wamid(void **state)
{
    static const struct {
        int64_t message_id;
        const char *wamid, *expected;
    } vectors[] = {
        { 1, "", "1 a 1" }, { 0, "b", "2 b 1" }, { 0, "z", "3 z 1" },
        { 4, "", NULL },    { 0, "c", NULL },    { 0, "", NULL },
    };
    struct fixture *f = *state;
    struct delivery_job jobs[] = { { .business_id = 1, .wamid = "a", .sender = "1" },
                                   { .business_id = 1, .wamid = "b", .sender = "1" } };
    struct find find = { 0 };

    find.wamid = "a";
    assert_int_equal(read_now(f, find_body, &find), ERR_NOT_FOUND);
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        WRITE(f, delivery_body, &jobs[i]);
    }
    WRITE(f, other_phone_body, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        enum err err;

        find.message_id = vectors[i].message_id;
        find.wamid = vectors[i].wamid;
        err = read_now(f, find_body, &find);
        assert_int_equal(err, vectors[i].expected != NULL ? OK : ERR_NOT_FOUND);
        if (vectors[i].expected != NULL) {
            assert_string_equal(find.text.data, vectors[i].expected);
        }
    }
    buf_finish(&find.text);
}

static void test_counts_count(void **state)
{
    struct fixture *f = *state;
    struct delivery_job jobs[] = { { .business_id = 1, .wamid = "a", .sender = "1" },
                                   { .business_id = 1, .wamid = "b", .sender = "1" },
                                   { .business_id = 2, .wamid = "c", .sender = "1" } };
    struct store_counts counts;

    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        WRITE(f, delivery_body, &jobs[i]);
    }
    READ(f, count_body, &counts);
    assert_int_equal(counts.businesses, 2);
    assert_int_equal(counts.contacts, 2);
    assert_int_equal(counts.chats, 2);
    assert_int_equal(counts.messages, 3);
    assert_int_equal(counts.webhooks, 3);
    assert_int_equal(counts.quarantined, 0);
}

/* ------------------------------------------------------------------ the log and snapshots */

struct since {
    int64_t business_id, position;
    unsigned limit;
    struct buf text;
    int64_t snapshot;
};

static bool since_row(void *arg, const struct store_event *event)
{
    struct since *since = arg;

    MUST(event->business_id == since->business_id);
    MUST(event->at_ms > 0);
    buf_printf(&since->text, "%lld:%.*s:%.*s:%.*s ", (long long)event->position,
               STR_ARG(event->room), STR_ARG(event->event), STR_ARG(event->args));
    return true;
}

static enum err since_body(struct store_reader *reader, void *arg)
{
    struct since *since = arg;

    TRY(store_snapshot(reader, since->business_id, &since->snapshot));
    return store_log_since(reader, since->business_id, since->position, since->limit, since_row,
                           since);
}

static void test_the_log_is_read_from_a_position(void **state)
{
    static const struct {
        int64_t business_id, position;
        unsigned limit;
        const char *expected;
        int64_t snapshot;
    } vectors[] = {
        { 1, 0, 0,
          "1:chat:new_message:a 2:business:received:a 3:chat:new_message:b "
          "4:business:received:b ",
          4 },
        { 1, 1, 2, "2:business:received:a 3:chat:new_message:b ", 4 },
        { 1, 4, 0, "", 4 },
        { 2, 0, 0, "1:chat:new_message:c 2:business:received:c ", 2 },
        { 3, 0, 0, "", 0 },
    };
    struct fixture *f = *state;
    struct delivery_job jobs[] = { { .business_id = 1, .wamid = "a", .sender = "1" },
                                   { .business_id = 2, .wamid = "c", .sender = "1" },
                                   { .business_id = 1, .wamid = "b", .sender = "1" } };

    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        WRITE(f, delivery_body, &jobs[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct since since = { .business_id = vectors[i].business_id,
                               .position = vectors[i].position,
                               .limit = vectors[i].limit };

        READ(f, since_body, &since);
        assert_string_equal(since.text.len > 0 ? since.text.data : "", vectors[i].expected);
        assert_int_equal(since.snapshot, vectors[i].snapshot);
        buf_finish(&since.text);
    }
}

struct position_at {
    int64_t at_ms, position;
};

static enum err position_at_body(struct store_reader *reader, void *arg)
{
    struct position_at *at = arg;

    return store_log_position_at(reader, 1, at->at_ms, &at->position);
}

static void test_a_time_leads_to_the_position_before_it(void **state)
{
    static const struct position_at vectors[] = {
        { 0, 0 }, { 1000, 0 }, { 1001, 2 }, { 2000, 2 }, { 2001, 4 }, { INT64_MAX, 4 },
    };
    struct fixture *f = *state;
    struct delivery_job jobs[] = { { .business_id = 1, .wamid = "a", .sender = "1" },
                                   { .business_id = 1, .wamid = "b", .sender = "1" },
                                   { .business_id = 2, .wamid = "c", .sender = "1" } };

    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        WRITE(f, delivery_body, &jobs[i]);
    }
    sql_exec(f, "UPDATE log SET at_ms = iif(position <= 2, 1000, 2000)");
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct position_at at = { .at_ms = vectors[i].at_ms, .position = -1 };

        READ(f, position_at_body, &at);
        assert_int_equal(at.position, vectors[i].position);
    }
}

/* A read job that takes its snapshot, lets the test write, and looks again. */
struct held_snapshot {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool taken, go_on;
    int64_t first, second;
    struct store_counts counts;
};

static enum err held_body(struct store_reader *reader, void *arg)
{
    struct held_snapshot *held = arg;

    TRY(store_snapshot(reader, 1, &held->first));
    pthread_mutex_lock(&held->lock);
    held->taken = true;
    pthread_cond_broadcast(&held->changed);
    while (!held->go_on) {
        pthread_cond_wait(&held->changed, &held->lock);
    }
    pthread_mutex_unlock(&held->lock);
    TRY(store_snapshot(reader, 1, &held->second));
    return store_count(reader, &held->counts);
}

static void test_a_read_job_sees_one_snapshot_while_writes_go_on(void **state)
{
    struct fixture *f = *state;
    struct delivery_job before = { .business_id = 1, .wamid = "a", .sender = "1" };
    struct delivery_job after = { .business_id = 1, .wamid = "b", .sender = "2" };
    struct held_snapshot held = { .lock = PTHREAD_MUTEX_INITIALIZER,
                                  .changed = PTHREAD_COND_INITIALIZER };
    struct store_counts counts;
    struct read read;

    WRITE(f, delivery_body, &before);
    read_submit(f, &read, held_body, &held);
    pthread_mutex_lock(&held.lock);
    while (!held.taken) {
        pthread_cond_wait(&held.changed, &held.lock);
    }
    pthread_mutex_unlock(&held.lock);
    WRITE(f, delivery_body, &after);
    pthread_mutex_lock(&held.lock);
    held.go_on = true;
    pthread_cond_broadcast(&held.changed);
    pthread_mutex_unlock(&held.lock);
    WAIT_FOR(f, read.done);
    assert_int_equal(read.err, OK);
    assert_int_equal(held.first, 2);
    assert_int_equal(held.second, 2);
    assert_int_equal(held.counts.messages, 1);
    /* The next job sees what was committed meanwhile, on either connection. */
    for (int i = 0; i < 4; i++) {
        READ(f, count_body, &counts);
        assert_int_equal(counts.messages, 2);
    }
}

static enum err slow_write_body(struct store_tx *tx, void *arg)
{
    struct store_webhook webhook = { .app = STR("main") };
    int64_t id;

    (void)arg;
    for (int i = 0; i < 20000; i++) {
        TRY(store_webhook_append(tx, &webhook, &id));
    }
    return OK;
}

static bool never_enough(void *arg, const struct store_webhook *webhook)
{
    (void)webhook;
    ++*(unsigned *)arg;
    return true;
}

static enum err endless_body(struct store_reader *reader, void *arg)
{
    const struct store_webhook_filter all = { .with_body = true };

    for (;;) {
        TRY(store_webhooks(reader, &all, never_enough, arg));
    }
}

static void test_a_read_job_ends_when_its_time_is_up(void **state)
{
    struct fixture *f = fixture_new("");
    struct store_counts counts;
    struct store_stats stats;
    unsigned rows = 0;

    *state = f;
    f->config.read_timeout_ms = 30;
    fixture_open(f);
    WRITE(f, slow_write_body, NULL);
    assert_int_equal(read_now(f, endless_body, &rows), ERR_TIMEOUT);
    READ(f, count_body, &counts);
    READ(f, count_body, &counts);
    READ(f, count_body, &counts);
    assert_int_equal(counts.webhooks, 20000);
    store_stats(f->store, &stats);
    assert_int_equal(stats.reads, 4);
}

static enum err clock_body(struct store_tx *tx, void *arg)
{
    *(int64_t *)arg = store_tx_now_ms(tx);
    TRY(store_business_ensure(tx, 1));
    return store_log_append(tx, 1, STR("r"), STR("e"), STR("{}"));
}

static void test_the_transactions_clock_is_the_logs(void **state)
{
    struct fixture *f = *state;
    int64_t at_ms = 0;

    WRITE(f, clock_body, &at_ms);
    assert_true(at_ms > 0);
    assert_int_equal(sql_int(f, "SELECT at_ms FROM log"), at_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_webhooks_are_listed_newest_first_with_or_without_bodies),
        STORE_TEST(test_webhooks_are_found_by_a_field_in_them),
        STORE_TEST(test_the_audit_is_listed_newest_first),
        STORE_TEST(test_a_message_is_found_by_id_and_by_wamid),
        STORE_TEST(test_counts_count),
        STORE_TEST(test_the_log_is_read_from_a_position),
        STORE_TEST(test_a_time_leads_to_the_position_before_it),
        STORE_TEST(test_a_read_job_sees_one_snapshot_while_writes_go_on),
        cmocka_unit_test_teardown(test_a_read_job_ends_when_its_time_is_up, fixture_teardown),
        STORE_TEST(test_the_transactions_clock_is_the_logs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What was kept long enough goes, oldest first and in slices; the rest, and what tells a repeated
 * delivery from a new one, stays. */
#include "siod/store/care.h"
#include "store_fixture.h"

static const int64_t day_ms = INT64_C(86400000);

static struct fixture *closed(unsigned raw_body_days, unsigned log_days, unsigned message_days)
{
    struct fixture *f = fixture_new("");

    f->config.retention = (struct store_retention) { .raw_body_days = raw_body_days,
                                                     .log_days = log_days,
                                                     .message_days = message_days };
    return f;
}

/* Those from..to, committed together. */
static void deliver_all(struct fixture *f, unsigned from, unsigned to)
{
    unsigned count = to - from;
    autofree struct delivery_job *jobs = xcalloc(count, sizeof *jobs);
    autofree struct write *writes = xcalloc(count, sizeof *writes);

    for (unsigned i = 0; i < count; i++) {
        jobs[i].business_id = 1 + (from + i) % 2;
        snprintf(jobs[i].wamid, sizeof jobs[i].wamid, "wamid.%u", from + i);
        snprintf(jobs[i].sender, sizeof jobs[i].sender, "49%u", (from + i) % 5);
        assert_true(write_submit(f, &writes[i], delivery_body, &jobs[i]));
    }
    for (unsigned i = 0; i < count; i++) {
        WAIT_FOR(f, writes[i].done);
        assert_int_equal(writes[i].err, OK);
        assert_false(jobs[i].duplicate);
    }
}

static void deliver(struct fixture *f, unsigned number)
{
    deliver_all(f, number, number + 1);
}

/* `count` deliveries, of which the first `old` are so many days old. */
static void fill(struct fixture *f, unsigned count, unsigned old, unsigned days)
{
    int64_t then_ms = clock_wall_ms() - days * day_ms;
    autofree char *sql = NULL;

    fixture_open(f);
    deliver_all(f, 0, count);
    fixture_close(f);
    sql = xasprintf("UPDATE webhook SET received_at_ms = %lld;"
                    "UPDATE webhook SET received_at_ms = %lld WHERE id <= %u;"
                    "UPDATE log SET at_ms = %lld WHERE id <= %u;"
                    "UPDATE message SET created_at_ms = %lld WHERE id <= %u",
                    (long long)clock_wall_ms(), (long long)then_ms, old, (long long)then_ms,
                    2 * old, (long long)then_ms, old);
    sql_exec(f, sql);
}

static void sound_finding(void *arg, const struct store_finding *finding)
{
    (void)arg;
    if (finding->problems > 0) {
        fail_msg("%s: %.*s", finding->check, STR_ARG(finding->details));
    }
}

static void assert_sound(struct fixture *f)
{
    if (store_file_check(f->path, sound_finding, NULL, &f->msg) != OK) {
        fail_msg("%s", f->msg.text);
    }
}

static void purge(struct fixture *f)
{
    f->config.retention_after_ms = 1;
    fixture_open(f);
}

static struct store_purged purged(const struct fixture *f)
{
    struct store_size size;
    struct store_purged result;

    store_sizes(f->store, &size, &result);
    return result;
}

static void test_what_is_old_goes_and_the_rest_stays(void **state)
{
    struct fixture *f = closed(9, 9, 9);

    (void)state;
    fill(f, 700, 650, 10);
    purge(f);
    WAIT_FOR(f, purged(f).webhooks == 650 && purged(f).log == 1300 && purged(f).messages == 650);
    assert_int_equal(sql_int(f, "SELECT min(id) FROM webhook"), 651);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM webhook"), 50);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM log"), 100);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 50);
    assert_int_equal(sql_int(f, "SELECT sum(position - log_purged) FROM business"), 100);
    assert_sound(f);
    deliver(f, 1000);
    assert_sound(f);
    assert_int_equal(sql_int(f, "SELECT max(position) FROM log WHERE business_id = 1"), 702);
    fixture_free(f);
}

/* Ids are in the order of arrival, the last message is so by WhatsApp's second. */
static void test_a_chat_whose_last_message_goes_has_the_one_before_it(void **state)
{
    struct fixture *f = closed(9, 9, 9);

    (void)state;
    fill(f, 11, 1, 10);
    sql_exec(f, "UPDATE message SET wa_timestamp_s = 1700000500 WHERE id = 1;"
                "UPDATE chat SET last_message_id = 1, last_message_at_ms = 1700000500000"
                " WHERE id = (SELECT chat_id FROM message WHERE id = 1)");
    assert_sound(f);
    purge(f);
    WAIT_FOR(f, purged(f).messages == 1);
    assert_sound(f);
    assert_int_equal(sql_int(f, "SELECT last_message_at_ms FROM chat WHERE last_message_id = 11"),
                     1700000000000);
    fixture_free(f);
}

static void from_a_clock_that_was_ahead(struct fixture *f, unsigned from, unsigned to)
{
    long long then_ms = clock_wall_ms() + 300 * day_ms;
    autofree char *sql =
        xasprintf("UPDATE webhook SET received_at_ms = %lld WHERE id BETWEEN %u AND %u;"
                  "UPDATE log SET at_ms = %lld WHERE (id + 1) / 2 BETWEEN %u AND %u;"
                  "UPDATE message SET created_at_ms = %lld WHERE id BETWEEN %u AND %u;"
                  "UPDATE decision SET at_ms = %lld WHERE id BETWEEN %u AND %u",
                  then_ms, from, to, then_ms, from, to, then_ms, from, to, then_ms, from, to);

    sql_exec(f, sql);
}

/* As many as there are webhooks and messages, and as old. */
static void add_decisions(struct fixture *f)
{
    sql_exec(f, "INSERT INTO decision SELECT id, 1, created_at_ms, 0, x'', x'', x'', x''"
                " FROM message");
}

/* What is from 1 to 450, more than two slices, is older than what is from 451 on. */
static void test_what_a_clock_ahead_has_written_goes_with_what_follows(void **state)
{
    struct fixture *f = closed(9, 9, 9);

    (void)state;
    fill(f, 700, 650, 10);
    add_decisions(f);
    from_a_clock_that_was_ahead(f, 1, 450);
    from_a_clock_that_was_ahead(f, 500, 500);
    from_a_clock_that_was_ahead(f, 645, 655);
    purge(f);
    WAIT_FOR(f, purged(f).webhooks == 644 && purged(f).log == 1288 && purged(f).messages == 644 &&
                    sql_int(f, "SELECT count(*) FROM decision") == 56);
    assert_sound(f);
    assert_int_equal(sql_int(f, "SELECT min(id) FROM webhook"), 645);
    assert_int_equal(sql_int(f, "SELECT min(id) FROM log"), 1289);
    assert_int_equal(sql_int(f, "SELECT min(id) FROM message"), 645);
    assert_int_equal(sql_int(f, "SELECT min(id) FROM decision"), 645);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM gone"), 450 + 1);
    fixture_free(f);
}

static void test_what_a_clock_ahead_has_written_stays_until_that_is_known_to_be_old(void **state)
{
    static const struct {
        unsigned rows, ahead;
    } vectors[] = { { 20, 20 }, { 450, 450 }, { 500, 450 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct fixture *f = closed(9, 9, 9);
        struct store_size size = { 0 };
        struct store_purged gone;

        fill(f, vectors[i].rows, 0, 0);
        from_a_clock_that_was_ahead(f, 1, vectors[i].ahead);
        purge(f);
        WAIT_FOR(f, (store_sizes(f->store, &size, &gone), size.used_bytes > 0));
        assert_int_equal(gone.webhooks + gone.log + gone.messages, 0);
        assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), vectors[i].rows);
        fixture_free(f);
    }
}

static void test_nothing_goes_by_a_setting_that_is_off_or_a_day_too_long(void **state)
{
    static const struct store_retention vectors[] = {
        { 0, 0, 0 }, { 11, 11, 11 }, { 9, 0, 0 }, { 0, 9, 0 }, { 0, 0, 9 }
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct store_retention days = vectors[i];
        struct fixture *f = closed(days.raw_body_days, days.log_days, days.message_days);
        struct store_size size;
        struct store_purged gone;

        fill(f, 20, 10, 10);
        purge(f);
        do {
            WAIT_FOR(f, (store_sizes(f->store, &size, &gone), size.used_bytes > 0));
        } while (false);
        assert_int_equal(gone.webhooks, days.raw_body_days == 9 ? 10 : 0);
        assert_int_equal(gone.log, days.log_days == 9 ? 20 : 0);
        assert_int_equal(gone.messages, days.message_days == 9 ? 10 : 0);
        assert_sound(f);
        fixture_free(f);
    }
}

static void test_all_may_go_and_ids_go_on(void **state)
{
    struct fixture *f = closed(9, 9, 9);

    (void)state;
    fill(f, 10, 10, 10);
    purge(f);
    WAIT_FOR(f, purged(f).webhooks == 10 && purged(f).log == 20 && purged(f).messages == 10);
    assert_int_equal(sql_int(f, "SELECT sum(length(body)) FROM webhook"), 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM log"), 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat WHERE last_message_id <> 0"), 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat WHERE last_message_at_ms <> 0"), 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat"), 10);
    assert_sound(f);
    deliver(f, 100);
    assert_int_equal(sql_int(f, "SELECT max(id) FROM webhook"), 11);
    assert_int_equal(sql_int(f, "SELECT max(id) FROM message"), 11);
    fixture_close(f);
    fixture_open(f);
    WAIT_FOR(f, purged(f).webhooks == 2); /* what was left of the last one, and the next */
    assert_int_equal(sql_int(f, "SELECT min(id) FROM webhook"), 11);
    fixture_free(f);
}

/* With messages kept for a day, one of last week that is delivered again is still a repetition. */
static void test_a_purged_message_that_is_delivered_again_stays_away(void **state)
{
    struct fixture *f = closed(0, 0, 1);
    struct delivery_job again = { .business_id = 2, .wamid = "wamid.3", .sender = "493" };

    (void)state;
    fill(f, 10, 5, 7);
    purge(f);
    WAIT_FOR(f, purged(f).messages == 5);
    assert_int_equal(write_now(f, delivery_body, &again), OK);
    assert_true(again.duplicate);
    fixture_close(f);
    f->config.retention_after_ms = 0;
    fixture_open(f);
    assert_int_equal(write_now(f, delivery_body, &again), OK);
    assert_true(again.duplicate);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 5);
    fixture_close(f);

    sql_exec(f, "UPDATE gone SET until_ms = 1");
    purge(f);
    WAIT_FOR(f, sql_int(f, "SELECT count(*) FROM gone") == 0);
    fixture_free(f);
}

static void test_of_a_message_older_than_deliveries_nothing_is_kept(void **state)
{
    struct fixture *f = closed(0, 0, 1);

    (void)state;
    fill(f, 10, 5, 9);
    purge(f);
    WAIT_FOR(f, purged(f).messages == 5);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM gone"), 0);
    fixture_free(f);
}

static enum err statuses_body(struct store_tx *tx, void *arg)
{
    enum err err = OK;

    (void)arg;
    for (unsigned i = 0; err == OK && i < 2500; i++) {
        char wamid[32];
        struct store_status_row row = { .phone_number_id = STR("100"),
                                        .status = STR("sent"),
                                        .wa_timestamp_s = 1 };
        bool is_new;

        snprintf(wamid, sizeof wamid, "wamid.%u", i);
        row.wamid = str_of(wamid);
        err = store_status_record(tx, &row, &is_new);
    }
    return err;
}

static void test_statuses_go_with_their_message_or_when_it_never_came(void **state)
{
    struct fixture *f = closed(9, 0, 9);

    (void)state;
    fixture_open(f);
    deliver_all(f, 0, 25);
    assert_int_equal(write_now(f, statuses_body, NULL), OK);
    fixture_close(f);
    sql_exec(f, "UPDATE message SET created_at_ms = 1 WHERE id <= 5;"
                "UPDATE status SET seen_at_us = 1 WHERE wamid <> CAST('wamid.70' AS BLOB)");
    purge(f);
    WAIT_FOR(f, purged(f).messages == 5 && purged(f).statuses == 2500 - 25 - 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM status"), 20 + 1);
    fixture_free(f);
}

/* Half of the changes are of messages that are there. */
static enum err changes_body(struct store_tx *tx, void *arg)
{
    enum err err = OK;

    (void)arg;
    for (unsigned i = 0; err == OK && i < 2100; i++) {
        char wamid[32], target[32];
        struct store_change change = { .phone_number_id = STR("100"),
                                       .kind = STORE_CHANGE_REACTION,
                                       .wa_timestamp_s = 1,
                                       .body = STR("x") };

        snprintf(wamid, sizeof wamid, "wamid.reaction.%u", i);
        snprintf(target, sizeof target, "wamid.%u", i % 50);
        change.wamid = str_of(wamid);
        change.target = str_of(target);
        err = store_change_record(tx, &change);
    }
    return err;
}

static void test_changes_go_when_their_message_never_came(void **state)
{
    struct fixture *f = closed(9, 0, 0);

    (void)state;
    fixture_open(f);
    deliver_all(f, 0, 25);
    assert_int_equal(write_now(f, changes_body, NULL), OK);
    assert_int_equal(write_now(f, statuses_body, NULL), OK);
    fixture_close(f);
    sql_exec(f, "UPDATE message_change SET seen_at_ms = 1"
                " WHERE wamid <> CAST('wamid.reaction.30' AS BLOB)");
    purge(f);
    WAIT_FOR(f, purged(f).changes == 1050 - 1);
    assert_int_equal(purged(f).statuses, 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message_change"), 1050 + 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message_change WHERE NOT EXISTS"
                                " (SELECT 1 FROM message WHERE message.wamid = target)"),
                     1);
    fixture_free(f);
}

struct gap {
    int64_t begin, rows;
};

static bool count_row(void *arg, const struct store_event *event)
{
    struct gap *gap = arg;

    gap->rows += event->position > gap->begin;
    return true;
}

static enum err begin_body(struct store_reader *reader, void *arg)
{
    struct gap *gap = arg;
    enum err err = store_log_begin(reader, 1, &gap->begin);

    return err == OK ? store_log_since(reader, 1, 0, 0, count_row, gap) : err;
}

static void test_the_log_says_where_it_begins(void **state)
{
    struct fixture *f = closed(0, 9, 0);
    struct gap gap = { 0 };

    (void)state;
    fill(f, 20, 10, 10);
    purge(f);
    WAIT_FOR(f, purged(f).log == 20);
    assert_int_equal(read_now(f, begin_body, &gap), OK);
    assert_int_equal(gap.begin, 10);
    assert_int_equal(gap.rows, 10);
    fixture_free(f);
}

static void test_growth_is_told_from_the_oldest_sample(void **state)
{
    struct fixture *f = closed(0, 0, 0);
    struct store_size size;
    struct store_purged gone;
    autofree char *sql = NULL;

    (void)state;
    fill(f, 50, 0, 0);
    sql = xasprintf("INSERT INTO growth VALUES (%lld, 4096), (1, 1)",
                    (long long)(clock_wall_ms() - 2 * day_ms));
    sql_exec(f, sql);
    purge(f);
    WAIT_FOR(f, (store_sizes(f->store, &size, &gone), size.used_bytes > 0));
    assert_true(size.growth_known);
    assert_in_range(size.growth_per_day, (size.used_bytes - 4096) / 2 - 64,
                    (size.used_bytes - 4096) / 2 + 64);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM growth"), 2);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_old_goes_and_the_rest_stays),
        cmocka_unit_test(test_a_chat_whose_last_message_goes_has_the_one_before_it),
        cmocka_unit_test(test_what_a_clock_ahead_has_written_goes_with_what_follows),
        cmocka_unit_test(test_what_a_clock_ahead_has_written_stays_until_that_is_known_to_be_old),
        cmocka_unit_test(test_nothing_goes_by_a_setting_that_is_off_or_a_day_too_long),
        cmocka_unit_test(test_all_may_go_and_ids_go_on),
        cmocka_unit_test(test_a_purged_message_that_is_delivered_again_stays_away),
        cmocka_unit_test(test_of_a_message_older_than_deliveries_nothing_is_kept),
        cmocka_unit_test(test_statuses_go_with_their_message_or_when_it_never_came),
        cmocka_unit_test(test_changes_go_when_their_message_never_came),
        cmocka_unit_test(test_the_log_says_where_it_begins),
        cmocka_unit_test(test_growth_is_told_from_the_oldest_sample),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The writer thread: group commit, failing jobs, positions, limits. */
#include "siod/store/sqlite_backend.h"
#include "store_fixture.h"
#include "tests/unit/gate.h"

enum { JOBS = 64 };

static void fill(struct delivery_job *jobs, size_t count, unsigned businesses)
{
    memset(jobs, 0, count * sizeof(*jobs));
    for (size_t i = 0; i < count; i++) {
        jobs[i].business_id = 1 + (int64_t)(i % businesses);
        snprintf(jobs[i].wamid, sizeof(jobs[i].wamid), "wamid.%zu", i);
        snprintf(jobs[i].sender, sizeof(jobs[i].sender), "49%zu", i % 7);
    }
}

static void run_all(struct fixture *f, struct delivery_job *jobs, struct write *writes,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(write_submit(f, &writes[i], delivery_body, &jobs[i]));
    }
    for (size_t i = 0; i < count; i++) {
        WAIT_FOR(f, writes[i].done);
    }
}

/* Positions of each business are 1, 2, 3 … in the order in which on_commit brought them. */
static void assert_positions(const struct fixture *f, unsigned businesses)
{
    int64_t next[16] = { 0 };

    for (size_t i = 0; i < f->event_count; i++) {
        assert_in_range(f->events[i].business_id, 1, businesses);
        assert_int_equal(f->events[i].position, ++next[f->events[i].business_id]);
    }
}

static void test_one_poison_among_64_jobs_fails_alone(void **state)
{
    struct fixture *f = *state;
    struct delivery_job jobs[JOBS];
    struct write writes[JOBS];

    fill(jobs, JOBS, 1);
    jobs[17].poison = true;
    run_all(f, jobs, writes, JOBS);
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(writes[i].err, i == 17 ? ERR_SYNTAX : OK);
    }
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), JOBS - 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM webhook"), JOBS - 1);
    assert_int_equal(
        sql_int(f, "SELECT count(*) FROM message WHERE wamid = CAST('wamid.17' AS BLOB)"), 0);
    assert_int_equal(f->event_count, 2 * (JOBS - 1));
    assert_positions(f, 1);
}

static void test_a_batch_of_nothing_but_poison_commits_nothing(void **state)
{
    struct fixture *f = *state;
    struct delivery_job jobs[JOBS];
    struct write writes[JOBS];

    fill(jobs, JOBS, 1);
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i].poison = true;
    }
    run_all(f, jobs, writes, JOBS);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM webhook"), 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM business"), 0);
    assert_int_equal(f->event_count, 0);
    assert_int_equal(f->failures, 0);
}

static void test_jobs_that_wait_share_commits(void **state)
{
    enum { MANY = 400 };
    struct fixture *f = *state;
    struct gate *gate;
    struct delivery_job jobs[MANY];
    struct write writes[MANY];
    struct store_stats stats;

    fill(jobs, MANY, 3);
    gate = gate_close(f->store);
    gate_await(gate);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(write_submit(f, &writes[i], delivery_body, &jobs[i]));
    }
    store_stats(f->store, &stats);
    assert_int_equal(stats.queued, MANY);
    gate_open(gate);
    WAIT_FOR(f, writes[MANY - 1].done);
    store_stats(f->store, &stats);
    assert_int_equal(stats.jobs, MANY + 1);
    assert_in_range(stats.commits, 1, MANY / 4);
    assert_int_equal(stats.rows_logged, 2 * MANY);
    assert_int_equal(stats.queued, 0);
    assert_true(stats.bytes > 0);
    assert_positions(f, 3);
}

static void test_done_follows_on_commit_in_the_order_of_submission(void **state)
{
    struct fixture *f = *state;
    struct delivery_job jobs[JOBS];
    struct write writes[JOBS];

    fill(jobs, JOBS, 1);
    for (size_t i = 0; i < JOBS; i++) {
        assert_true(write_submit(f, &writes[i], delivery_body, &jobs[i]));
    }
    for (size_t i = 0; i < JOBS; i++) {
        WAIT_FOR(f, writes[i].done);
        assert_true(f->event_count >= 2 * (i + 1));
        assert_string_equal(f->events[2 * i].args, jobs[i].wamid);
    }
}

/* However slow the machine is: not more commits than the time allows. */
static void test_patient_jobs_are_committed_together(void **state)
{
    enum { BETWEEN_MS = 20 };
    struct fixture *f = *state;
    struct delivery_job jobs[JOBS];
    struct write writes[JOBS];
    struct store_stats before, after;
    uint64_t start_ms = clock_monotonic_ms();

    fill(jobs, JOBS, 1);
    store_stats(f->store, &before);
    for (size_t i = 0; i < JOBS; i++) {
        assert_true(write_submit_patient(f, &writes[i], delivery_body, &jobs[i]));
        if (i % 8 == 0) {
            WAIT_FOR(f, writes[i].done);
        }
    }
    WAIT_FOR(f, writes[JOBS - 1].done);
    store_stats(f->store, &after);
    assert_in_range(after.commits - before.commits, 2,
                    (clock_monotonic_ms() - start_ms) / BETWEEN_MS + 2);
    assert_string_equal(f->events[0].args, jobs[0].wamid);
    assert_string_equal(f->events[2 * (JOBS - 1)].args, jobs[JOBS - 1].wamid);
}

static void test_patient_jobs_go_along_with_others_and_keep_their_order(void **state)
{
    struct fixture *f = *state;
    struct delivery_job jobs[JOBS];
    struct write writes[JOBS];

    fill(jobs, JOBS, 1);
    for (size_t i = 0; i < JOBS; i++) {
        assert_true(i % 3 == 0 ? write_submit(f, &writes[i], delivery_body, &jobs[i])
                               : write_submit_patient(f, &writes[i], delivery_body, &jobs[i]));
        if (i % 7 == 0) {
            WAIT_FOR(f, writes[i].done);
        }
    }
    WAIT_FOR(f, writes[JOBS - 1].done);
    for (size_t i = 0; i < JOBS; i++) {
        assert_string_equal(f->events[2 * i].args, jobs[i].wamid);
    }
}

static void test_positions_have_no_gap_across_failing_jobs_and_businesses(void **state)
{
    enum { MANY = 300, BUSINESSES = 5 };
    struct fixture *f = *state;
    struct delivery_job jobs[MANY];
    struct write writes[MANY];
    size_t failed = 0;

    fill(jobs, MANY, BUSINESSES);
    for (size_t i = 0; i < MANY; i += 3) {
        jobs[i].poison = true;
        failed++;
    }
    run_all(f, jobs, writes, MANY);
    assert_int_equal(f->event_count, 2 * (MANY - failed));
    assert_positions(f, BUSINESSES);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM log"), 2 * (MANY - failed));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM business WHERE position <> (SELECT count(*)"
                                " FROM log WHERE business_id = business.id AND position BETWEEN 1"
                                " AND business.position)"),
                     0);
    /* Ids are not used up by failures either. */
    assert_int_equal(sql_int(f, "SELECT max(id) = count(*) FROM message"), 1);
    assert_int_equal(sql_int(f, "SELECT max(id) = count(*) FROM chat"), 1);
}

static void test_a_message_delivered_eight_times_at_once_is_one_message(void **state)
{
    enum { TIMES = 8 };
    struct fixture *f = *state;
    struct delivery_job jobs[TIMES];
    struct write writes[TIMES];
    size_t fresh = 0;

    fill(jobs, TIMES, 1);
    for (size_t i = 0; i < TIMES; i++) {
        memcpy(&jobs[i], &jobs[0], sizeof(jobs[0]));
    }
    run_all(f, jobs, writes, TIMES);
    for (size_t i = 0; i < TIMES; i++) {
        assert_int_equal(writes[i].err, OK);
        fresh += !jobs[i].duplicate;
    }
    assert_int_equal(fresh, 1);
    assert_int_equal(f->event_count, 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
}

struct submitter {
    struct fixture *fixture;
    pthread_t thread;
    struct delivery_job job;
    struct write write;
};

static void *submit_from_a_thread(void *arg)
{
    struct submitter *s = arg;

    while (!write_submit(s->fixture, &s->write, delivery_body, &s->job)) {
    }
    return NULL;
}

static void test_eight_threads_may_submit_the_same_message(void **state)
{
    enum { THREADS = 8 };
    struct fixture *f = *state;
    struct submitter submitters[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        submitters[i].fixture = f;
        fill(&submitters[i].job, 1, 1);
        assert_int_equal(
            pthread_create(&submitters[i].thread, NULL, submit_from_a_thread, &submitters[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(submitters[i].thread, NULL);
    }
    for (size_t i = 0; i < THREADS; i++) {
        WAIT_FOR(f, submitters[i].write.done);
        assert_int_equal(submitters[i].write.err, OK);
    }
    assert_int_equal(f->event_count, 2);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 1);
}

static void test_a_full_queue_refuses_and_says_so_before(void **state)
{
    struct fixture *f = fixture_new("");
    struct gate *gate;
    struct delivery_job jobs[5];
    struct write writes[5];

    *state = f;
    f->config.queue_limit = 4;
    fixture_open(f);
    fill(jobs, ARRAY_SIZE(jobs), 1);
    gate = gate_close(f->store);
    gate_await(gate);
    for (size_t i = 0; i < 4; i++) {
        assert_true(store_accepting(f->store));
        assert_true(write_submit(f, &writes[i], delivery_body, &jobs[i]));
    }
    assert_false(store_accepting(f->store));
    assert_false(write_submit(f, &writes[4], delivery_body, &jobs[4]));
    gate_open(gate);
    WAIT_FOR(f, writes[3].done);
    assert_true(store_accepting(f->store));
    assert_false(writes[4].done);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 4);
}

static void test_closing_runs_what_waits(void **state)
{
    struct fixture *f = *state;
    struct delivery_job jobs[JOBS];
    struct write writes[JOBS];

    fill(jobs, JOBS, 1);
    for (size_t i = 0; i < JOBS; i++) {
        assert_true(i < JOBS / 2 ? write_submit(f, &writes[i], delivery_body, &jobs[i])
                                 : write_submit_patient(f, &writes[i], delivery_body, &jobs[i]));
    }
    fixture_close(f);
    for (size_t i = 0; i < JOBS; i++) {
        assert_true(writes[i].done);
        assert_int_equal(writes[i].err, OK);
    }
    assert_int_equal(f->event_count, 2 * JOBS);
    assert_int_equal(access(f->path, F_OK), 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), JOBS);
}

static enum err no_body(struct store_reader *reader, void *arg)
{
    (void)reader;
    *(bool *)arg = true;
    return OK;
}

static void test_a_stopped_store_takes_nothing_and_what_was_under_way_is_told(void **state)
{
    struct fixture *f = *state;
    struct delivery_job jobs[2];
    struct write writes[2] = { 0 };
    struct read before = { 0 }, after = { 0 };
    bool asked_before = false, asked_after = false;

    fill(jobs, 2, 1);
    assert_true(write_submit(f, &writes[0], delivery_body, &jobs[0]));
    read_submit(f, &before, no_body, &asked_before);
    store_stop(f->store);
    assert_false(write_submit(f, &writes[1], delivery_body, &jobs[1]));
    read_submit(f, &after, no_body, &asked_after);
    assert_false(writes[0].done || before.done || after.done);
    loop_flush(f->loop);
    assert_true(writes[0].done && before.done && after.done);
    assert_int_equal(writes[0].err, OK);
    assert_int_equal(before.err, OK);
    assert_int_equal(after.err, ERR_STORE);
    assert_true(asked_before && !asked_after);
    store_stop(f->store);
}

static void test_what_is_left_at_close_may_be_dropped_with_the_loop(void **state)
{
    struct fixture *f = *state;
    static struct delivery_job job;
    static struct write write;

    fill(&job, 1, 1);
    assert_true(write_submit(f, &write, delivery_body, &job));
    store_close(TAKE(f->store));
    /* the teardown frees the loop */
}

/* Ends the transaction under the worker's feet, as some errors of SQLite do. */
static enum err rollback_body(struct store_tx *tx, void *arg)
{
    ++*(unsigned *)arg;
    sqlite3_exec(writer_of(tx)->conn.db, "ROLLBACK", NULL, NULL, NULL);
    return ERR_SYNTAX;
}

static void test_a_job_that_ends_the_transaction_is_left_out_and_the_others_run_again(void **state)
{
    struct fixture *f = *state;
    struct gate *gate;
    struct delivery_job jobs[JOBS];
    struct write writes[JOBS];
    unsigned runs = 0;

    fill(jobs, JOBS, 2);
    jobs[3].poison = true;
    gate = gate_close(f->store);
    gate_await(gate);
    for (size_t i = 0; i < JOBS; i++) {
        if (i == 20) {
            assert_true(write_submit(f, &writes[i], rollback_body, &runs));
        } else {
            assert_true(write_submit(f, &writes[i], delivery_body, &jobs[i]));
        }
    }
    gate_open(gate);
    for (size_t i = 0; i < JOBS; i++) {
        WAIT_FOR(f, writes[i].done);
        assert_int_equal(writes[i].err, i == 20 || i == 3 ? ERR_SYNTAX : OK);
    }
    assert_int_equal(runs, 1);
    assert_int_equal(f->failures, 0);
    assert_int_equal(f->event_count, 2 * (JOBS - 2));
    assert_positions(f, 2);
    assert_int_equal(sql_int(f, "SELECT count(*) = max(id) FROM message"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM webhook"), JOBS - 2);
}

struct counted {
    struct delivery_job delivery;
    unsigned runs;
};

static enum err counted_body(struct store_tx *tx, void *arg)
{
    struct counted *counted = arg;

    counted->runs++;
    return delivery_body(tx, &counted->delivery);
}

static enum err refused_body(struct store_tx *tx, void *arg)
{
    (void)tx;
    ++*(unsigned *)arg;
    return ERR_NOT_FOUND;
}

/* One batch: every third job is refused before it writes, `poisons` fail after they have. */
static void run_refused(struct fixture *f, struct counted *jobs, unsigned poisons,
                        unsigned *refused)
{
    struct gate *gate;
    struct write writes[JOBS];

    memset(jobs, 0, JOBS * sizeof *jobs);
    gate = gate_close(f->store);
    gate_await(gate);
    for (unsigned i = 0; i < JOBS; i++) {
        fill(&jobs[i].delivery, 1, 1);
        snprintf(jobs[i].delivery.wamid, sizeof jobs[i].delivery.wamid, "p%u.%u", poisons, i);
        jobs[i].delivery.poison = i % 3 == 1 && i / 3 < poisons;
        assert_true(i % 3 == 2 ? write_submit(f, &writes[i], refused_body, refused)
                               : write_submit(f, &writes[i], counted_body, &jobs[i]));
    }
    gate_open(gate);
    for (unsigned i = 0; i < JOBS; i++) {
        WAIT_FOR(f, writes[i].done);
        assert_int_equal(writes[i].err, i % 3 == 2                ? ERR_NOT_FOUND
                                        : jobs[i].delivery.poison ? ERR_SYNTAX
                                                                  : OK);
    }
}

static void test_a_job_that_wrote_nothing_is_refused_without_a_repetition(void **state)
{
    struct counted jobs[JOBS];
    unsigned refused = 0;

    run_refused(*state, jobs, 0, &refused);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(jobs[i].runs, i % 3 != 2);
    }
    assert_int_equal(refused, JOBS / 3);
    assert_int_equal(sql_int(*state, "SELECT count(*) FROM webhook"), JOBS - JOBS / 3);
}

static void test_many_jobs_that_must_be_undone_cost_one_repetition(void **state)
{
    enum { POISONS = 5 };
    struct fixture *f = *state;
    struct counted jobs[JOBS];
    unsigned refused = 0;

    run_refused(f, jobs, POISONS, &refused);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_in_range(jobs[i].runs, i % 3 != 2, 2);
    }
    assert_int_equal(jobs[1].runs, 1);
    assert_in_range(refused, JOBS / 3, 2 * (JOBS / 3));
    assert_int_equal(sql_int(f, "SELECT count(*) FROM webhook"), JOBS - JOBS / 3 - POISONS);
    assert_int_equal(f->event_count, 2 * (JOBS - JOBS / 3 - POISONS));
    assert_positions(f, 1);
}

static enum err unknown_business_body(struct store_tx *tx, void *arg)
{
    (void)arg;
    return store_log_append(tx, 99, STR("r"), STR("e"), STR("{}"));
}

static enum err missing_chat_body(struct store_tx *tx, void *arg)
{
    struct store_message message = { .chat_id = 4711,
                                     .business_id = 1,
                                     .phone_number_id = STR("1"),
                                     .wamid = STR("w"),
                                     .type = STR("text") };
    int64_t id;
    bool inserted;

    (void)arg;
    return store_message_append(tx, &message, &id, &inserted);
}

static enum err large_body(struct store_tx *tx, void *arg)
{
    struct store_webhook webhook = { .body = { arg, (64u << 20) + 1 } };
    int64_t id;

    return store_webhook_append(tx, &webhook, &id);
}

static void test_a_jobs_own_error_is_its_own(void **state)
{
    struct fixture *f = *state;
    autofree char *large = xcalloc(1, (64u << 20) + 1);
    struct delivery_job job;

    assert_int_equal(write_now(f, unknown_business_body, NULL), ERR_NOT_FOUND);
    assert_int_equal(write_now(f, missing_chat_body, NULL), ERR_INVALID);
    assert_int_equal(write_now(f, large_body, large), ERR_TOO_LARGE);
    fill(&job, 1, 1);
    assert_int_equal(write_now(f, delivery_body, &job), OK);
    assert_int_equal(f->failures, 0);
    assert_int_equal(f->event_count, 2);
}

struct big {
    struct str body;
    struct delivery_job delivery;
};

static enum err big_body(struct store_tx *tx, void *arg)
{
    struct big *big = arg;
    struct store_webhook webhook = { .app = STR("big"), .body = big->body };
    int64_t id;
    enum err err = store_webhook_append(tx, &webhook, &id);

    return err == OK ? delivery_body(tx, &big->delivery) : err;
}

/* Its first pages go to the log before it commits, and are read back from there. */
static void test_a_transaction_larger_than_the_cache_is_stored_whole(void **state)
{
    enum { SIZE = 40 << 20, WORDS = SIZE / 4 };
    struct fixture *f = *state;
    autofree uint32_t *words = xcalloc(WORDS, sizeof *words);
    struct big big = { .body = { (char *)words, SIZE } };
    sqlite3_stmt *stmt;
    sqlite3 *db;

    for (uint32_t i = 0; i < WORDS; i++) {
        words[i] = i;
    }
    fill(&big.delivery, 1, 1);
    assert_int_equal(write_now(f, big_body, &big), OK);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT body FROM webhook WHERE length(body) > 1000000",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_bytes(stmt, 0), SIZE);
    assert_memory_equal(sqlite3_column_blob(stmt, 0), words, SIZE);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 1);
}

static int teardown(void **state)
{
    gates_forget();
    return fixture_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_poison_among_64_jobs_fails_alone),
        TEST(test_a_batch_of_nothing_but_poison_commits_nothing),
        TEST(test_jobs_that_wait_share_commits),
        TEST(test_done_follows_on_commit_in_the_order_of_submission),
        TEST(test_patient_jobs_are_committed_together),
        TEST(test_patient_jobs_go_along_with_others_and_keep_their_order),
        TEST(test_positions_have_no_gap_across_failing_jobs_and_businesses),
        TEST(test_a_message_delivered_eight_times_at_once_is_one_message),
        TEST(test_eight_threads_may_submit_the_same_message),
        TEST(test_closing_runs_what_waits),
        TEST(test_a_stopped_store_takes_nothing_and_what_was_under_way_is_told),
        TEST(test_what_is_left_at_close_may_be_dropped_with_the_loop),
        TEST(test_a_job_that_ends_the_transaction_is_left_out_and_the_others_run_again),
        TEST(test_a_job_that_wrote_nothing_is_refused_without_a_repetition),
        TEST(test_many_jobs_that_must_be_undone_cost_one_repetition),
        TEST(test_a_jobs_own_error_is_its_own),
        TEST(test_a_transaction_larger_than_the_cache_is_stored_whole),
        cmocka_unit_test_teardown(test_a_full_queue_refuses_and_says_so_before, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

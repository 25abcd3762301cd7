/* What cannot be handled, or not yet: it is kept, does not hold up what is beside it, and is tried
 * again. And what is delivered by the daemon itself. */
#include "tests/unit/receive_fixture.h"
#include "tests/unit/vector_file.h"

/* ---- quarantine */

static void what_is_no_json_is_kept_and_answered_400(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT;
    struct webhook_query q;

    vector_read("webhooks/not_json.txt", &body);
    assert_int_equal(post(rig, "/webhook", receive_secrets[0], buf_str(&body)), 400);
    read_webhooks(rig, &q);
    assert_int_equal(q.rows, 1);
    assert_int_equal(q.state, STORE_WEBHOOK_QUARANTINED);
    assert_true(str_eq(buf_str(&q.body), buf_str(&body)));
    assert_true(str_starts_with(buf_str(&q.reason), STR("not JSON: ")));
    webhook_query_finish(&q);
}

static void good_elements_are_handled_beside_bad_ones(void **state)
{
    struct rig *rig = *state;
    struct webhook_query q;

    assert_int_equal(post_vector(rig, "bad_elements.json"), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM status"), 1);
    read_webhooks(rig, &q);
    assert_int_equal(q.state, STORE_WEBHOOK_QUARANTINED);
    assert_non_null(strstr(q.reason.data, "messages[0]: no id"));
    webhook_query_finish(&q);
}

static void an_unknown_number_goes_to_quarantine(void **state)
{
    struct rig *rig = *state;
    struct webhook_query q;

    assert_int_equal(post_vector(rig, "unknown_number.json"), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 0);
    assert_int_equal(rig->events, 0);
    read_webhooks(rig, &q);
    assert_int_equal(q.state, STORE_WEBHOOK_QUARANTINED);
    assert_string_equal(q.reason.data, "phone_number_id 999999999999999 belongs to no business");
    webhook_query_finish(&q);
}

static void a_poisonous_webhook_fails_alone_and_is_kept(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;
    struct client clients[8];

    sql_exec(rig, "CREATE TRIGGER poison BEFORE INSERT ON message"
                  " WHEN new.text = CAST('poison' AS BLOB)"
                  " BEGIN SELECT RAISE(ABORT, 'poison'); END");
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        char wamid[8];

        snprintf(wamid, sizeof wamid, "w%zu", i);
        text_body(&body, wamid, i == 3 ? "poison" : "hello");
        signed_post(&request, "/webhook", receive_secrets[0], buf_str(&body));
        clients[i] = client_connect(listener_address(rig->listener));
        client_send(rig->loop, &clients[i], request.data, request.len);
    }
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        WAIT_FOR(rig->loop, &clients[i], client_has(&clients[i], "HTTP/1.1 200"));
        client_finish(&clients[i]);
    }
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 7);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook"), 8);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook WHERE state = 1"), 1);
    assert_int_equal(rig->events, 14);
}

/* ---- trusted deliveries */

struct outcome {
    bool done;
    enum err err;
    int64_t webhook_id;
    struct wa_counts counts;
};

static void outcome_set(void *arg, enum err err, const struct webhook_result *result)
{
    *(struct outcome *)arg = (struct outcome) { true, err, result->webhook_id, result->counts };
}

static struct outcome deliver(struct rig *rig, struct str body)
{
    struct outcome outcome = { .done = false };

    webhook_deliver(rig->receiver, "control", body, outcome_set, &outcome);
    WAIT_FOR(rig->loop, NULL, outcome.done);
    return outcome;
}

static void a_replayed_body_takes_the_same_way(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT;
    struct outcome outcome;

    outcome = deliver(rig, vector_read("webhooks/batch.json", &body));
    assert_int_equal(outcome.err, OK);
    assert_true(outcome.webhook_id > 0);
    assert_int_equal(outcome.counts.of[WA_INBOUND], 4);
    assert_int_equal(outcome.counts.of[WA_STATUS], 3);
    outcome = deliver(rig, vector_read("webhooks/batch.json", &body));
    assert_int_equal(outcome.counts.of[WA_DUPLICATE], 7);
    assert_int_equal(deliver(rig, STR("{")).err, ERR_SYNTAX);
    outcome = deliver(rig, vector_read("webhooks/foreign_object.json", &body));
    assert_int_equal(outcome.err, OK);
    assert_int_equal(outcome.webhook_id, 0);
    assert_int_equal(outcome.counts.of[WA_IGNORED], 1);
    buf_clear(&body);
    memset(buf_reserve(&body, BODY_BYTES + 1), ' ', BODY_BYTES + 1);
    body.len = BODY_BYTES + 1;
    assert_int_equal(deliver(rig, buf_str(&body)).err, ERR_TOO_LARGE);
}

/* ---- out of quarantine */

static struct outcome retry(struct rig *rig, int64_t webhook_id)
{
    struct outcome outcome = { .done = false };

    webhook_retry(rig->receiver, webhook_id, outcome_set, &outcome);
    assert_false(outcome.done);
    WAIT_FOR(rig->loop, NULL, outcome.done);
    return outcome;
}

static void what_is_tried_again_leaves_quarantine_when_it_can(void **state)
{
    struct rig *rig = *state;
    struct outcome outcome = deliver(rig, STR("{"));
    int64_t id = outcome.webhook_id;

    assert_int_equal(outcome.err, ERR_SYNTAX);
    outcome = retry(rig, id);
    assert_int_equal(outcome.err, ERR_SYNTAX);
    assert_int_equal(outcome.webhook_id, id);
    sql_exec(rig, "UPDATE webhook SET body = CAST('{\"object\":\"whatsapp_business_account\","
                  "\"entry\":[]}' AS BLOB)");
    outcome = retry(rig, id);
    assert_int_equal(outcome.err, OK);
    assert_int_equal(outcome.webhook_id, id);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook WHERE state = 0"), 1);
    assert_int_equal(retry(rig, id).err, ERR_CONFLICT);
    assert_int_equal(retry(rig, id + 1).err, ERR_NOT_FOUND);
    sql_exec(rig, "UPDATE webhook SET state = 1, body = x''");
    assert_int_equal(retry(rig, id).err, ERR_NOT_FOUND);
}

struct drop_job {
    struct store_job job;
    int64_t webhook_id;
};

static enum err drop_apply(struct store_job *job, struct store_tx *tx)
{
    return store_webhook_drop(tx, CONTAINER_OF(job, struct drop_job, job)->webhook_id);
}

static void drop_done(struct store_job *job, enum err err)
{
    (void)job;
    assert_int_equal(err, OK);
}

/* The read still sees it in quarantine: the drop waits in front of it for the writer. */
static void one_that_was_dropped_meanwhile_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT;
    autofree char *sql = NULL;
    struct outcome outcome = { .done = false };
    struct drop_job drop = { .job = { .apply = drop_apply, .done = drop_done },
                             .webhook_id = deliver(rig, STR("{")).webhook_id };
    struct gate *gate;

    text_body(&body, "w1", "hello");
    sql = xasprintf("UPDATE webhook SET body = CAST('%s' AS BLOB)", body.data);
    sql_exec(rig, sql);
    gate = gate_close(rig->store);
    gate_await(gate);
    assert_true(store_submit(rig->store, &drop.job));
    webhook_retry(rig->receiver, drop.webhook_id, outcome_set, &outcome);
    WAIT_FOR(rig->loop, NULL, webhook_in_flight(rig->receiver) == 1);
    gate_open(gate);
    WAIT_FOR(rig->loop, NULL, outcome.done);
    assert_int_equal(outcome.err, ERR_CONFLICT);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 0);
    assert_int_equal(sql_int(rig, "SELECT state FROM webhook"), STORE_WEBHOOK_DROPPED);
    assert_int_equal(webhook_bytes_in_flight(rig->receiver), 0);
}

#define CHANGE_OF(field, number, rest)                                                             \
    "{\"field\":\"" field "\",\"value\":{\"metadata\":{\"phone_number_id\":\"" number "\"}" rest   \
    "}}"
#define TEXT_OF(number, wamid)                                                                     \
    CHANGE_OF("messages", number,                                                                  \
              ",\"messages\":[{\"from\":\"491\",\"id\":\"" wamid "\",\"type\":\"text\"}]")
#define BODY_OF(changes)                                                                           \
    STR("{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[" changes "]}]}")

static void assert_owners(struct rig *rig, int64_t webhook_id, const char *text)
{
    autofree char *sql =
        xasprintf("SELECT owners = CAST('%s' AS BLOB) FROM webhook WHERE id = %lld", text,
                  (long long)webhook_id);

    assert_int_equal(sql_int(rig, sql), 1);
}

struct move_job {
    struct store_job job;
    bool done;
};

/* NUMBER goes from business 1 to business 2, and 777 to business 3. */
static enum err move_apply(struct store_job *job, struct store_tx *tx)
{
    static const struct str numbers[] = { STR_INIT(""), STR_INIT(NUMBER), STR_INIT("777") };
    enum err err = OK;

    (void)job;
    for (size_t i = 0; i < ARRAY_SIZE(numbers) && err == OK; i++) {
        const struct store_business business = { .id = (int64_t)i + 1,
                                                 .name = STR("test"),
                                                 .source = STORE_SOURCE_CONTROL,
                                                 .phone_number_ids = &numbers[i],
                                                 .phone_number_count = numbers[i].len > 0 };

        err = store_business_put(tx, &business, NULL);
    }
    return err;
}

static void move_done(struct store_job *job, enum err err)
{
    assert_int_equal(err, OK);
    CONTAINER_OF(job, struct move_job, job)->done = true;
}

static void move_numbers(struct rig *rig)
{
    struct move_job move = { .job = { .apply = move_apply, .done = move_done } };

    assert_true(store_submit(rig->store, &move.job));
    WAIT_FOR(rig->loop, NULL, move.done);
}

static void
whose_its_numbers_were_is_kept_with_a_webhook_and_learned_when_it_is_tried_again(void **state)
{
    struct rig *rig = *state;
    struct outcome both, admin;

    both = deliver(rig, BODY_OF(TEXT_OF(NUMBER, "w1") "," TEXT_OF("777", "w2")));
    assert_owners(rig, both.webhook_id, "{\"" NUMBER "\":1}");
    admin = deliver(rig, BODY_OF(CHANGE_OF("user_preferences", NUMBER, "")));
    assert_owners(rig, admin.webhook_id, "1");
    assert_owners(rig, deliver(rig, BODY_OF(TEXT_OF("888", "w3"))).webhook_id, "");
    assert_owners(rig, deliver(rig, STR("{")).webhook_id, "");
    assert_int_equal(retry(rig, both.webhook_id).err, OK);
    assert_owners(rig, both.webhook_id, "{\"" NUMBER "\":1}");
    move_numbers(rig);
    assert_int_equal(retry(rig, both.webhook_id).err, OK);
    assert_owners(rig, both.webhook_id, "{\"" NUMBER "\":1,\"777\":3}");
    assert_int_equal(sql_int(rig, "SELECT business_id FROM message WHERE wamid = x'7732'"), 3);
}

static void those_that_wait_end_with_the_receiver(void **state)
{
    struct rig *rig = *state;
    struct outcome outcomes[5] = { { .done = false } };
    int64_t id = deliver(rig, STR("{")).webhook_id;

    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
        webhook_retry(rig->receiver, id, outcome_set, &outcomes[i]);
    }
    webhook_receiver_free(TAKE(rig->receiver));
    store_stop(rig->store);
    loop_flush(rig->loop);
    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
        assert_false(outcomes[i].done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_no_json_is_kept_and_answered_400),
        TEST(good_elements_are_handled_beside_bad_ones),
        TEST(an_unknown_number_goes_to_quarantine),
        TEST(a_poisonous_webhook_fails_alone_and_is_kept),
        TEST(a_replayed_body_takes_the_same_way),
        TEST(what_is_tried_again_leaves_quarantine_when_it_can),
        TEST(one_that_was_dropped_meanwhile_leaves_nothing),
        TEST(whose_its_numbers_were_is_kept_with_a_webhook_and_learned_when_it_is_tried_again),
        TEST(those_that_wait_end_with_the_receiver),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The webhook endpoint: what is answered, and what is on disk when it is. */
#include "libshared/json.h"
#include "libshared/wire/signature.h"
#include "siod/net/http.h"
#include "tests/unit/receive_fixture.h"
#include "tests/unit/vector_file.h"

/* ---- verification */

static void the_challenge_comes_back_as_it_was_sent(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf answer = BUF_INIT;

    assert_int_equal(text_status(rig,
                                 "GET /webhook?hub.mode=subscribe&hub.challenge=a%2Bb%20%3Cc%3E+1"
                                 "&hub.verify_token=let+me%20in HTTP/1.1\r\nHost: x\r\n\r\n",
                                 &answer),
                     200);
    assert_non_null(strstr(answer.data, "Content-Type: text/plain\r\n"));
    assert_non_null(strstr(answer.data, "\r\n\r\na+b <c> 1"));
}

static void a_wrong_verification_is_refused(void **state)
{
    static const struct {
        const char *target;
        unsigned status;
    } cases[] = {
        { "/webhook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=let%20me", 403 },
        { "/webhook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=let%20me%20iN", 403 },
        { "/webhook?hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=let%20me%20in", 403 },
        { "/webhook?hub.mode=subscribe&hub.verify_token=let%20me%20in", 400 },
        { "/webhook?hub.mode=subscribe&hub.challenge=1", 400 },
        { "/webhook?hub.challenge=1&hub.verify_token=let%20me%20in", 400 },
        { "/webhook", 400 },
        { "/other?hub.mode=subscribe&hub.challenge=1&hub.verify_token=", 403 },
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autobuf struct buf request = BUF_INIT;

        buf_printf(&request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", cases[i].target);
        if (status_of(rig, buf_str(&request), NULL) != cases[i].status) {
            fail_msg("%s", cases[i].target);
        }
    }
}

static void a_long_challenge_is_refused(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf request = BUF_INIT;

    buf_add_cstr(&request, "GET /webhook?hub.mode=subscribe&hub.verify_token=let%20me%20in"
                           "&hub.challenge=");
    for (size_t i = 0; i < 257; i++) {
        buf_add_char(&request, '7');
    }
    buf_add_cstr(&request, " HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(status_of(rig, buf_str(&request), NULL), 400);
}

/* ---- what the head tells */

static void other_methods_types_and_sizes_are_refused(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf answer = BUF_INIT;

    assert_int_equal(text_status(rig, "PUT /webhook HTTP/1.1\r\nHost: x\r\n\r\n", &answer), 405);
    assert_non_null(strstr(answer.data, "Allow: GET, POST\r\n"));
    assert_int_equal(text_status(rig,
                                 "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
                                 "Content-Length: 2\r\n\r\n{}",
                                 NULL),
                     415);
    assert_int_equal(
        text_status(rig, "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n",
                    NULL),
        413);
}

static void json_with_parameters_is_json(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;

    text_body(&body, "w1", "hello");
    buf_add_cstr(&request, "POST /webhook HTTP/1.1\r\nHost: x\r\n"
                           "Content-Type: Application/JSON ; charset=utf-8\r\n");
    add_signature(&request, receive_secrets[0], buf_str(&body));
    add_body(&request, buf_str(&body));
    assert_int_equal(status_of(rig, buf_str(&request), NULL), 200);
}

/* ---- signatures */

static void an_unsigned_body_is_refused_and_not_stored(void **state)
{
    static const char *const headers[] = {
        "",
        "X-Hub-Signature-256: \r\n",
        "X-Hub-Signature-256: sha256=00\r\n",
        "X-Hub-Signature: sha1=0000000000000000000000000000000000000000\r\n",
        "X-Hub-Signature-256: "
        "sha256=0000000000000000000000000000000000000000000000000000000000000000\r\n",
        "X-Hub-Signature-256: "
        "sha256=zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n",
    };
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;

    text_body(&body, "w1", "hello");
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        start_post(&request, "/webhook");
        buf_add_cstr(&request, headers[i]);
        add_body(&request, buf_str(&body));
        if (status_of(rig, buf_str(&request), NULL) != 401) {
            fail_msg("accepted: %s", headers[i]);
        }
    }
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook"), 0);
    assert_int_equal(webhook_bytes_in_flight(rig->receiver), 0);
}

static void the_signature_is_over_the_bytes_and_not_their_meaning(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, again = BUF_INIT, request = BUF_INIT;
    const struct json_limits limits = { .depth = 512, .keys = 0 };
    autojson json_t *root = NULL;

    vector_read("webhooks/text_unicode_wire.json", &body);
    root = json_read(buf_str(&body), &limits, NULL);
    json_add_tree(&again, root);
    start_post(&request, "/webhook");
    add_signature(&request, receive_secrets[0], buf_str(&again));
    add_body(&request, buf_str(&body));
    assert_int_equal(status_of(rig, buf_str(&request), NULL), 401);
    assert_int_equal(post(rig, "/webhook", receive_secrets[0], buf_str(&body)), 200);
}

static void each_secret_of_an_app_is_good_for_that_app_only(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT;

    text_body(&body, "w1", "hello");
    assert_int_equal(post(rig, "/webhook", receive_secrets[0], buf_str(&body)), 200);
    text_body(&body, "w2", "hello");
    assert_int_equal(post(rig, "/webhook", receive_secrets[1], buf_str(&body)), 200);
    text_body(&body, "w3", "hello");
    assert_int_equal(post(rig, "/webhook", receive_other_secrets[0], buf_str(&body)), 401);
    assert_int_equal(post(rig, "/other", receive_secrets[0], buf_str(&body)), 401);
    assert_int_equal(post(rig, "/other", receive_other_secrets[0], buf_str(&body)), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 3);
}

/* ---- what is stored */

static void an_answer_of_200_means_on_disk(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT, answer = BUF_INIT;
    struct webhook_query q;

    vector_read("webhooks/text_unicode_wire.json", &body);
    signed_post(&request, "/webhook", receive_secrets[0], buf_str(&body));
    assert_int_equal(status_of(rig, buf_str(&request), &answer), 200);
    assert_non_null(strstr(answer.data, "\r\n\r\n{}"));
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
    read_webhooks(rig, &q);
    assert_int_equal(q.rows, 1);
    assert_int_equal(q.state, STORE_WEBHOOK_DONE);
    assert_true(str_eq(buf_str(&q.body), buf_str(&body)));
    assert_non_null(strstr(q.counts.data, "{\"inbound\":1,"));
    assert_int_equal(rig->events, 2);
    webhook_query_finish(&q);
}

static void a_body_may_come_in_chunks_of_one_byte(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;

    text_body(&body, "w1", "hello");
    start_post(&request, "/webhook");
    add_signature(&request, receive_secrets[0], buf_str(&body));
    buf_add_cstr(&request, "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < body.len; i++) {
        buf_printf(&request, "1\r\n%c\r\n", body.data[i]);
    }
    buf_add_cstr(&request, "0\r\n\r\n");
    assert_int_equal(status_of(rig, buf_str(&request), NULL), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
}

static void two_posts_in_one_segment_are_both_answered(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT, both = BUF_INIT;
    struct client client = client_connect(listener_address(rig->listener));

    for (size_t i = 0; i < 2; i++) {
        text_body(&body, i == 0 ? "w1" : "w2", "hello");
        signed_post(&request, "/webhook", receive_secrets[0], buf_str(&body));
        buf_add_str(&both, buf_str(&request));
    }
    client_send(rig->loop, &client, both.data, both.len);
    WAIT_FOR(rig->loop, &client, client_count(&client, "HTTP/1.1 200") == 2);
    client_finish(&client);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 2);
}

static void the_same_webhook_twice_has_one_effect(void **state)
{
    struct rig *rig = *state;
    struct webhook_query q;

    assert_int_equal(post_vector(rig, "batch.json"), 200);
    assert_int_equal(rig->events, 8);
    assert_int_equal(post_vector(rig, "batch.json"), 200);
    assert_int_equal(rig->events, 8);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 4);
    read_webhooks(rig, &q);
    assert_string_equal(q.counts.data,
                        "{\"inbound\":0,\"system\":0,\"reactions\":0,\"edits\":0,\"revokes\":0,"
                        "\"statuses\":0,\"echoes\":0,\"history\":0,\"calls\":0,"
                        "\"call_statuses\":0,\"admin\":0,\"dups\":7,\"ignored\":0}");
    webhook_query_finish(&q);
}

static void the_same_webhook_eight_times_at_once_has_one_effect(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;
    struct client clients[8];

    text_body(&body, "w1", "hello");
    signed_post(&request, "/webhook", receive_secrets[0], buf_str(&body));
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i] = client_connect(listener_address(rig->listener));
        client_send(rig->loop, &clients[i], request.data, request.len);
    }
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        WAIT_FOR(rig->loop, &clients[i], client_has(&clients[i], "HTTP/1.1 200"));
        client_finish(&clients[i]);
    }
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook"), 8);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM chat"), 1);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(rig->events, 2);
}

static void every_vector_is_answered_200(void **state)
{
    static const char *const names[] = {
        "text.json",
        "image.json",
        "contacts.json",
        "order.json",
        "reaction.json",
        "edit.json",
        "revoke.json",
        "system_number_changed.json",
        "text_bsuid_only.json",
        "text_bsuid_and_number.json",
        "text_group.json",
        "text_lone_surrogate.json",
        "text_numeric_ids.json",
        "status_sent.json",
        "echo.json",
        "status_read.json",
        "status_failed.json",
        "status_group.json",
        "history.json",
        "calls_connect.json",
        "template_status.json",
        "unknown_field.json",
        "odd_side_fields.json",
        "empty.json",
        "foreign_object.json",
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (post_vector(rig, names[i]) != 200) {
            fail_msg("%s", names[i]);
        }
    }
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook WHERE state <> 0"), 0);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook"), ARRAY_SIZE(names) - 1);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message WHERE direction = 1"), 1);
}

static void a_large_batch_is_parsed_beside_the_loop(void **state)
{
    enum { MESSAGES = 1000 };
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT;

    buf_add_cstr(&body, "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":"
                        "[{\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":"
                        "\"" NUMBER "\"},\"messages\":[");
    for (unsigned i = 0; i < MESSAGES; i++) {
        buf_printf(&body,
                   "%s{\"from\":\"49%u\",\"id\":\"w%u\",\"timestamp\":\"1772357401\","
                   "\"type\":\"text\",\"text\":{\"body\":\"message %u\"}}",
                   i > 0 ? "," : "", i % 10, i, i);
    }
    buf_add_cstr(&body, "]}}]}]}");
    assert_true(body.len > 64 * 1024);
    assert_int_equal(post(rig, "/webhook", receive_secrets[0], buf_str(&body)), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), MESSAGES);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM chat"), 10);
    assert_int_equal(rig->events, 2 * MESSAGES);
}

/* ---- back-pressure and departures */

static void when_too_much_is_in_flight_new_bodies_are_not_read(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT, answer = BUF_INIT;
    struct client slow = client_connect(listener_address(rig->listener));
    size_t half = BODY_BYTES / 2;

    text_body(&body, "w1", "hello");
    memset(buf_reserve(&body, BODY_BYTES - body.len), ' ', BODY_BYTES - body.len);
    body.len = BODY_BYTES;
    signed_post(&request, "/webhook", receive_secrets[0], buf_str(&body));
    client_send(rig->loop, &slow, request.data, request.len - half);
    WAIT_FOR(rig->loop, &slow, webhook_bytes_in_flight(rig->receiver) == BODY_BYTES - half);

    start_post(&answer, "/webhook");
    add_signature(&answer, receive_secrets[0], STR(""));
    buf_printf(&answer, "Content-Length: %d\r\n\r\n", BODY_BYTES);
    assert_int_equal(status_of(rig, buf_str(&answer), &answer), 503);
    assert_non_null(strstr(answer.data, "Retry-After: "));

    client_send(rig->loop, &slow, request.data + request.len - half, half);
    WAIT_FOR(rig->loop, &slow, client_has(&slow, "HTTP/1.1 200"));
    client_finish(&slow);
    WAIT_FOR(rig->loop, NULL, webhook_bytes_in_flight(rig->receiver) == 0);
    assert_int_equal(post_vector(rig, "text.json"), 200);
}

static void a_full_store_queue_answers_503(void **state)
{
    struct rig *rig = *state;

    gate_await(gate_close(rig->store));
    while (store_accepting(rig->store)) {
        gate_close(rig->store);
    }
    assert_int_equal(post_vector(rig, "text.json"), 503);
    gates_pass(rig);
    assert_int_equal(post_vector(rig, "text.json"), 200);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
}

static void a_client_that_leaves_early_loses_nothing(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;
    struct client client = client_connect(listener_address(rig->listener));
    struct http_stats stats;
    struct gate *gate = gate_close(rig->store);

    text_body(&body, "w1", "hello");
    signed_post(&request, "/webhook", receive_secrets[0], buf_str(&body));
    client_send(rig->loop, &client, request.data, request.len);
    WAIT_FOR(rig->loop, &client, webhook_in_flight(rig->receiver) == 1);
    client_finish(&client);
    gate_open(gate);
    WAIT_FOR(rig->loop, NULL, webhook_in_flight(rig->receiver) == 0 && gate->done);
    WAIT_FOR(rig->loop, NULL, (http_server_stats(rig->http, &stats), stats.open == 0));
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
    assert_int_equal(webhook_bytes_in_flight(rig->receiver), 0);
}

static void a_body_cut_short_leaves_nothing_behind(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;
    struct client client = client_connect(listener_address(rig->listener));

    text_body(&body, "w1", "hello");
    signed_post(&request, "/webhook", receive_secrets[0], buf_str(&body));
    client_send(rig->loop, &client, request.data, request.len - 1);
    WAIT_FOR(rig->loop, &client, webhook_bytes_in_flight(rig->receiver) == body.len - 1);
    client_finish(&client);
    WAIT_FOR(rig->loop, NULL, webhook_bytes_in_flight(rig->receiver) == 0);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM webhook"), 0);
}

static void stopping_with_a_delivery_under_way_still_stores_it(void **state)
{
    struct rig *rig = *state;
    autobuf struct buf body = BUF_INIT, request = BUF_INIT;
    struct client client = client_connect(listener_address(rig->listener));
    struct gate *gate = gate_close(rig->store);

    text_body(&body, "w1", "hello");
    signed_post(&request, "/webhook", receive_secrets[0], buf_str(&body));
    client_send(rig->loop, &client, request.data, request.len);
    WAIT_FOR(rig->loop, &client, webhook_in_flight(rig->receiver) == 1);
    webhook_receiver_free(TAKE(rig->receiver));
    gate_open(gate);
    WAIT_FOR(rig->loop, &client, gate->done && client_has(&client, "HTTP/1.1 200"));
    client_finish(&client);
    assert_int_equal(sql_int(rig, "SELECT count(*) FROM message"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_challenge_comes_back_as_it_was_sent),
        TEST(a_wrong_verification_is_refused),
        TEST(a_long_challenge_is_refused),
        TEST(other_methods_types_and_sizes_are_refused),
        TEST(json_with_parameters_is_json),
        TEST(an_unsigned_body_is_refused_and_not_stored),
        TEST(the_signature_is_over_the_bytes_and_not_their_meaning),
        TEST(each_secret_of_an_app_is_good_for_that_app_only),
        TEST(an_answer_of_200_means_on_disk),
        TEST(a_body_may_come_in_chunks_of_one_byte),
        TEST(two_posts_in_one_segment_are_both_answered),
        TEST(the_same_webhook_twice_has_one_effect),
        TEST(the_same_webhook_eight_times_at_once_has_one_effect),
        TEST(every_vector_is_answered_200),
        TEST(a_large_batch_is_parsed_beside_the_loop),
        TEST(when_too_much_is_in_flight_new_bodies_are_not_read),
        TEST(a_full_store_queue_answers_503),
        TEST(a_client_that_leaves_early_loses_nothing),
        TEST(a_body_cut_short_leaves_nothing_behind),
        TEST(stopping_with_a_delivery_under_way_still_stores_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

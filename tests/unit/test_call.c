/* Calls become rows and events, whatever order their reports come in. */
#include "inbound_fixture.h"
#include "siod/chat/call.h"

static struct inbound_call report_of(enum call_report what, int64_t at_s)
{
    return (struct inbound_call) {
        .report = what,
        .phone_number_id = STR("100"),
        .wacid = STR("wacid.1"),
        .party = { .name = STR("Amara"), .phone = STR("491"), .wa_id = STR("491") },
        .at_s = at_s,
    };
}

static struct inbound_call connect(int64_t at_s)
{
    struct inbound_call call = report_of(CALL_CONNECT, at_s);

    call.sdp_type = STR("offer");
    call.sdp = STR("v=0\r\n");
    return call;
}

static struct inbound_call terminate(int64_t at_s)
{
    struct inbound_call call = report_of(CALL_TERMINATE, at_s);

    call.started_at_s = at_s - 20;
    call.ended_at_s = at_s;
    call.duration_s = 20;
    return call;
}

struct call_job {
    struct inbound_call call;
    bool stored;
};

static enum err call_body(struct store_tx *tx, void *arg)
{
    struct call_job *job = arg;

    inbound_begin(&work, tx, NOW_MS);
    return call_store(&work, &job->call, &job->stored);
}

static bool store_call(struct fixture *f, struct inbound_call call)
{
    struct call_job job = { .call = call };

    assert_int_equal(write_now(f, call_body, &job), OK);
    return job.stored;
}

static void a_call_is_announced_and_its_end_told(void **state)
{
    struct fixture *f = *state;

    assert_true(store_call(f, connect(1000)));
    assert_seen("1 business_1 call_incoming {\"callId\":1,\"wacid\":\"wacid.1\",\"chatId\":1,"
                "\"direction\":\"inbound\",\"status\":\"ringing\",\"contact\":{\"id\":1,");
    assert_seen("\"session\":{\"sdpType\":\"offer\",\"sdp\":\"v=0\\r\\n\"},\"timestamp\":");
    assert_int_equal(seen_count("\n"), 1);
    assert_int_equal(sql_int(f, "SELECT state FROM chat"), STORE_CHAT_CLOSED);
    assert_int_equal(sql_int(f, "SELECT window_expires_at_ms / 1000 FROM chat"), 1000 + 24 * 3600);
    buf_clear(&seen);
    assert_true(store_call(f, terminate(1050)));
    assert_seen("1 business_1 call_ended {\"callId\":1,\"wacid\":\"wacid.1\",\"chatId\":1,"
                "\"direction\":\"inbound\",\"status\":\"completed\",\"startedAt\":"
                "\"1970-01-01T00:16:40.000Z\",\"answeredAt\":\"1970-01-01T00:17:10.000Z\","
                "\"endedAt\":\"1970-01-01T00:17:30.000Z\",\"duration\":20,\"contact\":{");
    assert_int_equal(seen_count("\n"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM message"), 0);
}

static void each_report_counts_once(void **state)
{
    struct fixture *f = *state;

    assert_true(store_call(f, connect(1000)));
    assert_true(store_call(f, terminate(1050)));
    buf_clear(&seen);
    assert_false(store_call(f, connect(1000)));
    assert_false(store_call(f, terminate(1050)));
    assert_int_equal(seen.len, 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM call"), 1);
}

static void a_call_that_has_ended_rings_no_more(void **state)
{
    struct fixture *f = *state;

    assert_true(store_call(f, terminate(1050)));
    assert_true(store_call(f, connect(1000)));
    assert_int_equal(seen_count("call_incoming"), 0);
    assert_int_equal(seen_count("call_ended"), 1);
    assert_int_equal(sql_int(f, "SELECT started_at_s FROM call WHERE state = 3"), 1000);
    assert_int_equal(sql_int(f, "SELECT duration_s FROM call"), 20);
}

static void a_call_of_the_business_rings_and_is_taken_or_not(void **state)
{
    struct fixture *f = *state;
    struct inbound_call end = report_of(CALL_TERMINATE, 1010);
    autojson json_t *errors = json_pack("[{si}]", "code", 138000);

    assert_true(store_call(f, report_of(CALL_RINGING, 1000)));
    assert_seen("1 business_1 call_status_update {\"callId\":1,\"wacid\":\"wacid.1\",\"chatId\":1,"
                "\"direction\":\"inbound\",\"status\":\"ringing\",\"contact\"");
    assert_true(store_call(f, report_of(CALL_REJECTED, 1005)));
    assert_seen("\"status\":\"rejected\"");
    assert_true(store_call(f, report_of(CALL_ACCEPTED, 1004)));
    end.failed = true;
    end.errors = errors;
    assert_true(store_call(f, end));
    assert_seen(
        "call_ended {\"callId\":1,\"wacid\":\"wacid.1\",\"chatId\":1,\"direction\":\"inbound\","
        "\"status\":\"rejected\",");
    assert_seen("\"duration\":0,\"error\":{\"code\":138000},\"contact\"");
}

static void a_call_without_a_chat_makes_one_and_joins_an_other(void **state)
{
    struct fixture *f = *state;
    struct inbound_message both = text_of("w2", "491", "Amara");
    struct inbound_call call = connect(1000);

    call.party = (struct inbound_party) { .user_id = STR("DE.7") };
    both.party.user_id = STR("DE.7");
    assert_true(store_message(f, text_of("w1", "491", "Amara")));
    assert_true(store_call(f, call));
    assert_int_equal(sql_int(f, "SELECT chat_id FROM call"), 2);
    assert_true(store_message(f, both));
    assert_int_equal(sql_int(f, "SELECT chat_id FROM call"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat"), 1);
}

static void a_session_that_is_too_long_is_left_out(void **state)
{
    struct fixture *f = *state;
    struct inbound_call call = connect(1000);
    autofree char *sdp = xcalloc(CALL_SDP_MAX + 2, 1);

    memset(sdp, 'x', CALL_SDP_MAX + 1);
    call.sdp = (struct str) { sdp, CALL_SDP_MAX + 1 };
    assert_true(store_call(f, call));
    assert_int_equal(seen_count("call_incoming"), 1);
    assert_int_equal(seen_count("session"), 0);
}

static void a_call_to_an_unknown_number_is_refused(void **state)
{
    struct fixture *f = *state;
    struct call_job job = { .call = connect(1000) };

    job.call.phone_number_id = STR("999");
    assert_int_equal(write_now(f, call_body, &job), ERR_NOT_FOUND);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM call"), 0);
}

/* Number 100, from business 1 to business 2. */
static enum err move_body(struct store_tx *tx, void *arg)
{
    const struct str numbers[] = { STR("100"), STR("200") };
    struct store_business from = { .id = 1, .name = STR("test"), .source = STORE_SOURCE_CONTROL };
    struct store_business to = from;

    (void)arg;
    to.id = 2;
    to.phone_number_ids = numbers;
    to.phone_number_count = ARRAY_SIZE(numbers);
    TRY(store_business_put(tx, &from, NULL));
    return store_business_put(tx, &to, NULL);
}

static void a_call_stays_with_the_business_it_began_with(void **state)
{
    struct fixture *f = *state;
    struct inbound_call end = terminate(1050);

    assert_true(store_call(f, connect(1000)));
    assert_int_equal(write_now(f, move_body, NULL), OK);
    buf_clear(&seen);
    end.party.name = STR("named to the other one");
    assert_false(store_call(f, end));
    assert_int_equal(seen.len, 0);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM call WHERE state = 0 AND business_id = 1"),
                     1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM contact"), 1);
    assert_int_equal(sql_int(f, "SELECT count(*) FROM chat"), 1);
    end.wacid = STR("wacid.2");
    assert_true(store_call(f, end));
    assert_seen("2 business_2 call_ended {\"callId\":2,");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, inbound_setup, inbound_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_announced_and_its_end_told),
        TEST(each_report_counts_once),
        TEST(a_call_that_has_ended_rings_no_more),
        TEST(a_call_of_the_business_rings_and_is_taken_or_not),
        TEST(a_call_without_a_chat_makes_one_and_joins_an_other),
        TEST(a_session_that_is_too_long_is_left_out),
        TEST(a_call_stays_with_the_business_it_began_with),
        TEST(a_call_to_an_unknown_number_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

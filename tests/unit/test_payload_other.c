/* The webhook decoder, of what is no message of a customer: calls, the past, echoes, statuses and
 * changes. */
#include "tests/unit/payload_fixture.h"

/* {…} of history in an envelope; 4930555010001 is the business. */
static void decode_past(struct decoded *decoded, const char *value)
{
    autobuf struct buf text = BUF_INIT;

    buf_printf(&text,
               "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{\"field\":"
               "\"history\",\"value\":{\"metadata\":{\"phone_number_id\":\"100\","
               "\"display_phone_number\":\"+49 30 555 010001\"},%s}}]}]}",
               value);
    decode_text(decoded, buf_str(&text));
}

static void a_call_says_who_calls_whom(void **state)
{
    autodecoded struct decoded decoded;
    const struct wa_call *calls;

    (void)state;
    decode_text(&decoded,
                STR("{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{"
                    "\"field\":\"calls\",\"value\":{\"metadata\":{\"phone_number_id\":"
                    "\"100\"},\"errors\":[{\"code\":1}],\"calls\":[7,{\"id\":\"a\"},{\"id\":\"a\","
                    "\"event\":"
                    "\"connect\"},{\"id\":\"a\",\"event\":\"connect\",\"from\":\"491\",\"to\":"
                    "\"100\",\"session\":{\"sdp_type\":\"offer\",\"sdp\":\"v=0\"}},{\"id\":\"b\","
                    "\"event\":\"terminate\",\"direction\":\"BUSINESS_INITIATED\",\"from\":"
                    "\"100\",\"to_user_id\":\"DE.7\",\"status\":\"FAILED\",\"end_time\":\"5\","
                    "\"duration\":7}],\"statuses\":[{\"id\":\"b\",\"status\":\"RINGING\","
                    "\"recipient_id\":\"491\"},{\"id\":\"b\",\"status\":\"ringing\"}]}}]}]}"));
    assert_str(buf_str(&decoded.delivery.reasons),
               "entry[0].changes[0].value.calls[0]: not an object; "
               "entry[0].changes[0].value.calls[1]: unknown event; "
               "entry[0].changes[0].value.calls[2]: no customer; "
               "entry[0].changes[0].value.statuses[1]: unknown status");
    calls = decoded.delivery.calls;
    assert_int_equal(decoded.delivery.call_count, 3);
    assert_int_equal(calls[0].in.direction, STORE_INBOUND);
    assert_str(calls[0].in.party.phone, "491");
    assert_str(calls[0].in.sdp, "v=0");
    assert_int_equal(calls[1].in.report, CALL_TERMINATE);
    assert_int_equal(calls[1].in.direction, STORE_OUTBOUND);
    assert_str(calls[1].in.party.user_id, "DE.7");
    assert_true(calls[1].in.failed && calls[1].in.errors != NULL);
    assert_int_equal(calls[1].in.duration_s, 7);
    assert_int_equal(calls[2].kind, WA_CALL_STATUS);
    assert_int_equal(calls[2].in.report, CALL_RINGING);
}

static void a_past_message_says_whose_it_is_or_its_thread_does(void **state)
{
    static const struct {
        const char *thread, *element; /* but for its id */
        enum store_direction direction;
        const char *phone, *user_id;
    } cases[] = {
        { "491", "\"from\":\"491\"", STORE_INBOUND, "491", NULL },
        { "491", "\"from\":\"4930555010001\"", STORE_OUTBOUND, "491", NULL },
        { "491", "\"from\":\"4930555010001\",\"to\":\"491\"", STORE_OUTBOUND, "491", NULL },
        { "491", "\"from\":\"x\",\"to\":\"492\"", STORE_OUTBOUND, "492", NULL },
        { "491", "\"from\":\"492\",\"to\":\"4930555010001\"", STORE_INBOUND, "492", NULL },
        { "491", "\"type\":\"text\"", STORE_INBOUND, "491", NULL },
        { "DE.7", "\"type\":\"text\"", STORE_INBOUND, NULL, "DE.7" },
        { "DE.7", "\"from\":\"4930555010001\"", STORE_OUTBOUND, NULL, "DE.7" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autodecoded struct decoded decoded;
        autobuf struct buf value = BUF_INIT;
        const struct inbound_message *in;

        buf_printf(&value,
                   "\"history\":[{\"threads\":[{\"id\":\"%s\",\"messages\":[{\"id\":\"w\",%s}]}]}]",
                   cases[i].thread, cases[i].element);
        decode_past(&decoded, value.data);
        assert_int_equal(decoded.delivery.message_count, 1);
        assert_int_equal(decoded.delivery.messages[0].kind, WA_HISTORY);
        in = &decoded.delivery.messages[0].in;
        assert_true(in->historic && !in->opens_window);
        assert_int_equal(in->direction, cases[i].direction);
        assert_str(in->party.phone, cases[i].phone);
        assert_str(in->party.user_id, cases[i].user_id);
    }
}

static void the_past_of_a_message_says_how_far_it_got(void **state)
{
    static const struct {
        const char *word;
        enum store_status status;
    } cases[] = {
        { "READ", STORE_STATUS_READ },        { "delivered", STORE_STATUS_DELIVERED },
        { "PENDING", STORE_STATUS_ACCEPTED }, { "ERROR", STORE_STATUS_FAILED },
        { "PLAYED", STORE_STATUS_PLAYED },    { "who knows", STORE_STATUS_SENT },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autodecoded struct decoded decoded;
        autobuf struct buf value = BUF_INIT;

        buf_printf(&value,
                   "\"messages\":[{\"id\":\"w\",\"to\":\"491\",\"history_context\":{\"status\":"
                   "\"%s\"}}]",
                   cases[i].word);
        decode_past(&decoded, value.data);
        assert_int_equal(decoded.delivery.messages[0].in.past_status, cases[i].status);
    }
}

static void of_a_broken_past_the_rest_is_taken(void **state)
{
    autodecoded struct decoded decoded, declined;

    (void)state;
    decode_past(&decoded,
                "\"history\":[7,{\"threads\":7},{\"threads\":[7,{\"id\":\"491\",\"messages\":7},"
                "{\"id\":\"491\",\"messages\":[7,{},{\"id\":\"w\",\"from\":\"491\"}]},"
                "{\"messages\":[{\"id\":\"v\"}]}]}]");
    assert_str(buf_str(&decoded.delivery.reasons),
               "entry[0].changes[0].value.history[0]: not an object; "
               "entry[0].changes[0].value.history[1].threads: not an array; "
               "entry[0].changes[0].value.history[2].threads: not an object; "
               "entry[0].changes[0].value.history[2].threads[1].messages[0]: not an array; "
               "entry[0].changes[0].value.history[2].threads[2].messages[0]: not an object; "
               "entry[0].changes[0].value.history[2].threads[2].messages[1]: no id; "
               "entry[0].changes[0].value.history[2].threads[3].messages[0]: no sender");
    assert_int_equal(decoded.delivery.message_count, 1);
    decode_past(&declined, "\"history\":[{\"errors\":[{\"code\":2593109}]}]");
    assert_int_equal(declined.delivery.counts.of[WA_ADMIN], 1);
    assert_int_equal(declined.delivery.reasons.len, 0);
}

static void a_changed_number_is_told(void **state)
{
    autodecoded struct decoded decoded;

    (void)state;
    decode_vector(&decoded, "system_number_changed.json");
    assert_str(decoded.delivery.messages[0].in.new_wa_id, "4915550100077");
    assert_str(decoded.delivery.messages[0].in.new_user_id, NULL);
}

static void an_echo_goes_to_the_customer(void **state)
{
    autodecoded struct decoded decoded;
    const struct inbound_message *in;

    (void)state;
    decode_vector(&decoded, "echo.json");
    in = &decoded.delivery.messages[0].in;
    assert_int_equal(in->direction, STORE_OUTBOUND);
    assert_str(in->party.phone, "4915550100011");
    assert_str(in->party.name, "Amara Okafor");
}

static void what_is_written_to_a_group_is_to_nobody_in_particular(void **state)
{
    static const char *const members[] = {
        "\"to\":\"g\"",
        "\"to\":\"777\"",
        "\"to\":\"g\",\"to_user_id\":\"DE.1\"",
        "\"to\":\"777\",\"to_parent_user_id\":\"DE.ENT.1\"",
        "\"from\":\"1\"",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        autodecoded struct decoded decoded;
        const struct inbound_message *in;
        autofree char *text = xasprintf(
            "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{\"field\":"
            "\"smb_message_echoes\",\"value\":{\"metadata\":{\"phone_number_id\":\"1\"},"
            "\"contacts\":[{\"profile\":{\"name\":\"Ann\"},\"wa_id\":\"777\"}],"
            "\"message_echoes\":[{\"id\":\"a\",\"group_id\":\"g\",%s}]}}]}]}",
            members[i]);

        decode_text(&decoded, str_of(text));
        assert_int_equal(decoded.delivery.message_count, 1);
        in = &decoded.delivery.messages[0].in;
        assert_str(in->group_id, "g");
        assert_str(in->party.phone, NULL);
        assert_str(in->party.user_id, NULL);
        assert_str(in->party.parent_user_id, NULL);
    }
}

static void a_status_names_message_participant_and_error(void **state)
{
    autodecoded struct decoded failed, group;
    autobuf struct buf error = BUF_INIT;

    (void)state;
    decode_vector(&failed, "status_failed.json");
    assert_str(failed.delivery.statuses[0].wamid, "wamid.bG9zdC0x");
    assert_str(failed.delivery.statuses[0].status, "failed");
    assert_int_equal(failed.delivery.statuses[0].wa_timestamp_s, 1772357456);
    json_add_tree(&error, failed.delivery.statuses[0].errors);
    assert_true(str_starts_with(buf_str(&error), STR("[{\"code\":131047,")));
    decode_vector(&group, "status_group.json");
    assert_str(group.delivery.statuses[0].participant, "4915550100011");
    assert_str(group.delivery.statuses[1].participant, "4915550100022");
    assert_null(group.delivery.statuses[0].errors);
}

static const struct inbound_change *only_change(const struct decoded *decoded)
{
    assert_int_equal(decoded->delivery.message_count, 0);
    assert_int_equal(decoded->delivery.change_count, 1);
    return &decoded->delivery.changes[0].in;
}

static void changes_name_their_message(void **state)
{
    autodecoded struct decoded reaction, edit, revoke;
    const struct inbound_change *change;

    (void)state;
    decode_vector(&reaction, "reaction.json");
    change = only_change(&reaction);
    assert_int_equal(change->kind, STORE_CHANGE_REACTION);
    assert_str(change->wamid, "wamid.cmVhY3Rpb24tMQ==");
    assert_str(change->target, "wamid.ZWNoby0x");
    assert_str(change->emoji, "🚲");
    assert_str(change->party.name, "Amara Okafor");
    assert_false(change->own);
    decode_vector(&edit, "edit.json");
    change = only_change(&edit);
    assert_int_equal(change->kind, STORE_CHANGE_EDIT);
    assert_str(change->target, "wamid.dGV4dC0x");
    assert_true(json_is_object(change->edited));
    decode_vector(&revoke, "revoke.json");
    change = only_change(&revoke);
    assert_int_equal(change->kind, STORE_CHANGE_REVOKE);
    assert_str(change->target, "wamid.dGV4dC0x");
    assert_int_equal(change->wa_timestamp_s, 1772357401);
}

/* One message in `array` of a change. */
static void decode_one(struct decoded *decoded, const char *array, const char *members)
{
    autofree char *text = xasprintf(
        "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{\"field\":"
        "\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"1\"},\"errors\":"
        "[{\"code\":131000}],\"%s\":[{\"from\":\"3\",\"to\":\"4\",\"id\":\"a\",%s}]}}]}]}",
        array, members);

    decode_text(decoded, str_of(text));
}

static void a_change_that_names_no_message_is_shown_as_it_is(void **state)
{
    static const char *const members[] = {
        "\"type\":\"reaction\"",
        "\"type\":\"reaction\",\"reaction\":{\"emoji\":\"x\"}",
        "\"type\":\"reaction\",\"reaction\":{\"message_id\":\"t\",\"emoji\":7}",
        "\"type\":\"reaction\",\"reaction\":[\"t\"]",
        "\"type\":\"edit\",\"edit\":{\"original_message_id\":\"t\"}",
        "\"type\":\"edit\",\"edit\":{\"original_message_id\":\"t\",\"message\":\"text\"}",
        "\"type\":\"edit\",\"edit\":{\"original_message_id\":\"t\",\"message\":{}}",
        "\"type\":\"edit\",\"edit\":{\"message\":{\"type\":\"text\"}}",
        "\"type\":\"revoke\",\"revoke\":{}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        autodecoded struct decoded decoded;

        decode_one(&decoded, "messages", members[i]);
        assert_int_equal(decoded.delivery.change_count, 0);
        assert_int_equal(decoded.delivery.message_count, 1);
        assert_int_not_equal(decoded.delivery.messages[0].kind, WA_INBOUND);
        assert_int_equal(decoded.delivery.reasons.len, 0);
    }
}

static void an_absent_or_empty_emoji_takes_the_reaction_back(void **state)
{
    static const char *const members[] = {
        "\"type\":\"reaction\",\"reaction\":{\"message_id\":\"t\",\"emoji\":\"\"}",
        "\"type\":\"reaction\",\"reaction\":{\"message_id\":\"t\",\"emoji\":null}",
        "\"type\":\"reaction\",\"reaction\":{\"message_id\":\"t\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        autodecoded struct decoded decoded;

        decode_one(&decoded, "messages", members[i]);
        assert_int_equal(only_change(&decoded)->emoji.len, 0);
    }
}

static void a_change_on_the_phone_is_the_businesss_own_and_counts_as_an_echo(void **state)
{
    autodecoded struct decoded decoded;

    (void)state;
    decode_one(&decoded, "message_echoes",
               "\"type\":\"revoke\",\"revoke\":{\"original_message_id\":7}");
    assert_true(only_change(&decoded)->own);
    assert_str(only_change(&decoded)->target, "7");
    assert_int_equal(decoded.delivery.changes[0].kind, WA_ECHO);
}

static void the_errors_beside_a_message_are_those_of_one_without_content(void **state)
{
    static const struct {
        const char *members;
        int code;
    } cases[] = {
        { "\"type\":\"image\"", 131000 },
        { "\"type\":\"image\",\"errors\":[{\"code\":131052}]", 131052 },
        { "\"type\":\"image\",\"image\":{\"id\":\"1\"}", 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autodecoded struct decoded decoded;
        const json_t *errors;

        decode_one(&decoded, "messages", cases[i].members);
        errors = decoded.delivery.messages[0].in.errors;
        assert_int_equal(json_integer_value(json_object_get(json_array_get(errors, 0), "code")),
                         cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_says_who_calls_whom),
        cmocka_unit_test(a_past_message_says_whose_it_is_or_its_thread_does),
        cmocka_unit_test(the_past_of_a_message_says_how_far_it_got),
        cmocka_unit_test(of_a_broken_past_the_rest_is_taken),
        cmocka_unit_test(a_changed_number_is_told),
        cmocka_unit_test(an_echo_goes_to_the_customer),
        cmocka_unit_test(what_is_written_to_a_group_is_to_nobody_in_particular),
        cmocka_unit_test(a_status_names_message_participant_and_error),
        cmocka_unit_test(changes_name_their_message),
        cmocka_unit_test(a_change_that_names_no_message_is_shown_as_it_is),
        cmocka_unit_test(an_absent_or_empty_emoji_takes_the_reaction_back),
        cmocka_unit_test(a_change_on_the_phone_is_the_businesss_own_and_counts_as_an_echo),
        cmocka_unit_test(the_errors_beside_a_message_are_those_of_one_without_content),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

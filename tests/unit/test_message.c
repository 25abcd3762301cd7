/* Rows as clients see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/json.h"
#include "siod/chat/message.h"

static const struct store_contact amara = {
    .id = 9,
    .business_id = 1,
    .name = STR_INIT("Amara N. Okafor"),
    .phone = STR_INIT("4915550100011"),
    .wa_id = STR_INIT("4915550100011"),
};

static struct store_message text_message(void)
{
    return (struct store_message) {
        .id = 5,
        .chat_id = 3,
        .business_id = 1,
        .contact_id = 9,
        .wamid = STR("wamid.A"),
        .direction = STORE_INBOUND,
        .type = STR("text"),
        .text = STR("line\nnext \"quoted\""),
        .raw = STR("{\"id\":\"wamid.A\"}"),
        .status = STORE_STATUS_RECEIVED,
        .wa_timestamp_s = 1772357401,
        .created_at_ms = 1772357401234,
    };
}

static void assert_json(struct buf *got, const char *want)
{
    autojson json_t *root = json_loadb(got->data, got->len, JSON_ALLOW_NUL, NULL);

    assert_non_null(root);
    assert_string_equal(got->data, want);
}

static void a_text_message_has_every_key(void **state)
{
    autobuf struct buf out = BUF_INIT;
    struct store_message message = text_message();

    (void)state;
    message_render(&out, &message, &amara);
    assert_json(&out, "{\"id\":5,\"chatId\":3,\"businessId\":1,\"wamid\":\"wamid.A\","
                      "\"direction\":\"inbound\",\"type\":\"text\","
                      "\"text\":\"line\\nnext \\\"quoted\\\"\",\"status\":\"received\","
                      "\"contact\":{\"id\":9,\"first_name\":\"Amara\",\"last_name\":\"N. Okafor\","
                      "\"name\":\"Amara N. Okafor\",\"phone\":\"4915550100011\","
                      "\"waId\":\"4915550100011\",\"userId\":null},"
                      "\"whatsappTimestamp\":\"2026-03-01T09:30:01.000Z\","
                      "\"createdAt\":\"2026-03-01T09:30:01.234Z\"}");
}

static void other_types_carry_their_element(void **state)
{
    autobuf struct buf out = BUF_INIT;
    struct store_message message = text_message();
    autojson json_t *root = NULL;

    (void)state;
    message.type = STR("location");
    message.text = STR_NONE;
    message.raw = STR("{\"location\":{\"latitude\":52.5}}");
    message_render(&out, &message, &amara);
    root = json_loadb(out.data, out.len, 0, NULL);
    assert_non_null(root);
    assert_true(json_is_null(json_object_get(root, "text")));
    assert_non_null(json_dig(root, "raw", "location", "latitude", NULL));
}

static void what_is_said_only_sometimes_is_there_when_it_is(void **state)
{
    autobuf struct buf out = BUF_INIT;
    struct store_message message = text_message();
    autojson json_t *root = NULL;

    (void)state;
    message.direction = STORE_OUTBOUND;
    message.status = STORE_STATUS_FAILED;
    message.error = STR("{\"code\":131047}");
    message.context_wamid = STR("wamid.B");
    message.sender_user_id = 7;
    message_render(&out, &message, &amara);
    root = json_loadb(out.data, out.len, 0, NULL);
    assert_non_null(root);
    assert_true(str_eq(json_str(json_dig(root, "context", "wamid", NULL)), STR("wamid.B")));
    assert_int_equal(json_integer_value(json_dig(root, "error", "code", NULL)), 131047);
    assert_int_equal(json_integer_value(json_dig(root, "sender", "userId", NULL)), 7);
    assert_true(str_eq(json_str_at(root, "direction"), STR("outbound")));
    assert_true(str_eq(json_str_at(root, "status"), STR("failed")));
}

static void errors_show_the_first_and_all_of_several(void **state)
{
    static const struct {
        const char *errors, *want;
    } cases[] = {
        { "", "" },
        { "[]", ",\"error\":[]" },
        { "{\"code\":1}", ",\"error\":{\"code\":1}" },
        { "[{\"code\":1}]", ",\"error\":{\"code\":1}" },
        { "[{\"code\":1},{\"code\":2}]",
          ",\"error\":{\"code\":1},\"errors\":[{\"code\":1},{\"code\":2}]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autobuf struct buf out = BUF_INIT;

        errors_render(&out, str_of(cases[i].errors));
        assert_true(str_eq(buf_str(&out), str_of(cases[i].want)));
    }
}

static void content_and_changes_stand_where_they_belong(void **state)
{
    autobuf struct buf out = BUF_INIT;
    struct store_message message = text_message();

    (void)state;
    message.context_wamid = STR("wamid.B");
    message.content = STR(",\"context\":{\"wamid\":\"wamid.B\",\"from\":\"1\"}");
    message.changes = STR(",\"edited\":true");
    message_render(&out, &message, &amara);
    assert_non_null(strstr(out.data,
                           "\"text\":\"line\\nnext \\\"quoted\\\"\",\"context\":{\"wamid\":"
                           "\"wamid.B\",\"from\":\"1\"},\"status\":\"received\","
                           "\"edited\":true,\"contact\":{"));
}

static void a_text_without_text_carries_its_element(void **state)
{
    autobuf struct buf out = BUF_INIT;
    struct store_message message = text_message();

    (void)state;
    message.text = STR_NONE;
    message_render(&out, &message, &amara);
    assert_non_null(strstr(out.data, ",\"raw\":{\"id\":\"wamid.A\"}}"));
}

static void somebody_without_a_name_is_called_by_number_or_id(void **state)
{
    static const struct {
        struct store_contact contact;
        const char *first, *last;
        bool named;
    } cases[] = {
        { { .name = STR_INIT("Jonas"), .phone = STR_INIT("49155") }, "Jonas", "", true },
        { { .name = STR_INIT("  Ana \t Maria  Silva ") }, "Ana", "Maria  Silva", true },
        { { .name = STR_INIT(" \n"), .phone = STR_INIT("49155") }, "49155", "", false },
        { { .phone = STR_INIT("49155"), .wa_id = STR_INIT("49166") }, "49155", "", false },
        { { .wa_id = STR_INIT("49166"), .user_id = STR_INIT("DE.2") }, "49166", "", false },
        { { .user_id = STR_INIT("DE.20461193570018264417") },
          "DE.20461193570018264417",
          "",
          false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autobuf struct buf out = BUF_INIT;
        autojson json_t *root = NULL;
        struct store_contact contact = cases[i].contact;

        contact.id = 1;
        contact_render(&out, &contact);
        root = json_loadb(out.data, out.len, 0, NULL);
        assert_non_null(root);
        assert_string_equal(json_string_value(json_object_get(root, "first_name")), cases[i].first);
        assert_string_equal(json_string_value(json_object_get(root, "last_name")), cases[i].last);
        assert_int_equal(json_is_string(json_object_get(root, "name")), cases[i].named);
    }
}

static void a_chat_shows_null_for_what_it_has_not(void **state)
{
    autobuf struct buf out = BUF_INIT;
    struct store_chat chat = {
        .id = 3,
        .business_id = 1,
        .phone_number_id = STR("106"),
        .state = STORE_CHAT_WAITING,
        .created_at_ms = 1772357401234,
        .waiting_since_ms = 1772357402000,
        .contact = { .id = 9, .name = STR("Jonas") },
    };

    (void)state;
    chat_render(&out, &chat);
    assert_json(&out, "{\"chatId\":3,\"businessId\":1,\"phoneNumberId\":\"106\",\"groupId\":null,"
                      "\"state\":\"waiting\",\"agentId\":null,"
                      "\"waitingSince\":\"2026-03-01T09:30:02.000Z\",\"contact\":{\"id\":9,"
                      "\"first_name\":\"Jonas\",\"last_name\":\"\",\"name\":\"Jonas\","
                      "\"phone\":null,\"waId\":null,\"userId\":null},\"lastMessageId\":null,"
                      "\"lastMessageAt\":null,\"windowExpiresAt\":null,"
                      "\"createdAt\":\"2026-03-01T09:30:01.234Z\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_message_has_every_key),
        cmocka_unit_test(other_types_carry_their_element),
        cmocka_unit_test(what_is_said_only_sometimes_is_there_when_it_is),
        cmocka_unit_test(errors_show_the_first_and_all_of_several),
        cmocka_unit_test(content_and_changes_stand_where_they_belong),
        cmocka_unit_test(a_text_without_text_carries_its_element),
        cmocka_unit_test(somebody_without_a_name_is_called_by_number_or_id),
        cmocka_unit_test(a_chat_shows_null_for_what_it_has_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

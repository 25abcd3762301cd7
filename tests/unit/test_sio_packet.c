/* The truth table of protocol.md 3, as far as it can be seen in one packet. What depends on the
 * connection's state is in test_socketio.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/wire/socketio.h"

static const struct json_limits limits = { .depth = 512, .keys = 1000 };

struct vector {
    const char *text;
    enum err err;
    enum sio_packet_type type;
    const char *nsp;
    int64_t ack;
    const char *body, *name, *args;
    unsigned attachments;
};

#define GOOD(text, type, nsp, ack, body, name, args)                                               \
    {                                                                                              \
        text, OK, type, nsp, ack, body, name, args, 0                                              \
    }
#define BINARY(text, type, nsp, ack, name, args, count)                                            \
    {                                                                                              \
        text, OK, type, nsp, ack, NULL, name, args, count                                          \
    }
#define BAD(text)                                                                                  \
    {                                                                                              \
        text, ERR_SYNTAX, 0, NULL, 0, NULL, NULL, NULL, 0                                          \
    }
#define LARGE(text)                                                                                \
    {                                                                                              \
        text, ERR_TOO_LARGE, 0, NULL, 0, NULL, NULL, NULL, 0                                       \
    }

static const struct vector vectors[] = {
    /* CONNECT */
    GOOD("0", SIO_CONNECT, "/", -1, "", NULL, ""),
    GOOD("0/", SIO_CONNECT, "/", -1, "", NULL, ""),
    GOOD("0/,", SIO_CONNECT, "/", -1, "", NULL, ""),
    GOOD("0/custom", SIO_CONNECT, "/custom", -1, "", NULL, ""),
    GOOD("0/custom,", SIO_CONNECT, "/custom", -1, "", NULL, ""),
    GOOD("0/custom?a=b,", SIO_CONNECT, "/custom?a=b", -1, "", NULL, ""),
    GOOD("0{\"token\":\"123\"}", SIO_CONNECT, "/", -1, "{\"token\":\"123\"}", NULL, ""),
    GOOD("0/custom,{\"a\":1}", SIO_CONNECT, "/custom", -1, "{\"a\":1}", NULL, ""),
    GOOD("012{\"a\":1}", SIO_CONNECT, "/", 12, "{\"a\":1}", NULL, ""),
    BAD("0[]"),
    BAD("0\"x\""),
    BAD("0null"),
    BAD("0 {}"),
    BAD("0{"),
    /* DISCONNECT */
    GOOD("1", SIO_DISCONNECT, "/", -1, "", NULL, ""),
    GOOD("1/,", SIO_DISCONNECT, "/", -1, "", NULL, ""),
    GOOD("1/admin,", SIO_DISCONNECT, "/admin", -1, "", NULL, ""),
    BAD("1{}"),
    BAD("1[\"x\"]"),
    /* EVENT */
    GOOD("2[\"hello\",1]", SIO_EVENT, "/", -1, "[\"hello\",1]", "hello", "1"),
    GOOD("2/chat,[\"hello\"]", SIO_EVENT, "/chat", -1, "[\"hello\"]", "hello", ""),
    GOOD("212[\"ask\",1]", SIO_EVENT, "/", 12, "[\"ask\",1]", "ask", "1"),
    GOOD("2/chat,7[\"ask\"]", SIO_EVENT, "/chat", 7, "[\"ask\"]", "ask", ""),
    GOOD("20[\"a\"]", SIO_EVENT, "/", 0, "[\"a\"]", "a", ""),
    GOOD("2007[\"a\"]", SIO_EVENT, "/", 7, "[\"a\"]", "a", ""),
    GOOD("29007199254740991[\"a\"]", SIO_EVENT, "/", 9007199254740991, NULL, "a", ""),
    GOOD("2", SIO_EVENT, "/", -1, "", NULL, ""),
    GOOD("2/chat[\"x\"]", SIO_EVENT, "/chat[\"x\"]", -1, "", NULL, ""),
    GOOD("2[1,2]", SIO_EVENT, "/", -1, "[1,2]", "1", "2"),
    GOOD("2[-1.5e3]", SIO_EVENT, "/", -1, NULL, "-1.5e3", ""),
    GOOD("2[\"\"]", SIO_EVENT, "/", -1, NULL, "", ""),
    GOOD("2[\"error\",{}]", SIO_EVENT, "/", -1, NULL, "error", "{}"),
    GOOD("2[\"__proto__\"]", SIO_EVENT, "/", -1, NULL, "__proto__", ""),
    GOOD("2[ \"m\" , 1 , [ 2 ] ] ", SIO_EVENT, "/", -1, NULL, "m", "1 , [ 2 ]"),
    GOOD("2[\"m\" ]", SIO_EVENT, "/", -1, NULL, "m", ""),
    GOOD("2[\"a\\\"b\\u00e9\\ud83d\\ude00\",1]", SIO_EVENT, "/", -1, NULL,
         "a\"b\xc3\xa9\xf0\x9f\x98\x80", "1"),
    GOOD("2[\"m\",\"]\",\"\\\\\"]", SIO_EVENT, "/", -1, NULL, "m", "\"]\",\"\\\\\""),
    GOOD("2[\"m\",{\"_placeholder\":true,\"num\":0}]", SIO_EVENT, "/", -1, NULL, "m",
         "{\"_placeholder\":true,\"num\":0}"),
    GOOD("2[\"m\",12345678901234567890,1.0,-0]", SIO_EVENT, "/", -1, NULL, "m",
         "\"12345678901234567890\",1.0,-0"),
    GOOD("2[\"m\",{\"a\":1,\"a\":2,\"__proto__\":3}]", SIO_EVENT, "/", -1, NULL, "m",
         "{\"a\":1,\"a\":2,\"__proto__\":3}"),
    GOOD("2[\"m\",\"\\u0000\\ud800\"]", SIO_EVENT, "/", -1, NULL, "m", "\"\\u0000\\ufffd\""),
    BAD("2{}"),
    BAD("2[]"),
    BAD("2[ ]"),
    BAD("2[null]"),
    BAD("2[true]"),
    BAD("2[{\"toString\":\"x\"}]"),
    BAD("2[[\"a\"]]"),
    BAD("2\"x\""),
    BAD("2[\"m\"]x"),
    BAD("2[\"m\"][1]"),
    BAD("2[\"m\""),
    BAD("2[\"m\",]"),
    BAD("2-1[\"m\"]"),
    BAD("21.5[\"m\"]"),
    BAD("21e5[\"m\"]"),
    BAD("2abc[\"m\"]"),
    BAD("2 [\"m\"]"),
    BAD("2 5[\"m\"]"),
    BAD("2[\"m\xff\"]"),
    LARGE("29007199254740992[\"a\"]"),
    LARGE("29007199254740993[\"a\"]"),
    LARGE("212345678901234567890[\"a\"]"),
    LARGE("21234567890123456789012345[\"a\"]"),
    /* ACK */
    GOOD("312[\"ok\"]", SIO_ACK, "/", 12, "[\"ok\"]", NULL, "\"ok\""),
    GOOD("3/chat,1[1,2]", SIO_ACK, "/chat", 1, NULL, NULL, "1,2"),
    GOOD("35[]", SIO_ACK, "/", 5, "[]", NULL, ""),
    GOOD("3[1]", SIO_ACK, "/", -1, NULL, NULL, "1"),
    GOOD("399", SIO_ACK, "/", 99, "", NULL, ""),
    BAD("399{}"),
    /* CONNECT_ERROR */
    GOOD("4/admin,{\"message\":\"no\"}", SIO_CONNECT_ERROR, "/admin", -1, "{\"message\":\"no\"}",
         NULL, ""),
    BAD("4"),
    BAD("4[]"),
    /* binary */
    BINARY("51-[\"pic\",{\"_placeholder\":true,\"num\":0}]", SIO_BINARY_EVENT, "/", -1, "pic",
           "{\"_placeholder\":true,\"num\":0}", 1),
    BINARY("510-/c,3[\"pic\"]", SIO_BINARY_EVENT, "/c", 3, "pic", "", 10),
    BINARY("61-/chat,7[{\"_placeholder\":true,\"num\":0}]", SIO_BINARY_ACK, "/chat", 7, NULL,
           "{\"_placeholder\":true,\"num\":0}", 1),
    BAD("50-[\"a\"]"),
    BAD("5-[\"a\"]"),
    BAD("51[\"a\"]"),
    BAD("51"),
    BAD("5"),
    BAD("5-1-[\"a\"]"),
    BAD("51.0-[\"a\"]"),
    BAD("51e0-[\"a\"]"),
    BAD("50x1-[\"a\"]"),
    BINARY("51-", SIO_BINARY_EVENT, "/", -1, NULL, "", 1),
    BAD("51-{}"),
    LARGE("511-[\"a\"]"),
    LARGE("599999999-[\"a\"]"),
    LARGE("51832742252-[\"a\"]"),
    /* no packet at all */
    BAD(""),
    BAD("7[\"x\"]"),
    BAD("abc"),
    BAD("/"),
};

static void check_text(struct str actual, const char *expected)
{
    assert_int_equal(actual.len, strlen(expected));
    assert_memory_equal(actual.data, expected, actual.len);
}

static void check_vector(const struct vector *vector, struct sio_scratch *scratch)
{
    struct sio_packet packet = { 0 };
    /* on the heap and without a NUL, so that a sanitizer sees a read past the end */
    autofree char *text = xmemdup(vector->text, strlen(vector->text));
    enum err err =
        sio_packet_decode((struct str) { text, strlen(vector->text) }, &limits, scratch, &packet);

    print_message("%s\n", vector->text);
    assert_int_equal(err, vector->err);
    if (err != OK) {
        return;
    }
    assert_int_equal(packet.type, vector->type);
    check_text(packet.nsp, vector->nsp);
    assert_true(packet.ack == vector->ack);
    assert_int_equal(packet.attachments, vector->attachments);
    if (vector->body != NULL) {
        check_text(packet.body, vector->body);
    }
    if (vector->name != NULL) {
        check_text(packet.name, vector->name);
    } else {
        assert_null(packet.name.data);
    }
    check_text(packet.args, vector->args);
}

static void every_packet_of_the_truth_table_decodes_as_stated(void **state)
{
    struct sio_scratch scratch = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        check_vector(&vectors[i], &scratch);
    }
    sio_scratch_finish(&scratch);
}

static enum err decode_filled(const char *head, char fill, size_t count, const char *tail)
{
    struct sio_scratch scratch = { 0 };
    autobuf struct buf text = BUF_INIT;
    struct sio_packet packet;
    enum err err;

    buf_add_cstr(&text, head);
    memset(buf_reserve(&text, count), fill, count);
    text.len += count;
    buf_add_cstr(&text, tail);
    err = sio_packet_decode(buf_str(&text), &limits, &scratch, &packet);
    sio_scratch_finish(&scratch);
    return err;
}

static void a_megabyte_in_any_header_field_is_refused(void **state)
{
    enum { MEGABYTE = 1000000 };

    (void)state;
    assert_int_equal(decode_filled("0/", 'n', MEGABYTE, ","), ERR_TOO_LARGE);
    assert_int_equal(decode_filled("0/", 'n', MEGABYTE, ""), ERR_TOO_LARGE);
    assert_int_equal(decode_filled("2", '1', MEGABYTE, "[\"a\"]"), ERR_TOO_LARGE);
    assert_int_equal(decode_filled("5", '1', MEGABYTE, "-[\"a\"]"), ERR_TOO_LARGE);
    assert_int_equal(decode_filled("2", '[', MEGABYTE, ""), ERR_TOO_LARGE);
}

static void a_namespace_with_its_query_may_have_8192_bytes_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(decode_filled("0/", 'n', 8191, ""), OK);
    assert_int_equal(decode_filled("0/", 'n', 8191, ",{}"), OK);
    assert_int_equal(decode_filled("0/", 'n', 8192, ""), ERR_TOO_LARGE);
    assert_int_equal(decode_filled("0/", 'n', 8192, ",{}"), ERR_TOO_LARGE);
}

static void a_nul_in_an_event_name_is_part_of_the_name(void **state)
{
    struct sio_scratch scratch = { 0 };
    struct sio_packet packet;

    (void)state;
    assert_int_equal(sio_packet_decode(STR("2[\"a\\u0000b\"]"), &limits, &scratch, &packet), OK);
    assert_true(str_eq(packet.name, STR("a\0b")));
    sio_scratch_finish(&scratch);
}

static void names_that_the_reference_keeps_for_itself_are_reserved(void **state)
{
    static const char *const reserved[] = { "connect",       "connect_error", "disconnect",
                                            "disconnecting", "newListener",   "removeListener" };
    static const char *const ordinary[] = { "error", "connection", "__proto__", "", "Connect" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        assert_true(sio_event_reserved(str_of(reserved[i])));
    }
    for (size_t i = 0; i < ARRAY_SIZE(ordinary); i++) {
        assert_false(sio_event_reserved(str_of(ordinary[i])));
    }
}

static void packets_are_encoded_as_clients_read_them(void **state)
{
    autobuf struct buf text = BUF_INIT;

    (void)state;
    sio_event_encode(&text, STR("/"), SIO_ACK_NONE, STR("hello"), STR("1,\"x\""));
    assert_string_equal(text.data, "2[\"hello\",1,\"x\"]");
    buf_clear(&text);
    sio_event_encode(&text, STR("/chat"), 0, STR("a\"b"), STR(""));
    assert_string_equal(text.data, "2/chat,0[\"a\\\"b\"]");
    buf_clear(&text);
    sio_ack_encode(&text, STR("/chat"), 456, STR("{\"ok\":true}"));
    assert_string_equal(text.data, "3/chat,456[{\"ok\":true}]");
    buf_clear(&text);
    sio_ack_encode(&text, STR("/"), 0, STR(""));
    assert_string_equal(text.data, "30[]");
    buf_clear(&text);
    sio_packet_encode_head(&text, SIO_BINARY_ACK, 2, STR("/chat"), 7);
    assert_string_equal(text.data, "62-/chat,7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_of_the_truth_table_decodes_as_stated),
        cmocka_unit_test(a_megabyte_in_any_header_field_is_refused),
        cmocka_unit_test(a_namespace_with_its_query_may_have_8192_bytes_and_no_more),
        cmocka_unit_test(a_nul_in_an_event_name_is_part_of_the_name),
        cmocka_unit_test(names_that_the_reference_keeps_for_itself_are_reserved),
        cmocka_unit_test(packets_are_encoded_as_clients_read_them),
    };

    return cmocka_run_group_tests_name("sio_packet", tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/wire/engineio3.h"

enum { ITEMS_MAX = 4 };

struct payload_vector {
    bool binary;
    struct str body;
    enum err end; /* what follows the last item: ERR_NOT_FOUND or ERR_SYNTAX */
    struct eio3_item items[ITEMS_MAX];
};

#define TEXT(literal)                                                                              \
    {                                                                                              \
        false, STR_INIT(literal)                                                                   \
    }
#define BYTES(literal)                                                                             \
    {                                                                                              \
        true, STR_INIT(literal)                                                                    \
    }

static const struct payload_vector payloads[] = {
    { false, STR_INIT("1:6"), ERR_NOT_FOUND, { TEXT("6") } },
    { false,
      STR_INIT("2:4013:42[\"auth\",{}]"),
      ERR_NOT_FOUND,
      { TEXT("40"), TEXT("42[\"auth\",{}]") } },
    { false,
      STR_INIT("24:42[\"message-back\",\"\xc3\xa9\xf0\x9f\x98\x80\"]"),
      ERR_NOT_FOUND,
      { TEXT("42[\"message-back\",\"\xc3\xa9\xf0\x9f\x98\x80\"]") } },
    { false, STR_INIT("3:4\xf0\x9f\x98\x80"), ERR_NOT_FOUND, { TEXT("4\xf0\x9f\x98\x80") } },
    { false, STR_INIT("10:b4AQIDBA=="), ERR_NOT_FOUND, { TEXT("b4AQIDBA==") } },
    { false, STR_INIT("2:4a0:2:4b"), ERR_NOT_FOUND, { TEXT("4a"), TEXT("4b") } },
    { false, STR_INIT("0:"), ERR_NOT_FOUND, { { false, { NULL, 0 } } } },
    { false, STR_INIT("002:4a"), ERR_NOT_FOUND, { TEXT("4a") } },
    /* wrong lengths */
    { false, STR_INIT(""), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { false, STR_INIT("4a"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { false, STR_INIT(":4a"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { false, STR_INIT("3:4a"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { false, STR_INIT("1:4a"), ERR_SYNTAX, { TEXT("4") } },
    { false, STR_INIT("2:4a2"), ERR_SYNTAX, { TEXT("4a") } },
    { false, STR_INIT("-2:4a"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { false, STR_INIT("2.0:4a"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { false, STR_INIT("00000000002:4a"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { false, STR_INIT("99999999999999999999:4a"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    /* a surrogate pair cut in two; bytes counted where code units are meant; no UTF-8 */
    { false, STR_INIT("2:4\xf0\x9f\x98\x80"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { false, STR_INIT("5:4\xf0\x9f\x98\x80"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { false, STR_INIT("2:4\xff"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    /* bytes */
    { true,
      STR_INIT("\0\2\xff"
               "4a"),
      ERR_NOT_FOUND,
      { TEXT("4a") } },
    { true, STR_INIT(""), ERR_NOT_FOUND, { { false, { NULL, 0 } } } },
    { true, STR_INIT("\0\0\xff"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { true, STR_INIT("\1\5\xff\4\1\2\3\4"), ERR_NOT_FOUND, { BYTES("\4\1\2\3\4") } },
    { true,
      STR_INIT("\0\1\0\xff"
               "4123456789"
               "\1\2\xff\4\xff"),
      ERR_NOT_FOUND,
      { TEXT("4123456789"), BYTES("\4\xff") } },
    { true,
      STR_INIT("\0\3\xff"
               "4\xc3\xa9"),
      ERR_NOT_FOUND,
      { TEXT("4\xc3\xa9") } },
    { true,
      STR_INIT("\0\2\xff"
               "4\xff"),
      ERR_SYNTAX,
      { { false, { NULL, 0 } } } },
    { true,
      STR_INIT("\2\2\xff"
               "4a"),
      ERR_NOT_FOUND,
      { BYTES("4a") } },
    { true, STR_INIT("\0"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { true, STR_INIT("\0\2"), ERR_SYNTAX, { { false, { NULL, 0 } } } },
    { true,
      STR_INIT("\0\xff"
               "4a"),
      ERR_SYNTAX,
      { { false, { NULL, 0 } } } },
    { true,
      STR_INIT("\0\012\xff"
               "4a"),
      ERR_SYNTAX,
      { { false, { NULL, 0 } } } },
    { true,
      STR_INIT("\0\3\xff"
               "4a"),
      ERR_SYNTAX,
      { { false, { NULL, 0 } } } },
    { true,
      STR_INIT("\0\1\1\1\1\1\1\1\1\1\1\1\xff"
               "4a"),
      ERR_SYNTAX,
      { { false, { NULL, 0 } } } },
};

static void every_payload_of_the_table_is_split_as_stated(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
        const struct payload_vector *vector = &payloads[i];
        struct eio3_payload payload = { vector->body, vector->binary };
        struct eio3_item item;
        enum err err;

        print_message("%zu: %.*s\n", i, STR_ARG(vector->body));
        for (size_t n = 0; n < ITEMS_MAX && vector->items[n].packet.data != NULL; n++) {
            assert_int_equal(eio3_payload_next(&payload, &item), OK);
            assert_int_equal(item.binary, vector->items[n].binary);
            assert_true(str_eq(item.packet, vector->items[n].packet));
        }
        err = eio3_payload_next(&payload, &item);
        assert_int_equal(err, vector->end);
    }
}

static const struct {
    struct eio3_item item;
    enum err err;
    enum eio_packet_type type;
    bool binary;
    struct str data;
} packets[] = {
    { TEXT("2probe"), OK, EIO_PING, false, STR_INIT("probe") },
    { TEXT("4hello"), OK, EIO_MESSAGE, false, STR_INIT("hello") },
    { TEXT("b4AQIDBA=="), OK, EIO_MESSAGE, true, STR_INIT("\1\2\3\4") },
    { TEXT("b4"), OK, EIO_MESSAGE, true, STR_INIT("") },
    { BYTES("\4\1\2\3\4"), OK, EIO_MESSAGE, true, STR_INIT("\1\2\3\4") },
    { BYTES("\4"), OK, EIO_MESSAGE, true, STR_INIT("") },
    { TEXT(""), ERR_SYNTAX, 0, false, STR_INIT("") },
    { TEXT("7"), ERR_SYNTAX, 0, false, STR_INIT("") },
    { TEXT("b"), OK, EIO_NOOP, false, STR_INIT("") },
    { TEXT("bAQIDBA=="), OK, EIO_NOOP, false, STR_INIT("") },
    { TEXT("b9AQIDBA=="), OK, EIO_NOOP, false, STR_INIT("") },
    { TEXT("b2AQIDBA=="), OK, EIO_PING, false, STR_INIT("") },
    { TEXT("b4AQIDBA"), ERR_SYNTAX, 0, false, STR_INIT("") },
    { BYTES(""), OK, EIO_NOOP, false, STR_INIT("") },
    { BYTES("4\1"), OK, EIO_NOOP, false, STR_INIT("") },
    { BYTES("\2\1"), OK, EIO_PING, false, STR_INIT("") },
    { BYTES("\1"), OK, EIO_CLOSE, false, STR_INIT("") },
    { BYTES("\7\1"), OK, EIO_NOOP, false, STR_INIT("") },
    { BYTES("\xff"), OK, EIO_NOOP, false, STR_INIT("") },
};

static void every_packet_of_the_table_decodes_as_stated(void **state)
{
    autobuf struct buf scratch = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        struct eio_packet packet = { 0 };

        print_message("%zu\n", i);
        assert_int_equal(eio3_packet_decode(&packets[i].item, &scratch, &packet), packets[i].err);
        if (packets[i].err == OK) {
            assert_int_equal(packet.type, packets[i].type);
            assert_int_equal(packet.binary, packets[i].binary);
            assert_true(str_eq(packet.data, packets[i].data));
        }
    }
}

static void the_length_of_text_counts_utf16_code_units(void **state)
{
    autobuf struct buf payload = BUF_INIT;

    (void)state;
    eio3_text_add(&payload, STR("42[\"message-back\",\"\xc3\xa9\xf0\x9f\x98\x80\"]"));
    eio3_text_add(&payload, STR("6"));
    assert_true(
        str_eq(buf_str(&payload), STR("24:42[\"message-back\",\"\xc3\xa9\xf0\x9f\x98\x80\"]1:6")));
}

static void binary_in_text_is_marked_and_in_base64(void **state)
{
    autobuf struct buf payload = BUF_INIT;

    (void)state;
    eio3_text_add(&payload, STR("451-[\"m\",{\"_placeholder\":true,\"num\":0}]"));
    eio3_text_add_binary(&payload, STR("\1\2\3\4"));
    assert_true(str_eq(buf_str(&payload),
                       STR("39:451-[\"m\",{\"_placeholder\":true,\"num\":0}]10:b4AQIDBA==")));
}

static void a_payload_of_bytes_counts_bytes_as_digit_values(void **state)
{
    autobuf struct buf payload = BUF_INIT;

    (void)state;
    eio3_bytes_add(&payload, false, STR("4\xc3\xa9 and more"));
    eio3_bytes_add(&payload, true, STR("\1\2\3\4"));
    assert_true(str_eq(buf_str(&payload), STR("\0\1\2\xff"
                                              "4\xc3\xa9 and more"
                                              "\1\5\xff\4\1\2\3\4")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_payload_of_the_table_is_split_as_stated),
        cmocka_unit_test(every_packet_of_the_table_decodes_as_stated),
        cmocka_unit_test(the_length_of_text_counts_utf16_code_units),
        cmocka_unit_test(binary_in_text_is_marked_and_in_base64),
        cmocka_unit_test(a_payload_of_bytes_counts_bytes_as_digit_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/wire/engineio.h"

struct vector {
    const char *text;
    enum err err;
    enum eio_packet_type type;
    bool binary;
    struct str data;
};

static const struct vector vectors[] = {
    { "0{\"sid\":\"x\"}", OK, EIO_OPEN, false, STR_INIT("{\"sid\":\"x\"}") },
    { "1", OK, EIO_CLOSE, false, STR_INIT("") },
    { "2", OK, EIO_PING, false, STR_INIT("") },
    { "2probe", OK, EIO_PING, false, STR_INIT("probe") },
    { "3probe", OK, EIO_PONG, false, STR_INIT("probe") },
    { "4", OK, EIO_MESSAGE, false, STR_INIT("") },
    { "4hello", OK, EIO_MESSAGE, false, STR_INIT("hello") },
    { "5", OK, EIO_UPGRADE, false, STR_INIT("") },
    { "6", OK, EIO_NOOP, false, STR_INIT("") },
    { "b", OK, EIO_MESSAGE, true, STR_INIT("") },
    { "bAQIDBA==", OK, EIO_MESSAGE, true, STR_INIT("\1\2\3\4") },
    { "bAQIDBAU=", OK, EIO_MESSAGE, true, STR_INIT("\1\2\3\4\5") },
    { "bAQIDBAUG", OK, EIO_MESSAGE, true, STR_INIT("\1\2\3\4\5\6") },
    { "b+/+/", OK, EIO_MESSAGE, true, STR_INIT("\xfb\xff\xbf") },
    { "", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "7", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "abc", ERR_SYNTAX, 0, false, STR_INIT("") },
    { " 4", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "/", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "bA", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "bAQ", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "bAQ=", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "bAR==", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "bAQJ=", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "b====", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "bA===", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "bAQ==AQ==", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "bAQI-", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "bAQ D", ERR_SYNTAX, 0, false, STR_INIT("") },
    { "bAQID\n", ERR_SYNTAX, 0, false, STR_INIT("") },
};

static void every_packet_of_the_table_decodes_as_stated(void **state)
{
    autobuf struct buf scratch = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        const struct vector *vector = &vectors[i];
        struct eio_packet packet = { 0 };

        print_message("%s\n", vector->text);
        assert_int_equal(eio_packet_decode(str_of(vector->text), &scratch, &packet), vector->err);
        if (vector->err == OK) {
            assert_int_equal(packet.type, vector->type);
            assert_int_equal(packet.binary, vector->binary);
            assert_true(str_eq(packet.data, vector->data));
        }
    }
}

static void a_payload_is_split_at_each_separator(void **state)
{
    static const struct {
        const char *body;
        const char *packets[4];
    } payloads[] = {
        { "4a", { "4a" } },
        { "4a\x1e"
          "4b\x1e"
          "2",
          { "4a", "4b", "2" } },
        { "", { "" } },
        { "\x1e", { "", "" } },
        { "4a\x1e", { "4a", "" } },
        { "\x1e"
          "4a",
          { "", "4a" } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
        struct eio_payload payload = eio_payload_of(str_of(payloads[i].body));
        struct str packet;

        for (size_t n = 0; payloads[i].packets[n] != NULL; n++) {
            assert_true(eio_payload_next(&payload, &packet));
            assert_true(str_eq(packet, str_of(payloads[i].packets[n])));
        }
        assert_false(eio_payload_next(&payload, &packet));
    }
}

static void a_body_that_was_never_sent_is_one_empty_packet(void **state)
{
    struct eio_payload payload = eio_payload_of(STR_NONE);
    struct str packet = STR("x");

    (void)state;
    assert_true(eio_payload_next(&payload, &packet));
    assert_int_equal(packet.len, 0);
    assert_false(eio_payload_next(&payload, &packet));
}

static void binary_data_of_any_length_survives_encoding_and_decoding(void **state)
{
    autobuf struct buf text = BUF_INIT, scratch = BUF_INIT;
    char data[67];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (char)(i * 37);
    }
    for (size_t len = 0; len <= sizeof data; len++) {
        struct eio_packet packet;

        buf_clear(&text);
        eio_binary_encode(&text, (struct str) { data, len });
        assert_int_equal(eio_packet_decode(buf_str(&text), &scratch, &packet), OK);
        assert_true(packet.binary);
        assert_true(str_eq(packet.data, (struct str) { data, len }));
    }
}

static void the_open_packet_has_exactly_the_five_keys(void **state)
{
    static const struct eio_handshake handshake = { "fm3CyoaDT-C_872kAAAA", true, 25000, 20000,
                                                    1000000 };
    autobuf struct buf text = BUF_INIT;

    (void)state;
    eio_handshake_encode(&text, &handshake);
    assert_string_equal(text.data,
                        "0{\"sid\":\"fm3CyoaDT-C_872kAAAA\",\"upgrades\":[\"websocket\"],"
                        "\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}");
}

static void a_websocket_handshake_offers_no_upgrade(void **state)
{
    static const struct eio_handshake handshake = { "x", false, 300, 200, 1 };
    autobuf struct buf text = BUF_INIT;

    (void)state;
    eio_handshake_encode(&text, &handshake);
    assert_string_equal(text.data, "0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":300,"
                                   "\"pingTimeout\":200,\"maxPayload\":1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_of_the_table_decodes_as_stated),
        cmocka_unit_test(a_payload_is_split_at_each_separator),
        cmocka_unit_test(a_body_that_was_never_sent_is_one_empty_packet),
        cmocka_unit_test(binary_data_of_any_length_survives_encoding_and_decoding),
        cmocka_unit_test(the_open_packet_has_exactly_the_five_keys),
        cmocka_unit_test(a_websocket_handshake_offers_no_upgrade),
    };

    return cmocka_run_group_tests_name("eio_packet", tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/wire/ws_frame.h"

enum { NO_LIMIT = INT32_MAX };

/* Runs the decoder over the bytes in pieces of `piece`; what comes out is written down as
 * "opcode:payload;" a frame, with "+" for one that does not end its message, and "!code" for a
 * failure. */
static void decode(struct str bytes, size_t piece, uint32_t max, struct buf *out)
{
    struct ws_decoder d;

    ws_decoder_init(&d, max);
    while (bytes.len > 0) {
        struct str in = { bytes.data, MIN(piece, bytes.len) };

        bytes = str_skip(bytes, in.len);
        for (;;) {
            enum ws_code code;
            ptrdiff_t len;
            size_t used;

            if (!ws_decoder_in_frame(&d)) {
                enum ws_step step = ws_decoder_head(&d, in, &used, &code);

                in = str_skip(in, used);
                if (step == WS_STEP_ERROR) {
                    buf_printf(out, "!%d", code);
                    return;
                }
                if (step == WS_STEP_MORE) {
                    break;
                }
                buf_printf(out, "%u%s:", d.opcode, d.fin ? "" : "+");
            }
            if (in.len == 0 && d.left > 0) {
                break;
            }
            len = ws_decoder_payload(&d, in, buf_reserve(out, in.len));
            if (len < 0) {
                buf_printf(out, "!%d", WS_CODE_INVALID_DATA);
                return;
            }
            out->len += (size_t)len;
            in = str_skip(in, (size_t)len);
            if (ws_decoder_frame_done(&d)) {
                buf_add_char(out, ';');
            }
        }
    }
}

/* A client's frame with the mask 37 fa 21 3d. */
static void add_frame(struct buf *to, unsigned first, struct str payload)
{
    static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    size_t at;

    buf_add_char(to, (char)first);
    if (payload.len < 126) {
        buf_add_char(to, (char)(0x80 | payload.len));
    } else if (payload.len <= UINT16_MAX) {
        char length[3] = { (char)0xfe, (char)(payload.len >> 8), (char)payload.len };

        buf_add(to, length, sizeof length);
    } else {
        buf_add_char(to, (char)0xff);
        for (int shift = 56; shift >= 0; shift -= 8) {
            buf_add_char(to, (char)((uint64_t)payload.len >> shift));
        }
    }
    buf_add(to, mask, sizeof mask);
    at = to->len;
    buf_add_str(to, payload);
    ws_mask(to->data + at, to->data + at, payload.len, mask);
}

static void the_example_of_the_rfc_is_decoded(void **state)
{
    static const char hello[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; /* RFC 6455, 5.7 */
    autobuf struct buf out = BUF_INIT;

    (void)state;
    decode(STR(hello), 100, NO_LIMIT, &out);
    assert_string_equal(out.data, "1:Hello;");
}

struct vector {
    const char *name;
    struct str bytes;
    const char *decoded;
};

/* Every vector has to come out the same in pieces of every size. */
static void check(const struct vector *vectors, size_t count, uint32_t max)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t piece = 1; piece <= vectors[i].bytes.len; piece++) {
            autobuf struct buf out = BUF_INIT;

            decode(vectors[i].bytes, piece, max, &out);
            buf_add(&out, "", 0);
            if (strcmp(out.data, vectors[i].decoded) != 0) {
                fail_msg("%s in pieces of %zu: %s", vectors[i].name, piece, out.data);
            }
        }
    }
}

#define M0 "\0\0\0\0" /* a mask that changes nothing */

static void frames_are_walked_in_pieces_of_any_size(void **state)
{
    static const struct vector vectors[] = {
        { "text", STR_INIT("\x81\x82" M0 "hi"), "1:hi;" },
        { "empty text", STR_INIT("\x81\x80" M0), "1:;" },
        { "binary", STR_INIT("\x82\x82" M0 "\xff\xfe"), "2:\xff\xfe;" },
        { "two frames", STR_INIT("\x81\x81" M0 "a\x81\x81" M0 "b"), "1:a;1:b;" },
        { "fragments", STR_INIT("\x01\x81" M0 "a\x00\x81" M0 "b\x80\x81" M0 "c"),
          "1+:a;1+:b;1:c;" },
        { "empty fragments", STR_INIT("\x01\x80" M0 "\x80\x80" M0), "1+:;1:;" },
        { "ping between fragments", STR_INIT("\x01\x81" M0 "a\x89\x81" M0 "p\x80\x81" M0 "b"),
          "1+:a;9:p;1:b;" },
        { "character cut by fragments", STR_INIT("\x01\x81" M0 "\xc3\x80\x81" M0 "\xa9"),
          "1+:\xc3;1:\xa9;" },
        { "character cut by fragments and a ping",
          STR_INIT("\x01\x82" M0 "\xe2\x82\x89\x80" M0 "\x80\x81" M0 "\xac"),
          "1+:\xe2\x82;9:;1:\xac;" },
        { "close", STR_INIT("\x88\x82" M0 "\x03\xe8"), "8:\x03\xe8;" },
        { "pong", STR_INIT("\x8a\x80" M0), "10:;" },
        { "16 bits for 2", STR_INIT("\x82\xfe\x00\x02" M0 "hi"), "2:hi;" },
        { "64 bits for 2", STR_INIT("\x82\xff\0\0\0\0\0\0\0\x02" M0 "hi"), "2:hi;" },
    };

    (void)state;
    check(vectors, ARRAY_SIZE(vectors), NO_LIMIT);
}

static void broken_frames_are_refused_at_their_header(void **state)
{
    static const struct vector vectors[] = {
        { "unmasked", STR_INIT("\x81\x02hi"), "!1002" },
        { "RSV1", STR_INIT("\xc1\x80" M0), "!1002" },
        { "RSV2", STR_INIT("\xa1\x80" M0), "!1002" },
        { "RSV3", STR_INIT("\x91\x80" M0), "!1002" },
        { "opcode 3", STR_INIT("\x83\x80" M0), "!1002" },
        { "opcode 7", STR_INIT("\x87\x80" M0), "!1002" },
        { "opcode 11", STR_INIT("\x8b\x80" M0), "!1002" },
        { "opcode 15", STR_INIT("\x8f\x80" M0), "!1002" },
        { "stray continuation", STR_INIT("\x80\x80" M0), "!1002" },
        { "continuation after the end", STR_INIT("\x81\x80" M0 "\x80\x80" M0), "1:;!1002" },
        { "text inside a message", STR_INIT("\x01\x80" M0 "\x81\x80" M0), "1+:;!1002" },
        { "fragmented ping", STR_INIT("\x09\x80" M0), "!1002" },
        { "long ping", STR_INIT("\x89\xfe\x00\x7e" M0), "!1002" },
        { "long close", STR_INIT("\x88\xff\0\0\0\0\0\1\0\0" M0), "!1002" },
    };

    (void)state;
    check(vectors, ARRAY_SIZE(vectors), 1000);
}

static void a_message_above_the_limit_is_refused_when_it_is_announced(void **state)
{
    static const struct vector vectors[] = {
        { "2^64 - 1", STR_INIT("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" M0), "!1009" },
        { "2^63", STR_INIT("\x82\xff\x80\0\0\0\0\0\0\0" M0), "!1009" },
        { "2^63 - 1", STR_INIT("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" M0), "!1009" },
        { "one too many", STR_INIT("\x82\x8b" M0), "!1009" },
        { "just right", STR_INIT("\x82\x8a" M0 "0123456789"), "2:0123456789;" },
        { "fragments just right", STR_INIT("\x02\x85" M0 "01234\x80\x85" M0 "56789"),
          "2+:01234;2:56789;" },
        { "fragments one too many", STR_INIT("\x02\x85" M0 "01234\x80\x86" M0), "2+:01234;!1009" },
        { "the sum would wrap",
          STR_INIT("\x02\x85" M0 "01234\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff" M0),
          "2+:01234;!1009" },
        { "each message counts alone", STR_INIT("\x82\x88" M0 "01234567\x82\x88" M0 "01234567"),
          "2:01234567;2:01234567;" },
        { "control frames do not count",
          STR_INIT("\x02\x88" M0 "01234567\x89\x84" M0 "ping\x80\x82" M0 "89"),
          "2+:01234567;9:ping;2:89;" },
    };

    (void)state;
    check(vectors, ARRAY_SIZE(vectors), 10);
}

static void invalid_utf8_is_refused_in_pieces_of_any_size(void **state)
{
    static const struct str texts[] = {
        STR_INIT("\x80"),             /* stray continuation */
        STR_INIT("\xc0\xaf"),         /* overlong */
        STR_INIT("\xc1\xbf"),         /* overlong */
        STR_INIT("\xe0\x80\xaf"),     /* overlong */
        STR_INIT("\xe0\x9f\xbf"),     /* overlong */
        STR_INIT("\xf0\x8f\xbf\xbf"), /* overlong */
        STR_INIT("\xed\xa0\x80"),     /* surrogate */
        STR_INIT("\xed\xbf\xbf"),     /* surrogate */
        STR_INIT("\xf4\x90\x80\x80"), /* above U+10FFFF */
        STR_INIT("\xf5\x80\x80\x80"),
        STR_INIT("\xfe"),
        STR_INIT("\xff"),
        STR_INIT("abcdefgh\xc3"), /* ends inside a character */
        STR_INIT("abcdefghijklmnop\xe2\x82"),
        STR_INIT("\xf0\x9f\x98"),
        STR_INIT("\xc3\x28"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        autobuf struct buf frame = BUF_INIT;

        add_frame(&frame, 0x81, texts[i]);
        for (size_t piece = 1; piece <= frame.len; piece++) {
            autobuf struct buf out = BUF_INIT;

            decode(buf_str(&frame), piece, NO_LIMIT, &out);
            if (strstr(out.data, "!1007") == NULL) {
                fail_msg("text %zu in pieces of %zu passed: %s", i, piece, out.data);
            }
        }
    }
}

static void valid_utf8_passes_at_its_bounds(void **state)
{
    static const struct str text =
        STR_INIT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
                 "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
    autobuf struct buf frame = BUF_INIT;

    (void)state;
    add_frame(&frame, 0x81, text);
    for (size_t piece = 1; piece <= frame.len; piece++) {
        autobuf struct buf out = BUF_INIT;

        decode(buf_str(&frame), piece, NO_LIMIT, &out);
        assert_int_equal(out.len, text.len + 3);
        assert_memory_equal(out.data + 2, text.data, text.len);
    }
}

static void lengths_around_the_forms_survive_a_round_trip(void **state)
{
    static const size_t lengths[] = { 0, 1, 125, 126, 127, 65535, 65536, 70000 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        autofree char *payload = xmalloc(lengths[i]);
        autobuf struct buf frame = BUF_INIT, out = BUF_INIT;

        for (size_t at = 0; at < lengths[i]; at++) {
            payload[at] = (char)(at * 7);
        }
        add_frame(&frame, 0x82, (struct str) { payload, lengths[i] });
        decode(buf_str(&frame), 4093, NO_LIMIT, &out);
        assert_int_equal(out.len, lengths[i] + 3);
        assert_memory_equal(out.data + 2, payload, lengths[i]);
    }
}

static void our_headers_use_the_shortest_length(void **state)
{
    static const struct {
        uint64_t len;
        struct str header;
    } cases[] = {
        { 0, STR_INIT("\x81\x00") },
        { 125, STR_INIT("\x81\x7d") },
        { 126, STR_INIT("\x81\x7e\x00\x7e") },
        { 65535, STR_INIT("\x81\x7e\xff\xff") },
        { 65536, STR_INIT("\x81\x7f\0\0\0\0\0\1\0\0") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t header[WS_SERVER_HEADER_MAX];
        size_t len = ws_header_encode(header, WS_OP_TEXT, cases[i].len);

        assert_int_equal(len, cases[i].header.len);
        assert_memory_equal(header, cases[i].header.data, len);
    }
}

static void close_payloads_are_checked(void **state)
{
    static const struct {
        struct str payload;
        enum ws_code result;
        unsigned peer;
    } cases[] = {
        { STR_INIT(""), WS_CODE_NORMAL, 0 },
        { STR_INIT("\x03\xe8"), WS_CODE_NORMAL, 1000 },
        { STR_INIT("\x03\xe9"
                   "bye"),
          WS_CODE_NORMAL, 1001 },
        { STR_INIT("\x0b\xb8"), WS_CODE_NORMAL, 3000 },
        { STR_INIT("\x13\x87"), WS_CODE_NORMAL, 4999 },
        { STR_INIT("\x03"), WS_CODE_PROTOCOL, 0 },
        { STR_INIT("\x00\x00"), WS_CODE_PROTOCOL, 0 },
        { STR_INIT("\x03\xe7"), WS_CODE_PROTOCOL, 0 }, /* 999 */
        { STR_INIT("\x03\xec"), WS_CODE_PROTOCOL, 0 }, /* 1004 */
        { STR_INIT("\x03\xed"), WS_CODE_PROTOCOL, 0 }, /* 1005 */
        { STR_INIT("\x03\xee"), WS_CODE_PROTOCOL, 0 }, /* 1006 */
        { STR_INIT("\x03\xf7"), WS_CODE_PROTOCOL, 0 }, /* 1015 */
        { STR_INIT("\x0b\xb7"), WS_CODE_PROTOCOL, 0 }, /* 2999 */
        { STR_INIT("\x13\x88"), WS_CODE_PROTOCOL, 0 }, /* 5000 */
        { STR_INIT("\xff\xff"), WS_CODE_PROTOCOL, 0 },
        { STR_INIT("\x03\xe8\xff"), WS_CODE_INVALID_DATA, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned peer = 0;

        assert_int_equal(ws_close_parse(cases[i].payload, &peer), cases[i].result);
        assert_int_equal(peer, cases[i].peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc_is_decoded),
        cmocka_unit_test(frames_are_walked_in_pieces_of_any_size),
        cmocka_unit_test(broken_frames_are_refused_at_their_header),
        cmocka_unit_test(a_message_above_the_limit_is_refused_when_it_is_announced),
        cmocka_unit_test(invalid_utf8_is_refused_in_pieces_of_any_size),
        cmocka_unit_test(valid_utf8_passes_at_its_bounds),
        cmocka_unit_test(lengths_around_the_forms_survive_a_round_trip),
        cmocka_unit_test(our_headers_use_the_shortest_length),
        cmocka_unit_test(close_payloads_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

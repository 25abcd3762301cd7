/* Which coding a client gets, and that it can be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include <cmocka.h>

#include "siod/net/coding.h"

static void the_client_s_first_choice_of_two_is_taken(void **state)
{
    static const struct {
        const char *accept;
        enum coding coding;
    } cases[] = {
        { "", CODING_NONE },
        { "identity", CODING_NONE },
        { "br", CODING_NONE },
        { "gzip", CODING_GZIP },
        { "GZIP", CODING_GZIP },
        { "deflate", CODING_DEFLATE },
        { "gzip, deflate, br", CODING_GZIP },
        { "deflate, gzip", CODING_DEFLATE },
        { "br;q=1.0,gzip;q=0.5 , deflate ; q=0.8", CODING_DEFLATE },
        { "gzip;q=0", CODING_NONE },
        { "gzip;q=0.000, deflate;q=0.001", CODING_DEFLATE },
        { "gzip;q=0, *", CODING_DEFLATE },
        { "*", CODING_GZIP },
        { "*;q=0", CODING_NONE },
        { "*, deflate", CODING_DEFLATE },
        { "*;q=0.9, deflate;q=0.1", CODING_GZIP },
        { "identity, gzip;q=0.5", CODING_GZIP },
        { "gzip;x=y;q=0.5, deflate;q=0.4", CODING_GZIP },
        { "gzip;q=nonsense", CODING_NONE },
        { "gzip;q=", CODING_NONE },
        { ",,;;,=,gzip,", CODING_GZIP },
        { "xgzip, gzipx", CODING_NONE },
    };

    (void)state;
    assert_int_equal(coding_choose(STR_NONE), CODING_NONE);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        print_message("%s\n", cases[i].accept);
        assert_int_equal(coding_choose(str_of(cases[i].accept)), cases[i].coding);
    }
}

static void expect_readable(const struct buf *coded, struct str body)
{
    z_stream stream = { 0 };
    char *plain = malloc(body.len + 1);

    assert_int_equal(inflateInit2(&stream, 15 + 32), Z_OK); /* finds out which of the two it is */
    stream.next_in = (const Bytef *)coded->data;
    stream.avail_in = (uInt)coded->len;
    stream.next_out = (Bytef *)plain;
    stream.avail_out = (uInt)body.len + 1;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, body.len);
    assert_int_equal(stream.avail_in, 0);
    assert_memory_equal(plain, body.data, body.len);
    inflateEnd(&stream);
    free(plain);
}

static void what_was_compressed_can_be_read_again(void **state)
{
    struct coder *coder = coder_new();
    autobuf struct buf body = BUF_INIT;
    uint32_t random = 1;

    (void)state;
    for (int i = 0; i < 300000; i++) {
        char c = (char)('a' + i % 7);

        random = random * 1664525 + 1013904223;
        if (i < 100000) {
            c = (char)(random >> 24);
        }
        buf_add_char(&body, c);
    }
    for (size_t len = 0; len <= body.len; len = len * 3 + 1) {
        for (int round = 0; round < 2; round++) {
            autobuf struct buf gzip = BUF_INIT, deflate = BUF_INIT;
            struct str part = { body.data, len };

            coder_run(coder, CODING_GZIP, part, &gzip);
            coder_run(coder, CODING_DEFLATE, part, &deflate);
            assert_int_equal((unsigned char)gzip.data[0], 0x1f);
            assert_int_equal((unsigned char)deflate.data[0], 0x78);
            expect_readable(&gzip, part);
            expect_readable(&deflate, part);
        }
    }
    coder_free(coder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_s_first_choice_of_two_is_taken),
        cmocka_unit_test(what_was_compressed_can_be_read_again),
    };

    return cmocka_run_group_tests_name("coding", tests, NULL, NULL);
}

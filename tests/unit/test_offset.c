/* Offsets: what is written is read back, in order, and nothing else is taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/base.h"
#include "libshared/wire/offset.h"

static const struct sio_offset samples[] = {
    { 0, 0, 0, 0 },
    { 1, 2, 3, 4 },
    { UINT64_MAX, ((uint64_t)1 << SIO_OFFSET_POSITION_BITS) - 1,
      ((uint64_t)1 << SIO_OFFSET_GENERATION_BITS) - 1,
      ((uint64_t)1 << SIO_OFFSET_PASSING_BITS) - 1 },
    { 0x0123456789abcdef, 9007199254740991, 0x2aaaaaaa, 281474976710655 },
};

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        char text[SIO_OFFSET_LEN];
        struct sio_offset read;

        sio_offset_encode(&samples[i], text);
        assert_true(sio_offset_decode((struct str) { text, sizeof text }, &read));
        assert_memory_equal(&read, &samples[i], sizeof read);
        sio_offset_encode_passing(77, text);
        assert_true(sio_offset_decode((struct str) { text, sizeof text }, &read));
        assert_int_equal(read.passing, 77);
        assert_int_equal(read.position, samples[i].position);
    }
}

/* Within a stream and generation. */
static void later_is_greater(void **state)
{
    static const uint64_t steps[][2] = { { 0, 0 },   { 0, 1 },     { 0, 63 },
                                         { 0, 64 },  { 1, 64 },    { 9, 70 },
                                         { 36, 71 }, { 64, 4096 }, { 4096, 5000 } };
    char before[SIO_OFFSET_LEN], text[SIO_OFFSET_LEN];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        const struct sio_offset offset = { 7, steps[i][0], 5, steps[i][1] };

        sio_offset_encode(&offset, text);
        assert_true(i == 0 || memcmp(before, text, sizeof text) < 0);
        memcpy(before, text, sizeof text);
    }
}

static void nothing_else_is_an_offset(void **state)
{
    static const char *const texts[] = {
        "",
        "~",
        "hello",
        "2026-11-29T04:01:26.000Z",
        "~---------------------------------x~",
        "~--------------------------------",       /* one less */
        "-~--------------------------------",      /* mark elsewhere */
        "~----------- ---------------------",      /* another character */
        "~-----------\xc3\xa4-------------------", /* UTF-8 */
        "~F-----------------------------------",   /* more */
        "~F---------------------------------",     /* one more */
        "~zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",      /* a stream of 66 bits */
        "~F----------------------\"--------",
    };
    struct sio_offset offset;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (sio_offset_decode((struct str) { texts[i], strlen(texts[i]) }, &offset)) {
            fail_msg("taken for an offset: %s", texts[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(later_is_greater),
        cmocka_unit_test(nothing_else_is_an_offset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

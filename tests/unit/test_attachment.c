#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/wire/attachment.h"

#define PH(num) "{\"_placeholder\":true,\"num\":" #num "}"

static const struct {
    const char *args;
    unsigned received;
    enum err err;
    const char *out;
    struct sio_placeholders found;
} vectors[] = {
    { PH(0), 1, OK, PH(0), { 1, { 0 } } },
    { "1,\"a\",null", 1, OK, "1,\"a\",null", { 0, { 0 } } },
    { "", 1, OK, "", { 0, { 0 } } },
    /* any depth, any order, repeated, unused */
    { "[{\"a\":" PH(1) "}]," PH(0), 2, OK, "[{\"a\":" PH(0) "}]," PH(1), { 2, { 1, 0 } } },
    { PH(0) "," PH(0), 1, OK, PH(0) "," PH(1), { 2, { 0, 0 } } },
    { PH(2), 3, OK, PH(0), { 1, { 2 } } },
    { "{ \"num\" : 1 , \"_placeholder\" : true }", 2, OK, PH(0), { 1, { 1 } } },
    { "{\"\\u005fplaceholder\":true,\"n\\u0075m\":0,\"more\":[1]}", 1, OK, PH(0), { 1, { 0 } } },
    { "{\"_placeholder\":false,\"num\":9,\"_placeholder\":true,\"num\":0}",
      1,
      OK,
      PH(0),
      { 1, { 0 } } },
    /* one inside another goes with it */
    { "{\"_placeholder\":true,\"x\":" PH(0) ",\"num\":1}," PH(0),
      2,
      OK,
      PH(0) "," PH(1),
      { 2, { 1, 0 } } },
    /* what only looks like one */
    { "{\"_placeholder\":1,\"num\":7}", 1, OK, "{\"_placeholder\":1,\"num\":7}", { 0, { 0 } } },
    { "{\"_placeholder\":\"true\",\"num\":7}",
      1,
      OK,
      "{\"_placeholder\":\"true\",\"num\":7}",
      { 0, { 0 } } },
    { "{\"_placeholder\":true,\"num\":0,\"_placeholder\":[true]}",
      1,
      OK,
      "{\"_placeholder\":true,\"num\":0,\"_placeholder\":[true]}",
      { 0, { 0 } } },
    { "[\"_placeholder\",true,\"num\",7]",
      1,
      OK,
      "[\"_placeholder\",true,\"num\",7]",
      { 0, { 0 } } },
    { "\"{\\\"_placeholder\\\":true}\"", 1, OK, "\"{\\\"_placeholder\\\":true}\"", { 0, { 0 } } },
    /* numbers that are no index */
    { PH(1), 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
    { PH(-1), 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
    { PH(0.5), 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
    { PH(1e99), 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
    { PH("splice"), 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
    { PH("0"), 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
    { PH(null), 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
    { PH({}), 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
    { PH([0]), 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
    { "{\"_placeholder\":true}", 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
    { "{\"_placeholder\":true,\"num\":0,\"num\":5}", 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
    { PH(4294967296), 1, ERR_SYNTAX, NULL, { 0, { 0 } } },
};

static void every_vector_of_the_table_comes_out_as_stated(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autobuf struct buf out = BUF_INIT;
        struct sio_placeholders found = { .count = 99 };

        print_message("%s\n", vectors[i].args);
        assert_int_equal(
            sio_placeholders_order(str_of(vectors[i].args), vectors[i].received, &out, &found),
            vectors[i].err);
        if (vectors[i].err != OK) {
            assert_int_equal(found.count, 99);
            continue;
        }
        assert_true(str_eq(buf_str(&out), str_of(vectors[i].out)));
        assert_int_equal(found.count, vectors[i].found.count);
        for (unsigned n = 0; n < found.count; n++) {
            assert_int_equal(found.index[n], vectors[i].found.index[n]);
        }
    }
}

static void repeating_one_does_not_multiply_what_is_sent_without_end(void **state)
{
    autobuf struct buf args = BUF_INIT, out = BUF_INIT;
    struct sio_placeholders found;

    (void)state;
    for (size_t i = 0; i < SIO_ATTACHMENTS_MAX; i++) {
        buf_add_cstr(&args, i > 0 ? "," : "");
        buf_add_cstr(&args, PH(0));
    }
    assert_int_equal(sio_placeholders_order(buf_str(&args), 1, &out, &found), OK);
    assert_int_equal(found.count, SIO_ATTACHMENTS_MAX);
    buf_add_cstr(&args, "," PH(0));
    buf_clear(&out);
    assert_int_equal(sio_placeholders_order(buf_str(&args), 1, &out, &found), ERR_TOO_LARGE);
}

static void depth_costs_no_more_than_length(void **state)
{
    enum { DEPTH = 100000 };
    autobuf struct buf args = BUF_INIT, out = BUF_INIT;
    struct sio_placeholders found;

    (void)state;
    for (size_t i = 0; i < DEPTH; i++) {
        buf_add_cstr(&args, "{\"a\":[");
    }
    buf_add_cstr(&args, PH(0));
    for (size_t i = 0; i < DEPTH; i++) {
        buf_add_cstr(&args, "]}");
    }
    assert_int_equal(sio_placeholders_order(buf_str(&args), 1, &out, &found), OK);
    assert_int_equal(found.count, 1);
    assert_true(str_eq(buf_str(&out), buf_str(&args)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_of_the_table_comes_out_as_stated),
        cmocka_unit_test(repeating_one_does_not_multiply_what_is_sent_without_end),
        cmocka_unit_test(depth_costs_no_more_than_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

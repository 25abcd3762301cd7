/* The difference of two lists of lines, and what reports make of it. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"
#include "sioctl/replay/diff.h"
#include "sioctl/replay/report.h"

enum { LINES_MAX = 4100 };

struct lists {
    const char *a[LINES_MAX], *b[LINES_MAX];
    size_t a_count, b_count;
    char removed[LINES_MAX], added[LINES_MAX];
    size_t changes;
    size_t a_at, b_at; /* the changes so far */
};

static void note(void *arg, char sign, size_t index)
{
    struct lists *lists = arg;

    assert_true(sign == '-' ? index < lists->a_count : index < lists->b_count);
    if (sign == '-') {
        assert_true(index >= lists->a_at);
        lists->a_at = index + 1;
        lists->removed[index]++;
    } else {
        assert_true(index >= lists->b_at);
        lists->b_at = index + 1;
        lists->added[index]++;
    }
    lists->changes++;
}

/* What is left of a is what is left of b. */
static void assert_difference(struct lists *lists)
{
    size_t j = 0;

    lists->changes = lists->a_at = lists->b_at = 0;
    memset(lists->removed, 0, sizeof lists->removed);
    memset(lists->added, 0, sizeof lists->added);
    replay_diff(lists->a, lists->a_count, lists->b, lists->b_count, note, lists);
    for (size_t i = 0; i < lists->a_count; i++) {
        if (lists->removed[i] == 0) {
            while (j < lists->b_count && lists->added[j] > 0) {
                j++;
            }
            assert_true(j < lists->b_count);
            assert_string_equal(lists->a[i], lists->b[j++]);
        }
    }
    while (j < lists->b_count && lists->added[j] > 0) {
        j++;
    }
    assert_int_equal(j, lists->b_count);
}

static size_t common_length(const struct lists *lists)
{
    size_t table[16][16] = { { 0 } };

    for (size_t i = 1; i <= lists->a_count; i++) {
        for (size_t j = 1; j <= lists->b_count; j++) {
            table[i][j] = strcmp(lists->a[i - 1], lists->b[j - 1]) == 0
                              ? table[i - 1][j - 1] + 1
                              : MAX(table[i - 1][j], table[i][j - 1]);
        }
    }
    return table[lists->a_count][lists->b_count];
}

static void as_few_lines_as_there_can_be(void **state)
{
    static const char *const words[] = { "a", "b", "c" };
    struct lists *lists = calloc(1, sizeof *lists);

    (void)state;
    srand(7);
    for (int round = 0; round < 5000; round++) {
        lists->a_count = (size_t)rand() % 15;
        lists->b_count = (size_t)rand() % 15;
        for (size_t i = 0; i < 15; i++) {
            lists->a[i] = words[rand() % 3];
            lists->b[i] = words[rand() % 3];
        }
        assert_difference(lists);
        assert_int_equal(lists->changes,
                         lists->a_count + lists->b_count - 2 * common_length(lists));
    }
    free(lists);
}

static void lists_with_nothing_in_common_are_told_whole(void **state)
{
    struct lists *lists = calloc(1, sizeof *lists);

    (void)state;
    lists->a_count = lists->b_count = LINES_MAX;
    for (size_t i = 0; i < LINES_MAX; i++) {
        lists->a[i] = "a";
        lists->b[i] = "b";
    }
    lists->a[0] = lists->b[0] = lists->a[LINES_MAX - 1] = lists->b[LINES_MAX - 1] = "same";
    assert_difference(lists);
    assert_int_equal(lists->changes, 2 * (LINES_MAX - 2));
    free(lists);
}

static void reports_name_what_failed(void **state)
{
    struct replay_case cases[] = { { .name = "a<b>.json" }, { .name = "day.siorec:2" } };
    autobuf struct buf junit = BUF_INIT;
    autobuf struct buf tap = BUF_INIT;

    (void)state;
    buf_add_cstr(&cases[1].failure, "-{\"a\":\"<&\x01\xff\"}\n+{}\n");
    replay_report_junit(&junit, cases, 2, 1.5);
    assert_string_equal(
        junit.data,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
        " <testsuite name=\"webhook replay\" tests=\"2\" failures=\"1\" errors=\"0\""
        " skipped=\"0\" time=\"1.500\">\n"
        "  <testcase classname=\"webhook replay\" name=\"a&#60;b&#62;.json\"/>\n"
        "  <testcase classname=\"webhook replay\" name=\"day.siorec:2\">\n"
        "    <failure message=\"-{&#34;a&#34;:&#34;&#60;&#38;\\x01\\xff&#34;}\">"
        "-{&#34;a&#34;:&#34;&#60;&#38;\\x01\\xff&#34;}\n+{}\n</failure>\n  </testcase>\n"
        " </testsuite>\n</testsuites>\n");
    cases[0].name = "a#1";
    replay_report_tap(&tap, cases, 2);
    assert_string_equal(tap.data, "TAP version 13\n1..2\nok 1 - a\\#1\nnot ok 2 - day.siorec:2\n"
                                  "# -{\"a\":\"<&\\x01\\xff\"}\n# +{}\n");
    buf_finish(&cases[1].failure);
}

static void reports_tell_why_something_was_skipped(void **state)
{
    static const struct replay_case cases[] = { { .name = "a" },
                                                { .name = "b", .skipped = "not answered" } };
    autobuf struct buf junit = BUF_INIT;
    autobuf struct buf tap = BUF_INIT;

    (void)state;
    replay_report_junit(&junit, cases, 2, 0);
    assert_non_null(strstr(junit.data, " skipped=\"1\" "));
    assert_non_null(strstr(junit.data, "name=\"b\">\n    <skipped message=\"not answered\"/>\n"
                                       "  </testcase>\n"));
    replay_report_tap(&tap, cases, 2);
    assert_string_equal(tap.data, "TAP version 13\n1..2\nok 1 - a\nok 2 - b # SKIP not answered\n");
}

static void reports_have_no_character_that_xml_or_a_terminal_does_not_take(void **state)
{
    static const struct {
        const char *text, *xml, *tap;
    } vectors[] = {
        { "\uffff", "\\uffff", "\uffff" }, /* no character of XML's */
        { "\ufffe", "\\ufffe", "\ufffe" },
        { "\ufffd", "\ufffd", "\ufffd" },
        { "\xc2\x85\xc2\x9b", "\\x85\\x9b", "\\x85\\x9b" },
        { "\u202e\u2067", "\\u202e\\u2067", "\\u202e\\u2067" },
        { "\r\t\x7f", "\\x0d\\x09\\x7f", "\\x0d\\x09\\x7f" },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80" },
        { "ü😀", "ü😀", "ü😀" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct replay_case one = { .name = vectors[i].text };
        autobuf struct buf junit = BUF_INIT;
        autobuf struct buf tap = BUF_INIT;
        autofree char *name = xasprintf("name=\"%s\"", vectors[i].xml);
        autofree char *failure = xasprintf(">%s\n</failure>", vectors[i].xml);
        autofree char *line = xasprintf("\n# %s\n", vectors[i].tap);

        buf_printf(&one.failure, "%s\n", vectors[i].text);
        replay_report_junit(&junit, &one, 1, 0);
        replay_report_tap(&tap, &one, 1);
        assert_non_null(strstr(junit.data, name));
        assert_non_null(strstr(junit.data, failure));
        assert_non_null(strstr(tap.data, line));
        buf_finish(&one.failure);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_few_lines_as_there_can_be),
        cmocka_unit_test(lists_with_nothing_in_common_are_told_whole),
        cmocka_unit_test(reports_name_what_failed),
        cmocka_unit_test(reports_tell_why_something_was_skipped),
        cmocka_unit_test(reports_have_no_character_that_xml_or_a_terminal_does_not_take),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/buf.h"
#include "libshared/ctl/words.h"

/* The words between bars: "chat|show|12". */
static void join(const struct ctl_words *words, char *ret_text, size_t size)
{
    size_t used = 0;

    ret_text[0] = '\0';
    for (unsigned i = 0; i < words->count; i++) {
        used += (size_t)snprintf(ret_text + used, size - used, "%s%s", i > 0 ? "|" : "",
                                 words->list[i]);
        assert_true(used < size);
    }
}

static void a_line_is_cut_at_blanks_outside_of_quotes(void **state)
{
    static const struct {
        const char *line, *words;
    } vectors[] = {
        { "", "" },
        { " \t\r\n", "" },
        { "chat show 12", "chat|show|12" },
        { "  chat\tshow  12 \r\n", "chat|show|12" },
        { "a 'b c' \"d e\"", "a|b c|d e" },
        { "a\\ b", "a b" },
        { "x'y z'\"w\"", "xy zw" },
        { "'' \"\"", "|" },
        { "'it is \\ \"so\"'", "it is \\ \"so\"" },
        { "\"it's \\\"so\\\" \\\\ \\n\"", "it's \"so\" \\ \\n" },
        { "a # b c", "a" },
        { "a#b \\#c '#d'", "a#b|#c|#d" },
        { "# nothing", "" },
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct ctl_words words;

        assert_int_equal(ctl_words_split(str_of(vectors[i].line), &words, NULL), OK);
        join(&words, text, sizeof(text));
        assert_string_equal(text, vectors[i].words);
        ctl_words_finish(&words);
    }
}

static void what_is_left_open_is_refused(void **state)
{
    static const struct {
        struct str line;
        const char *why;
    } vectors[] = {
        { STR_INIT("a 'b"), "a ' is not closed" },
        { STR_INIT("a \"b\\\""), "a \" is not closed" },
        { STR_INIT("a \\"), "nothing is behind the backslash at the end" },
        { STR_INIT("a\0b"), "a line cannot have NUL in it" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct errmsg msg = { "" };
        struct ctl_words words;

        assert_int_equal(ctl_words_split(vectors[i].line, &words, &msg), ERR_SYNTAX);
        assert_string_equal(msg.text, vectors[i].why);
        ctl_words_finish(&words);
    }
}

static void the_end_of_an_unfinished_line_is_told(void **state)
{
    static const struct {
        const char *line;
        unsigned count;
        bool open, comment;
        char quote;
        size_t start;
    } vectors[] = {
        { "", 0, false, false, '\0', 0 },         { "chat", 1, true, false, '\0', 0 },
        { "chat ", 1, false, false, '\0', 5 },    { "chat sh", 2, true, false, '\0', 5 },
        { "room 'a b", 2, true, false, '\'', 5 }, { "room a\\", 2, true, false, '\\', 5 },
        { "room \"", 2, true, false, '"', 5 },    { "room # x", 1, false, true, '\0', 8 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct ctl_words words;

        ctl_words_read(str_of(vectors[i].line), &words);
        assert_int_equal(words.count, vectors[i].count);
        assert_int_equal(words.open, vectors[i].open);
        assert_int_equal(words.comment, vectors[i].comment);
        assert_int_equal(words.quote, vectors[i].quote);
        assert_int_equal(words.start, vectors[i].start);
        ctl_words_finish(&words);
    }
}

static void a_quoted_word_is_read_back_as_it_was(void **state)
{
    static const char *const vectors[] = { "plain", "two words", "it's", "say \"so\"", "a\\b",
                                           "#1",    "a#1",       "\t\n", "\\'\"# x" };
    static const char quotes[] = { '\0', '\'', '"' };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors) * ARRAY_SIZE(quotes); i++) {
        const char *word = vectors[i / ARRAY_SIZE(quotes)];
        const char quote[] = { quotes[i % ARRAY_SIZE(quotes)], '\0' };
        autobuf struct buf line = BUF_INIT;
        struct ctl_words words;

        buf_add_cstr(&line, quote);
        ctl_words_quote(&line, str_of(word), quote[0]);
        buf_add_cstr(&line, quote);
        assert_int_equal(ctl_words_split(buf_str(&line), &words, NULL), OK);
        assert_int_equal(words.count, 1);
        assert_string_equal(words.list[0], word);
        ctl_words_finish(&words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_cut_at_blanks_outside_of_quotes),
        cmocka_unit_test(what_is_left_open_is_refused),
        cmocka_unit_test(the_end_of_an_unfinished_line_is_told),
        cmocka_unit_test(a_quoted_word_is_read_back_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

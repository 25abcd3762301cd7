#include "libshared/ctl/words.h"

#include <string.h>

#include "libshared/alloc.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_quote(char c)
{
    return c == '\'' || c == '"';
}

/* Does the backslash at `at` take the next character as it is? */
static bool escapes(struct str line, size_t at, char quote)
{
    char next = at + 1 < line.len ? line.data[at + 1] : '\0';

    return quote == '\0' || (quote == '"' && (next == '"' || next == '\\'));
}

/* Returns where the word ends. */
static size_t read_word(struct str line, size_t at, struct buf *word, char *ret_quote)
{
    char quote = '\0';

    for (; at < line.len && (quote != '\0' || !is_blank(line.data[at])); at++) {
        char c = line.data[at];

        if (quote == '\0' ? is_quote(c) : c == quote) {
            quote = quote == '\0' ? c : '\0';
        } else if (c == '\\' && escapes(line, at, quote)) {
            if (++at == line.len) {
                quote = '\\';
                break;
            }
            buf_add_char(word, line.data[at]);
        } else {
            buf_add_char(word, c);
        }
    }
    *ret_quote = quote;
    return at;
}

static void add(struct ctl_words *words, char *word)
{
    words->list = xrealloc((void *)words->list, (words->count + 1) * sizeof(*words->list));
    words->list[words->count++] = word;
}

void ctl_words_read(struct str line, struct ctl_words *ret_words)
{
    struct ctl_words words = { .start = line.len };
    size_t at = 0;

    while (at < line.len) {
        struct buf word = BUF_INIT;

        if (is_blank(line.data[at])) {
            at++;
            continue;
        }
        if (line.data[at] == '#') {
            words.comment = true;
            break;
        }
        words.start = at;
        at = read_word(line, at, &word, &words.quote);
        words.open = at == line.len;
        add(&words, buf_take(&word));
    }
    if (!words.open) {
        words.start = line.len;
    }
    *ret_words = words;
}

enum err ctl_words_split(struct str line, struct ctl_words *ret_words, struct errmsg *msg)
{
    ctl_words_read(line, ret_words);
    if (line.len > 0 && memchr(line.data, '\0', line.len) != NULL) {
        return err_set(msg, ERR_SYNTAX, "a line cannot have NUL in it");
    }
    if (ret_words->quote == '\\') {
        return err_set(msg, ERR_SYNTAX, "nothing is behind the backslash at the end");
    }
    if (ret_words->quote != '\0') {
        return err_set(msg, ERR_SYNTAX, "a %c is not closed", ret_words->quote);
    }
    return OK;
}

void ctl_words_finish(struct ctl_words *words)
{
    for (unsigned i = 0; i < words->count; i++) {
        free(words->list[i]);
    }
    free((void *)words->list);
    *words = (struct ctl_words) { 0 };
}

static void quote_plain(struct buf *to, char c, bool first)
{
    if (is_blank(c) || is_quote(c) || c == '\\' || (c == '#' && first)) {
        buf_add_char(to, '\\');
    }
    buf_add_char(to, c);
}

void ctl_words_quote(struct buf *to, struct str word, char quote)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.data[i];

        if (quote == '\0') {
            quote_plain(to, c, i == 0);
        } else if (quote == '\'' && c == '\'') {
            buf_add_cstr(to, "'\\''");
        } else {
            buf_add_cstr(to, quote == '"' && (c == '"' || c == '\\') ? "\\" : "");
            buf_add_char(to, c);
        }
    }
}

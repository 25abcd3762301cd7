/* The scan that precedes libconfuse: it notes the line of every section and setting and refuses
 * what libconfuse accepts: a section that is not closed, one that is opened or a setting that is
 * written twice, bytes outside of strings that it would silently skip, unset environment
 * variables. What it does not look at, libconfuse checks. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/config_table.h"

enum { NAME_SIZE = 128 };

enum lexeme { LEX_END, LEX_WORD, LEX_OPEN, LEX_CLOSE, LEX_EQUALS, LEX_COMMA, LEX_BAD };

struct scanner {
    struct config_source *source;
    const char *at, *end;
    unsigned line;
    enum err err; /* of LEX_BAD */
    struct str word;
};

static enum lexeme bad(struct scanner *s, unsigned line, const char *what)
{
    s->err = config_fail_at(s->source, line, "%s", what);
    return LEX_BAD;
}

/* Up to `end` or the file's end; counts lines. */
static void skip_to(struct scanner *s, const char *end)
{
    for (; s->at < end && s->at < s->end; s->at++) {
        s->line += *s->at == '\n';
    }
}

/* `${NAME}` and `${NAME:-default}` in a double-quoted string. */
static enum err scan_variable(struct scanner *s)
{
    const char *close = memchr(s->at, '}', (size_t)(s->end - s->at)), *colon;
    char name[NAME_SIZE];
    struct str text;

    if (close == NULL) {
        s->at++;
        return OK;
    }
    text = (struct str) { s->at + 2, (size_t)(close - s->at - 2) };
    colon = memmem(text.data, text.len, ":-", 2);
    text.len = colon != NULL ? (size_t)(colon - text.data) : text.len;
    snprintf(name, sizeof name, "%.*s", STR_ARG(text));
    if (name[0] == '\0' || strpbrk(name, "\"\n") != NULL) {
        return config_fail_at(s->source, s->line,
                              name[0] == '\0' ? "${ wants the name of an environment variable"
                                              : "this ${ is not closed");
    }
    skip_to(s, close + 1);
    if (colon != NULL) {
        return OK;
    }
    return getenv(name) != NULL
               ? OK
               : config_fail_at(s->source, s->line, "environment variable %s is not set", name);
}

static enum lexeme scan_string(struct scanner *s)
{
    unsigned line = s->line;
    char quote = *s->at++;
    const char *start = s->at;

    while (s->at < s->end && *s->at != quote) {
        if (quote == '"' && s->end - s->at > 1 && s->at[0] == '$' && s->at[1] == '{') {
            s->err = scan_variable(s);
            if (s->err != OK) {
                return LEX_BAD;
            }
        } else {
            skip_to(s, s->at + (*s->at == '\\' ? 2 : 1));
        }
    }
    if (s->at == s->end) {
        return bad(s, line, "this string is not closed");
    }
    s->word = (struct str) { start, (size_t)(s->at - start) };
    s->at++;
    return LEX_WORD;
}

static bool is_word_byte(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && strchr("#\"'={}()+,*$|", c) == NULL;
}

static enum lexeme scan_word(struct scanner *s)
{
    const char *start = s->at;

    while (s->at < s->end && is_word_byte(*s->at)) {
        s->at++;
    }
    if (s->at == start) {
        char what[64];

        snprintf(what, sizeof what,
                 isprint((unsigned char)*start) ? "%c must stand in quotes" : "byte 0x%02x",
                 (unsigned char)*start);
        return bad(s, s->line, what);
    }
    s->word = (struct str) { start, (size_t)(s->at - start) };
    return LEX_WORD;
}

/* Over white space and comments. */
static enum err skip_space(struct scanner *s)
{
    while (s->at < s->end) {
        struct str left = { s->at, (size_t)(s->end - s->at) };

        if (isspace((unsigned char)*s->at)) {
            skip_to(s, s->at + 1);
        } else if (*s->at == '#' || str_starts_with(left, STR("//"))) {
            const char *newline = memchr(s->at, '\n', left.len);

            s->at = newline != NULL ? newline : s->end;
        } else if (str_starts_with(left, STR("/*"))) {
            const char *close = memmem(s->at + 2, left.len - 2, "*/", 2);

            if (close == NULL) {
                return config_fail_at(s->source, s->line, "this comment is not closed");
            }
            skip_to(s, close + 2);
        } else {
            break;
        }
    }
    return OK;
}

static enum lexeme next_lexeme(struct scanner *s)
{
    s->err = skip_space(s);
    if (s->err != OK) {
        return LEX_BAD;
    }
    if (s->at == s->end) {
        return LEX_END;
    }
    switch (*s->at) {
    case '{':
        s->at++;
        return LEX_OPEN;
    case '}':
        s->at++;
        return LEX_CLOSE;
    case '=':
        s->at++;
        return LEX_EQUALS;
    case ',':
        s->at++;
        return LEX_COMMA;
    case '"':
    case '\'':
        return scan_string(s);
    default:
        return scan_word(s);
    }
}

/* Where in the text the scan is. Sections do not nest, so depth 2 is a list. */
struct position {
    unsigned depth;
    unsigned line; /* of the open section */
    char section[NAME_SIZE], title[NAME_SIZE], word[NAME_SIZE];
};

static enum err open_brace(struct scanner *s, struct position *p, enum lexeme before)
{
    const struct config_section *section;

    if (p->depth > 0) {
        p->depth++;
        return before == LEX_EQUALS
                   ? OK
                   : config_fail_at(s->source, s->line,
                                    "{ unexpected: is section %s of line %u closed?", p->section,
                                    p->line);
    }
    p->depth = 1;
    p->line = s->line;
    p->word[0] = '\0';
    if (p->section[0] == '\0') {
        return config_fail_at(s->source, s->line, "{ unexpected: the name of a section is missing");
    }
    section = config_section_find(p->section);
    if (section == NULL) {
        return config_fail_at(s->source, s->line, "unknown section %s", p->section);
    }
    if (section->title != NULL && !config_title_valid(p->title)) {
        return p->title[0] == '\0'
                   ? config_fail_at(s->source, s->line, "section %s needs a title: %s %s { ... }",
                                    p->section, p->section, section->title)
                   : config_fail_at(s->source, s->line, CONFIG_NO_TITLE, p->title);
    }
    return config_place_add(s->source, p->section, section->title != NULL ? p->title : NULL, NULL,
                            s->line);
}

static void close_brace(struct position *p)
{
    if (p->depth > 0) {
        p->depth--;
    }
    if (p->depth == 0) {
        p->section[0] = p->title[0] = '\0';
    }
}

static void take_word(const struct scanner *s, struct position *p)
{
    char *to = p->depth > 0 ? p->word : p->section[0] == '\0' ? p->section : p->title;

    snprintf(to, NAME_SIZE, "%.*s", STR_ARG(s->word));
}

static enum err take_key(struct scanner *s, const struct position *p)
{
    const char *name = p->depth == 0 ? p->section : p->word;

    if (name[0] == '\0') {
        return config_fail_at(s->source, s->line, "= unexpected: the name of a setting is missing");
    }
    if (p->depth == 0) {
        return config_fail_at(s->source, s->line, "%s stands outside of any section", p->section);
    }
    if (config_setting_find(p->section, p->word) == NULL) {
        return config_fail_at(s->source, s->line, "unknown setting %s in section %s", p->word,
                              p->section);
    }
    return config_place_add(s->source, p->section, p->title[0] != '\0' ? p->title : NULL, p->word,
                            s->line);
}

static enum err scan(struct scanner *s)
{
    struct position position = { .depth = 0 };
    enum lexeme lexeme = LEX_END, before;
    enum err err = OK;

    do {
        before = lexeme;
        lexeme = next_lexeme(s);
        switch (lexeme) {
        case LEX_END:
            if (position.depth > 0) {
                err = config_fail_at(s->source, position.line, "section %s is not closed",
                                     position.section);
            }
            break;
        case LEX_WORD:
            take_word(s, &position);
            break;
        case LEX_OPEN:
            err = open_brace(s, &position, before);
            break;
        case LEX_CLOSE:
            close_brace(&position);
            break;
        case LEX_EQUALS:
            err = take_key(s, &position);
            break;
        case LEX_COMMA:
            break;
        case LEX_BAD:
            err = s->err;
            break;
        }
    } while (err == OK && lexeme != LEX_END);
    return err;
}

enum err config_scan(struct str text, struct config_source *source)
{
    struct scanner scanner = {
        .source = source, .at = text.data, .end = text.data + text.len, .line = 1
    };
    const char *nul = memchr(text.data, '\0', text.len);

    if (nul != NULL) {
        skip_to(&scanner, nul);
        return config_fail_at(source, scanner.line, "byte 0x00"); /* libconfuse would stop there */
    }
    return scan(&scanner);
}

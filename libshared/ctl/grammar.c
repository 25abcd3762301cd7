/* Takes grammar strings apart: `chat show <chat>`, `[--event <event>]...`. They are our own
 * table's, so what is wrong with one is found by the test of the table, not by a user. */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "libshared/ctl/command.h"

struct reader {
    const char *at;
    struct ctl_grammar *grammar;
};

static bool accept(struct reader *reader, const char *token)
{
    size_t len = strlen(token);

    if (strncmp(reader->at, token, len) != 0) {
        return false;
    }
    reader->at += len;
    return true;
}

/* Lower-case letters, digits and dashes; false when there are none or too many. */
static bool read_name(struct reader *reader, char ret_name[CTL_NAME_SIZE])
{
    size_t len = strspn(reader->at, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (len == 0 || len >= CTL_NAME_SIZE) {
        return false;
    }
    memcpy(ret_name, reader->at, len);
    ret_name[len] = '\0';
    reader->at += len;
    return true;
}

/* phone-number-id → phoneNumberId */
static void camel_case(const char *name, char ret_key[CTL_NAME_SIZE])
{
    char *out = ret_key;

    for (const char *in = name; *in != '\0'; in++) {
        if (*in == '-' && in[1] != '\0') {
            in++;
            *out++ = (char)toupper((unsigned char)*in);
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
}

static bool read_argument(struct reader *reader, struct ctl_param *param)
{
    char name[CTL_NAME_SIZE];

    if (!accept(reader, "<") || !read_name(reader, name) || !accept(reader, ">")) {
        return false;
    }
    param->argument = ctl_argument_find(str_of(name));
    if (param->option[0] == '\0') {
        camel_case(name, param->key);
    }
    return param->argument != NULL;
}

static bool read_option(struct reader *reader, struct ctl_param *param)
{
    if (!read_name(reader, param->option)) {
        return false;
    }
    camel_case(param->option, param->key);
    if (strncmp(reader->at, " <", 2) != 0) {
        return true;
    }
    reader->at++;
    return read_argument(reader, param);
}

/* The letter is only for command lines, and found there by ctl_option_by_letter(). */
static void skip_letter(struct reader *reader)
{
    const char *at = reader->at;

    if (at[0] == '-' && islower((unsigned char)at[1]) && at[2] == '/') {
        reader->at += 3;
    }
}

static bool read_param(struct reader *reader)
{
    struct ctl_grammar *grammar = reader->grammar;
    struct ctl_param param = { .required = true };
    bool good;

    if (grammar->param_count == CTL_PARAMS_MAX) {
        return false;
    }
    param.required = !accept(reader, "[");
    skip_letter(reader);
    good = accept(reader, "--") ? read_option(reader, &param) : read_argument(reader, &param);
    if (!good || (!param.required && !accept(reader, "]"))) {
        return false;
    }
    param.repeats = accept(reader, "...");
    grammar->params[grammar->param_count++] = param;
    return true;
}

bool ctl_grammar_read(const char *text, struct ctl_grammar *ret_grammar)
{
    struct ctl_grammar grammar = { 0 };
    struct reader reader = { text, &grammar };

    while (*reader.at >= 'a' && *reader.at <= 'z') {
        if (grammar.word_count == CTL_WORDS_MAX ||
            !read_name(&reader, grammar.words[grammar.word_count++])) {
            return false;
        }
        if (!accept(&reader, " ") && *reader.at != '\0') {
            return false;
        }
    }
    while (*reader.at != '\0') {
        if (!read_param(&reader) || (!accept(&reader, " ") && *reader.at != '\0')) {
            return false;
        }
    }
    *ret_grammar = grammar;
    return grammar.word_count > 0;
}

void ctl_grammar_of(const struct ctl_command *command, struct ctl_grammar *ret_grammar)
{
    bool good = ctl_grammar_read(command->grammar, ret_grammar);

    assert(good);
    (void)good;
}

const struct ctl_param *ctl_option_find(const struct ctl_grammar *grammar, struct str name)
{
    for (unsigned i = 0; i < grammar->param_count; i++) {
        const struct ctl_param *param = &grammar->params[i];

        if (param->option[0] != '\0' && str_eq(name, str_of(param->option))) {
            return param;
        }
    }
    return NULL;
}

struct str ctl_option_by_letter(char letter)
{
    const char start[] = { '-', letter, '/', '-', '-', '\0' };

    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        const char *at = strstr(ctl_commands[i].grammar, start);

        if (at != NULL) {
            at += strlen(start);
            return (struct str) { at, strcspn(at, " ]") };
        }
    }
    return STR_NONE;
}

const struct ctl_param *ctl_positional(const struct ctl_grammar *grammar, unsigned n)
{
    const struct ctl_param *last = NULL;

    for (unsigned i = 0; i < grammar->param_count; i++) {
        if (grammar->params[i].option[0] == '\0') {
            last = &grammar->params[i];
            if (n-- == 0) {
                return last;
            }
        }
    }
    return last != NULL && last->repeats ? last : NULL;
}

void ctl_command_name(const struct ctl_command *command, char *ret_name, size_t size)
{
    struct ctl_grammar grammar;

    ctl_grammar_of(command, &grammar);
    ret_name[0] = '\0';
    for (unsigned i = 0; i < grammar.word_count; i++) {
        size_t len = strlen(ret_name);

        snprintf(ret_name + len, size - len, "%s%s", i > 0 ? " " : "", grammar.words[i]);
    }
}

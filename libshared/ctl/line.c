/* Options may stand before the command they belong to, so the words are read twice: first they are
 * sorted into arguments and options (an option name takes a value in all commands or in none),
 * then, with the command known, each is given its type. */
#include "libshared/ctl/line.h"

#include <string.h>

#include "libshared/alloc.h"

const struct ctl_option ctl_options[CTL_OPTION_COUNT] = {
#define OPT(id, letter, name, argument, help) { letter, name, argument, help },
#include "libshared/ctl/options.def"
#undef OPT
};

struct given { /* --name or --name value, in order */
    struct str name;
    const char *value;
};

struct sorted {
    const char **arguments;
    struct given *options;
    unsigned argument_count, option_count;
};

static struct str name_by_letter(char letter)
{
    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        if (ctl_options[i].letter == letter) {
            return str_of(ctl_options[i].name);
        }
    }
    return ctl_option_by_letter(letter);
}

static int option_index(struct str name)
{
    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        if (str_eq(name, str_of(ctl_options[i].name))) {
            return (int)i;
        }
    }
    return -1;
}

static bool takes_value(struct str name)
{
    int index = option_index(name);

    return index >= 0 ? ctl_options[index].argument[0] != '\0' : ctl_option_takes_value(name);
}

/* --name, --name=value, --name value */
static enum err sort_long(const char *const *words, unsigned count, unsigned *at,
                          struct given *ret_given, struct errmsg *msg)
{
    const char *text = words[*at] + 2;
    const char *equals = strchr(text, '=');
    struct given given = { .name = { text,
                                     equals != NULL ? (size_t)(equals - text) : strlen(text) } };

    if (equals != NULL) {
        given.value = equals + 1;
    } else if (takes_value(given.name)) {
        if (*at + 1 == count) {
            return err_set(msg, ERR_INVALID, "--%.60s needs a value", text);
        }
        given.value = words[++*at];
    }
    *ret_given = given;
    return OK;
}

/* -o json, -ojson, and flags in a row: -Ho json */
static enum err sort_short(const char *const *words, unsigned count, unsigned *at,
                           struct sorted *sorted, struct errmsg *msg)
{
    for (const char *letter = words[*at] + 1; *letter != '\0'; letter++) {
        struct given *given = &sorted->options[sorted->option_count++];

        given->name = name_by_letter(*letter);
        if (given->name.data == NULL) {
            return err_set(msg, ERR_INVALID, "unknown option -%c", *letter);
        }
        if (!takes_value(given->name)) {
            continue;
        }
        if (letter[1] == '\0' && *at + 1 == count) {
            return err_set(msg, ERR_INVALID, "-%c needs a value", *letter);
        }
        given->value = letter[1] != '\0' ? letter + 1 : words[++*at];
        break;
    }
    return OK;
}

static enum err sort_words(const char *const *words, unsigned count, struct sorted *sorted,
                           struct errmsg *msg)
{
    bool options_end = false;

    for (unsigned i = 0; i < count; i++) {
        enum err err = OK;

        if (options_end || words[i][0] != '-' || words[i][1] == '\0') {
            sorted->arguments[sorted->argument_count++] = words[i];
        } else if (strcmp(words[i], "--") == 0) {
            options_end = true;
        } else if (words[i][1] == '-') {
            err = sort_long(words, count, &i, &sorted->options[sorted->option_count++], msg);
        } else {
            err = sort_short(words, count, &i, sorted, msg);
        }
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static enum err set_value(json_t *args, const struct ctl_param *param, json_t *value,
                          struct errmsg *msg)
{
    json_t *list = json_object_get(args, param->key);

    if (param->repeats) {
        if (list == NULL) {
            list = json_array();
            json_object_set_new(args, param->key, list);
        }
        json_array_append_new(list, value);
        return OK;
    }
    if (list != NULL) {
        json_decref(value);
        return err_set(msg, ERR_INVALID, "--%s is given twice", param->option);
    }
    json_object_set_new(args, param->key, value);
    return OK;
}

static enum err read_value(const struct ctl_argument *argument, const char *name, const char *text,
                           json_t **ret_value, struct errmsg *msg)
{
    struct errmsg why = { "" };

    if ((argument == NULL) != (text == NULL)) {
        return err_set(msg, ERR_INVALID, "--%s %s", name,
                       argument == NULL ? "takes no value" : "needs a value");
    }
    *ret_value = argument == NULL ? json_true() : ctl_argument_parse(argument, str_of(text), &why);
    if (*ret_value == NULL) {
        return err_set(msg, ERR_INVALID, "--%s: %.200s", name, why.text);
    }
    return OK;
}

static enum err unknown_option(struct str name, struct errmsg *msg)
{
    return err_set(msg, ERR_INVALID, "unknown option --%.*s", (int)MIN(name.len, 60), name.data);
}

static enum err bind_option(struct ctl_line *line, const struct ctl_grammar *grammar,
                            const struct given *given, struct errmsg *msg)
{
    const struct ctl_param *param;
    json_t *value = NULL;
    enum err err;

    if (option_index(given->name) >= 0) {
        return OK;
    }
    param = ctl_option_find(grammar, given->name);
    if (param == NULL) {
        return unknown_option(given->name, msg);
    }
    err = read_value(param->argument, param->option, given->value, &value, msg);
    return err != OK ? err : set_value(line->args, param, value, msg);
}

static enum err bind_argument(struct ctl_line *line, const struct ctl_grammar *grammar, unsigned n,
                              const char *text, struct errmsg *msg)
{
    const struct ctl_param *param = ctl_positional(grammar, n);
    json_t *value;

    if (param == NULL) {
        return err_set(msg, ERR_INVALID, "unexpected argument '%.60s'", text);
    }
    value = ctl_argument_parse(param->argument, str_of(text), msg);
    return value == NULL ? ERR_INVALID : set_value(line->args, param, value, msg);
}

static enum err bind_command(struct ctl_line *line, const struct sorted *sorted, unsigned used,
                             struct errmsg *msg)
{
    struct ctl_grammar grammar;
    enum err err = OK;

    ctl_grammar_of(line->command, &grammar);
    for (unsigned i = 0; i < sorted->option_count && err == OK; i++) {
        err = bind_option(line, &grammar, &sorted->options[i], msg);
    }
    for (unsigned i = used; i < sorted->argument_count && err == OK; i++) {
        err = bind_argument(line, &grammar, i - used, sorted->arguments[i], msg);
    }
    if (err != OK || line->options[CTL_OPT_help] != NULL) {
        return err;
    }
    return ctl_args_complete(&grammar, line->args, msg);
}

static enum err bind_globals(struct ctl_line *line, const struct sorted *sorted, struct errmsg *msg)
{
    for (unsigned i = 0; i < sorted->option_count; i++) {
        const struct given *given = &sorted->options[i];
        int index = option_index(given->name);
        json_t *value = NULL;
        enum err err;

        if (index < 0) {
            continue;
        }
        err = read_value(ctl_argument_find(str_of(ctl_options[index].argument)),
                         ctl_options[index].name, given->value, &value, msg);
        if (err != OK) {
            return err;
        }
        json_decref(line->options[index]);
        line->options[index] = value;
    }
    return OK;
}

static bool only_globals(const struct sorted *sorted)
{
    for (unsigned i = 0; i < sorted->option_count; i++) {
        if (option_index(sorted->options[i].name) < 0) {
            return false;
        }
    }
    return sorted->argument_count == 0 && sorted->option_count > 0;
}

/* `agent --help` is `help agent`. */
static enum err ask_for_help(struct ctl_line *line, const struct sorted *sorted, struct errmsg *msg)
{
    struct ctl_grammar grammar;
    enum err err = OK;

    line->command = &ctl_commands[CTL_CMD_help];
    json_decref(TAKE(line->options[CTL_OPT_help]));
    ctl_grammar_of(line->command, &grammar);
    for (unsigned i = 0; i < sorted->argument_count && err == OK; i++) {
        err = bind_argument(line, &grammar, i, sorted->arguments[i], msg);
    }
    return err;
}

/* The value of an option that does not exist was taken for a word of the command. */
static enum err explain_unresolved(struct ctl_line *line, const struct sorted *sorted, enum err err,
                                   struct errmsg *msg)
{
    for (unsigned i = 0; i < sorted->option_count; i++) {
        struct str name = sorted->options[i].name;

        if (option_index(name) < 0 && !ctl_option_exists(name)) {
            return unknown_option(name, msg);
        }
    }
    return line->options[CTL_OPT_help] != NULL ? ask_for_help(line, sorted, msg) : err;
}

static enum err parse_sorted(struct ctl_line *line, const struct sorted *sorted, struct errmsg *msg)
{
    unsigned used = 0;
    enum err err = bind_globals(line, sorted, msg);

    if (err != OK) {
        return err;
    }
    if (sorted->argument_count == 0 &&
        (line->options[CTL_OPT_help] != NULL || line->options[CTL_OPT_version] != NULL)) {
        return OK;
    }
    line->only_options = only_globals(sorted);
    err =
        ctl_command_resolve(sorted->arguments, sorted->argument_count, &line->command, &used, msg);
    return err != OK ? explain_unresolved(line, sorted, err, msg)
                     : bind_command(line, sorted, used, msg);
}

enum err ctl_line_parse(const char *const *words, unsigned count, struct ctl_line *ret_line,
                        struct errmsg *msg)
{
    struct sorted sorted = { 0 };
    size_t letters = 0;
    enum err err;

    for (unsigned i = 0; i < count; i++) {
        letters += strlen(words[i]) + 1;
    }
    *ret_line = (struct ctl_line) { .args = json_object() };
    sorted.arguments = xcalloc(count, sizeof(*sorted.arguments));
    sorted.options = xcalloc(letters, sizeof(*sorted.options));
    err = sort_words(words, count, &sorted, msg);
    if (err == OK) {
        err = parse_sorted(ret_line, &sorted, msg);
    }
    free(sorted.options);
    free((void *)sorted.arguments);
    return err;
}

void ctl_line_finish(struct ctl_line *line)
{
    json_decref(line->args);
    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        json_decref(line->options[i]);
    }
    *line = (struct ctl_line) { 0 };
}

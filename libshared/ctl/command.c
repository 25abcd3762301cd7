#include "libshared/ctl/command.h"

#include <stdio.h>
#include <string.h>

#include "libshared/buf.h"
#include "libshared/json.h"

const struct ctl_command ctl_commands[CTL_COMMAND_COUNT] = {
#define CTL(id, grammar, access, where, help)                                                      \
    { CTL_CMD_##id, grammar, CTL_##access, CTL_##where, help },
#include "libshared/ctl/commands.def"
#undef CTL
};

const char *ctl_access_name(enum ctl_access access)
{
    static const char *const names[] = { "read", "operate", "admin" };

    return names[access];
}

/* In the first command that has it. */
static const struct ctl_param *find_option(struct str name, struct ctl_grammar *grammar)
{
    const struct ctl_param *param = NULL;

    for (unsigned i = 0; i < CTL_COMMAND_COUNT && param == NULL; i++) {
        ctl_grammar_of(&ctl_commands[i], grammar);
        param = ctl_option_find(grammar, name);
    }
    return param;
}

bool ctl_option_exists(struct str name)
{
    struct ctl_grammar grammar;

    return find_option(name, &grammar) != NULL;
}

bool ctl_option_takes_value(struct str name)
{
    struct ctl_grammar grammar;
    const struct ctl_param *param = find_option(name, &grammar);

    return param != NULL && param->argument != NULL;
}

const struct ctl_command *ctl_command_find(struct str name)
{
    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        const char *grammar = ctl_commands[i].grammar;
        size_t len = strcspn(grammar, "<[-");

        while (len > 0 && grammar[len - 1] == ' ') {
            len--;
        }
        if (str_eq(name, (struct str) { grammar, len })) {
            return &ctl_commands[i];
        }
    }
    return NULL;
}

/* Finding a command one word at a time: the rows whose first `depth` words are settled. */
struct search {
    bool alive[CTL_COMMAND_COUNT];
    char names[CTL_COMMAND_COUNT][CTL_WORDS_MAX][CTL_NAME_SIZE];
};

static void search_init(struct search *search)
{
    struct ctl_grammar grammar;

    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        ctl_grammar_of(&ctl_commands[i], &grammar);
        memcpy(search->names[i], grammar.words, sizeof(grammar.words));
        search->alive[i] = true;
    }
}

/* Plumbing has to be spelt out. */
static bool word_matches(const struct search *search, unsigned i, unsigned depth, const char *word,
                         bool whole)
{
    const char *name = search->names[i][depth];

    if (whole || ctl_commands[i].help[0] == '\0') {
        return strcmp(name, word) == 0;
    }
    return strncmp(name, word, strlen(word)) == 0 && name[0] != '\0';
}

/* Keeps the rows that match at `depth`; lists their different words, separated by ", ". */
static unsigned narrow(struct search *search, unsigned depth, const char *word, bool whole,
                       struct buf *list)
{
    const char *last = NULL;
    unsigned different = 0;

    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        search->alive[i] = search->alive[i] && word_matches(search, i, depth, word, whole);
        if (search->alive[i] && (last == NULL || strcmp(last, search->names[i][depth]) != 0)) {
            last = search->names[i][depth];
            buf_printf(list, "%s%s", different++ > 0 ? ", " : "", last);
        }
    }
    return different;
}

static enum err resolve_word(struct search *search, unsigned depth, const char *word,
                             struct errmsg *msg)
{
    const char *kind = depth == 0 ? "command" : "verb";
    struct search before = *search;
    autobuf struct buf list = BUF_INIT;

    if (narrow(search, depth, word, true, &list) == 1) {
        return OK;
    }
    *search = before;
    buf_clear(&list);
    switch (narrow(search, depth, word, false, &list)) {
    case 0:
        return err_set(msg, ERR_UNKNOWN_COMMAND, "unknown %s '%.60s'", kind, word);
    case 1:
        return OK;
    default:
        return err_set(msg, ERR_UNKNOWN_COMMAND, "'%.60s' is ambiguous: %s", word, list.data);
    }
}

/* The row that is left, if it has no more than `depth` words. */
static const struct ctl_command *search_done(const struct search *search, unsigned depth)
{
    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        if (search->alive[i] && (depth == CTL_WORDS_MAX || search->names[i][depth][0] == '\0')) {
            return &ctl_commands[i];
        }
    }
    return NULL;
}

enum err ctl_command_resolve(const char *const *words, unsigned count,
                             const struct ctl_command **ret_command, unsigned *ret_used,
                             struct errmsg *msg)
{
    struct search search;
    autobuf struct buf list = BUF_INIT;

    search_init(&search);
    if (count == 0) {
        return err_set(msg, ERR_UNKNOWN_COMMAND, "which command?");
    }
    for (unsigned depth = 0; depth < MIN(count, CTL_WORDS_MAX); depth++) {
        enum err err = resolve_word(&search, depth, words[depth], msg);

        if (err != OK) {
            return err;
        }
        *ret_command = search_done(&search, depth + 1);
        if (*ret_command != NULL) {
            *ret_used = depth + 1;
            return OK;
        }
    }
    (void)narrow(&search, count, "", false, &list);
    return err_set(msg, ERR_UNKNOWN_COMMAND, "'%.60s%s%.60s' needs a verb: %s", words[0],
                   count > 1 ? " " : "", count > 1 ? words[1] : "", list.data);
}

/* Do the first words of a row's name stand before the one that is looked for? */
static bool follows(const struct search *search, unsigned i, const char *const *words,
                    unsigned count)
{
    for (unsigned depth = 0; depth < count; depth++) {
        if (strcmp(search->names[i][depth], words[depth]) != 0) {
            return false;
        }
    }
    return ctl_commands[i].help[0] != '\0' && search->names[i][count][0] != '\0';
}

void ctl_command_candidates(const char *const *words, unsigned count, const char *prefix,
                            void (*fn)(void *arg, const char *word), void *arg)
{
    struct search search;
    const char *last = "";

    search_init(&search);
    for (unsigned i = 0; i < CTL_COMMAND_COUNT && count < CTL_WORDS_MAX; i++) {
        const char *name = search.names[i][count];

        if (!follows(&search, i, words, count) || strcmp(name, last) == 0) {
            continue;
        }
        if (strncmp(name, prefix, strlen(prefix)) == 0) {
            fn(arg, name);
        }
        last = name;
    }
}

static json_t *accept_one(const struct ctl_param *param, const json_t *value, struct errmsg *msg)
{
    if (param->argument == NULL) {
        if (!json_is_boolean(value)) {
            (void)err_set(msg, ERR_INVALID, "not true or false");
            return NULL;
        }
        return json_boolean(json_is_true(value));
    }
    return ctl_argument_accept(param->argument, value, msg);
}

/* A repeatable argument: an array, or one value alone. */
static json_t *accept_many(const struct ctl_param *param, json_t *value, struct errmsg *msg)
{
    autojson json_t *list = json_array();
    json_t *item;
    size_t i;

    if (!json_is_array(value)) {
        item = accept_one(param, value, msg);
        return item != NULL && json_array_append_new(list, item) == 0 ? TAKE(list) : NULL;
    }
    json_array_foreach(value, i, item)
    {
        json_t *accepted = accept_one(param, item, msg);

        if (accepted == NULL) {
            return NULL;
        }
        json_array_append_new(list, accepted);
    }
    return TAKE(list);
}

static const struct ctl_param *param_by_key(const struct ctl_grammar *grammar, const char *key)
{
    for (unsigned i = 0; i < grammar->param_count; i++) {
        if (strcmp(grammar->params[i].key, key) == 0) {
            return &grammar->params[i];
        }
    }
    return NULL;
}

json_t *ctl_args_accept(const struct ctl_command *command, json_t *args, struct errmsg *msg)
{
    autojson json_t *accepted = json_object();
    struct ctl_grammar grammar;
    const char *key;
    json_t *value;

    ctl_grammar_of(command, &grammar);
    json_object_foreach(args, key, value)
    {
        const struct ctl_param *param = param_by_key(&grammar, key);
        struct errmsg why = { "" };
        json_t *good;

        if (param == NULL) {
            (void)err_set(msg, ERR_INVALID, "no argument is called '%.40s'", key);
            return NULL;
        }
        good = param->repeats ? accept_many(param, value, &why) : accept_one(param, value, &why);
        if (good == NULL) {
            (void)err_set(msg, ERR_INVALID, "%s: %.200s", param->key, why.text);
            return NULL;
        }
        if (param->argument == NULL && json_is_false(good)) {
            json_decref(good); /* a switch that is off is one that is not there */
        } else {
            json_object_set_new(accepted, key, good);
        }
    }
    return ctl_args_complete(&grammar, accepted, msg) == OK ? TAKE(accepted) : NULL;
}

enum err ctl_args_complete(const struct ctl_grammar *grammar, const json_t *args,
                           struct errmsg *msg)
{
    for (unsigned i = 0; i < grammar->param_count; i++) {
        const struct ctl_param *param = &grammar->params[i];

        if (!param->required || json_object_get(args, param->key) != NULL) {
            continue;
        }
        if (param->option[0] != '\0') {
            return err_set(msg, ERR_INVALID, "missing --%s", param->option);
        }
        return err_set(msg, ERR_INVALID, "missing <%s>", param->argument->name);
    }
    return OK;
}

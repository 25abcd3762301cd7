/* What may stand where the last of some words is: for the shell, and for `complete -- WORDS…`,
 * which prints one candidate a line, `:files` where file names may stand. The completion scripts of
 * other shells do nothing but ask that.
 *
 * Rooms, chats and the like come from the daemon, if it answers at once. */
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/ctl/condition.h"
#include "libshared/json.h"
#include "sioctl/sioctl.h"

enum { DAEMON_MS = 500 };

/* What the words before the last one amount to. */
struct cursor {
    struct session *session;
    const char *prefix;
    const char *stem; /* what every candidate starts with before the value: "--state=" */
    const char *words[CTL_WORDS_MAX];
    unsigned positional; /* arguments so far, the command's words among them */
    const struct ctl_command *command;
    struct ctl_grammar grammar;
    const struct ctl_argument *value; /* the last word is the value of an option */
    const char *socket;               /* of the daemon to ask, if the words name one */
    bool value_is_socket;
    bool options_end;
    bool files;
    candidate_fn fn;
    void *arg;
    json_t *seen; /* object: what was offered */
};

/* What is not to be offered, or not again. */
static void forget(struct cursor *cursor, const char *word)
{
    json_object_set_new(cursor->seen, word, json_true());
}

static void offer(void *arg, const char *word)
{
    struct cursor *cursor = arg;
    autofree char *whole = NULL;

    if (strncmp(word, cursor->prefix, strlen(cursor->prefix)) != 0 ||
        json_object_get(cursor->seen, word) != NULL || !text_is_printable(str_of(word))) {
        return;
    }
    forget(cursor, word);
    whole = xasprintf("%s%s", cursor->stem, word);
    cursor->fn(cursor->arg, whole);
}

static void offer_option(struct cursor *cursor, const char *name)
{
    char text[CTL_NAME_SIZE + 2];

    snprintf(text, sizeof(text), "--%s", name);
    offer(cursor, text);
}

static json_t *ask(struct session *session, const char *cmd)
{
    const struct ctl_call call = { .cmd = cmd };
    json_t *list = NULL;

    session->config.timeout_ms = DAEMON_MS;
    if (session_open(session, NULL) != CTL_DONE ||
        ctl_client_call(session->client, &call, &list, NULL) != CTL_DONE) {
        return NULL;
    }
    return list;
}

static json_t *ask_elsewhere(const struct cursor *cursor, const char *cmd)
{
    struct session session = { .config = cursor->session->config };
    json_t *list;

    session.config.path = cursor->socket;
    list = ask(&session, cmd);
    ctl_client_close(session.client);
    return list;
}

/* "room list:room", a command and the member of its records: that member of each, between `before`
 * and `after`. */
static void offer_from_daemon(struct cursor *cursor, const char *detail, const char *before,
                              const char *after)
{
    size_t len = strcspn(detail, ":");
    autofree char *cmd = xstrndup(detail, len);
    autojson json_t *list =
        cursor->socket != NULL ? ask_elsewhere(cursor, cmd) : ask(cursor->session, cmd);
    json_t *record;
    size_t i;

    json_array_foreach(list, i, record)
    {
        const json_t *value = json_object_get(record, detail + len + 1);
        char digits[24];
        struct str text = json_id_text(value, digits);
        autofree char *word = xasprintf("%s%.*s%s", before, STR_ARG(text), after);

        if (text.len > 0) {
            offer(cursor, word);
        }
    }
}

/* The states that agent/7 may be waited for in. */
static void offer_states(struct cursor *cursor, enum ctl_subject subject, int typed)
{
    struct str state;

    for (unsigned n = 0; (state = ctl_condition_state(subject, n)).data != NULL; n++) {
        autofree char *word = xasprintf("%.*s=%.*s", typed, cursor->prefix, STR_ARG(state));

        offer(cursor, word);
    }
}

/* agent/7=available: what begins such a condition, then the ids there are, then the states. */
static void offer_conditions(struct cursor *cursor)
{
    static const struct {
        enum ctl_subject subject;
        const char *start, *ids;
    } subjects[] = { { CTL_SUBJECT_AGENT, "agent/", "agent list:agentId" },
                     { CTL_SUBJECT_CHAT, "chat/", "chat list:chatId" } };
    size_t typed = strcspn(cursor->prefix, "=");
    autofree char *itself = xasprintf("%s=", cursor->prefix);

    for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
        const char *start = subjects[i].start;

        if (strncmp(cursor->prefix, start, strlen(start)) != 0) {
            offer(cursor, start);
            continue;
        }
        if (typed > strlen(start)) {
            offer_states(cursor, subjects[i].subject, (int)typed);
            forget(cursor, itself);
        }
        if (cursor->prefix[typed] == '\0') {
            offer_from_daemon(cursor, subjects[i].ids, start, "=");
        }
    }
}

static void offer_values(struct cursor *cursor, const struct ctl_argument *argument)
{
    struct str word;

    if (argument->type == CTL_PATH) {
        cursor->files = true;
        return;
    }
    for (unsigned i = 0; (word = ctl_argument_word(argument, i)).data != NULL; i++) {
        autofree char *text = xstrndup(word.data, word.len);

        offer(cursor, text);
    }
    if (argument->type == CTL_CONDITION) {
        offer_conditions(cursor);
    } else if (argument->type != CTL_WORDS && strchr(argument->detail, ':') != NULL) {
        offer_from_daemon(cursor, argument->detail, "", "");
    }
}

static const struct ctl_argument *option_of(const struct ctl_command *command, struct str name)
{
    struct ctl_grammar grammar;
    const struct ctl_param *param;

    ctl_grammar_of(command, &grammar);
    param = ctl_option_find(&grammar, name);
    return param != NULL ? param->argument : NULL;
}

/* What the option takes; NULL for a flag and for what is none. One that stands before the command
 * it belongs to is known by its name alone. */
static const struct ctl_argument *option_argument(const struct cursor *cursor, struct str name)
{
    const struct ctl_argument *argument = NULL;

    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        if (str_eq(name, str_of(ctl_options[i].name))) {
            return ctl_argument_find(str_of(ctl_options[i].argument));
        }
    }
    if (cursor->command != NULL) {
        return option_of(cursor->command, name);
    }
    for (unsigned i = 0; i < CTL_COMMAND_COUNT && argument == NULL; i++) {
        argument = option_of(&ctl_commands[i], name);
    }
    return argument;
}

/* `value` is NULL when it is the next word. */
static void take_option(struct cursor *cursor, struct str name, const char *value)
{
    const struct ctl_argument *argument = option_argument(cursor, name);
    bool is_socket = str_eq(name, str_of(ctl_options[CTL_OPT_socket].name));

    if (value == NULL) {
        cursor->value = argument;
        cursor->value_is_socket = is_socket;
    } else if (is_socket) {
        cursor->socket = value;
    }
}

static struct str name_by_letter(char letter)
{
    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        if (ctl_options[i].letter == letter) {
            return str_of(ctl_options[i].name);
        }
    }
    return ctl_option_by_letter(letter);
}

/* --name, --name=value, -n, -nvalue, -Fn */
static void take_options(struct cursor *cursor, const char *word)
{
    size_t len = strcspn(word, "=");

    if (word[1] == '-') {
        take_option(cursor, (struct str) { word + 2, len - 2 },
                    word[len] == '=' ? word + len + 1 : NULL);
        return;
    }
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        struct str name = name_by_letter(*letter);

        if (option_argument(cursor, name) != NULL) {
            take_option(cursor, name, letter[1] != '\0' ? letter + 1 : NULL);
            return;
        }
    }
}

static void take_argument(struct cursor *cursor, const char *word)
{
    unsigned used;

    if (cursor->positional < CTL_WORDS_MAX) {
        cursor->words[cursor->positional] = word;
    }
    cursor->positional++;
    if (cursor->command == NULL && cursor->positional <= CTL_WORDS_MAX &&
        ctl_command_resolve(cursor->words, cursor->positional, &cursor->command, &used, NULL) ==
            OK) {
        ctl_grammar_of(cursor->command, &cursor->grammar);
    }
}

static void take_word(struct cursor *cursor, const char *word)
{
    if (cursor->value != NULL) {
        cursor->socket = cursor->value_is_socket ? word : cursor->socket;
        cursor->value = NULL;
    } else if (!cursor->options_end && strcmp(word, "--") == 0) {
        cursor->options_end = true;
    } else if (!cursor->options_end && word[0] == '-' && word[1] != '\0') {
        take_options(cursor, word);
    } else {
        take_argument(cursor, word);
    }
}

/* What a word of a command may abbreviate. */
struct abbreviated {
    const char *word;
    char name[CTL_NAME_SIZE];
    unsigned found;
    bool whole; /* it is a word already */
};

static void take_candidate(void *arg, const char *word)
{
    struct abbreviated *abbreviated = arg;

    if (!abbreviated->whole) {
        snprintf(abbreviated->name, sizeof(abbreviated->name), "%s", word);
        abbreviated->whole = strcmp(word, abbreviated->word) == 0;
    }
    abbreviated->found++;
}

/* The words of a command, `n` of them being there already. */
static void offer_name(struct cursor *cursor, const char *const *words, unsigned n)
{
    struct abbreviated before[CTL_WORDS_MAX] = { 0 };
    const char *names[CTL_WORDS_MAX];

    if (n >= CTL_WORDS_MAX) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        before[i].word = words[i];
        ctl_command_candidates(names, i, words[i], take_candidate, &before[i]);
        if (before[i].found != 1 && !before[i].whole) {
            return;
        }
        names[i] = before[i].name;
    }
    ctl_command_candidates(names, n, cursor->prefix, offer, cursor);
}

static void offer_options(struct cursor *cursor)
{
    for (unsigned i = 0; i < cursor->grammar.param_count; i++) {
        if (cursor->grammar.params[i].option[0] != '\0') {
            offer_option(cursor, cursor->grammar.params[i].option);
        }
    }
    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        offer_option(cursor, ctl_options[i].name);
    }
}

/* --state=w: the value alone is looked for. */
static bool offer_attached(struct cursor *cursor, const char *word, char *stem)
{
    size_t len = strcspn(word, "=") + 1;
    const struct ctl_argument *argument;

    if (strncmp(word, "--", 2) != 0 || strchr(word, '=') == NULL) {
        return false;
    }
    stem[len] = '\0';
    cursor->stem = stem;
    cursor->prefix = word + len;
    argument = option_argument(cursor, (struct str) { word + 2, len - 3 });
    if (argument != NULL) {
        offer_values(cursor, argument);
    }
    return true;
}

static void offer_arguments(struct cursor *cursor)
{
    const struct ctl_param *param;

    if (cursor->command == NULL) {
        offer_name(cursor, cursor->words, cursor->positional);
    } else if (cursor->command->id == CTL_CMD_help) {
        offer_name(cursor, cursor->words + 1, cursor->positional - 1);
    } else {
        param = ctl_positional(&cursor->grammar, cursor->positional - cursor->grammar.word_count);
        if (param != NULL) {
            offer_values(cursor, param->argument);
        }
    }
}

static void offer_all(struct cursor *cursor, const char *word)
{
    autofree char *stem = xstrdup(word);

    cursor->prefix = word;
    if (cursor->value != NULL) {
        offer_values(cursor, cursor->value);
    } else if (cursor->options_end || word[0] != '-') {
        offer_arguments(cursor);
    } else if (!offer_attached(cursor, word, stem)) {
        offer_options(cursor);
    }
}

bool complete_words(struct session *session, const char *const *words, unsigned count,
                    candidate_fn fn, void *arg)
{
    struct cursor cursor = {
        .session = session, .stem = "", .fn = fn, .arg = arg, .seen = json_object()
    };

    for (unsigned i = 0; i + 1 < count; i++) {
        take_word(&cursor, words[i]);
    }
    offer_all(&cursor, count > 0 ? words[count - 1] : "");
    json_decref(cursor.seen);
    return cursor.files;
}

static void print_candidate(void *arg, const char *word)
{
    struct session *session = arg;
    autojson json_t *record = json_pack("{s:s}", "word", word);

    (void)output_record(&session->out, record);
}

enum exit_code run_complete(struct session *session)
{
    const json_t *list = session_arg(session, "word");
    size_t count = json_array_size(list);
    autofree const char **words = xcalloc(count + 1, sizeof(*words));

    for (size_t i = 0; i < count; i++) {
        words[i] = json_string_value(json_array_get(list, i));
    }
    if (complete_words(session, words, (unsigned)count, print_candidate, session)) {
        print_candidate(session, ":files");
    }
    return EXIT_DONE;
}

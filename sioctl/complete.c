/* `complete -- WORDS…`: what may stand where the last word is, one candidate a line; `:files` asks
 * the shell for file names. The completion scripts do nothing but ask.
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
    const char *words[CTL_WORDS_MAX];
    unsigned positional; /* arguments so far, the command's words among them */
    const struct ctl_command *command;
    struct ctl_grammar grammar;
    const struct ctl_argument *value; /* the last word is the value of an option */
    bool options_end;
};

static void offer(void *arg, const char *word)
{
    const struct cursor *cursor = arg;
    autojson json_t *record = json_pack("{s:s}", "word", word);

    if (record != NULL && strncmp(word, cursor->prefix, strlen(cursor->prefix)) == 0) {
        (void)output_record(&cursor->session->out, record);
    }
}

static void offer_option(const struct cursor *cursor, const char *name)
{
    char text[CTL_NAME_SIZE + 2];

    snprintf(text, sizeof(text), "--%s", name);
    offer((void *)(uintptr_t)cursor, text);
}

/* `detail` is "room list:room": a command and the member of its records. */
static void offer_from_daemon(const struct cursor *cursor, const char *detail)
{
    size_t len = strcspn(detail, ":");
    autofree char *cmd = xstrndup(detail, len);
    const struct ctl_call call = { .cmd = cmd };
    struct session *session = cursor->session;
    autojson json_t *list = NULL;
    json_t *record;
    size_t i;

    session->config.timeout_ms = DAEMON_MS;
    if (ctl_client_open(&session->config, &session->client, NULL) != CTL_DONE ||
        ctl_client_call(session->client, &call, &list, NULL) != CTL_DONE) {
        return;
    }
    json_array_foreach(list, i, record)
    {
        const json_t *value = json_object_get(record, detail + len + 1);
        char digits[24];
        struct str text = json_id_text(value, digits);
        autofree char *word = xstrndup(text.data != NULL ? text.data : "", text.len);

        offer((void *)(uintptr_t)cursor, word);
    }
}

/* agent/7=available … once the subject and its id are there; before that, what begins them. */
static void offer_conditions(const struct cursor *cursor)
{
    static const struct {
        enum ctl_subject subject;
        const char *start;
    } subjects[] = { { CTL_SUBJECT_AGENT, "agent/" }, { CTL_SUBJECT_CHAT, "chat/" } };
    int typed = (int)strcspn(cursor->prefix, "=");

    for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
        const char *start = subjects[i].start;
        struct str state;

        if (strncmp(cursor->prefix, start, strlen(start)) != 0 || typed == (int)strlen(start)) {
            offer((void *)(uintptr_t)cursor, start);
            continue;
        }
        for (unsigned n = 0; (state = ctl_condition_state(subjects[i].subject, n)).data != NULL;
             n++) {
            autofree char *word = xasprintf("%.*s=%.*s", typed, cursor->prefix, STR_ARG(state));

            offer((void *)(uintptr_t)cursor, word);
        }
    }
}

static void offer_values(const struct cursor *cursor, const struct ctl_argument *argument)
{
    struct str word;

    if (argument->type == CTL_PATH) {
        autojson json_t *record = json_pack("{s:s}", "word", ":files");

        (void)output_record(&cursor->session->out, record);
        return;
    }
    for (unsigned i = 0; (word = ctl_argument_word(argument, i)).data != NULL; i++) {
        autofree char *text = xstrndup(word.data, word.len);

        offer((void *)(uintptr_t)cursor, text);
    }
    if (argument->type == CTL_CONDITION) {
        offer_conditions(cursor);
    } else if (argument->type != CTL_WORDS && argument->detail[0] != '\0') {
        offer_from_daemon(cursor, argument->detail);
    }
}

static const struct ctl_argument *option_argument(const struct cursor *cursor, const char *word)
{
    bool is_letter = word[1] != '-' && word[2] == '\0';
    struct str name = is_letter ? ctl_option_by_letter(word[1]) : str_of(word + 2);
    const struct ctl_param *param = ctl_option_find(&cursor->grammar, name);

    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        const struct ctl_option *option = &ctl_options[i];
        const char letter[] = { '-', option->letter, '\0' };

        if (strcmp(word, letter) == 0 || strcmp(word + 2, option->name) == 0) {
            return ctl_argument_find(str_of(option->argument));
        }
    }
    return param != NULL ? param->argument : NULL;
}

static void take_word(struct cursor *cursor, const char *word)
{
    unsigned used;

    if (cursor->value != NULL) {
        cursor->value = NULL;
    } else if (!cursor->options_end && strcmp(word, "--") == 0) {
        cursor->options_end = true;
    } else if (!cursor->options_end && word[0] == '-' && word[1] != '\0') {
        cursor->value = strchr(word, '=') == NULL ? option_argument(cursor, word) : NULL;
    } else {
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
}

/* What a word may abbreviate. */
struct noun {
    char name[CTL_NAME_SIZE];
    unsigned found;
};

static void take_noun(void *arg, const char *word)
{
    struct noun *noun = arg;

    snprintf(noun->name, sizeof(noun->name), "%s", word);
    noun->found++;
}

static void offer_command(const struct cursor *cursor)
{
    struct ctl_grammar grammar;
    struct noun noun = { 0 };

    if (cursor->positional == 0) {
        ctl_command_candidates(NULL, cursor->prefix, offer, (void *)(uintptr_t)cursor);
        return;
    }
    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        ctl_grammar_of(&ctl_commands[i], &grammar);
        if (strcmp(grammar.words[0], cursor->words[0]) == 0) {
            take_noun(&noun, cursor->words[0]);
            break;
        }
    }
    if (noun.found == 0) {
        ctl_command_candidates(NULL, cursor->words[0], take_noun, &noun);
    }
    if (noun.found == 1 && cursor->positional == 1) {
        ctl_command_candidates(noun.name, cursor->prefix, offer, (void *)(uintptr_t)cursor);
    }
}

static void offer_options(const struct cursor *cursor)
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

static void offer_all(const struct cursor *cursor)
{
    const struct ctl_param *param;

    if (cursor->value != NULL) {
        offer_values(cursor, cursor->value);
    } else if (!cursor->options_end && cursor->prefix[0] == '-') {
        offer_options(cursor);
    } else if (cursor->command == NULL) {
        offer_command(cursor);
    } else if (cursor->command->id == CTL_CMD_help) {
        ctl_command_candidates(NULL, cursor->prefix, offer, (void *)(uintptr_t)cursor);
    } else {
        param = ctl_positional(&cursor->grammar, cursor->positional - cursor->grammar.word_count);
        if (param != NULL) {
            offer_values(cursor, param->argument);
        }
    }
}

enum exit_code run_complete(struct session *session)
{
    const json_t *words = session_arg(session, "word");
    size_t count = json_array_size(words);
    struct cursor cursor = { .session = session, .prefix = "" };

    for (size_t i = 0; i < count; i++) {
        const char *word = json_string_value(json_array_get(words, i));

        if (i + 1 == count) {
            cursor.prefix = word;
        } else {
            take_word(&cursor, word);
        }
    }
    offer_all(&cursor);
    return EXIT_DONE;
}

/* `help`, --help: from the tables. */
#include <stdio.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "sioctl/sioctl.h"

enum { NAME_WIDTH = 27, OPTION_WIDTH = 34 };

static size_t name_len(const char *grammar)
{
    size_t len = strcspn(grammar, "<[-");

    while (len > 0 && grammar[len - 1] == ' ') {
        len--;
    }
    return len;
}

static void show_commands(struct buf *to)
{
    buf_add_cstr(to, "\nCommands:\n");
    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        const struct ctl_command *command = &ctl_commands[i];

        if (command->help[0] != '\0') {
            buf_printf(to, "  %-*.*s%s\n", NAME_WIDTH, (int)name_len(command->grammar),
                       command->grammar, command->help);
        }
    }
    buf_add_cstr(to, "\nNames may be shortened as long as they are unambiguous: sioctl ro l.\n"
                     "'sioctl help COMMAND' explains one; sioctl(8) has everything.\n");
}

static void show_options(struct buf *to)
{
    buf_add_cstr(to, "\nOptions:\n");
    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        const struct ctl_option *option = &ctl_options[i];
        char text[64];

        snprintf(text, sizeof(text), "-%c, --%s%s%s%s", option->letter, option->name,
                 option->argument[0] != '\0' ? " <" : "", option->argument,
                 option->argument[0] != '\0' ? ">" : "");
        buf_printf(to, "  %-*s%s\n", OPTION_WIDTH, text, option->help);
    }
}

static void show_command(struct buf *to, const struct ctl_command *command)
{
    buf_printf(to, "usage: sioctl %s\n%s.\n", command->grammar,
               command->help[0] != '\0' ? command->help : "Plumbing for scripts and completion");
    if (command->where != CTL_LOCAL) {
        buf_printf(to, "Needs %s access.\n", ctl_access_name(command->access));
    }
}

void show_help(struct buf *to, const struct ctl_command *command)
{
    if (command != NULL) {
        show_command(to, command);
        return;
    }
    buf_add_cstr(
        to, "usage: sioctl [options] <command> [arguments]\nSees and steers a running siod.\n");
    show_commands(to);
    show_options(to);
}

static json_t *describe(const struct ctl_command *command)
{
    json_t *row = json_object();

    json_object_set_new(row, "command", json_stringn(command->grammar, name_len(command->grammar)));
    json_object_set_new(row, "usage", json_string(command->grammar));
    json_object_set_new(row, "access", json_string(ctl_access_name(command->access)));
    json_object_set_new(row, "help", json_string(command->help));
    return row;
}

/* Does the name begin with these words, whole or shortened? */
static bool begins_with(const struct ctl_command *command, const json_t *words)
{
    struct ctl_grammar grammar;
    const json_t *word;
    size_t i;

    ctl_grammar_of(command, &grammar);
    json_array_foreach(words, i, word)
    {
        if (i >= grammar.word_count || !str_starts_with(str_of(grammar.words[i]), json_str(word))) {
            return false;
        }
    }
    return command->help[0] != '\0';
}

static enum exit_code help_list(struct session *session, const json_t *words)
{
    autojson json_t *list = json_array();

    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        if (begins_with(&ctl_commands[i], words)) {
            json_array_append_new(list, describe(&ctl_commands[i]));
        }
    }
    if (json_array_size(list) == 0) {
        say("no command begins like that");
        return EXIT_USAGE;
    }
    output_result(&session->out, list);
    return EXIT_DONE;
}

/* The command that the words name, NULL if they name none or several. */
static const struct ctl_command *named(const json_t *words)
{
    const char *parts[CTL_WORDS_MAX] = { NULL };
    const struct ctl_command *command = NULL;
    unsigned count = (unsigned)MIN(json_array_size(words), CTL_WORDS_MAX), used;

    for (unsigned i = 0; i < count; i++) {
        parts[i] = json_string_value(json_array_get(words, i));
    }
    return ctl_command_resolve(parts, count, &command, &used, NULL) == OK ? command : NULL;
}

enum exit_code run_help(struct session *session)
{
    const json_t *words = session_arg(session, "word");
    const struct ctl_command *command = named(words);
    autobuf struct buf text = BUF_INIT;

    if (session->out.format != OUTPUT_TEXT || (words != NULL && command == NULL)) {
        return help_list(session, words);
    }
    show_help(&text, command);
    output_plain(&session->out, buf_str(&text));
    return EXIT_DONE;
}

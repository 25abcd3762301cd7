/* One command, from its words to its exit code: on the command line, and line by line in the
 * shell. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libshared/json.h"
#include "sioctl/sioctl.h"

enum { TIMEOUT_DEFAULT_MS = 30000 };

static enum exit_code (*const runs[CTL_COMMAND_COUNT])(struct session *session) = {
#define ROW_DAEMON(id)                        [CTL_CMD_##id] = run_by_daemon,
#define ROW_BOTH(id)                          [CTL_CMD_##id] = run_##id,
#define ROW_LOCAL(id)                         [CTL_CMD_##id] = run_##id,
#define CTL(id, grammar, access, where, help) ROW_##where(id)
#include "libshared/ctl/commands.def"
#undef CTL
};

static enum exit_code usage_error(const struct ctl_line *line, const struct errmsg *msg)
{
    say("%s", msg->text);
    if (line->command != NULL) {
        tell("usage: sioctl %s", line->command->grammar);
    } else {
        tell("Try 'sioctl help'.");
    }
    return EXIT_USAGE;
}

static enum output_format format_of(const struct ctl_line *line)
{
    static const char *const names[] = { "text", "json", "ndjson", "tsv" };
    const char *name = json_string_value(line->options[CTL_OPT_output]);

    for (unsigned i = 0; name != NULL && i < ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum output_format)i;
        }
    }
    return OUTPUT_TEXT;
}

struct ctl_client_config client_config(const json_t *const options[CTL_OPTION_COUNT])
{
    const json_t *timeout = options[CTL_OPT_timeout];

    return (struct ctl_client_config) {
        .path = json_string_value(options[CTL_OPT_socket]),
        .timeout_ms = timeout != NULL ? json_integer_value(timeout) : TIMEOUT_DEFAULT_MS,
        .interrupted = &interrupted,
    };
}

/* A reader that has seen enough (`| head`) is no failure, nor does it undo one. */
static enum exit_code finish(struct runner *runner, struct output *out, enum exit_code code)
{
    output_close(out);
    runner->output_lost = out->failed;
    if (out->failed && out->error != EPIPE) {
        say("cannot write: %s", strerror(out->error));
        return EXIT_REFUSED;
    }
    return code;
}

/* What no command prints. */
static enum exit_code print(struct runner *runner, const struct buf *text)
{
    struct output out;

    output_open(&out, STDOUT_FILENO, OUTPUT_TEXT, CTL_CMD_help);
    output_plain(&out, buf_str(text));
    return finish(runner, &out, EXIT_DONE);
}

static void take_options(struct ctl_line *line, json_t *const options[CTL_OPTION_COUNT])
{
    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        if (line->options[i] == NULL) {
            line->options[i] = json_incref(options[i]);
        }
    }
}

/* A command with a socket of its own leaves the connection that is there alone. */
static enum exit_code run(struct runner *runner, struct ctl_line *line)
{
    bool elsewhere = line->options[CTL_OPT_socket] != NULL;
    struct session session = { .line = line, .runner = runner };
    enum exit_code code;

    take_options(line, runner->options);
    session.config = client_config((const json_t *const *)line->options);
    session.client = elsewhere ? NULL : runner_client(runner);
    output_open(&session.out, STDOUT_FILENO, format_of(line), line->command->id);
    session.out.header = line->options[CTL_OPT_header] != NULL;
    code = runs[line->command->id](&session);
    if (code == EXIT_REFUSED && interrupted) {
        code = EXIT_INTERRUPTED; /* an input did not come to its end */
    }
    code = finish(runner, &session.out, code);
    if (elsewhere) {
        ctl_client_close(session.client);
    } else {
        runner->client = session.client;
        runner->client = runner_client(runner); /* a stream that was left is not kept running */
    }
    return code;
}

struct ctl_client *runner_client(struct runner *runner)
{
    struct ctl_client *client = TAKE(runner->client);

    if (client != NULL && !ctl_client_usable(client)) {
        ctl_client_close(TAKE(client));
    }
    return client;
}

/* Options without a command: for the commands that follow. */
static enum exit_code keep_options(struct runner *runner, const struct ctl_line *line)
{
    if (line->options[CTL_OPT_socket] != NULL) {
        ctl_client_close(TAKE(runner->client));
    }
    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        if (line->options[i] != NULL) {
            json_decref(runner->options[i]);
            runner->options[i] = json_incref(line->options[i]);
        }
    }
    return EXIT_DONE;
}

enum exit_code run_words(struct runner *runner, const char *const *words, unsigned count)
{
    struct ctl_line line;
    struct errmsg msg = { "" };
    enum err err = ctl_line_parse(words, count, &line, &msg);
    enum exit_code code = EXIT_DONE;
    autobuf struct buf text = BUF_INIT;

    if (count == 0) {
        show_help(&text, NULL);
        (void)output_write(STDERR_FILENO, buf_str(&text));
        code = EXIT_USAGE;
    } else if (line.only_options && runner->in_shell) {
        code = keep_options(runner, &line);
    } else if (err != OK) {
        code = usage_error(&line, &msg);
    } else if (line.options[CTL_OPT_version] != NULL) {
        buf_add_cstr(&text, "sioctl " SIOD_VERSION "\n");
        code = print(runner, &text);
    } else if (line.options[CTL_OPT_help] != NULL) {
        show_help(&text, line.command);
        code = print(runner, &text);
    } else {
        code = run(runner, &line);
    }
    ctl_line_finish(&line);
    return code;
}

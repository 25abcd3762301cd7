#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "sioctl/sioctl.h"

enum { TIMEOUT_DEFAULT_MS = 30000 };

volatile sig_atomic_t interrupted;

static enum exit_code (*const runs[CTL_COMMAND_COUNT])(struct session *session) = {
#define ROW_DAEMON(id)                        [CTL_CMD_##id] = run_by_daemon,
#define ROW_BOTH(id)                          [CTL_CMD_##id] = run_##id,
#define ROW_LOCAL(id)                         [CTL_CMD_##id] = run_##id,
#define CTL(id, grammar, access, where, help) ROW_##where(id)
#include "libshared/ctl/commands.def"
#undef CTL
};

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* Waiting calls return when one comes; what is printed so far is finished properly. The second one
 * ends everything. */
static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

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

static struct ctl_client_config client_config(const struct ctl_line *line)
{
    const json_t *timeout = line->options[CTL_OPT_timeout];

    return (struct ctl_client_config) {
        .path = json_string_value(line->options[CTL_OPT_socket]),
        .timeout_ms = timeout != NULL ? json_integer_value(timeout) : TIMEOUT_DEFAULT_MS,
        .interrupted = &interrupted,
    };
}

/* A reader that has seen enough (`| head`) is no failure. */
static enum exit_code finish(struct session *session, enum exit_code code)
{
    ctl_client_close(session->client);
    output_close(&session->out);
    if (session->out.failed && session->out.error != EPIPE) {
        say("cannot write: %s", strerror(session->out.error));
        return EXIT_REFUSED;
    }
    return session->out.failed ? EXIT_DONE : code;
}

static enum exit_code run(const struct ctl_line *line)
{
    struct session session = { .line = line, .config = client_config(line) };

    output_open(&session.out, stdout, format_of(line), line->command->id);
    session.out.header = line->options[CTL_OPT_header] != NULL;
    return finish(&session, runs[line->command->id](&session));
}

static enum exit_code run_words(const char *const *words, unsigned count)
{
    struct ctl_line line;
    struct errmsg msg = { "" };
    enum err err = ctl_line_parse(words, count, &line, &msg);
    enum exit_code code = EXIT_DONE;

    if (count == 0) {
        show_help(stderr, NULL);
        code = EXIT_USAGE;
    } else if (err != OK) {
        code = usage_error(&line, &msg);
    } else if (line.options[CTL_OPT_version] != NULL) {
        printf("sioctl %s\n", SIOD_VERSION);
    } else if (line.options[CTL_OPT_help] != NULL) {
        show_help(stdout, line.command);
    } else {
        code = run(&line);
    }
    ctl_line_finish(&line);
    return code;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 0 ? (unsigned)argc - 1 : 0;
    const char **words = xcalloc(count + 1, sizeof(*words));
    enum exit_code code;

    setlocale(LC_CTYPE, "C.UTF-8");
    catch_signals();
    for (unsigned i = 0; i < count; i++) {
        words[i] = argv[i + 1];
    }
    code = run_words(words, count);
    free((void *)words);
    return (int)code;
}

/* Asking the daemon, and the commands that are nothing else. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libshared/json.h"
#include "libshared/utf8.h"
#include "sioctl/sioctl.h"

enum exit_code exit_code_of(enum ctl_outcome outcome)
{
    static const enum exit_code codes[] = {
        [CTL_DONE] = EXIT_DONE,
        [CTL_REFUSED] = EXIT_REFUSED,
        [CTL_UNREACHABLE] = EXIT_UNREACHABLE,
        [CTL_TIMED_OUT] = EXIT_TIMED_OUT,
        [CTL_INTERRUPTED] = EXIT_INTERRUPTED,
        [CTL_UNREAD] = EXIT_DONE,
    };

    return codes[outcome];
}

/* What the daemon finds wrong with the arguments is as wrong as what is found here. */
enum exit_code refusal_code(const struct session *session)
{
    return strcmp(ctl_client_code(session->client), err_code(ERR_INVALID)) == 0 ? EXIT_USAGE
                                                                                : EXIT_REFUSED;
}

static enum exit_code explain(const struct session *session, enum ctl_outcome outcome,
                              const struct errmsg *msg)
{
    if (outcome == CTL_REFUSED) {
        say("%s: %s", ctl_client_code(session->client), msg->text);
        return refusal_code(session);
    }
    if (outcome != CTL_INTERRUPTED && outcome != CTL_UNREAD) {
        say("%s", msg->text);
    }
    return exit_code_of(outcome);
}

enum ctl_outcome session_open(struct session *session, struct errmsg *msg)
{
    if (session->client == NULL) {
        return ctl_client_open(&session->config, &session->client, msg);
    }
    ctl_client_set_timeout(session->client, session->config.timeout_ms);
    return CTL_DONE;
}

/* JSON has no form of other bytes: the daemon would be told of another file. */
static bool is_sayable(const struct ctl_call *call)
{
    json_t *args = (json_t *)(uintptr_t)call->args, *value;
    const char *key;

    json_object_foreach(args, key, value)
    {
        if (json_is_string(value) && !utf8_valid(json_str(value))) {
            say("%s: what is not UTF-8 cannot be sent to siod", key);
            return false;
        }
    }
    return true;
}

enum exit_code session_call(struct session *session, const struct ctl_call *call,
                            json_t **ret_result)
{
    struct errmsg msg = { "" };
    enum ctl_outcome outcome;

    if (!is_sayable(call)) {
        return EXIT_USAGE;
    }
    outcome = session_open(session, &msg);
    if (outcome == CTL_DONE) {
        outcome = ctl_client_call(session->client, call, ret_result, &msg);
    }
    return outcome == CTL_DONE ? EXIT_DONE : explain(session, outcome, &msg);
}

json_t *session_arg(const struct session *session, const char *key)
{
    return json_object_get(session->line->args, key);
}

const char *session_arg_text(const struct session *session, const char *key)
{
    return json_string_value(session_arg(session, key));
}

/* A gap is data for programs, and words for people. */
static bool print_piece(void *arg, json_t *piece)
{
    struct session *session = arg;
    const json_t *from = json_object_get(piece, "from");

    if (from != NULL && json_object_get(piece, "type") != NULL &&
        (session->out.format == OUTPUT_TEXT || session->out.format == OUTPUT_TSV)) {
        say(json_object_get(piece, "reason") != NULL
                ? "positions %lld to %lld are no longer in the log"
                : "read too slowly: records %lld to %lld were left out",
            (long long)json_integer_value(from),
            (long long)json_integer_value(json_object_get(piece, "to")));
        return true;
    }
    return output_record(&session->out, piece);
}

enum exit_code run_by_daemon(struct session *session)
{
    const struct ctl_command *command = session->line->command;
    bool stream = view_shape(command->id) == VIEW_STREAM;
    char name[CTL_COMMAND_SIZE];
    const struct ctl_call call = {
        .cmd = name,
        .args = session->line->args,
        .on_piece = stream ? print_piece : NULL,
        .arg = session,
        .patient = stream,
        .reader_fd = stream ? session->out.fd : 0,
    };
    autojson json_t *result = NULL;
    enum exit_code code;

    ctl_command_name(command, name, sizeof(name));
    code = session_call(session, &call, &result);
    if (code == EXIT_DONE && !stream && result != NULL) {
        output_result(&session->out, result);
    }
    return code;
}

void say_failure(const struct errmsg *msg)
{
    if (!interrupted) {
        say("%s", msg->text);
    }
}

static void say_unread(const char *path)
{
    struct errmsg msg = { "" };

    (void)err_set(&msg, ERR_IO, "%s: %s", path, strerror(errno));
    say_failure(&msg);
}

static bool read_stream(FILE *file, const char *path, size_t max, struct buf *to)
{
    size_t before = to->len;

    for (;;) {
        size_t got = fread(buf_reserve(to, 65536), 1, 65536, file);

        to->len += got;
        if (to->len - before > max) {
            say("%s: larger than %zu bytes", path, max);
            return false;
        }
        if (ferror(file)) {
            say_unread(path);
            return false;
        }
        if (got == 0) {
            return true;
        }
    }
}

static bool stdin_is_script;

void input_is_script(void)
{
    stdin_is_script = true;
}

/* A terminal goes on behind an end of file. */
static bool read_stdin(size_t max, struct buf *to)
{
    bool good;

    if (stdin_is_script) {
        say("-: the standard input is the script that is running");
        return false;
    }
    good = read_stream(stdin, "stdin", max, to);
    clearerr(stdin);
    return good;
}

bool read_input(const char *path, size_t max, struct buf *to)
{
    FILE *file;
    bool good;

    if (strcmp(path, "-") == 0) {
        return read_stdin(max, to);
    }
    file = fopen(path, "re");
    if (file == NULL) {
        say_unread(path);
        return false;
    }
    good = read_stream(file, path, max, to);
    fclose(file);
    return good;
}

json_t *json_text(struct str text)
{
    autobuf struct buf quoted = BUF_INIT;

    json_add_string(&quoted, text);
    return json_loadb(quoted.data, quoted.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

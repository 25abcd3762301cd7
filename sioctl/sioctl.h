/* What the commands of sioctl share. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/ctl/client.h"
#include "libshared/ctl/line.h"
#include "sioctl/output.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1, /* refused, failed, or the answer is no */
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3,
    EXIT_TIMED_OUT = 4,
    EXIT_INTERRUPTED = 130, /* by SIGTERM as well */
};

/* What commands that run one after the other have in common. */
struct runner {
    struct ctl_client *client;         /* between two commands; NULL until something was asked */
    json_t *options[CTL_OPTION_COUNT]; /* for a command that is not given them itself */
    bool in_shell;
    bool output_lost; /* the last command could not write to stdout */
};

struct session {
    struct runner *runner;
    const struct ctl_line *line;
    struct output out;
    struct ctl_client_config config;
    struct ctl_client *client; /* NULL until something was asked */
};

/* The number of the signal, SIGINT or SIGTERM, that has come. */
extern volatile sig_atomic_t interrupted;
/* Waiting calls return when one comes; what is printed so far is finished properly. With `once` the
 * second one ends everything. */
void catch_signals(bool once);

/* Runs the command that these words are. In the shell, options alone are kept for the commands that
 * follow. */
enum exit_code run_words(struct runner *runner, const char *const *words, unsigned count);
/* The connection that is there, taken; NULL when there is none, or none that can still be used. */
struct ctl_client *runner_client(struct runner *runner);
struct ctl_client_config client_config(const json_t *const options[CTL_OPTION_COUNT]);

/* Connects, if that was not done yet. */
NODISCARD
enum ctl_outcome session_open(struct session *session, struct errmsg *msg);
/* Ask the daemon; connects first when needed. What goes wrong is said on stderr: EXIT_USAGE for an
 * argument that is not UTF-8. On EXIT_DONE *ret_result is owned and may be NULL. */
NODISCARD
enum exit_code session_call(struct session *session, const struct ctl_call *call,
                            json_t **ret_result);
/* wait.c: until the condition in args holds. What goes wrong is said. On EXIT_DONE *ret_result is
 * owned. */
struct waiting {
    const json_t *args;
    int64_t timeout_ms;
    bool insists; /* the daemon has to be there, and to answer each time as any other command's */
};
NODISCARD
enum exit_code session_wait(struct session *session, const struct waiting *waiting,
                            json_t **ret_result);
enum exit_code exit_code_of(enum ctl_outcome outcome);
/* After CTL_REFUSED. */
enum exit_code refusal_code(const struct session *session);

/* The arguments of the command line; NULL when not given. */
json_t *session_arg(const struct session *session, const char *key);
const char *session_arg_text(const struct session *session, const char *key);

/* What a command failed for: said, unless it was interrupted while it waited for an input. */
void say_failure(const struct errmsg *msg);
/* A file, or stdin for "-", appended. Says what went wrong. */
NODISCARD
bool read_input(const char *path, size_t max, struct buf *to);
/* The secret in --secret-file. Says what went wrong. */
NODISCARD
bool read_secret(const struct session *session, struct buf *ret_secret);
/* From now on "-" is refused: stdin is a script that the shell reads. */
void input_is_script(void);
/* The text as JSON, bytes that are no UTF-8 replaced. Returns owned. */
NODISCARD
json_t *json_text(struct str text);

/* A row of commands.def without its function does not link. */
#define RUN_DAEMON(id)
#define RUN_BOTH(id)                          enum exit_code run_##id(struct session *session);
#define RUN_LOCAL(id)                         enum exit_code run_##id(struct session *session);
#define CTL(id, grammar, access, where, help) RUN_##where(id)
#include "libshared/ctl/commands.def"
#undef CTL

/* Everything else: asked as it stands, printed by its view. */
enum exit_code run_by_daemon(struct session *session);

/* complete.c: what may stand where the last word is, each candidate once; none that would need
 * control characters to be typed. Asks the daemon what only it knows. True when file names may
 * stand there, behind the = of an --option=. */
typedef void (*candidate_fn)(void *arg, const char *word);
bool complete_words(struct session *session, const char *const *words, unsigned count,
                    candidate_fn fn, void *arg);

/* help.c */
void show_help(struct buf *to, const struct ctl_command *command);

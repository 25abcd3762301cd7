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

struct session {
    const struct ctl_line *line;
    struct output out;
    struct ctl_client_config config;
    struct ctl_client *client; /* NULL until something was asked */
};

/* Set by SIGINT and SIGTERM. */
extern volatile sig_atomic_t interrupted;

/* Ask the daemon; connects first when needed. What goes wrong is said on stderr. On EXIT_DONE
 * *ret_result is owned and may be NULL. */
NODISCARD
enum exit_code session_call(struct session *session, const struct ctl_call *call,
                            json_t **ret_result);
enum exit_code exit_code_of(enum ctl_outcome outcome);
/* After CTL_REFUSED. */
enum exit_code refusal_code(const struct session *session);

/* The arguments of the command line; NULL when not given. */
json_t *session_arg(const struct session *session, const char *key);
const char *session_arg_text(const struct session *session, const char *key);

/* A file, or stdin for "-", appended. Says what went wrong. */
NODISCARD
bool read_input(const char *path, size_t max, struct buf *to);
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

/* help.c */
void show_help(FILE *file, const struct ctl_command *command);

/* post.c: signed webhooks over HTTP */
struct poster;
NODISCARD
struct poster *poster_new(const char *url, int64_t timeout_ms);
void poster_free(struct poster *poster);
/* *ret_status 0: no answer, *ret_why says why (static). */
void poster_send(struct poster *poster, struct str body, const char *signature,
                 unsigned *ret_status, const char **ret_why);

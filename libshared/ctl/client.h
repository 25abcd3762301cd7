/* A blocking client of the control socket, for sioctl. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/ctl/command.h"
#include "libshared/error.h"

struct ctl_client;

/* How a conversation ended; each has an exit code of sioctl's. */
enum ctl_outcome {
    CTL_DONE,
    CTL_REFUSED,     /* the daemon said no; ctl_client_code() says which */
    CTL_UNREACHABLE, /* nobody there, not allowed to connect, or hung up before the answer */
    CTL_TIMED_OUT,
    CTL_INTERRUPTED, /* the flag below was set while waiting */
    CTL_UNREAD,      /* whom the answer is for has gone; see ctl_call */
};

struct ctl_client_config {
    const char *path;   /* NULL: ctl_socket_path() chooses */
    int64_t timeout_ms; /* for the greeting, and for each answer; < 0 = none */
    /* Checked when a signal handler interrupts waiting; NULL = never interrupted. */
    const volatile sig_atomic_t *interrupted;
};

/* `given` when not NULL; else $SIOD_SOCKET; else ./siod-dev/siod.sock if it is there; else
 * /run/siod/siod.sock. Borrows. */
const char *ctl_socket_path(const char *given);

/* Connects and checks the greeting. *ret only on CTL_DONE, otherwise msg says what is wrong. */
NODISCARD
enum ctl_outcome ctl_client_open(const struct ctl_client_config *config, struct ctl_client **ret,
                                 struct errmsg *msg);
void ctl_client_close(struct ctl_client *client);
/* May it be asked once more? Not after a call that did not come to its end, and not when the daemon
 * has hung up. */
bool ctl_client_usable(const struct ctl_client *client);
/* For the calls from now on, as in the configuration. */
void ctl_client_set_timeout(struct ctl_client *client, int64_t timeout_ms);
/* Readable while nothing was asked: the daemon has hung up. Borrowed. */
int ctl_client_fd(const struct ctl_client *client);

/* A piece of a stream, borrowed; false ends it. */
typedef bool (*ctl_piece_fn)(void *arg, json_t *piece);

struct ctl_call {
    const char *cmd;
    const json_t *args;
    ctl_piece_fn on_piece; /* NULL: pieces are put together */
    void *arg;
    bool patient; /* no timeout: a stream that may be silent for hours */
    /* Where the pieces go, a pipe or so: CTL_UNREAD when nobody reads there any more. 0 = nowhere
     * that matters. */
    int reader_fd;
};
/* Asks and waits for the end of the answer. On CTL_DONE *ret_result is owned by the caller and may
 * be NULL: the whole result, or the last piece of a stream (none when on_piece ended it; the client
 * can then only be closed). */
NODISCARD
enum ctl_outcome ctl_client_call(struct ctl_client *client, const struct ctl_call *call,
                                 json_t **ret_result, struct errmsg *msg);
/* The code of the last refusal: "not_found". Empty before one. */
const char *ctl_client_code(const struct ctl_client *client);

/* One request on the control socket, from its line to its last answer: what the command families
 * (status.c, room.c, …) work with.
 *
 * A call ends with control_reply() or control_fail(), which free it. It also ends when its peer
 * goes away: at once, or, while the call is held for a job that is under way, when that job comes
 * back. */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/ctl/command.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/control/server.h"

struct control_peer;

struct control_call {
    struct control_call *next, *prev; /* of the peer */
    struct control *control;
    struct control_peer *peer; /* NULL when nobody waits for the answer any more */
    const struct ctl_command *command;
    json_t *args; /* as ctl_args_accept() returns them */
    void *state;  /* the family's own */
    void (*release)(void *state);

    char *id; /* JSON text */
    unsigned holds;
    unsigned awaited;   /* rows under way: `answer` waits for them */
    enum err unwritten; /* why one of them was not written */
    struct buf answer;  /* its line */
    bool (*slice)(struct control_call *call);
    struct control_call *slice_next, *slice_prev;
    void (*on_drain)(struct control_call *call);
    bool streams; /* control_stream() */
};

/* A row of commands.def without its function does not link. */
#define CONTROL_DAEMON(id) void control_##id(struct control_call *call);
#define CONTROL_BOTH(id)   void control_##id(struct control_call *call);
#define CONTROL_LOCAL(id)
#define CTL(id, grammar, access, where, help) CONTROL_##where(id)
#include "libshared/ctl/commands.def"
#undef CTL

const struct control_config *control_config(const struct control_call *call);

/* For a command that only sometimes needs more access than its row says: audits it, or ends the
 * call and returns false. */
NODISCARD
bool control_require(struct control_call *call, enum ctl_access access);

/* The result, JSON text; empty = none. */
void control_reply(struct control_call *call, struct str result);
/* A piece of the result; more follows. */
void control_piece(struct control_call *call, struct str result);
/* NULL format: the error's own sentence. */
PRINTF(3, 4)
void control_fail(struct control_call *call, enum err err, const char *format, ...);

/* The answer waits for a row that is given to the store, until it has arrived there. An error
 * becomes the answer: what was done may be undone by a restart. */
void control_await(struct control_call *call);
void control_arrived(struct control_call *call, enum err err);

/* From now on the call goes on until somebody ends it, and other calls of its peer do not wait for
 * it. False: the peer has too many such, and the call is gone. */
NODISCARD
bool control_stream(struct control_call *call);

/* Around a job that is given away: hold before, unhold when it comes back. False: nobody waits any
 * more; the call and its state are gone. */
void control_hold(struct control_call *call);
NODISCARD
bool control_unhold(struct control_call *call);

/* Call slice() in turn with those of other calls, at most once a round and whenever the peer has
 * read most of what it was sent, until it returns false or ends the call (then it returns false
 * too). */
void control_produce(struct control_call *call, bool (*slice)(struct control_call *call));
/* In a slice, after each row that was looked at: is this enough for a round, or a piece? */
bool control_slice_over(struct control_call *call, const struct buf *piece);
/* Before a row is appended to a piece, which ends with the bracket or with another row. */
void control_piece_row(struct buf *piece);
/* At the end of a slice: a piece, or the last one, which ends the call. Returns `more`. */
bool control_send_piece(struct control_call *call, const struct buf *piece, bool more);
/* Before returning false from a slice without having ended the call. */
void control_produce_stop(struct control_call *call);

/* Has the peer fallen behind? A stream then leaves records out; on_drain says when all was read. */
bool control_behind(const struct control_call *call);

/* Args: 0 or NULL when not given. */
int64_t control_arg_int(const struct control_call *call, const char *key);
struct str control_arg_str(const struct control_call *call, const char *key);
json_t *control_arg(const struct control_call *call, const char *key);

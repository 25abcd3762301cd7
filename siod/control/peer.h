/* The control server's own state, shared by server.c, peer.c and call.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "libshared/ctl/command.h"
#include "libshared/ctl/frame.h"
#include "siod/control/call.h"
#include "siod/net/loop.h"
#include "siod/net/transport.h"

enum {
    PEERS_MAX = 128,
    /* Calls of one peer at a time; more wait in its buffer and its kernel. And so many streams,
     * that never end by themselves: more are refused. */
    CALLS_MAX = 32,
    CALLS_OPERATE_MAX = 256,  /* of one that may change things: a replay fills groups of commits */
    LONG_LINE = 64 * 1024,    /* parsed on a thread: jansson takes milliseconds for it */
    BEHIND_MAX = 1024 * 1024, /* bytes that a stream may have waiting for its reader */
    PRODUCE_MAX = 256 * 1024, /* and a list */
    PIECE_MAX = 64 * 1024,    /* of a list */
};

struct control_parse;

struct control_peer {
    struct control_peer *next, *prev;
    struct control *control; /* NULL once that is gone */
    struct conn *conn;
    enum ctl_access access;
    uid_t uid;
    pid_t pid;
    struct ctl_lines lines;
    struct control_parse *parse; /* a long line that is with the thread */
    struct control_call *calls;
    unsigned call_count, stream_count; /* of calls that end and of those that do not */
    bool advancing, closing;
    bool delivers; /* it has handed in a webhook */
};

struct control {
    struct control_config config;
    uid_t *operators;
    struct listener *listener;
    struct pool *pool;
    struct control_peer *peers;
    unsigned peer_count, tails;
    struct control_call *producers; /* who is next comes first */
    struct loop_slice slice;        /* of this round, for all of them */
    struct loop_hook hook;
    uint64_t started_ms;
    int64_t started_wall_ms;
};

/* peer.c */
void control_accept(void *control, struct conn *conn);
/* Take further lines, if there are any and not too many calls are under way. */
void control_peer_advance(struct control_peer *peer);
void control_peer_send(struct control_peer *peer, struct str line);
/* CALLS_MAX or CALLS_OPERATE_MAX */
unsigned control_peer_calls_max(const struct control_peer *peer);

/* call.c */
/* Takes the request. */
void control_call_start(struct control_peer *peer, struct ctl_request *request);
/* The peer is gone. */
void control_call_abandon(struct control_call *call);
/* The hook: a slice for calls that produce, as many as a round has time for. */
void control_produce_all(void *control);
size_t control_behind_max(const struct control *control);

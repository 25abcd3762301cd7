#include "siod/chat/order.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/events.h"

enum { HELD_MAX = 1024 }; /* of one socket: who sends more while the store is slow is refused */

struct held {
    struct held *prev, *next;
    struct str name; /* of the handler: lives for good */
    int64_t ack;
    bool reads_store;
    order_call *call;
    _Alignas(max_align_t) unsigned char bound[];
};

/* A chat about which an event is under way. */
struct turn {
    UT_hash_handle hh; /* socket->turns */
    int64_t chat_id;
    struct held *held;
    unsigned writes; /* all of them ahead of what is held */
    bool waits;      /* for the store */
    bool calling;    /* goes on by itself */
};

static struct turn *find_turn(const struct desk_socket *socket, int64_t chat_id)
{
    struct turn *turn;

    HASH_FIND(hh, socket->turns, &chat_id, sizeof chat_id, turn);
    return turn;
}

static bool must_wait(const struct turn *turn, bool reads_store)
{
    return turn->waits || (reads_store && turn->writes > 0);
}

NOINLINE bool order_hold(const struct event_ctx *ctx, struct order_subject subject,
                         order_call *call, const void *bound, size_t size)
{
    struct desk_socket *socket = ctx->from;
    struct turn *turn = find_turn(socket, subject.chat_id);
    struct held *held;

    if (turn == NULL || (turn->held == NULL && !must_wait(turn, subject.reads_store))) {
        return false;
    }
    if (socket->held >= HELD_MAX) {
        event_refuse(socket->socket, ctx->name, ctx->ack, ERR_RATE_LIMITED,
                     "too many events wait for the store");
        return true;
    }
    held = xmalloc(sizeof *held + size);
    held->name = ctx->name;
    held->ack = ctx->ack;
    held->reads_store = subject.reads_store;
    held->call = call;
    memcpy(held->bound, bound, size);
    DL_APPEND(turn->held, held);
    socket->held++;
    return true;
}

static struct turn *get_turn(struct desk_socket *socket, int64_t chat_id)
{
    struct turn *turn = find_turn(socket, chat_id);

    if (turn == NULL) {
        turn = xnew(struct turn);
        turn->chat_id = chat_id;
        HASH_ADD(hh, socket->turns, chat_id, sizeof chat_id, turn);
    }
    return turn;
}

void order_wait(const struct event_ctx *ctx, int64_t chat_id)
{
    get_turn(ctx->from, chat_id)->waits = true;
}

void order_write(const struct event_ctx *ctx, int64_t chat_id)
{
    get_turn(ctx->from, chat_id)->writes++;
}

static void call_next(const struct event_ctx *ctx, struct turn *turn)
{
    struct held *held = turn->held;
    const struct event_ctx held_ctx = {
        .desk = ctx->desk, .from = ctx->from, .name = held->name, .ack = held->ack
    };

    DL_DELETE(turn->held, held);
    ctx->from->held--;
    held->call(&held_ctx, held->bound);
    free(held);
}

static void free_turn(struct desk_socket *socket, struct turn *turn)
{
    struct held *held, *next;

    DL_FOREACH_SAFE (turn->held, held, next) {
        free(held);
    }
    HASH_DEL(socket->turns, turn);
    free(turn);
}

static void go_on(const struct event_ctx *ctx, struct turn *turn)
{
    if (turn->calling) { /* the one that was called got its answer at once */
        return;
    }
    turn->calling = true;
    while (turn->held != NULL && !must_wait(turn, turn->held->reads_store)) {
        call_next(ctx, turn);
    }
    turn->calling = false;
    if (!turn->waits && turn->writes == 0) {
        free_turn(ctx->from, turn);
    }
}

void order_go_on(const struct event_ctx *ctx, int64_t chat_id)
{
    struct turn *turn = find_turn(ctx->from, chat_id);

    turn->waits = false;
    go_on(ctx, turn);
}

void order_written(const struct event_ctx *ctx, int64_t chat_id)
{
    struct turn *turn = find_turn(ctx->from, chat_id);

    turn->writes--;
    go_on(ctx, turn);
}

NOINLINE void order_drop(struct desk_socket *socket)
{
    struct turn *turn, *next;

    HASH_ITER (hh, socket->turns, turn, next) {
        free_turn(socket, turn);
    }
}

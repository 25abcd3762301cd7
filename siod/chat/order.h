/* The events of one socket about one chat take effect in the order in which they were sent.
 *
 * Most take effect at once. One that cannot, because the store has to be asked first, holds up what
 * comes behind it about the same chat: order_wait(). When it has taken effect or was refused, those
 * follow: order_go_on(). What is about another chat passes by.
 *
 * One that is written to the store holds up only what reads there: order_write(), until
 * order_written(). Whatever comes behind that waits with it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct desk_socket;
struct event_ctx;

typedef void order_call(const struct event_ctx *ctx, const void *bound);

/* What an event is about. */
struct order_subject {
    int64_t chat_id;  /* 0 = none */
    bool reads_store; /* what it is answered with */
};
/* Is something ahead of this event? Then it is called in its turn, with a copy of `bound`, or it
 * was refused because too many wait. */
bool order_hold(const struct event_ctx *ctx, struct order_subject subject, order_call *call,
                const void *bound, size_t size);
/* The event that is being handled will take effect later. */
void order_wait(const struct event_ctx *ctx, int64_t chat_id);
/* It has. */
void order_go_on(const struct event_ctx *ctx, int64_t chat_id);
/* The event that is being handled is on its way to the store. */
void order_write(const struct event_ctx *ctx, int64_t chat_id);
/* It is there, or was refused. */
void order_written(const struct event_ctx *ctx, int64_t chat_id);
/* The socket goes: nobody waits for anything any more. */
void order_drop(struct desk_socket *socket);

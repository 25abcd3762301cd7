/* The events of one socket about one chat take effect in the order in which they were sent.
 *
 * Most take effect at once. One that cannot, because the store has to be asked first, holds up what
 * comes behind it about the same chat: order_wait(). When it has taken effect or was refused, those
 * follow: order_go_on(). What is about another chat passes by. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct desk_socket;
struct event_ctx;

typedef void order_call(const struct event_ctx *ctx, const void *bound);

/* Is something ahead of this event? Then it is called in its turn, with a copy of `bound`, or it
 * was refused because too many wait. */
bool order_hold(const struct event_ctx *ctx, int64_t chat_id, order_call *call, const void *bound,
                size_t size);
/* The event that is being handled will take effect later. */
void order_wait(const struct event_ctx *ctx, int64_t chat_id);
/* It has. */
void order_go_on(const struct event_ctx *ctx, int64_t chat_id);
/* The socket goes: nobody waits for anything any more. */
void order_drop(struct desk_socket *socket);

/* A loop that the target turns by hand: siod/net/loop.h on a clock that only moves when it is told
 * to, with the daemon's own timer wheel. Linked instead of the layer's loop.c. */
#pragma once

#include <stdint.h>

struct loop;

/* Start a round `ms` after the last one: due timers fire. */
void fake_loop_begin(struct loop *loop, uint64_t ms);
/* End it: posted calls, then the hooks. */
void fake_loop_end(struct loop *loop);

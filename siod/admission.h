/* Which Engine.IO handshakes are taken: limits.handshakes_per_s, so that a storm of reconnecting
 * clients is answered with a cheap 503 and comes in at a rate that can be served. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* A bucket of one second's worth of handshakes that is refilled continuously. */
struct admission {
    const struct loop *loop;
    unsigned per_s; /* 0 = no limit */
    uint64_t refilled_ms;
    uint64_t milli; /* thousandths of a handshake that are left */
};

void admission_init(struct admission *admission, const struct loop *loop, unsigned per_s);
/* A new rate for an admission that runs; the same one changes nothing. */
void admission_set_rate(struct admission *admission, unsigned per_s);
/* For eio_config.admit, with the struct as its argument. */
bool admission_take(void *admission, const char *address);

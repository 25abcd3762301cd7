/* A connection that posts webhooks over HTTP/1.1, one after the other. */
#pragma once

#include <stdint.h>

#include "bench/lib/loop.h"
#include "libshared/base.h"
#include "libshared/str.h"

struct poster;

struct poster_ops {
    void (*ready)(struct poster *poster); /* connected */
    void (*answered)(struct poster *poster, unsigned status);
};

/* Embedded; zero-initialised but for ops and data. */
struct poster {
    struct conn conn;
    const struct poster_ops *ops;
    void *data;       /* the scenario's */
    uint64_t sent_ns; /* when the request under way was sent, or due */
};

void poster_open(struct poster *poster, struct loop *loop);
/* A request whose body is signed with `secret`. The answer to the last one must have come. */
void poster_post(struct poster *poster, const char *path, struct str secret, struct str body,
                 uint64_t sent_ns);

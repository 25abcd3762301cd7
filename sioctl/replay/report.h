/* Reports of a replay for continuous integration: JUnit's XML and TAP. What others wrote is in them
 * as it is on a terminal: without control characters. Pure. */
#pragma once

#include <stddef.h>

#include "libshared/buf.h"

struct replay_case {
    const char *name;
    struct buf failure;  /* what is wrong, line by line; empty: nothing */
    const char *skipped; /* why nobody knows, NULL: somebody does; borrowed */
};

/* seconds: the whole took. */
void replay_report_junit(struct buf *out, const struct replay_case *cases, size_t count,
                         double seconds);
void replay_report_tap(struct buf *out, const struct replay_case *cases, size_t count);

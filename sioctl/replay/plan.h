/* Which deliveries a replay makes, in which order and when: from the records' times, options and a
 * seed alone. The same seed makes the same plan, on every machine. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum replay_order {
    REPLAY_RECORDED, /* as they stand in the files, one file after the other */
    REPLAY_TIME,     /* by the time they came at: several recordings become one */
    REPLAY_SHUFFLE,  /* any */
};

struct replay_options {
    enum replay_order order;
    double speed;     /* times as fast as they came; 0 = without waiting */
    double rate;      /* a second; 0 = without waiting. Not both */
    double dup;       /* how likely a delivery is made once more, and that one again */
    uint64_t reorder; /* so many places a delivery may be away from its own; 0 = none */
    uint64_t seed;
};

/* When a record came. */
struct replay_time {
    size_t file;           /* which of the files it is in, in their order */
    int64_t started_at_ms; /* Unix time, 0 = not known */
    int64_t at_ms;         /* since then */
};

/* One delivery. */
struct replay_step {
    size_t record;
    unsigned copy;   /* 0: the first time */
    uint64_t due_us; /* since the start; never less than that of the step before */
};

struct replay_plan {
    struct replay_step *steps;
    size_t count;
};

enum { REPLAY_COPIES_MAX = 8 };
/* Nothing is due later, 31 years from the start. */
#define REPLAY_DUE_MAX_US 1e15

/* Release with replay_plan_finish(). */
void replay_plan_make(const struct replay_options *options, const struct replay_time *times,
                      size_t count, struct replay_plan *ret_plan);
void replay_plan_finish(struct replay_plan *plan);

/* The hot paths whose instructions are counted; the file `counts` says what each may cost. */
#pragma once

#include "libshared/token.h"
#include "tests/guard/rig.h"

enum {
    CUSTOMERS = 8,
    MEMBERS = 50, /* of the fan-out, besides the sender */
    EVENTS = 8,
    BATCH = 10,
    CHATS = 128, /* at least as many as any case has operations */
};

/* What the cases have in common; each uses what it needs. */
struct guard {
    struct siod *siod;
    struct client http[BATCH];
    struct client agent, members[MEMBERS];
    struct token_verifier *tokens; /* NULL = the daemon's */
    char *token;
    unsigned number; /* of the last message */
};

/* Operations run one after the other, from i = 0: first those that fill caches, then those that are
 * counted. Each makes sure that what it measures has happened. */
struct guard_case {
    const char *name;
    unsigned warm_up, measured;
    unsigned per; /* how many of `what` an operation is */
    void (*prepare)(struct guard *guard);
    void (*run)(struct guard *guard, unsigned i);
    void (*check)(struct guard *guard); /* at the end; NULL = nothing more to check */
    const char *what;
};
extern const struct guard_case guard_cases[];
extern const size_t guard_case_count;

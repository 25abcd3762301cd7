/* Holds a store's writer thread until it is let go, so that jobs gather. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "siod/store/store.h"

struct gate {
    struct store_job job;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open;
    bool done; /* as the loop was told */
};

/* Borrowed until the test ends: its teardown calls gates_forget(). */
struct gate *gate_close(struct store *store);
/* Until the writer is in it: what is submitted later waits. */
void gate_await(struct gate *gate);
void gate_open(struct gate *gate);
/* Opens all that were closed. */
void gates_open(void);
/* Was the loop told of all of them? */
bool gates_are_done(void);
/* Opens those that a failure left closed, for the store to be closed. */
void gates_forget(void);

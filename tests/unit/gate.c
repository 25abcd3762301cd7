#include "tests/unit/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Of the test that runs. */
static struct gate gates[200];
static size_t gate_count;

static enum err gate_apply(struct store_job *job, struct store_tx *tx)
{
    struct gate *gate = CONTAINER_OF(job, struct gate, job);

    (void)tx;
    pthread_mutex_lock(&gate->lock);
    gate->entered = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
    return OK;
}

static void gate_done(struct store_job *job, enum err err)
{
    (void)err;
    CONTAINER_OF(job, struct gate, job)->done = true;
}

struct gate *gate_close(struct store *store)
{
    struct gate *gate = &gates[gate_count++];

    assert_true(gate_count < ARRAY_SIZE(gates));
    *gate = (struct gate) { .job = { .apply = gate_apply, .done = gate_done },
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER };
    assert_true(store_submit(store, &gate->job));
    return gate;
}

void gate_await(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->entered) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

void gates_open(void)
{
    for (size_t i = 0; i < gate_count; i++) {
        gate_open(&gates[i]);
    }
}

bool gates_are_done(void)
{
    for (size_t i = 0; i < gate_count; i++) {
        if (!gates[i].done) {
            return false;
        }
    }
    return true;
}

void gates_forget(void)
{
    gates_open();
    gate_count = 0;
}

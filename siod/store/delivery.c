/* What the loop thread is told: the writer fills a struct delivery and posts it. Each holds a
 * reference to the store, so that store_close() need not wait for the loop. */
#include <stdio.h>

#include "libshared/alloc.h"
#include "siod/store/worker.h"

void queue_init(struct queue *queue)
{
    *queue = (struct queue) { .end = &queue->first };
}

void queue_push(struct queue *queue, struct store_job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
    queue->count++;
}

void queue_move(struct queue *to, struct queue *from)
{
    if (from->count > 0) {
        *to->end = from->first;
        to->end = from->end;
        to->count += from->count;
        queue_init(from);
    }
}

struct store_job *queue_pop(struct queue *queue)
{
    struct store_job *job = queue->first;

    if (job != NULL) {
        queue->first = job->next;
        if (--queue->count == 0) {
            queue->end = &queue->first;
        }
    }
    return job;
}

void store_unref(struct store *store)
{
    if (atomic_fetch_sub(&store->refs, 1) == 1) {
        pthread_cond_destroy(&store->wake);
        pthread_mutex_destroy(&store->lock);
        free(store);
    }
}

static void deliver(struct loop_call *call)
{
    struct delivery *delivery = CONTAINER_OF(call, struct delivery, call);
    struct store *store = delivery->store;
    const struct store_config *config = &store->config;
    struct store_job *job;

    if (delivery->health_changed) {
        store->health = delivery->health;
        memcpy(store->reason, delivery->reason, sizeof(store->reason));
        if (config->on_health != NULL) {
            config->on_health(config->arg, store->health, store->reason);
        }
    }
    if (delivery->events != NULL && config->on_commit != NULL) {
        config->on_commit(config->arg, TAKE(delivery->events));
    }
    store_events_free(delivery->events);
    while ((job = queue_pop(&delivery->jobs)) != NULL) {
        job->done(job, job->result);
    }
    free(delivery);
    store_unref(store);
}

struct delivery *delivery_new(struct store *store)
{
    struct delivery *delivery = xnew(struct delivery);

    delivery->call.fn = deliver;
    delivery->store = store;
    queue_init(&delivery->jobs);
    atomic_fetch_add(&store->refs, 1);
    return delivery;
}

void delivery_health(struct delivery *delivery, enum store_health health, const char *reason)
{
    delivery->health_changed = true;
    delivery->health = health;
    snprintf(delivery->reason, sizeof(delivery->reason), "%s", reason);
}

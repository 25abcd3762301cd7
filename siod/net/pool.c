/* A fixed pool of threads. One queue, first come first served; a job moves to the thread that runs
 * it and comes back to the loop as a posted call, so nobody else touches it meanwhile. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/thread.h"
#include "siod/net/loop.h"

struct worker {
    struct pool *pool;
    unsigned index;
    pthread_t thread;
};

struct pool {
    struct loop *loop;
    pthread_mutex_t lock;
    pthread_cond_t arrival;
    struct pool_job *first, **end;
    bool closing;
    unsigned count;
    struct worker workers[];
};

static void deliver(struct loop_call *call)
{
    struct pool_job *job = CONTAINER_OF(call, struct pool_job, call);

    job->done(job);
}

/* The next job, or NULL when the pool is closing and nothing is left. */
static struct pool_job *take(struct pool *pool)
{
    struct pool_job *job;

    pthread_mutex_lock(&pool->lock);
    while (pool->first == NULL && !pool->closing) {
        pthread_cond_wait(&pool->arrival, &pool->lock);
    }
    job = pool->first;
    if (job != NULL) {
        pool->first = job->next;
        if (pool->first == NULL) {
            pool->end = &pool->first;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct pool_job *job;

    while ((job = take(worker->pool)) != NULL) {
        job->run(job, worker->index);
        job->call.fn = deliver;
        loop_post(worker->pool->loop, &job->call);
    }
    return NULL;
}

struct pool *pool_new(struct loop *loop, const char *name, unsigned threads)
{
    struct pool *pool = xcalloc(1, sizeof *pool + threads * sizeof pool->workers[0]);

    pool->loop = loop;
    pool->end = &pool->first;
    pool->count = threads;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->arrival, NULL);
    for (unsigned i = 0; i < threads; i++) {
        struct worker *worker = &pool->workers[i];

        worker->pool = pool;
        worker->index = i;
        thread_start(&worker->thread, name, work, worker);
    }
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->arrival);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++) {
        pthread_join(pool->workers[i].thread, NULL);
    }
    pthread_cond_destroy(&pool->arrival);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void pool_submit(struct pool *pool, struct pool_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    *pool->end = job;
    pool->end = &job->next;
    pthread_cond_signal(&pool->arrival);
    pthread_mutex_unlock(&pool->lock);
}

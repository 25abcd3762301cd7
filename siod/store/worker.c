/* The writer thread: group commit.
 *
 * Jobs wait in a queue. The writer takes those that are there into a batch, applies all of them in
 * one transaction, numbers and writes the log rows of the whole batch, commits, and posts the batch
 * to the loop in one call. While it commits the next batch gathers, so a batch grows with the load
 * and nobody waits for company; but a queue of patient jobs alone waits for it when there was a
 * commit a moment ago. A job that has to be undone is rare: it is left out and the rest of its
 * batch runs again, now each in a savepoint, so that any number of them costs one repetition.
 *
 * When the database fails, the batch and all jobs that wait are posted with ERR_STORE and
 * store_submit() refuses; the writer then tries to recover until the disk has proved itself with a
 * durable transaction. */
#include "siod/store/worker.h"

#include <errno.h>
#include <time.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/log.h"

enum {
    BATCH_JOBS = 512,
    BATCH_MS = 25,    /* a batch that has run this long is committed: it bounds the latency */
    BUSY_JOBS = 4,    /* in a batch: there is a load */
    PATIENCE_MS = 25, /* between two batches that nobody waits for */
    STABLE_MS = 5000, /* a failure this soon after a recovery doubles the delay to the next */
    RETRY_FACTOR_MAX = 4,
};

/* ------------------------------------------------------------------ a batch */

/* ERR_CONFLICT: the job has rolled the transaction back, or must be undone and began without a
 * savepoint: start again without it. */
static enum err apply_job(struct store_tx *tx, struct store_job *job, bool savepoint)
{
    const struct store_backend *backend = tx->backend;
    struct rowlog_mark mark = rowlog_mark(&tx->log);
    enum err err = backend->job_begin(tx, savepoint);

    tx->log.job++;
    if (err != OK) {
        return err;
    }
    job->result = job->apply(job, tx);
    if (tx->fault.set) {
        return ERR_STORE;
    }
    if (job->result == OK) {
        return backend->job_keep(tx);
    }
    rowlog_undo(&tx->log, mark);
    if (!backend->alive(tx)) {
        return ERR_CONFLICT;
    }
    return backend->job_undo(tx);
}

static struct store_job *take_job(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    struct store_job *job = queue_pop(&store->waiting);
    store->urgent = store->urgent && store->waiting.count > 0;
    store_refresh_accepting(store);
    pthread_mutex_unlock(&store->lock);
    return job;
}

/* Takes what waits, also what comes meanwhile. */
static enum err apply_waiting(struct store *store, struct queue *batch)
{
    uint64_t end_ms = clock_monotonic_ms() + BATCH_MS;
    struct store_job *job;
    enum err err = OK;

    while (err == OK && (job = take_job(store)) != NULL) {
        queue_push(batch, job);
        err = apply_job(store->tx, job, false);
        if (batch->count == BATCH_JOBS || clock_monotonic_ms() >= end_ms) {
            break;
        }
    }
    return err;
}

/* The jobs of a batch that have not failed, once more. */
static enum err apply_again(struct store_tx *tx, struct queue *batch)
{
    enum err err = OK;

    for (struct store_job *job = batch->first; err == OK && job != NULL; job = job->next) {
        if (job->result == OK) {
            err = apply_job(tx, job, true);
        }
    }
    return err;
}

static enum err apply_batch(struct store *store, struct queue *batch)
{
    struct store_tx *tx = store->tx;
    enum err err = tx->backend->begin(tx);

    if (err == OK) {
        err = apply_waiting(store, batch);
    }
    while (err == ERR_CONFLICT) {
        rowlog_clear(&tx->log);
        tx->backend->rollback(tx);
        err = tx->backend->begin(tx);
        if (err == OK) {
            err = apply_again(tx, batch);
        }
    }
    return err;
}

/* Businesses in ascending order, as a database with row locks needs it. */
static enum err number_rows(struct store_tx *tx, struct rowlog_count *counts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t last;
        enum err err =
            tx->backend->position_advance(tx, counts[i].business_id, counts[i].rows, &last);

        if (err != OK) {
            return err;
        }
        counts[i].first = last - counts[i].rows + 1;
    }
    return OK;
}

static enum err write_log(struct store_tx *tx, struct store_events **ret_events)
{
    size_t count;
    autofree struct rowlog_count *counts = rowlog_counts(&tx->log, &count);
    enum err err = number_rows(tx, counts, count);

    if (err != OK || count == 0) {
        return err;
    }
    *ret_events = rowlog_pack(&tx->log, counts, count);
    for (size_t i = 0; err == OK && i < (*ret_events)->count; i++) {
        err = tx->backend->log_insert(tx, &(*ret_events)->rows[i]);
    }
    return err;
}

static void count_batch(struct store *store, const struct delivery *delivery, uint64_t commit_ns)
{
    struct store_stats *stats = &store->stats;
    int64_t file_bytes, wal_bytes;

    store->backend->bytes(store->tx, &file_bytes, &wal_bytes);
    pthread_mutex_lock(&store->lock);
    stats->commits++;
    stats->commit_ns += commit_ns;
    stats->bytes = file_bytes + wal_bytes;
    stats->wal_bytes = wal_bytes;
    stats->jobs += delivery->jobs.count;
    stats->rows_logged += delivery->events != NULL ? delivery->events->count : 0;
    for (const struct store_job *job = delivery->jobs.first; job != NULL; job = job->next) {
        stats->job_failures += job->result != OK;
    }
    pthread_mutex_unlock(&store->lock);
}

static enum err batch_commit(struct store *store, struct delivery *delivery)
{
    uint64_t start_ns = clock_monotonic_ns();
    enum err err = store->backend->commit(store->tx);

    if (err == OK) {
        count_batch(store, delivery, clock_monotonic_ns() - start_ns);
    }
    return err;
}

/* ------------------------------------------------------------------ failure and recovery */

static void fail_jobs(struct queue *jobs)
{
    for (struct store_job *job = jobs->first; job != NULL; job = job->next) {
        job->result = ERR_STORE;
    }
}

/* Posts the batch and everything that waits as failed. */
static void store_fail(struct store *store, struct delivery *delivery)
{
    struct store_tx *tx = store->tx;
    uint64_t now_ms = clock_monotonic_ms();
    bool soon = store->recovered_ms != 0 && now_ms < store->recovered_ms + STABLE_MS;

    store->retry_factor = soon ? MIN(store->retry_factor * 2, (unsigned)RETRY_FACTOR_MAX) : 1;
    tx->backend->rollback(tx);
    rowlog_clear(&tx->log);
    store_events_free(TAKE(delivery->events));
    pthread_mutex_lock(&store->lock);
    queue_move(&delivery->jobs, &store->waiting);
    store->failed = true;
    store->stats.commit_failures++;
    store->stats.jobs += delivery->jobs.count;
    store->stats.job_failures += delivery->jobs.count;
    store_refresh_accepting(store);
    pthread_mutex_unlock(&store->lock);

    log_error(LOG_STORE, "store failed", "reason=\"%s\" jobs=%zu", tx->fault.reason,
              delivery->jobs.count);
    fail_jobs(&delivery->jobs);
    delivery_health(delivery, STORE_FAILED, tx->fault.reason);
    loop_post(store->loop, &delivery->call);
}

/* That it is damaged, and how far, is known only now: it is more than what was told at first. */
static void tell_damage(struct store *store)
{
    const struct store_fault *fault = &store->tx->fault;
    struct delivery *delivery;

    if (fault->corrupt && strcmp(fault->reason, store->damage) != 0) {
        memcpy(store->damage, fault->reason, sizeof store->damage);
        delivery = delivery_new(store);
        delivery_health(delivery, STORE_FAILED, fault->reason);
        loop_post(store->loop, &delivery->call);
    }
}

static void store_recover(struct store *store)
{
    struct delivery *delivery;

    if (store->backend->recover(store->tx) != OK) {
        log_debug(LOG_STORE, "store still fails", "reason=\"%s\"", store->tx->fault.reason);
        tell_damage(store);
        return;
    }
    store->damage[0] = '\0';
    store->recovered_ms = clock_monotonic_ms();
    delivery = delivery_new(store);
    delivery_health(delivery, STORE_OK, "");
    log_info(LOG_STORE, "store works again", "epoch=%s", store->epoch);
    pthread_mutex_lock(&store->lock);
    store->failed = false;
    store_refresh_accepting(store);
    pthread_mutex_unlock(&store->lock);
    loop_post(store->loop, &delivery->call);
}

/* ------------------------------------------------------------------ the writer thread */

/* How many jobs it took. */
static size_t run_batch(struct store *store)
{
    struct store_tx *tx = store->tx;
    struct delivery *delivery = delivery_new(store);
    enum err err = apply_batch(store, &delivery->jobs);
    size_t jobs = delivery->jobs.count;

    if (err == OK) {
        err = write_log(tx, &delivery->events);
    }
    if (err == OK) {
        err = batch_commit(store, delivery);
    }
    if (err != OK) {
        store_fault_set(&tx->fault, "%s", err_text(err));
        store_fail(store, delivery);
        return jobs;
    }
    rowlog_clear(&tx->log);
    loop_post(store->loop, &delivery->call);
    return jobs;
}

/* After a batch was posted: its jobs are safe whatever becomes of this. When jobs come many at a
 * time, that none waits says nothing: their next ones are on the way. */
static void maintain(struct store *store, size_t batch_jobs)
{
    pthread_mutex_lock(&store->lock);
    bool idle = store->waiting.count == 0 && batch_jobs < BUSY_JOBS;
    pthread_mutex_unlock(&store->lock);

    if (!store->failed && store->backend->maintain(store->tx, idle) != OK) {
        store_fail(store, delivery_new(store));
    }
}

/* Returns early when siod stops, or *enough. */
static void wait_ms(struct store *store, uint64_t ms, const bool *enough)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!store->stopping && !*enough &&
           pthread_cond_timedwait(&store->wake, &store->lock, &until) != ETIMEDOUT) {
    }
}

static void await_job(struct store *store)
{
    uint64_t next_ms = store->batch_ms + PATIENCE_MS, now_ms;

    while (store->waiting.count == 0 && !store->suspect && !store->stopping) {
        pthread_cond_wait(&store->wake, &store->lock);
    }
    now_ms = clock_monotonic_ms();
    if (now_ms < next_ms) {
        store->idle = true;
        wait_ms(store, next_ms - now_ms, &store->urgent);
    }
}

/* Waits until there is something to do; false when that is to end. */
static bool await_work(struct store *store)
{
    const bool never = false;

    pthread_mutex_lock(&store->lock);
    store->idle = true;
    if (store->failed) {
        wait_ms(store, store->retry_factor * store->config.retry_ms, &never);
    } else {
        await_job(store);
    }
    store->idle = false;
    bool go_on = !store->stopping || store->waiting.count > 0;
    pthread_mutex_unlock(&store->lock);
    return go_on;
}

/* A reader has found what makes no sense: nothing is accepted until all of it was looked at. */
static bool take_suspicion(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    bool suspect = store->suspect && !store->failed;
    store->suspect = false;
    pthread_mutex_unlock(&store->lock);
    if (suspect) {
        store->tx->fault.corrupt = true;
        store_fault_set(&store->tx->fault, "the database is damaged: what was read makes no sense");
        store_fail(store, delivery_new(store));
    }
    return suspect;
}

void *store_writer_main(void *arg)
{
    struct store *store = arg;

    while (await_work(store)) {
        if (store->failed) {
            store_recover(store);
        } else if (!take_suspicion(store)) {
            size_t jobs = run_batch(store);

            store->batch_ms = clock_monotonic_ms();
            maintain(store, jobs);
        }
    }
    return NULL;
}

/* Read jobs: one connection a pool thread, so a job has its thread's to itself and nothing here
 * needs a lock. Long ones have a pool of one thread, and the last connection. */
#include <stdatomic.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "siod/store/backend.h"

enum { DEFAULT_READERS = 2 };
static const uint64_t default_timeout_ms = 5000;

struct store_readers {
    struct pool *pool, *care;
    atomic_bool stopping;
    uint64_t timeout_ms;
    atomic_uint_least64_t jobs;
    unsigned count; /* with the last one */
    struct store_reader *reader[];
};

static void close_all(struct store_readers *readers)
{
    for (unsigned i = 0; i < readers->count; i++) {
        readers->reader[i]->backend->reader_close(readers->reader[i]);
    }
    free(readers);
}

enum err store_readers_open(struct loop *loop, const struct store_backend *backend,
                            const struct store_config *config, struct store_readers **ret,
                            struct errmsg *msg)
{
    unsigned wanted = config->readers != 0 ? config->readers : DEFAULT_READERS;
    struct store_readers *readers =
        xcalloc(1, sizeof(*readers) + (wanted + 1) * sizeof(struct store_reader *));

    readers->timeout_ms =
        config->read_timeout_ms != 0 ? config->read_timeout_ms : default_timeout_ms;
    for (; readers->count <= wanted; readers->count++) {
        enum err err = backend->reader_open(config, &readers->reader[readers->count], msg);

        if (err != OK) {
            close_all(readers);
            return err;
        }
    }
    readers->reader[wanted]->stop = &readers->stopping;
    readers->pool = pool_new(loop, "store-read", wanted);
    readers->care = pool_new(loop, "store-care", 1);
    *ret = readers;
    return OK;
}

void store_readers_close(struct store_readers *readers)
{
    if (readers != NULL) {
        atomic_store_explicit(&readers->stopping, true, memory_order_relaxed);
        pool_free(readers->pool);
        pool_free(readers->care);
        close_all(readers);
    }
}

uint64_t store_readers_jobs(const struct store_readers *readers)
{
    return atomic_load_explicit(&readers->jobs, memory_order_relaxed);
}

static void run_on(struct store_readers *readers, struct store_query *query,
                   struct store_reader *reader)
{
    query->result = reader->backend->reader_begin(reader);
    if (query->result == OK) {
        query->result = query->fetch(query, reader);
    }
    reader->backend->reader_end(reader);
    if (reader->fault.corrupt) {
        store_suspect(query->store);
    }
    atomic_fetch_add_explicit(&readers->jobs, 1, memory_order_relaxed);
}

static void query_run(struct pool_job *job, unsigned thread)
{
    struct store_query *query = CONTAINER_OF(job, struct store_query, job);
    struct store_readers *readers = store_readers_of(query->store);
    struct store_reader *reader = readers->reader[thread];

    reader->deadline_ms = clock_monotonic_ms() + readers->timeout_ms;
    run_on(readers, query, reader);
}

static void care_run(struct pool_job *job, unsigned thread)
{
    struct store_query *query = CONTAINER_OF(job, struct store_query, job);
    struct store_readers *readers = store_readers_of(query->store);

    (void)thread;
    run_on(readers, query, readers->reader[readers->count - 1]);
}

static void query_done(struct pool_job *job)
{
    struct store_query *query = CONTAINER_OF(job, struct store_query, job);

    query->done(query, query->result);
}

void store_readers_ask(struct store_readers *readers, struct store_query *query)
{
    query->job.run = query_run;
    query->job.done = query_done;
    pool_submit(readers->pool, &query->job);
}

void store_readers_care(struct store_readers *readers, struct store_query *query)
{
    query->job.run = care_run;
    query->job.done = query_done;
    pool_submit(readers->care, &query->job);
}

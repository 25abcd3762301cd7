/* Read jobs: one connection a pool thread, so a job has its thread's to itself and nothing here
 * needs a lock. */
#include <stdatomic.h>

#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "siod/store/backend.h"

enum { DEFAULT_READERS = 2 };
static const uint64_t default_timeout_ms = 5000;

struct store_readers {
    struct pool *pool;
    uint64_t timeout_ms;
    atomic_uint_least64_t jobs;
    unsigned count;
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
        xcalloc(1, sizeof(*readers) + wanted * sizeof(struct store_reader *));

    readers->timeout_ms =
        config->read_timeout_ms != 0 ? config->read_timeout_ms : default_timeout_ms;
    for (; readers->count < wanted; readers->count++) {
        enum err err = backend->reader_open(config, &readers->reader[readers->count], msg);

        if (err != OK) {
            close_all(readers);
            return err;
        }
    }
    readers->pool = pool_new(loop, "store-read", wanted);
    *ret = readers;
    return OK;
}

void store_readers_close(struct store_readers *readers)
{
    if (readers != NULL) {
        pool_free(readers->pool);
        close_all(readers);
    }
}

uint64_t store_readers_jobs(const struct store_readers *readers)
{
    return atomic_load_explicit(&readers->jobs, memory_order_relaxed);
}

static void query_run(struct pool_job *job, unsigned thread)
{
    struct store_query *query = CONTAINER_OF(job, struct store_query, job);
    struct store_readers *readers = store_readers_of(query->store);
    struct store_reader *reader = readers->reader[thread];

    reader->deadline_ms = clock_monotonic_ms() + readers->timeout_ms;
    query->result = reader->backend->reader_begin(reader);
    if (query->result == OK) {
        query->result = query->fetch(query, reader);
    }
    reader->backend->reader_end(reader);
    atomic_fetch_add_explicit(&readers->jobs, 1, memory_order_relaxed);
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

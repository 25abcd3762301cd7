/* Opening, closing, and what the loop thread asks of the store. */
#include "libshared/alloc.h"
#include "libshared/thread.h"
#include "siod/store/retention.h"
#include "siod/store/worker.h"

enum { DEFAULT_RETRY_MS = 250, DEFAULT_AGENT_CAPACITY = 50 };

void store_refresh_accepting(struct store *store)
{
    size_t limit = store->config.queue_limit;

    atomic_store_explicit(&store->accepting,
                          !store->failed && !store->stopping &&
                              (limit == 0 || store->waiting.count < limit),
                          memory_order_relaxed);
}

static const struct store_backend *backend_of(const char *url)
{
    static const struct store_backend *const backends[] = { &sqlite_backend };

    for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
        size_t len = strlen(backends[i]->scheme);

        if (strncmp(url, backends[i]->scheme, len) == 0 && url[len] == ':') {
            return backends[i];
        }
    }
    return NULL;
}

static void start_writer(struct store *store)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&store->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    thread_start(&store->thread, "store-write", store_writer_main, store);
}

static void set_agent_capacity(struct store *store, const struct store_config *config)
{
    int64_t capacity =
        config->agent_capacity != 0 ? config->agent_capacity : DEFAULT_AGENT_CAPACITY;

    atomic_store_explicit(&store->tx->agent_capacity, capacity, memory_order_relaxed);
}

enum err store_open(struct loop *loop, const struct store_config *config, struct store **ret,
                    struct errmsg *msg)
{
    const struct store_backend *backend = backend_of(config->url);
    struct store *store;
    enum err err;

    if (backend == NULL) {
        return err_set(msg, ERR_UNSUPPORTED, "%s: a store's url begins with sqlite:", config->url);
    }
    store = xnew(struct store);
    store->loop = loop;
    store->config = *config;
    store->config.url = NULL;
    store->config.retry_ms = config->retry_ms != 0 ? config->retry_ms : DEFAULT_RETRY_MS;
    store->backend = backend;
    store->refs = 1;
    queue_init(&store->waiting);
    err = backend->open(config, &store->tx, store->epoch, msg);
    if (err == OK) {
        err = store_readers_open(loop, backend, config, &store->readers, msg);
        if (err != OK) {
            backend->close(store->tx);
        }
    }
    if (err != OK) {
        free(store);
        return err;
    }
    set_agent_capacity(store, config);
    store->tx->stop = &store->stop;
    backend->bytes(store->tx, &store->stats.bytes, &store->stats.wal_bytes);
    store->stats.bytes += store->stats.wal_bytes;
    store_refresh_accepting(store);
    start_writer(store);
    if (config->retention_after_ms > 0) {
        store->retention = retention_new(loop, store, config);
    }
    *ret = store;
    return OK;
}

void store_reconfigure(struct store *store, const struct store_config *config)
{
    pthread_mutex_lock(&store->lock);
    store->config.queue_limit = config->queue_limit;
    store_refresh_accepting(store);
    pthread_mutex_unlock(&store->lock);
    set_agent_capacity(store, config);
    if (store->retention != NULL) {
        retention_set(store->retention, &config->retention);
    }
}

void store_stop(struct store *store)
{
    if (store == NULL || store->readers == NULL) {
        return;
    }
    retention_free(TAKE(store->retention));
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    atomic_store_explicit(&store->stop, true, memory_order_relaxed);
    store_refresh_accepting(store);
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->thread, NULL);
    store_readers_close(store->readers); /* its threads look for it until then */
    store->readers = NULL;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    store_stop(store);
    store->backend->close(TAKE(store->tx));
    store_unref(store);
}

enum store_health store_health(const struct store *store, const char **ret_reason)
{
    if (ret_reason != NULL) {
        *ret_reason = store->reason;
    }
    return store->health;
}

const char *store_epoch(const struct store *store)
{
    return store->epoch;
}

void store_stats(struct store *store, struct store_stats *ret_stats)
{
    pthread_mutex_lock(&store->lock);
    *ret_stats = store->stats;
    ret_stats->queued = store->waiting.count;
    pthread_mutex_unlock(&store->lock);
    ret_stats->reads = store_readers_jobs(store->readers);
}

void store_sizes(const struct store *store, struct store_size *ret_size,
                 struct store_purged *ret_purged)
{
    *ret_size = (struct store_size) { 0 };
    *ret_purged = (struct store_purged) { 0 };
    if (store->retention != NULL) {
        retention_stats(store->retention, ret_size, ret_purged);
    }
}

bool store_submit(struct store *store, struct store_job *job)
{
    bool wake = false;
    bool taken;

    job->result = OK;
    pthread_mutex_lock(&store->lock);
    taken = atomic_load_explicit(&store->accepting, memory_order_relaxed);
    if (taken) {
        queue_push(&store->waiting, job);
        store->urgent = store->urgent || !job->patient;
        store_refresh_accepting(store);
        wake = store->idle && (store->urgent || store->waiting.count == 1);
        store->idle = store->idle && !wake;
    }
    pthread_mutex_unlock(&store->lock);
    if (wake) {
        pthread_cond_signal(&store->wake);
    }
    return taken;
}

enum err store_refusal(const struct store *store)
{
    return store->health == STORE_OK ? ERR_BUSY : ERR_STORE;
}

bool store_accepting(const struct store *store)
{
    return atomic_load_explicit(&store->accepting, memory_order_relaxed);
}

static void too_late(struct loop_call *call)
{
    struct store_query *query = CONTAINER_OF(call, struct store_query, job.call);

    query->done(query, ERR_STORE);
}

void store_ask(struct store *store, struct store_query *query)
{
    query->store = store;
    if (store->readers != NULL) {
        store_readers_ask(store->readers, query);
    } else {
        query->job.call.fn = too_late;
        loop_post(store->loop, &query->job.call);
    }
}

void store_care(struct store *store, struct store_query *query)
{
    query->store = store;
    if (store->readers != NULL) {
        store_readers_care(store->readers, query);
    } else {
        query->job.call.fn = too_late;
        loop_post(store->loop, &query->job.call);
    }
}

const char *store_notice(const struct store *store)
{
    return store->tx->notice;
}

void store_suspect(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->suspect = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
}

struct store_readers *store_readers_of(struct store *store)
{
    return store->readers;
}

/* Readiness, and the gauges that are brought up to date when somebody reads them. */
#include "libshared/process.h"
#include "siod/chat/assign.h"
#include "siod/chat/desk.h"
#include "siod/chat/tokens.h"
#include "siod/metrics/metrics.h"
#include "siod/net/budget.h"
#include "siod/net/http.h"
#include "siod/net/loop.h"
#include "siod/net/transport.h"
#include "siod/server_state.h"
#include "siod/socketio/socketio.h"
#include "siod/store/store.h"
#include "siod/webhook/receive.h"

static void collect_transport(const struct siod *siod)
{
    struct transport_stats stats;

    transport_stats(siod->transport, &stats);
    metric_set(METRIC_CONNECTIONS, stats.open);
    metric_set(METRIC_CONNECTIONS_ACCEPTED, stats.accepted);
    metric_set(METRIC_CONNECTIONS_REFUSED, stats.refused);
    metric_set(METRIC_BYTES_IN, stats.bytes_in);
    metric_set(METRIC_BYTES_OUT, stats.bytes_out);
}

static void collect_partial(const struct siod *siod)
{
    const struct budget *budget = loop_budget(siod->loop);

    metric_set(METRIC_PARTIAL_BYTES, budget->used);
    metric_set(METRIC_LIMITED_PARTIAL, budget->exceeded);
}

static void collect_loop(const struct siod *siod)
{
    struct loop_stats stats;

    loop_stats(siod->loop, &stats);
    metric_set(METRIC_LOOP_ROUNDS, stats.rounds);
    metric_set(METRIC_LOOP_SLOW_ROUNDS, stats.slow_rounds);
    metric_set(METRIC_LOOP_LONGEST, stats.longest_ns / 1000);
}

static void collect_http(const struct siod *siod)
{
    struct http_stats stats;

    http_server_stats(siod->http, &stats);
    metric_set(METRIC_HTTP_2XX, stats.answers[2]);
    metric_set(METRIC_HTTP_3XX, stats.answers[3]);
    metric_set(METRIC_HTTP_4XX, stats.answers[4]);
    metric_set(METRIC_HTTP_5XX, stats.answers[5]);
    metric_set(METRIC_LIMITED_HEADERS, stats.long_heads);
}

static void collect_sessions(const struct siod *siod)
{
    struct eio_stats engine;
    struct sio_stats sockets;
    struct transport_stats transport;

    eio_server_stats(sio_engine(siod->sio), &engine);
    metric_set(METRIC_SESSIONS_POLLING, engine.polling);
    metric_set(METRIC_SESSIONS_WEBSOCKET, engine.websocket);
    metric_set(METRIC_SESSIONS_OPENED, engine.opened);
    metric_set(METRIC_UPGRADES, engine.upgrades);
    metric_set(METRIC_HANDSHAKES_REFUSED, engine.refused);
    metric_set(METRIC_LIMITED_ADDRESSES, engine.address_full);
    metric_set(METRIC_LIMITED_BYTES, engine.rate_exceeded);
    metric_set(METRIC_LIMITED_PAYLOAD, engine.oversize);
    transport_stats(siod->transport, &transport);
    metric_set(METRIC_LIMITED_CONNECTIONS, transport.limited + engine.full);
    metric_set(METRIC_SLOW_CONSUMERS, transport.slow_consumers + engine.slow);
    metric_set(METRIC_LIMITED_QUEUES, transport.slow_consumers + engine.slow);
    sio_server_stats(siod->sio, &sockets);
    metric_set(METRIC_SOCKETS, sockets.sockets);
    metric_set(METRIC_ROOMS, sockets.rooms);
    metric_set(METRIC_EVENTS_IN, sockets.events_in);
    metric_set(METRIC_PACKETS_OUT, sockets.packets_out);
    metric_set(METRIC_INVALID_PACKETS, sockets.invalid_packets);
    metric_set(METRIC_LIMITED_NAMESPACES, sockets.namespaces_full);
    metric_set(METRIC_LIMITED_ROOMS, sockets.rooms_full);
    metric_set(METRIC_LIMITED_EVENTS, sockets.rate_exceeded);
    metric_set(METRIC_LIMITED_JSON, sockets.too_deep);
}

/* The metrics count up from 0: a store that shrinks does not grow. */
static void collect_sizes(const struct store *store)
{
    struct store_size size;
    struct store_purged purged;

    store_sizes(store, &size, &purged);
    metric_set(METRIC_STORE_FREE_BYTES, (uint64_t)size.free_bytes);
    metric_set(METRIC_STORE_GROWTH, (uint64_t)MAX(size.growth_per_day, (int64_t)0));
    metric_set(METRIC_PURGED_WEBHOOKS, purged.webhooks);
    metric_set(METRIC_PURGED_LOG, purged.log);
    metric_set(METRIC_PURGED_MESSAGES, purged.messages);
    metric_set(METRIC_PURGED_STATUSES, purged.statuses);
    metric_set(METRIC_PURGED_CHANGES, purged.changes);
}

static void collect_recovery(const struct siod *siod)
{
    struct sio_recovery_stats stats;

    sio_recovery_stats(siod->sio, &stats);
    metric_set(METRIC_RECOVERY_SESSIONS, stats.sessions);
    metric_set(METRIC_RECOVERY_SESSION_BYTES, stats.session_bytes);
    metric_set(METRIC_RECOVERY_EVENT_BYTES, stats.event_bytes);
    metric_set(METRIC_RECOVERY_RESTORED, stats.restored);
    metric_set(METRIC_RECOVERY_REPLAYED, stats.replayed);
    metric_set(METRIC_RECOVERY_FORGOTTEN, stats.forgotten);
#define RECOVERY_REFUSED(id, label)                                                                \
    metric_set(METRIC_RECOVERY_REFUSED_##id, stats.refused[SIO_RECOVERY_##id]);
#include "siod/socketio/recovery.def"
#undef RECOVERY_REFUSED
}

static void collect_store(const struct siod *siod)
{
    struct store_stats stats;

    store_stats(siod->store, &stats);
    metric_set(METRIC_STORE_JOBS, stats.jobs);
    metric_set(METRIC_STORE_JOB_FAILURES, stats.job_failures);
    metric_set(METRIC_STORE_COMMITS, stats.commits);
    metric_set(METRIC_STORE_COMMIT_FAILURES, stats.commit_failures);
    metric_set(METRIC_STORE_QUEUED, stats.queued);
    metric_set(METRIC_STORE_BYTES, (uint64_t)stats.bytes);
    metric_set(METRIC_STORE_WAL_BYTES, (uint64_t)stats.wal_bytes);
    collect_sizes(siod->store);
    metric_set(METRIC_STORE_UP, store_health(siod->store, NULL) == STORE_OK);
}

void siod_collect(void *arg)
{
    const struct siod *siod = arg;
    struct token_stats tokens;

    collect_loop(siod);
    collect_partial(siod);
    collect_transport(siod);
    collect_http(siod);
    collect_sessions(siod);
    collect_recovery(siod);
    collect_store(siod);
    token_verifier_stats(siod->tokens, &tokens);
    metric_set(METRIC_TOKENS_VERIFIED, tokens.verified);
    metric_set(METRIC_TOKENS_CACHED, tokens.cached);
    metric_set(METRIC_TOKENS_REJECTED, tokens.failed);
    metric_set(METRIC_REVOCATIONS, desk_revocations(siod->desk));
    metric_set(METRIC_BODY_BYTES_IN_FLIGHT, webhook_bytes_in_flight(siod->webhook));
    metric_set(METRIC_EMIT_BACKLOG, desk_backlog(siod->desk));
    metric_set(METRIC_CHATS_WAITING, desk_chats_waiting(siod->desk));
    metric_set(METRIC_RESIDENT_BYTES, process_resident_bytes());
}

bool siod_is_ready(void *arg, const char **ret_why)
{
    const struct siod *siod = arg;

    if (siod->stopping) {
        *ret_why = "stopping";
    } else if (!siod->ready) {
        *ret_why = "starting";
    } else if (store_health(siod->store, ret_why) != STORE_OK) {
        ; /* the store said why */
    } else if (!store_accepting(siod->store)) {
        *ret_why = "the store's queue is full (limits.store_queue)";
    } else if (webhook_is_full(siod->webhook)) {
        *ret_why = "too many webhook bodies in flight (limits.body_bytes_in_flight)";
    } else {
        *ret_why = "";
        return true;
    }
    return false;
}

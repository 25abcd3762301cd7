/* What each module is told of the configuration: at its start, and again after a reload. */
#include "libshared/json.h"
#include "libshared/log.h"
#include "siod/chat/desk.h"
#include "siod/net/http.h"
#include "siod/net/transport.h"
#include "siod/server_state.h"
#include "siod/socketio/socketio.h"
#include "siod/store/store.h"

enum {
    HEADERS_MAX = 100,
    REQUEST_MS = 30000,
    RETENTION_AFTER_MS = 500,
    IDLE_MS = 75000, /* above the 60 s that proxies keep their side */
};

struct transport_limits siod_transport_limits(const struct siod *siod)
{
    const struct config_limits *limits = &siod->config->limits;

    return (struct transport_limits) { .connections = limits->connections,
                                       .queue_bytes = limits->queue_bytes };
}

void siod_check_descriptors(const struct siod *siod)
{
    unsigned wanted = siod->config->limits.connections;

    if (wanted > siod->connection_room) {
        log_warn(LOG_NET, "not enough descriptors",
                 "limit=limits.connections connections=%u room=%u", wanted, siod->connection_room);
    }
}

struct http_limits siod_http_limits(const struct siod *siod)
{
    return (struct http_limits) {
        .header_bytes = siod->config->limits.header_bytes,
        .header_count = HEADERS_MAX,
        .request_ms = REQUEST_MS,
        .idle_ms = IDLE_MS,
    };
}

struct store_config siod_store_settings(const struct siod *siod)
{
    const struct config *config = siod->config;

    return (struct store_config) {
        .url = config->store.url,
        .synchronous_full = config->store.synchronous == CONFIG_SYNCHRONOUS_FULL,
        .queue_limit = config->limits.store_queue,
        .agent_capacity = config->assign.capacity,
        .retention_after_ms = RETENTION_AFTER_MS,
        .retention = { .raw_body_days = config->retention.raw_body_days,
                       .log_days = config->retention.log_days,
                       .message_days = config->retention.message_days },
    };
}

struct sio_config siod_sio_settings(struct siod *siod)
{
    const struct config *config = siod->config;
    unsigned depth = config->limits.json_depth;

    return (struct sio_config) {
        .engine = {
            .ping_interval_ms = config->engineio.ping_interval_ms,
            .ping_timeout_ms = config->engineio.ping_timeout_ms,
            .max_payload = (uint32_t)config->engineio.max_payload,
            .allow_v3 = config->engineio.allow_eio3,
            .compress = config->engineio.http_compression,
            .queue_bytes = config->limits.queue_bytes,
            .max_sessions = config->limits.connections,
            .sessions_per_address = config->limits.connections_per_address,
            .bytes_per_s = config->limits.bytes_per_s,
            .admit = admission_take,
            .admit_arg = &siod->admission,
            .cors_origins = (const char *const *)config->http.cors_origins.items,
        },
        .sockets_per_connection = config->limits.sockets_per_connection,
        .rooms_per_socket = config->limits.rooms_per_socket,
        .events_per_s = config->limits.events_per_s,
        .json_depth = depth > 0 ? depth : JSON_DEPTH_MAX,
        .recovery = {
            .enabled = config->recovery.enabled,
            .window_ms = config->recovery.window_ms,
            .max_bytes = config->recovery.max_bytes,
            .memory_bytes = config->recovery.memory_bytes,
            .max_sessions = config->recovery.max_sessions,
        },
    };
}

struct desk_config siod_desk_settings(const struct siod *siod)
{
    const struct config *config = siod->config;

    return (struct desk_config) {
        .loop = siod->loop,
        .store = siod->store,
        .sio = siod->sio,
        .tokens = siod->tokens,
        .connections_per_user = config->limits.connections_per_user,
        .offline_grace_ms = config->presence.offline_grace_ms,
        .typing_throttle_ms = config->typing.throttle_ms,
        .typing_expire_ms = config->typing.expire_ms,
        .assign_policy = (enum assign_policy)config->assign.policy,
        .recovery_window_ms = config->recovery.enabled ? config->recovery.window_ms : 0,
    };
}

struct api_config siod_api_settings(const struct siod *siod)
{
    return (struct api_config) {
        .loop = siod->loop,
        .desk = siod->desk,
        .store = siod->store,
        .cors_origins = (const char *const *)siod->config->http.cors_origins.items,
        .json_depth = siod->config->limits.json_depth,
    };
}

enum err siod_trust_proxies(struct siod *siod, struct errmsg *msg)
{
    const struct config_list *proxies = &siod->config->http.trusted_proxies;

    return http_server_trust(siod->http, (const char *const *)proxies->items, proxies->count, msg);
}

const struct tls_files *siod_tls_files(const struct config *config, struct tls_files *files)
{
    *files = (struct tls_files) { config->http.tls_cert_file, config->http.tls_key_file };
    return files->cert_file[0] != '\0' ? files : NULL;
}

#include "siod/socketio/server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"

enum { JSON_DEPTH = 512, JSON_KEYS = 100000 };

static const struct eio_ops ops = {
    .on_open = sio_connection_open,
    .on_message = sio_connection_message,
    .on_close = sio_connection_close,
};

static void on_round_end(void *arg)
{
    struct sio_server *server = arg;

    while (!TAILQ_EMPTY(&server->leaving)) {
        sio_socket_close(TAILQ_FIRST(&server->leaving), (struct sio_reason) { SIO_LEFT_SERVER, 0 });
    }
}

static void take_limits(struct sio_server *server, const struct sio_config *config)
{
    server->config.sockets_per_connection = config->sockets_per_connection;
    server->config.rooms_per_socket = config->rooms_per_socket;
    server->config.events_per_s = config->events_per_s;
    server->json.depth = config->json_depth > 0 ? config->json_depth : JSON_DEPTH;
}

struct sio_server *sio_server_new(struct loop *loop, const struct sio_config *config)
{
    struct sio_server *server = xnew(struct sio_server);
    struct eio_config engine = config->engine;

    server->loop = loop;
    server->config = *config;
    take_limits(server, config);
    server->json.keys = JSON_KEYS;
    TAILQ_INIT(&server->leaving);
    server->hook = (struct loop_hook) { .fn = on_round_end, .arg = server };
    /* before the engine's: what leaving sockets make the application send goes out this round */
    loop_hook_add(loop, &server->hook);
    sio_recovery_init(server);
    engine.ops = &ops;
    engine.farewell_apart = config->recovery.enabled;
    engine.arg = server;
    server->engine = eio_server_new(loop, &engine);
    return server;
}

void sio_server_reconfigure(struct sio_server *server, const struct sio_config *config)
{
    take_limits(server, config);
    sio_recovery_fit_queue(server, config->engine.queue_bytes);
    eio_server_reconfigure(server->engine, &config->engine);
}

void sio_server_free(struct sio_server *server)
{
    struct sio_namespace *nsp, *next;

    if (server == NULL) {
        return;
    }
    eio_server_free(server->engine);
    sio_recovery_finish(server);
    loop_hook_remove(server->loop, &server->hook);
    HASH_ITER (hh, server->namespaces, nsp, next) {
        while (!LIST_EMPTY(&nsp->walks)) {
            sio_walk_end(LIST_FIRST(&nsp->walks));
        }
        HASH_DELETE(hh, server->namespaces, nsp);
        free(nsp);
    }
    sio_scratch_finish(&server->scratch);
    buf_finish(&server->out);
    buf_finish(&server->ordered);
    buf_finish(&server->raw_ordered);
    free(server);
}

struct eio_server *sio_engine(struct sio_server *server)
{
    return server->engine;
}

struct sio_namespace *sio_namespace_add(struct sio_server *server, const char *name,
                                        const struct sio_app *app, void *arg)
{
    size_t len = strlen(name);
    struct sio_namespace *nsp = xcalloc(1, sizeof *nsp + len + 1);

    assert(name[0] == '/' && len <= SIO_NAMESPACE_MAX);
    nsp->server = server;
    nsp->app = app;
    nsp->arg = arg;
    memcpy(nsp->text, name, len + 1);
    nsp->name = (struct str) { nsp->text, len };
    HASH_ADD_KEYPTR(hh, server->namespaces, nsp->text, (unsigned)len, nsp);
    return nsp;
}

struct sio_namespace *sio_namespace_find(struct sio_server *server, struct str name)
{
    struct sio_namespace *nsp = NULL;

    HASH_FIND(hh, server->namespaces, name.data, (unsigned)name.len, nsp);
    return nsp;
}

void sio_namespace_set_log(struct sio_namespace *nsp, const struct sio_log *log, void *arg)
{
    nsp->log = log;
    nsp->log_arg = arg;
}

const char *sio_namespace_name(const struct sio_namespace *nsp)
{
    return nsp->text;
}

void sio_server_stats(const struct sio_server *server, struct sio_stats *ret_stats)
{
    *ret_stats = server->stats;
}

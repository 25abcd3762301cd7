#include <stdlib.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "siod/engineio/session.h"
#include "siod/net/coding.h"

enum { DRAIN_PAUSE_MS = 20, DRAIN_SLICE_MIN = 50 };

const char *eio_reason_text(enum eio_reason reason)
{
    static const char *const texts[] = {
#define EIO_REASON(id, text) text,
#include "siod/engineio/reason.def"
#undef EIO_REASON
    };

    return texts[reason];
}

const char *eio_transport_name(enum eio_transport transport)
{
    return transport == EIO_TRANSPORT_POLLING ? "polling" : "websocket";
}

static void on_drain(struct timer *timer);

/* Evenly distributed around DRAIN_PAUSE_MS, so that the slices of several daemons that were told
 * together do not march in step. */
static void set_drain_timer(struct eio_server *server)
{
    unsigned char random;

    id_random(&random, sizeof random);
    timer_set(server->loop, &server->drain_timer,
              DRAIN_PAUSE_MS / 2 + (uint64_t)random * DRAIN_PAUSE_MS / 256, on_drain);
}

/* Those that linger stand behind the ones that are open. */
static void on_drain(struct timer *timer)
{
    struct eio_server *server = CONTAINER_OF(timer, struct eio_server, drain_timer);
    struct eio_session *session, *next;
    unsigned left = server->drain_slice;

    HASH_ITER (hh, server->sessions, session, next) {
        if (session->state == EIO_STATE_OPEN) {
            eio_session_close(session, EIO_REASON_SHUTTING_DOWN);
            if (--left == 0) {
                set_drain_timer(server);
                return;
            }
        }
    }
}

static void finish_closing(struct eio_server *server)
{
    while (!STAILQ_EMPTY(&server->closing)) {
        struct eio_session *session = STAILQ_FIRST(&server->closing);

        STAILQ_REMOVE_HEAD(&server->closing, closing);
        eio_session_finish(session);
    }
}

/* The layer above may send to others when it hears that a session closed, so answers come last. */
static void on_round_end(void *arg)
{
    struct eio_server *server = arg;

    finish_closing(server);
    while (server->dirty != NULL) {
        eio_polling_flush(server->dirty);
    }
}

struct eio_server *eio_server_new(struct loop *loop, const struct eio_config *config)
{
    struct eio_server *server = xnew(struct eio_server);

    server->loop = loop;
    server->config = *config;
    STAILQ_INIT(&server->closing);
    server->ping = frame_text(STR("2"));
    server->pong = frame_text(STR("3"));
    server->noop = frame_text(STR("6"));
    server->close = frame_text(STR("1"));
    server->probe_answer = frame_text(STR("3probe"));
    server->hook = (struct loop_hook) { .fn = on_round_end, .arg = server };
    loop_hook_add(loop, &server->hook);
    return server;
}

void eio_server_reconfigure(struct eio_server *server, const struct eio_config *config)
{
    server->config.queue_bytes = config->queue_bytes;
    server->config.cors_origins = config->cors_origins;
    server->config.max_sessions = config->max_sessions;
    server->config.sessions_per_address = config->sessions_per_address;
    server->config.bytes_per_s = config->bytes_per_s;
}

void eio_server_free(struct eio_server *server)
{
    struct eio_session *session, *next;

    if (server == NULL) {
        return;
    }
    server->freeing = true;
    timer_clear(&server->drain_timer);
    HASH_ITER (hh, server->sessions, session, next) {
        if (session->state == EIO_STATE_LINGERING) {
            eio_session_forget(session);
        } else {
            eio_session_close(session, EIO_REASON_SHUTTING_DOWN);
        }
    }
    finish_closing(server);
    loop_hook_remove(server->loop, &server->hook);
    frame_unref(server->ping);
    frame_unref(server->pong);
    frame_unref(server->noop);
    frame_unref(server->close);
    frame_unref(server->probe_answer);
    buf_finish(&server->scratch);
    coder_free(server->coder);
    free(server);
}

void eio_server_drain(struct eio_server *server, unsigned within_ms)
{
    unsigned slices = MAX(within_ms / DRAIN_PAUSE_MS, 1u);

    server->drain_slice = MAX(server->stats.sessions / slices + 1, (unsigned)DRAIN_SLICE_MIN);
    on_drain(&server->drain_timer);
}

void eio_server_stats(const struct eio_server *server, struct eio_stats *ret_stats)
{
    *ret_stats = server->stats;
}

/* Engine.IO over WebSocket: as the live transport, and as the probing one of an upgrade
 * (protocol.md 1.7).
 *
 * The user pointer of a WebSocket is its session, or NULL once the session let go of it: what
 * arrives then is not heard. */
#include <inttypes.h>
#include <stdlib.h>

#include "libshared/log.h"
#include "siod/engineio/session.h"
#include "siod/net/cors.h"

enum { UPGRADE_TIMEOUT_MS = 10000, V3_OPEN_MS = 5 };

void eio_websocket_close(struct ws *ws)
{
    ws_set_user(ws, NULL);
    ws_close(ws, 0);
}

static void close_probe(struct eio_polling *polling)
{
    struct ws *ws = polling->probe;

    timer_clear(&polling->upgrade_timer);
    polling->probe = NULL;
    polling->probed = false;
    if (ws != NULL) {
        eio_websocket_close(ws);
    }
}

static void on_upgrade_timeout(struct timer *timer)
{
    close_probe(CONTAINER_OF(timer, struct eio_polling, upgrade_timer));
}

static size_t queued_len(const struct eio_polling *polling)
{
    const struct eio_queued *queued;
    size_t len = 0;

    STAILQ_FOREACH (queued, &polling->queue, link) {
        len += queued->frame->len;
    }
    return len;
}

/* Everything that is still unsent goes out over the WebSocket, in order: one burst, whatever it
 * was before. */
static void move_to_websocket(struct eio_session *session)
{
    struct eio_polling *polling = session->polling;
    struct frame *frame;

    timer_clear(&polling->upgrade_timer);
    session->ws = polling->probe;
    session->transport = EIO_TRANSPORT_WEBSOCKET;
    polling->probe = NULL;
    polling->probed = false;
    (void)ws_admit(session->ws, queued_len(polling));
    while ((frame = eio_polling_dequeue(polling)) != NULL) {
        eio_websocket_send(session, frame);
        frame_unref(frame);
    }
    if (polling->post == NULL) {
        session->polling = NULL;
        eio_polling_free(polling);
    }
}

/* A GET that is still parked gets a noop: `1`, as the reference has it, makes some clients give up
 * the session. Behind a probe none stays parked, so it came in this very round, where libev handles
 * first what came last: it came behind the `5`, and is told so. */
static void complete_upgrade(struct eio_session *session)
{
    struct eio_server *server = session->server;

    server->stats.polling--;
    server->stats.websocket++;
    server->stats.upgrades++;
    if (session->polling->probed) {
        eio_polling_refuse_get(session->polling);
    } else {
        eio_polling_answer(session->polling, server->noop);
    }
    move_to_websocket(session);
    log_debug(LOG_ENGINEIO, "session upgraded", "from=%s", session->from->text);
}

/* ---- the open packet of protocol 3 */

static void on_v3_open(struct timer *timer)
{
    move_to_websocket(CONTAINER_OF(timer, struct eio_polling, upgrade_timer)->session);
}

void eio_websocket_open_later(struct eio_session *session)
{
    struct eio_polling *polling = eio_polling_new(session);

    session->polling = polling;
    polling->probe = session->ws;
    session->ws = NULL;
    timer_set(session->server->loop, &polling->upgrade_timer, V3_OPEN_MS, on_v3_open);
}

void eio_websocket_open_now(struct eio_session *session)
{
    if (session->transport == EIO_TRANSPORT_WEBSOCKET && session->ws == NULL &&
        session->polling != NULL && session->polling->probe != NULL) {
        move_to_websocket(session);
    }
}

/* A WebSocket that is not the live transport probes, or is the one of a session that opens later.
 */
static bool probes(const struct eio_session *session)
{
    return session->transport == EIO_TRANSPORT_POLLING;
}

static void on_probe_message(struct eio_session *session, bool binary, struct str payload)
{
    struct eio_polling *polling = session->polling;

    if (session->state != EIO_STATE_OPEN) {
        return;
    }
    if (!binary && str_eq(payload, STR("2probe"))) {
        ws_send(polling->probe, session->server->probe_answer);
        polling->probed = true;
        eio_polling_mark(polling);
    } else if (!binary && payload.len > 0 && payload.data[0] == '0' + EIO_UPGRADE) {
        complete_upgrade(session);
    } else {
        close_probe(polling);
    }
}

static void on_message(struct ws *ws, bool binary, struct str payload)
{
    struct eio_session *session = ws_user(ws);

    if (session == NULL || session->state != EIO_STATE_OPEN) {
        return;
    }
    if (session->ws != ws && probes(session)) {
        on_probe_message(session, binary, payload);
        return;
    }
    if (UNLIKELY(session->ws != ws)) {
        move_to_websocket(session); /* who speaks is there to listen */
    }
    if (binary) {
        (void)eio_session_receive_binary(session, payload);
    } else {
        (void)eio_session_receive(session, payload);
    }
}

/* Clients reconnect and send it again (protocol.md 9): somebody has to hear of it. */
static void log_oversize(const struct eio_session *session, const struct ws *ws)
{
    static struct log_gate gate;
    unsigned suppressed;

    session->server->stats.oversize++;
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_ENGINEIO, "oversize message", "from=%s size=%" PRIu64 " max=%u suppressed=%u",
                 session->from->text, ws_announced(ws), session->server->config.max_payload,
                 suppressed);
    }
}

static void on_close(struct ws *ws, enum ws_end end)
{
    struct eio_session *session = ws_user(ws);
    enum eio_reason reason = EIO_REASON_TRANSPORT_ERROR;

    if (session == NULL) {
        return;
    }
    if (session->ws != ws) {
        session->polling->probe = NULL;
        close_probe(session->polling);
        if (probes(session)) {
            return;
        }
    }
    if (end == WS_END_TOO_BIG) {
        log_oversize(session, ws);
    } else if (end == WS_END_SLOW) {
        log_warn(LOG_ENGINEIO, "slow client cut", "from=%s", session->from->text);
    } else if (end == WS_END_CLOSED) {
        reason = EIO_REASON_TRANSPORT_CLOSE;
    }
    session->ws = NULL;
    eio_session_end(session, reason, EIO_FAREWELL_CLOSE);
}

static const struct ws_ops ops = { .on_message = on_message, .on_close = on_close };

struct ws *eio_websocket_accept(struct eio_server *server, struct http_request *request,
                                struct eio_session *session)
{
    autobuf struct buf headers = BUF_INIT;

    cors_add(&headers, server->config.cors_origins, request);
    return ws_accept(request, buf_str(&headers), server->config.max_payload, &ops, session);
}

void eio_websocket_send(struct eio_session *session, struct frame *frame)
{
    if (UNLIKELY(frame->binary && (session->base64 || session->is_v3))) {
        struct frame *marked =
            session->is_v3 ? eio_v3_binary_frame(session, frame) : eio_base64_frame(frame);

        ws_send(session->ws, marked);
        frame_unref(marked);
        return;
    }
    ws_send(session->ws, frame);
}

/* A session that is on WebSocket, or on its way there, keeps what it has: the newcomer gets its 101
 * and is closed. */
void eio_websocket_probe(struct eio_session *session, struct http_request *request)
{
    struct eio_server *server = session->server;
    struct eio_polling *polling = session->polling;
    bool welcome = session->transport == EIO_TRANSPORT_POLLING &&
                   session->state == EIO_STATE_OPEN && polling->probe == NULL;
    struct ws *ws = eio_websocket_accept(server, request, welcome ? session : NULL);
    uint64_t timeout_ms = server->config.upgrade_timeout_ms;

    if (ws == NULL) {
        return;
    }
    if (!welcome) {
        eio_websocket_close(ws);
        return;
    }
    polling->probe = ws;
    timer_set(server->loop, &polling->upgrade_timer,
              timeout_ms > 0 ? timeout_ms : UPGRADE_TIMEOUT_MS, on_upgrade_timeout);
}

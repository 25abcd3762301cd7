#include "siod/engineio/session.h"

#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "libshared/query.h"
#include "libshared/wire/engineio3.h"

enum { LINGER_MS = 30000 };

/* The request's query without the parameters that are Engine.IO's own, so that almost no session
 * has to keep one. */
static char *application_query(struct str query)
{
    static const struct str own[] = { STR_INIT(""),    STR_INIT("EIO"), STR_INIT("transport"),
                                      STR_INIT("sid"), STR_INIT("t"),   STR_INIT("b64"),
                                      STR_INIT("j") };
    autobuf struct buf kept = BUF_INIT;
    struct query_param param;

    while (query_next(&query, &param)) {
        bool is_own = false;

        for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
            is_own = is_own || str_eq(param.name, own[i]);
        }
        if (!is_own) {
            buf_add_cstr(&kept, kept.len > 0 ? "&" : "");
            buf_add_str(&kept, param.text);
        }
    }
    return kept.len > 0 ? buf_take(&kept) : NULL;
}

static void count_transport(struct eio_session *session, int change)
{
    struct eio_stats *stats = &session->server->stats;

    stats->sessions += (unsigned)change;
    if (session->transport == EIO_TRANSPORT_WEBSOCKET) {
        stats->websocket += (unsigned)change;
    } else {
        stats->polling += (unsigned)change;
    }
}

struct eio_session *eio_session_open(struct eio_server *server, struct http_request *request,
                                     enum eio_transport transport, bool is_v3)
{
    struct eio_session *session = xnew(struct eio_session);

    session->server = server;
    session->transport = transport;
    session->is_v3 = is_v3;
    session->query = application_query(http_query(request));
    session->opened_ms = loop_now_ms(server->loop) & 0xffffffffffu;
    session->base64 = http_query_param(request, STR("b64")).data != NULL;
    session->from = eio_address_enter(server, http_client_address(request));
    id_sid(session->sid);
    if (transport == EIO_TRANSPORT_WEBSOCKET) {
        session->ws = eio_websocket_accept(server, request, session);
        if (session->ws == NULL) {
            eio_address_leave(server, session->from);
            free(session->query);
            free(session);
            return NULL;
        }
    } else {
        session->polling = eio_polling_new(session);
    }
    HASH_ADD(hh, server->sessions, sid, SID_LEN, session);
    server->stats.opened++;
    count_transport(session, 1);
    eio_heartbeat_start(session);
    log_debug(LOG_ENGINEIO, "session opened", "from=%s transport=%s", session->from->text,
              eio_transport_name(transport));
    return session;
}

struct eio_session *eio_session_find(struct eio_server *server, struct str sid)
{
    struct eio_session *session = NULL;

    if (sid.len == SID_LEN) {
        HASH_FIND(hh, server->sessions, sid.data, SID_LEN, session);
    }
    if (session != NULL && session->state == EIO_STATE_OPEN && eio_heartbeat_expired(session)) {
        eio_session_end(session, EIO_REASON_PING_TIMEOUT, EIO_FAREWELL_CLOSE);
    }
    return session;
}

void eio_session_handshake(const struct eio_session *session, struct buf *buf)
{
    const struct eio_config *config = &session->server->config;

    eio_handshake_encode(buf, &(struct eio_handshake) {
                                  .sid = session->sid,
                                  .upgrades = session->transport == EIO_TRANSPORT_POLLING,
                                  .ping_interval_ms = config->ping_interval_ms,
                                  .ping_timeout_ms = config->ping_timeout_ms,
                                  .max_payload = config->max_payload,
                              });
}

void eio_session_send(struct eio_session *session, struct frame *frame)
{
    if (session->state != EIO_STATE_OPEN) {
        return;
    }
    if (LIKELY(session->ws != NULL)) {
        eio_websocket_send(session, frame);
    } else {
        eio_polling_send(session->polling, frame);
    }
}

bool eio_session_writable(const struct eio_session *session)
{
    if (session->state != EIO_STATE_OPEN) {
        return false;
    }
    return session->ws != NULL ? ws_pending(session->ws) == 0 : session->polling->get != NULL;
}

void eio_session_end(struct eio_session *session, enum eio_reason reason,
                     enum eio_farewell farewell)
{
    struct eio_server *server = session->server;

    if (session->state != EIO_STATE_OPEN) {
        return;
    }
    session->state = EIO_STATE_CLOSING;
    session->reason = reason;
    session->farewell = farewell;
    timer_clear(&session->timer);
    STAILQ_INSERT_TAIL(&server->closing, session, closing);
    loop_wake(server->loop);
}

void eio_session_close(struct eio_session *session, enum eio_reason reason)
{
    eio_session_end(session, reason, EIO_FAREWELL_ORDERLY);
}

bool eio_session_is_open(const struct eio_session *session)
{
    return session->state == EIO_STATE_OPEN;
}

void eio_session_forget(struct eio_session *session)
{
    timer_clear(&session->timer);
    HASH_DELETE(hh, session->server->sessions, session);
    eio_polling_free(session->polling);
    eio_address_leave(session->server, session->from);
    free(session->query);
    free(session);
}

static void on_linger_end(struct timer *timer)
{
    eio_session_forget(CONTAINER_OF(timer, struct eio_session, timer));
}

/* Moves it to the end of the map, so that a drain meets the live ones first. */
static void linger(struct eio_session *session)
{
    struct eio_server *server = session->server;

    session->state = EIO_STATE_LINGERING;
    HASH_DELETE(hh, server->sessions, session);
    HASH_ADD(hh, server->sessions, sid, SID_LEN, session);
    timer_set(server->loop, &session->timer, LINGER_MS, on_linger_end);
}

void eio_session_finish(struct eio_session *session)
{
    struct eio_server *server = session->server;
    bool done = true;

    count_transport(session, -1);
    server->stats.closed[session->reason]++;
    eio_websocket_open_now(session);
    if (session->ws != NULL) {
        eio_websocket_close(session->ws);
    }
    if (session->polling != NULL) {
        done = eio_polling_farewell(session->polling, session->farewell);
    }
    log_debug(LOG_ENGINEIO, "session closed", "from=%s reason=\"%s\"", session->from->text,
              eio_reason_text(session->reason));
    server->config.ops->on_close(session, session->reason);
    if (done || session->transport == EIO_TRANSPORT_WEBSOCKET || server->freeing) {
        eio_session_forget(session);
    } else {
        linger(session);
    }
}

/* In protocol 4 only the server pings, in protocol 3 only the client. */
static void wrong_direction(struct eio_session *session)
{
    eio_session_end(session, EIO_REASON_TRANSPORT_ERROR, EIO_FAREWELL_CLOSE);
}

static void receive_packet(struct eio_session *session, const struct eio_packet *packet)
{
    session->heard_ms = loop_now_ms(session->server->loop);
    switch (packet->type) {
    case EIO_MESSAGE:
        session->server->config.ops->on_message(session, packet->binary, packet->data);
        break;
    case EIO_PONG:
        if (session->is_v3) {
            wrong_direction(session);
        } else {
            eio_heartbeat_pong(session);
        }
        break;
    case EIO_PING:
        if (session->is_v3) {
            eio_heartbeat_ping(session);
        } else {
            wrong_direction(session);
        }
        break;
    case EIO_CLOSE:
        eio_session_end(session, EIO_REASON_TRANSPORT_CLOSE, EIO_FAREWELL_NOOP);
        break;
    case EIO_OPEN:
    case EIO_UPGRADE:
    case EIO_NOOP:
        break;
    }
}

static bool may_receive(struct eio_session *session, size_t len)
{
    if (!eio_session_take_bytes(session, len)) {
        eio_session_end(session, EIO_REASON_TRANSPORT_ERROR, EIO_FAREWELL_CLOSE);
        return false;
    }
    return true;
}

static bool receive_decoded(struct eio_session *session, enum err err,
                            const struct eio_packet *packet)
{
    if (err != OK) {
        eio_session_end(session, EIO_REASON_PARSE_ERROR, EIO_FAREWELL_CLOSE);
        return false;
    }
    receive_packet(session, packet);
    return true;
}

bool eio_session_receive(struct eio_session *session, struct str text)
{
    const struct eio3_item item = { .packet = text };
    struct buf *scratch = &session->server->scratch;
    struct eio_packet packet;

    return may_receive(session, text.len) &&
           receive_decoded(session,
                           UNLIKELY(session->is_v3) ? eio3_packet_decode(&item, scratch, &packet)
                                                    : eio_packet_decode(text, scratch, &packet),
                           &packet);
}

bool eio_session_receive_binary(struct eio_session *session, struct str data)
{
    const struct eio3_item item = { .binary = true, .packet = data };
    struct eio_packet packet = { EIO_MESSAGE, true, data };
    enum err err = OK;

    if (!may_receive(session, data.len)) {
        return false;
    }
    if (session->is_v3) {
        err = eio3_packet_decode(&item, &session->server->scratch, &packet);
    }
    return receive_decoded(session, err, &packet);
}

void eio_session_set_user(struct eio_session *session, void *user)
{
    session->user = user;
}

void *eio_session_user(const struct eio_session *session)
{
    return session->user;
}

void *eio_session_arg(const struct eio_session *session)
{
    return session->server->config.arg;
}

const char *eio_session_sid(const struct eio_session *session)
{
    return session->sid;
}

unsigned eio_session_protocol(const struct eio_session *session)
{
    return session->is_v3 ? 3 : 4;
}

enum eio_transport eio_session_transport(const struct eio_session *session)
{
    return (enum eio_transport)session->transport;
}

const char *eio_session_address(const struct eio_session *session)
{
    return session->from->text;
}

struct str eio_session_query(const struct eio_session *session)
{
    return str_of(session->query != NULL ? session->query : "");
}

uint64_t eio_session_opened_ms(const struct eio_session *session)
{
    return session->opened_ms;
}

/* From the distance between the two clocks, which is kept: read anew it would differ by a
 * millisecond each time. When the wall clock is set, it is measured again. */
int64_t eio_session_opened_wall_ms(const struct eio_session *session)
{
    enum { CLOCK_WAS_SET_MS = 1000 };
    struct eio_server *server = session->server;
    int64_t apart_ms = loop_wall_ms(server->loop) - (int64_t)loop_now_ms(server->loop);

    if (llabs(apart_ms - server->clocks_apart_ms) > CLOCK_WAS_SET_MS) {
        server->clocks_apart_ms = apart_ms;
    }
    return (int64_t)session->opened_ms + server->clocks_apart_ms;
}

uint64_t eio_session_proved_ms(const struct eio_session *session)
{
    return MAX((uint64_t)session->proved_ms, (uint64_t)session->opened_ms);
}

size_t eio_session_pending(const struct eio_session *session)
{
    return session->ws != NULL        ? ws_pending(session->ws)
           : session->polling != NULL ? session->polling->queued_bytes
                                      : 0;
}

bool eio_session_is_behind(const struct eio_session *session)
{
    if (session->state != EIO_STATE_OPEN) {
        return false;
    }
    return session->ws != NULL ? ws_is_behind(session->ws)
                               : eio_polling_is_behind(session->polling);
}

bool eio_session_admit(struct eio_session *session, size_t bytes)
{
    if (session->state != EIO_STATE_OPEN) {
        return true; /* nothing is queued for it any more */
    }
    return session->ws != NULL ? ws_admit(session->ws, bytes)
                               : eio_polling_admit(session->polling, bytes);
}

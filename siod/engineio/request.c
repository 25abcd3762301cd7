/* What an HTTP request on the Engine.IO path asks for. All refusals are made here, before a
 * WebSocket gets its 101 (protocol.md 1.1, 1.4, 1.7). */
#include "libshared/log.h"
#include "libshared/query.h"
#include "siod/engineio/session.h"

enum { QUERY_MAX = 16384 }; /* bytes; what the application may put there is kept per session */

/* A sid that cannot be decoded is a wrong one, not an absent one. */
static bool has_broken_sid(struct http_request *request)
{
    struct str query = http_query(request);
    struct query_param given;
    bool found = false;

    while (query_next(&query, &given)) {
        if (str_eq(given.name, STR("sid"))) {
            found = given.value.len > 0;
        }
    }
    return found;
}

static struct str param(struct http_request *request, struct str name)
{
    struct str value = http_query_param(request, name);

    return value.data != NULL ? value : STR("");
}

static bool parse_transport(struct http_request *request, enum eio_transport *ret)
{
    struct str name = param(request, STR("transport"));

    if (str_eq(name, STR("polling"))) {
        *ret = EIO_TRANSPORT_POLLING;
    } else if (str_eq(name, STR("websocket"))) {
        *ret = EIO_TRANSPORT_WEBSOCKET;
    } else {
        return false;
    }
    return true;
}

static bool is_method(const struct http_request *request, struct str method)
{
    return str_eq(http_method(request), method);
}

static bool origin_is_clean(const struct http_request *request)
{
    struct str origin = http_header(request, STR("Origin"));

    for (size_t i = 0; i < origin.len; i++) {
        unsigned char c = (unsigned char)origin.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

enum { UNSUPPORTED = 0 };

/* 4, 3 or UNSUPPORTED. The reference takes everything that is not 4 for 3. */
static unsigned protocol_of(const struct eio_server *server, struct http_request *request)
{
    struct str version = param(request, STR("EIO"));

    if (str_eq(version, STR("4"))) {
        return 4;
    }
    return server->config.allow_v3 && str_eq(version, STR("3")) ? 3 : UNSUPPORTED;
}

static void open_polling(struct eio_server *server, struct http_request *request, bool is_v3)
{
    struct eio_session *session = eio_session_open(server, request, EIO_TRANSPORT_POLLING, is_v3);
    autobuf struct buf packet = BUF_INIT;
    struct frame *frame;

    eio_session_handshake(session, &packet);
    frame = frame_text(buf_str(&packet));
    eio_reply_packets(session, request, &frame, 1);
    frame_unref(frame);
    server->config.ops->on_open(server->config.arg, session);
}

static void open_websocket(struct eio_server *server, struct http_request *request, bool is_v3)
{
    struct eio_session *session = eio_session_open(server, request, EIO_TRANSPORT_WEBSOCKET, is_v3);
    autobuf struct buf packet = BUF_INIT;
    struct frame *frame;

    if (session == NULL) {
        return;
    }
    if (is_v3) {
        eio_websocket_open_later(session);
    }
    eio_session_handshake(session, &packet);
    frame = frame_text(buf_str(&packet));
    eio_session_send(session, frame);
    frame_unref(frame);
    server->config.ops->on_open(server->config.arg, session);
}

static void log_version(struct http_request *request)
{
    static struct log_gate gate;
    struct str agent = http_header(request, STR("User-Agent"));
    struct str version = param(request, STR("EIO"));
    unsigned suppressed;

    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_ENGINEIO, "unsupported protocol version",
                 "from=%s EIO=%.*s agent=\"%.*s\" suppressed=%u", http_client_address(request),
                 (int)MIN(version.len, (size_t)8), version.data, (int)MIN(agent.len, (size_t)200),
                 agent.data, suppressed);
    }
}

/* A proxy may have dropped the Upgrade header: that must not be read as a poll. */
static bool speaks(const struct http_request *request, enum eio_transport transport)
{
    return http_asks_upgrade(request) == (transport == EIO_TRANSPORT_WEBSOCKET);
}

static void log_origin(struct http_request *request)
{
    static struct log_gate gate;
    struct str origin = http_header(request, STR("Origin"));
    unsigned suppressed;

    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_ENGINEIO, "origin refused",
                 "origin=\"%.*s\" setting=http.cors_origins from=%s suppressed=%u",
                 (int)MIN(origin.len, (size_t)200), origin.data, http_client_address(request),
                 suppressed);
    }
}

static void open_session(struct eio_server *server, struct http_request *request,
                         enum eio_transport transport)
{
    unsigned protocol = protocol_of(server, request);

    if (!is_method(request, STR("GET"))) {
        eio_reply_error(server, request, EIO_ERROR_BAD_METHOD);
    } else if (!speaks(request, transport) || http_query(request).len > QUERY_MAX) {
        eio_reply_error(server, request, EIO_ERROR_BAD_REQUEST);
    } else if (protocol == UNSUPPORTED) {
        log_version(request);
        eio_reply_error(server, request, EIO_ERROR_UNSUPPORTED_VERSION);
    } else if (server->drain_slice > 0 ||
               eio_server_is_full(server, http_client_address(request)) ||
               eio_address_is_full(server, http_client_address(request)) ||
               (server->config.admit != NULL &&
                !server->config.admit(server->config.admit_arg, http_client_address(request)))) {
        server->stats.refused++;
        eio_reply_busy(server, request);
    } else if (transport == EIO_TRANSPORT_WEBSOCKET) {
        open_websocket(server, request, protocol == 3);
    } else {
        open_polling(server, request, protocol == 3);
    }
}

/* May this session be used like that? A session on WebSocket answers no polls; another WebSocket is
 * for eio_websocket_probe() to judge. */
static bool fits(const struct eio_session *session, struct http_request *request,
                 enum eio_transport transport)
{
    if (!speaks(request, transport) ||
        protocol_of(session->server, request) != eio_session_protocol(session)) {
        return false;
    }
    if (transport == EIO_TRANSPORT_WEBSOCKET) {
        return is_method(request, STR("GET"));
    }
    return session->transport == EIO_TRANSPORT_POLLING &&
           (is_method(request, STR("GET")) || is_method(request, STR("POST")));
}

/* A session that closes this round is gone for what comes now, unless there is still something to
 * fetch, or the client closed it with a POST that overtook its GET: libev handles what became
 * readable in one round last come first. */
static bool is_gone(const struct eio_session *session, struct http_request *request)
{
    if (session->state != EIO_STATE_CLOSING) {
        return false;
    }
    switch (session->farewell) {
    case EIO_FAREWELL_ORDERLY:
        return false;
    case EIO_FAREWELL_CLOSE:
        break;
    case EIO_FAREWELL_NOOP:
        return !is_method(request, STR("GET")) || session->polling == NULL ||
               session->polling->get != NULL;
    }
    return true;
}

static void use_session(struct eio_server *server, struct http_request *request,
                        enum eio_transport transport, struct str sid)
{
    struct eio_session *session = eio_session_find(server, sid);

    if (session == NULL || is_gone(session, request)) {
        eio_reply_error(server, request, EIO_ERROR_SESSION_UNKNOWN);
    } else if (!fits(session, request, transport)) {
        eio_reply_error(server, request, EIO_ERROR_BAD_REQUEST);
    } else if (transport == EIO_TRANSPORT_WEBSOCKET) {
        eio_websocket_probe(session, request);
    } else if (is_method(request, STR("GET"))) {
        eio_polling_get(session, request);
    } else {
        eio_polling_post(session, request);
    }
}

static void on_head(void *arg, struct http_request *request)
{
    struct eio_server *server = arg;
    struct str sid = param(request, STR("sid"));
    enum eio_transport transport;

    http_set_user(request, NULL);
    if (is_method(request, STR("OPTIONS")) && eio_reply_preflight(server, request)) {
        return;
    }
    if (!parse_transport(request, &transport)) {
        eio_reply_error(server, request, EIO_ERROR_TRANSPORT_UNKNOWN);
    } else if (!origin_is_clean(request)) {
        eio_reply_error(server, request, EIO_ERROR_BAD_REQUEST);
    } else if (!eio_origin_allowed(server, request)) {
        log_origin(request);
        eio_reply_error(server, request, EIO_ERROR_FORBIDDEN);
    } else if (sid.len > 0) {
        use_session(server, request, transport, sid);
    } else if (has_broken_sid(request)) {
        eio_reply_error(server, request, EIO_ERROR_SESSION_UNKNOWN);
    } else {
        open_session(server, request, transport);
    }
}

const struct http_handler *eio_http_handler(void)
{
    static const struct http_handler handler = {
        .on_head = on_head,
        .on_body = eio_polling_body,
        .on_complete = eio_polling_complete,
        .on_end = eio_polling_request_end,
    };

    return &handler;
}

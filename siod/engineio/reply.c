/* What all answers of the Engine.IO path have in common: no caching, no buffering by proxies, CORS
 * (protocol.md 1.4, 1.10). */
#include "siod/engineio/session.h"
#include "siod/net/coding.h"
#include "siod/net/cors.h"

#define RETRY_AFTER_S "5"
#define TEXT_TYPE     "text/plain; charset=UTF-8"

/* Shorter ones are not worth it; longer ones would hold up the loop for more than 3 ms. */
enum { COMPRESS_MIN = 1024, COMPRESS_MAX = 262144 };

static const struct {
    unsigned code, status;
    const char *message;
} errors[EIO_ERROR_COUNT] = {
#define EIO_ERROR(id, code, status, message) { code, status, message },
#include "siod/engineio/error.def"
#undef EIO_ERROR
};

bool eio_origin_allowed(const struct eio_server *server, const struct http_request *request)
{
    return cors_allows(server->config.cors_origins, request);
}

static void add_header(struct buf *headers, const char *name, struct str value)
{
    buf_add_cstr(headers, name);
    buf_add_cstr(headers, ": ");
    buf_add_str(headers, value);
    buf_add_cstr(headers, "\r\n");
}

/* Its filter against scripts in answers did more harm than good. */
static bool is_msie(const struct http_request *request)
{
    struct str agent = http_header(request, STR("User-Agent"));

    return agent.data != NULL && (memmem(agent.data, agent.len, ";MSIE", 5) != NULL ||
                                  memmem(agent.data, agent.len, "Trident/", 8) != NULL);
}

static void add_common(struct buf *headers, const struct eio_server *server,
                       const struct http_request *request, const char *content_type)
{
    if (content_type != NULL) {
        add_header(headers, "Content-Type", str_of(content_type));
    }
    add_header(headers, "cache-control", STR("no-store"));
    add_header(headers, "X-Accel-Buffering", STR("no"));
    if (UNLIKELY(is_msie(request))) {
        add_header(headers, "X-XSS-Protection", STR("0"));
    }
    cors_add(headers, server->config.cors_origins, request);
}

static enum coding coding_for(const struct eio_server *server, const struct http_request *request,
                              size_t len)
{
    if (LIKELY(len < COMPRESS_MIN) || len > COMPRESS_MAX || !server->config.compress) {
        return CODING_NONE;
    }
    return coding_choose(http_header(request, STR("Accept-Encoding")));
}

static void reply_coded(struct eio_server *server, struct http_request *request,
                        const char *content_type, enum coding coding, struct str payload)
{
    autobuf struct buf headers = BUF_INIT, body = BUF_INIT;

    if (server->coder == NULL) {
        server->coder = coder_new();
    }
    coder_run(server->coder, coding, payload, &body);
    add_common(&headers, server, request, content_type);
    add_header(&headers, "Content-Encoding", coding_name(coding));
    http_respond(request, 200, buf_str(&headers), buf_str(&body));
}

void eio_reply_payload(struct eio_session *session, struct http_request *request,
                       const char *content_type, struct str payload)
{
    struct eio_server *server = session->server;
    enum coding coding = coding_for(server, request, payload.len);

    if (coding != CODING_NONE) {
        reply_coded(server, request, content_type, coding, payload);
    } else {
        eio_reply(server, request, 200, content_type, payload);
    }
}

static void join(struct frame *const *frames, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_add_char(out, EIO_SEPARATOR);
        }
        buf_add_str(out, frame_payload(frames[i]));
    }
}

static size_t joined_len(struct frame *const *frames, size_t count)
{
    size_t len = count - 1;

    for (size_t i = 0; i < count; i++) {
        len += frame_payload(frames[i]).len;
    }
    return len;
}

void eio_reply_packets(struct eio_session *session, struct http_request *request,
                       struct frame *const *frames, size_t count)
{
    struct eio_server *server = session->server;
    autobuf struct buf headers = BUF_INIT, payload = BUF_INIT;

    if (session->is_v3) {
        eio_v3_reply_packets(session, request, frames, count);
        return;
    }
    if (coding_for(server, request, joined_len(frames, count)) != CODING_NONE) {
        join(frames, count, &payload);
        eio_reply_payload(session, request, TEXT_TYPE, buf_str(&payload));
        return;
    }
    add_common(&headers, server, request, TEXT_TYPE);
    http_respond_frames(request, 200, buf_str(&headers), frames, count, EIO_SEPARATOR);
}

void eio_reply(struct eio_server *server, struct http_request *request, unsigned status,
               const char *content_type, struct str body)
{
    autobuf struct buf headers = BUF_INIT;

    add_common(&headers, server, request, content_type);
    http_respond(request, status, buf_str(&headers), body);
}

void eio_reply_error(struct eio_server *server, struct http_request *request, enum eio_error error)
{
    autobuf struct buf body = BUF_INIT;

    server->stats.refused++;
    if (http_asks_upgrade(request)) {
        http_close_after(request);
        eio_reply(server, request, errors[error].status, "text/html",
                  str_of(errors[error].message));
        return;
    }
    buf_printf(&body, "{\"code\":%u,\"message\":\"%s\"}", errors[error].code,
               errors[error].message);
    eio_reply(server, request, errors[error].status, "application/json", buf_str(&body));
}

void eio_reply_busy(struct eio_server *server, struct http_request *request)
{
    autobuf struct buf headers = BUF_INIT;

    add_common(&headers, server, request, NULL);
    add_header(&headers, "Retry-After", STR(RETRY_AFTER_S));
    http_close_after(request);
    http_respond(request, 503, buf_str(&headers), STR(""));
}

bool eio_reply_preflight(struct eio_server *server, struct http_request *request)
{
    return cors_preflight(server->config.cors_origins, request);
}

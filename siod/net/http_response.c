#include <assert.h>
#include <string.h>
#include <time.h>

#include "libshared/json.h"
#include "libshared/log.h"
#include "siod/net/http_internal.h"

static const struct {
    unsigned status;
    const char *text;
} reasons[] = {
    { 100, "Continue" },
    { 101, "Switching Protocols" },
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 411, "Length Required" },
    { 413, "Content Too Large" },
    { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" },
    { 422, "Unprocessable Content" },
    { 426, "Upgrade Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
};

const char *http_reason(unsigned status)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].text;
        }
    }
    return "Unknown";
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", made once a second. */
static const char *date(struct http_server *server)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(loop_wall_ms(server->loop) / 1000);
    struct tm tm;

    if (server->date_s != now && gmtime_r(&now, &tm) != NULL) {
        server->date_s = now;
        snprintf(server->date, sizeof server->date, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                 days + 3 * tm.tm_wday, tm.tm_mday % 100, months + 3 * tm.tm_mon,
                 (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
    }
    return server->date;
}

/* Everything up to the body, in the server's scratch buffer. */
static struct str render_head(struct http_server *server, unsigned status, struct str headers,
                              size_t body_len, const char *connection)
{
    struct buf *buf = &server->scratch;

    buf_clear(buf);
    buf_add_cstr(buf, "HTTP/1.1 ");
    buf_add_u64(buf, status);
    buf_add_char(buf, ' ');
    buf_add_cstr(buf, http_reason(status));
    buf_add_cstr(buf, "\r\nDate: ");
    buf_add_cstr(buf, date(server));
    if (status >= 200 && status != 304) {
        buf_add_cstr(buf, "\r\nContent-Length: ");
        buf_add_u64(buf, body_len);
    }
    buf_add_cstr(buf, "\r\n");
    buf_add_cstr(buf, connection);
    buf_add_str(buf, headers);
    buf_add_cstr(buf, "\r\n");
    return buf_str(buf);
}

static void count_answer(struct http_server *server, unsigned status)
{
    if (status / 100 < ARRAY_SIZE(server->stats.answers)) {
        server->stats.answers[status / 100]++;
    }
}

static const char *connection_field(const struct http_request *request)
{
    if (!request->keep_alive || request->hc->server->draining) {
        return "Connection: close\r\n";
    }
    return request->minor == 0 ? "Connection: keep-alive\r\n" : "";
}

/* Before the head is rendered: will the unread body keep the connection from being used again? */
static void settle_keep_alive(struct http_request *request)
{
    uint64_t left = request->content_length - request->body_seen;

    if (!request->body_done && (request->chunked || request->expect_continue || left > SKIP_MAX)) {
        request->keep_alive = false;
    }
}

/* A frame with the answer's head and room for the body at *ret_body. */
static struct frame *start_answer(struct http_request *request, unsigned status, struct str headers,
                                  size_t body_len, char **ret_body)
{
    struct http_server *server = request->hc->server;
    struct str head;
    struct frame *frame;

    settle_keep_alive(request);
    head = render_head(server, status, headers, body_len, connection_field(request));
    frame = frame_alloc(head.len + (request->head_only ? 0 : body_len));
    memcpy(frame->bytes, head.data, head.len);
    *ret_body = frame->bytes + head.len;
    return frame;
}

static void finish_answer(struct http_request *request, unsigned status, struct frame *frame)
{
    struct http_conn *hc = request->hc;

    request->answered = true;
    count_answer(hc->server, status);
    log_debug(LOG_HTTP, "request", "peer=%s method=%.*s path=\"%.*s\" status=%u",
              conn_peer(hc->conn), STR_ARG(request->method), STR_ARG(request->path), status);
    conn_send(hc->conn, frame);
    frame_unref(frame);
    http_conn_answered(hc);
}

void http_respond(struct http_request *request, unsigned status, struct str headers,
                  struct str body)
{
    struct frame *frame;
    char *to;

    if (request->answered) {
        return;
    }
    frame = start_answer(request, status, headers, body.len, &to);
    if (!request->head_only && body.len > 0) {
        memcpy(to, body.data, body.len);
    }
    finish_answer(request, status, frame);
}

void http_respond_frames(struct http_request *request, unsigned status, struct str headers,
                         struct frame *const *frames, size_t count, int separator)
{
    size_t len = separator >= 0 && count > 1 ? count - 1 : 0;
    struct frame *frame;
    char *to;

    if (request->answered) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        len += frame_payload(frames[i]).len;
    }
    frame = start_answer(request, status, headers, len, &to);
    for (size_t i = 0; i < count && !request->head_only; i++) {
        struct str payload = frame_payload(frames[i]);

        if (i > 0 && separator >= 0) {
            *to++ = (char)separator;
        }
        memcpy(to, payload.data, payload.len);
        to += payload.len;
    }
    finish_answer(request, status, frame);
}

static void render_problem(struct buf *buf, unsigned status, const char *code, const char *detail)
{
    buf_printf(buf, "{\"title\":\"%s\",\"status\":%u", http_reason(status), status);
    if (code != NULL) {
        buf_printf(buf, ",\"code\":\"%s\"", code);
    }
    if (detail != NULL) {
        buf_add_cstr(buf, ",\"detail\":");
        json_add_cstr(buf, detail);
    }
    buf_add_char(buf, '}');
}

#define PROBLEM_TYPE "Content-Type: application/problem+json\r\n"

void http_respond_error(struct http_request *request, enum err err, const char *detail)
{
    autobuf struct buf body = BUF_INIT;
    unsigned status = err_http_status(err);

    render_problem(&body, status, err_code(err), detail != NULL ? detail : err_text(err));
    http_respond(request, status, STR(PROBLEM_TYPE), buf_str(&body));
}

void http_fail(struct http_request *request, unsigned status)
{
    autobuf struct buf body = BUF_INIT;

    request->failed = true;
    request->keep_alive = false;
    render_problem(&body, status, NULL, NULL);
    http_respond(request, status, STR(PROBLEM_TYPE), buf_str(&body));
}

void http_refuse(struct http_conn *hc, unsigned status)
{
    autobuf struct buf body = BUF_INIT;
    struct str head;

    render_problem(&body, status, NULL, NULL);
    head = render_head(hc->server, status, STR(PROBLEM_TYPE), body.len, "Connection: close\r\n");
    count_answer(hc->server, status);
    conn_send_bytes(hc->conn, head);
    conn_send_bytes(hc->conn, buf_str(&body));
    hc->closing = true;
    http_conn_wait(hc, WAITING_NOT);
    conn_close(hc->conn);
}

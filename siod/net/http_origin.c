/* The origin that a client asked: what goes into URLs of an answer, so it is checked strictly. */
#include <string.h>

#include "libshared/buf.h"
#include "siod/net/conn.h"
#include "siod/net/http_internal.h"

enum { HOST_MAX = 255 };

static bool all_of(struct str text, const char *allowed)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\0' || strchr(allowed, text.data[i]) == NULL) {
            return false;
        }
    }
    return text.len > 0;
}

/* The end of the host in "host", "host:port", "[address]" or "[address]:port"; NULL: none. */
static const char *host_end(struct str text)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    const char *end;

    if (text.len == 0) {
        return NULL;
    }
    if (text.data[0] == '[') {
        end = memchr(text.data, ']', text.len);
        return end != NULL && all_of((struct str) { text.data + 1, (size_t)(end - text.data) - 1 },
                                     "0123456789abcdefABCDEF:.")
                   ? end + 1
                   : NULL;
    }
    end = memchr(text.data, ':', text.len);
    end = end != NULL ? end : text.data + text.len;
    return all_of((struct str) { text.data, (size_t)(end - text.data) }, name) ? end : NULL;
}

static bool is_authority(struct str text)
{
    const char *end = text.len <= HOST_MAX ? host_end(text) : NULL;
    struct str rest;

    if (end == NULL) {
        return false;
    }
    rest = str_skip(text, (size_t)(end - text.data));
    return rest.len == 0 || (rest.data[0] == ':' && http_port_valid(str_skip(rest, 1)));
}

bool http_origin(const struct http_request *request, struct buf *out)
{
    const struct conn *conn = request->hc->conn;
    struct str host =
        request->authority.data != NULL ? request->authority : http_header(request, STR("Host"));
    bool tls = conn_is_tls(conn);

    if (forwarded_believes(&request->hc->server->trust, conn_peer(conn))) {
        struct str proto = http_header(request, STR("X-Forwarded-Proto"));
        struct str forwarded = http_header(request, STR("X-Forwarded-Host"));

        host = is_authority(forwarded) ? forwarded : host;
        tls = str_eq_nocase(proto, STR("https")) || (tls && !str_eq_nocase(proto, STR("http")));
    }
    if (!is_authority(host)) {
        return false;
    }
    buf_add_cstr(out, tls ? "https://" : "http://");
    buf_add_str(out, host);
    return true;
}

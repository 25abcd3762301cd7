#include "siod/net/cors.h"

#include "siod/net/http.h"

static bool is_on(const char *const *origins)
{
    return origins != NULL && origins[0] != NULL;
}

static bool takes_any(const char *const *origins)
{
    return is_on(origins) && strcmp(origins[0], "*") == 0;
}

static bool is_listed(const char *const *origins, struct str origin)
{
    for (const char *const *at = origins; *at != NULL; at++) {
        if (str_eq(origin, str_of(*at))) {
            return true;
        }
    }
    return false;
}

bool cors_allows(const char *const *origins, const struct http_request *request)
{
    struct str origin = http_header(request, STR("Origin"));

    return !is_on(origins) || takes_any(origins) || origin.data == NULL ||
           is_listed(origins, origin);
}

static void add_header(struct buf *headers, const char *name, struct str value)
{
    buf_add_cstr(headers, name);
    buf_add_cstr(headers, ": ");
    buf_add_str(headers, value);
    buf_add_cstr(headers, "\r\n");
}

/* CORS is on. */
static void add_origin(struct buf *headers, const char *const *origins,
                       const struct http_request *request)
{
    struct str origin = http_header(request, STR("Origin"));

    if (takes_any(origins)) {
        add_header(headers, "Access-Control-Allow-Origin", STR("*"));
        return;
    }
    if (origin.data != NULL && is_listed(origins, origin)) {
        add_header(headers, "Access-Control-Allow-Origin", origin);
    }
    add_header(headers, "Access-Control-Allow-Credentials", STR("true"));
}

void cors_add_allow(struct buf *headers, const char *const *origins, const char *methods)
{
    buf_printf(headers, "Allow: %s%s\r\n", methods, is_on(origins) ? ", OPTIONS" : "");
}

void cors_add(struct buf *headers, const char *const *origins, const struct http_request *request)
{
    if (!is_on(origins)) {
        return;
    }
    add_origin(headers, origins, request);
    if (!takes_any(origins)) {
        add_header(headers, "Vary", STR("Origin"));
    }
}

bool cors_preflight(const char *const *origins, struct http_request *request)
{
    struct str wanted = http_header(request, STR("Access-Control-Request-Headers"));
    autobuf struct buf headers = BUF_INIT;

    if (!is_on(origins)) {
        return false;
    }
    add_origin(&headers, origins, request);
    add_header(&headers, "Access-Control-Allow-Methods", STR("GET,HEAD,PUT,PATCH,POST,DELETE"));
    add_header(&headers, "Vary",
               takes_any(origins) ? STR("Access-Control-Request-Headers")
                                  : STR("Origin, Access-Control-Request-Headers"));
    if (wanted.data != NULL) {
        add_header(&headers, "Access-Control-Allow-Headers", wanted);
    }
    http_respond(request, 204, buf_str(&headers), STR(""));
    return true;
}

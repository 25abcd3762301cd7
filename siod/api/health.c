#include "siod/api/health.h"

#include "libshared/buf.h"
#include "siod/metrics/metrics.h"
#include "siod/net/http.h"

#define TEXT        "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
#define OPENMETRICS "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"

/* True when the method is one for reading; anything else is answered here. */
static bool is_read(struct http_request *request)
{
    if (str_eq(http_method(request), STR("GET")) || str_eq(http_method(request), STR("HEAD"))) {
        return true;
    }
    http_respond(request, 405, STR("Allow: GET, HEAD\r\n" TEXT), STR("method not allowed\n"));
    return false;
}

static void on_health(void *arg, struct http_request *request)
{
    (void)arg;
    if (is_read(request)) {
        http_respond(request, 200, STR(TEXT), STR("ok\n"));
    }
}

static void on_ready(void *arg, struct http_request *request)
{
    const struct health_config *config = arg;
    autobuf struct buf body = BUF_INIT;
    const char *why = "";

    if (!is_read(request)) {
        return;
    }
    if (config->ready(config->arg, &why)) {
        http_respond(request, 200, STR(TEXT), STR("ready\n"));
        return;
    }
    buf_printf(&body, "%s\n", why);
    http_respond(request, 503, STR(TEXT "Retry-After: 1\r\n"), buf_str(&body));
}

static void on_metrics(void *arg, struct http_request *request)
{
    const struct health_config *config = arg;
    autobuf struct buf body = BUF_INIT;

    if (!is_read(request)) {
        return;
    }
    config->collect(config->arg);
    metrics_render(&body);
    http_respond(request, 200, STR(OPENMETRICS), buf_str(&body));
}

static void on_end(struct http_request *request, bool aborted)
{
    (void)request;
    (void)aborted;
}

void health_routes(struct http_server *server, const struct health_config *config)
{
    static const struct http_handler health = { .on_head = on_health, .on_end = on_end };
    static const struct http_handler ready = { .on_head = on_ready, .on_end = on_end };
    static const struct http_handler metrics = { .on_head = on_metrics, .on_end = on_end };
    void *arg = (void *)(uintptr_t)config;
    const struct http_route routes[] = {
        { "/healthz", &health, arg },
        { "/readyz", &ready, arg },
        { "/metrics", &metrics, arg },
    };

    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        http_server_route(server, &routes[i]);
    }
}

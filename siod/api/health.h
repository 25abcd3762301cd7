/* /healthz, /readyz, /metrics: what a supervisor and Prometheus ask. */
#pragma once

#include <stdbool.h>

struct http_server;

struct health_config {
    /* Is siod ready for traffic? *ret_why says in a few words why not, "" when it is. */
    bool (*ready)(void *arg, const char **ret_why);
    /* Brings the gauges up to date before they are rendered. */
    void (*collect)(void *arg);
    void *arg;
};

/* Adds the three routes; `config` is borrowed as long as the server.
 * GET /healthz: 200 `ok` while the loop turns. GET /readyz: 200 `ready`, or 503 and the reason. GET
 * /metrics: OpenMetrics. */
void health_routes(struct http_server *server, const struct health_config *config);

#include "siod/net/http.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "siod/net/http_internal.h"

static void free_detached(void *arg)
{
    struct http_server *server = arg;
    struct http_conn *hc, *next;

    LL_FOREACH_SAFE (server->detached, hc, next) {
        buf_finish(&hc->stash);
        free(hc);
    }
    server->detached = NULL;
}

struct http_server *http_server_new(struct loop *loop, const struct http_limits *limits)
{
    struct http_server *server = xnew(struct http_server);

    server->loop = loop;
    server->limits = *limits;
    server->date_s = -1;
    server->hook = (struct loop_hook) { NULL, free_detached, server };
    loop_hook_add(loop, &server->hook);
    return server;
}

void http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    assert(server->conns == NULL);
    loop_hook_remove(server->loop, &server->hook);
    free_detached(server);
    trust_finish(&server->trust);
    buf_finish(&server->scratch);
    free(server->routes);
    free(server);
}

void http_server_route(struct http_server *server, const struct http_route *route)
{
    server->routes =
        xrealloc(server->routes, (server->route_count + 1) * sizeof(struct http_route));
    server->routes[server->route_count++] = *route;
}

enum err http_server_trust(struct http_server *server, const char *const *cidrs, size_t count,
                           struct errmsg *msg)
{
    struct trust trust = { .networks = NULL };

    for (size_t i = 0; i < count; i++) {
        enum err err = trust_add(&trust, cidrs[i], msg);

        if (err != OK) {
            trust_finish(&trust);
            return err;
        }
    }
    trust_finish(&server->trust);
    server->trust = trust;
    return OK;
}

void http_server_set_limits(struct http_server *server, const struct http_limits *limits)
{
    server->limits = *limits;
}

static bool route_matches(const struct http_route *route, struct str path)
{
    struct str pattern = str_of(route->path);

    if (pattern.len > 0 && pattern.data[pattern.len - 1] == '*') {
        pattern.len--;
        return str_starts_with(path, pattern);
    }
    return str_eq(path, pattern);
}

const struct http_route *http_find_route(const struct http_server *server, struct str path)
{
    for (size_t i = 0; i < server->route_count; i++) {
        if (route_matches(&server->routes[i], path)) {
            return &server->routes[i];
        }
    }
    return NULL;
}

void http_server_drain(struct http_server *server)
{
    struct http_conn *hc;

    server->draining = true;
    DL_FOREACH (server->conns, hc) {
        if (hc->request != NULL) {
            continue;
        }
        if (hc->waiting == WAITING_HEAD) {
            http_refuse(hc, 503);
        } else {
            hc->closing = true;
            conn_close(hc->conn);
        }
    }
}

void http_server_stats(const struct http_server *server, struct http_stats *ret_stats)
{
    *ret_stats = server->stats;
}

/* /api/…: the desk over HTTP, for frontends and other back ends: siod-api(7).
 *
 * A bearer token says who asks; its businessId is the only tenant the request can see. Lists are
 * read in pages by the store's readers, changes go the way of the same change from a socket or from
 * sioctl. */
#pragma once

struct desk;
struct http_server;
struct loop;
struct store;

struct api_config {
    struct loop *loop;
    struct desk *desk;
    struct store *store;
    const char *const *cors_origins; /* as in eio_config; NULL = no CORS */
    unsigned json_depth;             /* of bodies; 0 = no limit of its own */
};

/* Adds the routes; `config` is borrowed as long as the server. */
void api_routes(struct http_server *server, const struct api_config *config);

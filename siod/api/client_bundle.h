/* /socket.io/socket.io.min.js: the client for browsers, out of a file that the operator names, so
 * that a page gets the version its siod was tried with (protocol.md 7, "Serving the client
 * bundle"). Without a file that path is as unknown as any other. */
#pragma once

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/error.h"

struct http_server;

enum {
    CLIENT_BUNDLE_MAX = 4 * 1024 * 1024, /* bytes; that of socket.io-client 4.8 has 46 KiB */
    CLIENT_BUNDLE_TAG_MAX = 35,          /* 16 bytes in hex, in quotes, with a NUL */
};

/* All zero: no file. */
struct client_bundle {
    struct buf script;
    char tag[CLIENT_BUNDLE_TAG_MAX]; /* the ETag: a digest of the script */
};

struct client_bundle_config {
    struct client_bundle bundle;
    const char *const *cors_origins; /* as in eio_config; NULL = no CORS */
};

/* Reads the whole file; "" for path gives a bundle without one. On success *ret is the caller's to
 * finish. An empty or unreadable file and one above CLIENT_BUNDLE_MAX are errors that name it. */
NODISCARD
enum err client_bundle_read(const char *path, struct client_bundle *ret, struct errmsg *msg);
void client_bundle_finish(struct client_bundle *bundle);

/* Adds the route; `config` is borrowed as long as the server, and may change between two rounds.
 * GET and HEAD: 200, or 304 when If-None-Match has its tag; OPTIONS with CORS: 204; otherwise 405.
 */
void client_bundle_route(struct http_server *server, const struct client_bundle_config *config);

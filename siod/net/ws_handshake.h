/* The opening handshake of a WebSocket, server side (RFC 6455, 4.2). */
#pragma once

#include <stdbool.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"

struct http_request;

/* Appends the 101, with `headers` as in ws_accept(). False when the request is no valid upgrade: it
 * was answered 400 then. */
NODISCARD
bool ws_handshake(struct http_request *request, struct str headers, struct buf *answer);

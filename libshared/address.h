/* Where to listen, as the configuration writes it. Grammar only: nothing is asked of the system. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"

enum address_kind {
    ADDRESS_TCP,     /* "127.0.0.1:3000", "[::1]:0", "localhost:80", ":3000" */
    ADDRESS_UNIX,    /* "unix:PATH", "/PATH" */
    ADDRESS_FD,      /* "fd:3", a listening socket that was inherited */
    ADDRESS_SYSTEMD, /* "systemd", all that the service manager passed */
};

/* Borrows from the text. */
struct address {
    enum address_kind kind;
    struct str host;  /* without brackets; empty: all addresses */
    const char *port; /* digits; "0": a free one */
    const char *path;
    int fd;
};

/* ERR_INVALID says what it should be. */
NODISCARD
enum err address_parse(const char *text, struct address *ret, struct errmsg *msg);

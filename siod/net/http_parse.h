/* The head of an HTTP/1.1 request (RFC 9112): pure, and the only user of http_parser.
 *
 * A head is parsed when it is complete. http_parser 2.9 has the grammar; what it lets pass is
 * refused here before and after it: bare CR and LF, folded lines, control bytes, blanks in names,
 * doubled and malformed lengths, unknown codings, a missing, doubled or malformed Host. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/str.h"

enum { HTTP_FIELDS_MAX = 256 };

/* Where the scan for the end of a head stands; zero-initialised at its start. */
struct http_scan {
    size_t line; /* start of the present line */
    size_t seen; /* bytes looked at */
};
/* Length of the head at the start of `bytes` with its empty line; 0 while incomplete; -1 when a
 * line ends in anything but CR LF. Call again with more bytes at the end. */
NODISCARD
ptrdiff_t http_scan(struct http_scan *scan, struct str bytes);

struct http_field {
    struct str name, value; /* value without the blanks around it */
};

struct http_head {
    struct str method, target;
    struct str path, query; /* of target, both raw; query without '?' */
    struct str authority;   /* of a target in absolute form, .data NULL; it counts, not Host */
    unsigned minor;         /* HTTP/1.minor */
    bool keep_alive;        /* may the connection serve another request? */
    bool chunked;
    bool expect_continue;
    bool upgrade;            /* Connection: Upgrade and an Upgrade field */
    bool upgrade_websocket;  /* … which says websocket and nothing else */
    uint64_t content_length; /* 0 when there is none */
    size_t count;
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* Returns 0, or the status to refuse with: 400, 417, 431 (more than max_fields), 505. A method
 * that there is not is 400, as broken ones are: what is no request at all looks like that. All
 * strings borrow from `head`. */
NODISCARD
unsigned http_head_parse(struct str head, unsigned max_fields, struct http_head *ret_head);

/* The first field of that name; NULL if none. */
const struct http_field *http_field_find(const struct http_field *fields, size_t count,
                                         struct str name);
/* The digits of a port: not above 65535. */
bool http_port_valid(struct str port);
/* Is `token` an element of the comma-separated list? Case is ignored. */
bool http_list_has(struct str list, struct str token);

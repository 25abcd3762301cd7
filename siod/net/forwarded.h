/* Whose X-Forwarded-For is believed. Pure. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"

enum { CLIENT_ADDRESS_SIZE = INET6_ADDRSTRLEN };

struct network {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;
};

struct trust {
    struct network *networks;
    size_t count;
    bool unix_peers;
};

void trust_finish(struct trust *trust);
/* "10.0.0.0/8", "::1", "unix". */
NODISCARD
enum err trust_add(struct trust *trust, const char *cidr, struct errmsg *msg);

/* Is a peer (conn_peer() form) one whose X-Forwarded- headers are believed? */
bool forwarded_believes(const struct trust *trust, const char *peer);

/* The client's address: walks from `peer` (conn_peer() form) through the lists, last element first,
 * for as long as the address at hand is trusted. An element that is no address ends the walk.
 * `lists` are the field's values in the order of the message. */
void forwarded_client(const struct trust *trust, const char *peer, const struct str *lists,
                      size_t count, char ret_address[CLIENT_ADDRESS_SIZE]);

/* An agent: a Socket.IO v5 client over Engine.IO v4's WebSocket transport, no polling. It answers
 * heartbeats by itself; what else arrives goes to the crowd's handlers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/lib/loop.h"
#include "libshared/base.h"
#include "libshared/str.h"

struct client;

struct client_ops {
    /* A Socket.IO event; `packet` (borrowed) is its JSON array as text. NULL = ignored. */
    void (*event)(struct client *client, struct str packet);
    /* `args` (borrowed): the array that answers. */
    void (*ack)(struct client *client, uint64_t id, struct str args);
};

enum client_state {
    CLIENT_NEW,
    CLIENT_UPGRADING,  /* the HTTP request is on its way */
    CLIENT_OPENING,    /* waits for Engine.IO's open packet */
    CLIENT_CONNECTING, /* waits for the answer to Socket.IO's CONNECT */
    CLIENT_READY,
    CLIENT_LOST,
};

struct client {
    struct conn conn;
    struct crowd *crowd;
    enum client_state state;
    char *token;     /* owned until the client is ready */
    unsigned number; /* its place in the crowd */
    uint64_t count;  /* the scenario's: deliveries seen, or requests made */
    void *data;      /* the scenario's */
};

/* Clients of one kind that are opened together. */
struct crowd {
    struct loop *loop;
    struct client *clients;
    unsigned count, opened, ready, lost;
    struct client_ops ops;
};

struct crowd_config {
    unsigned count;
    int64_t first_user;    /* user ids count up from here */
    unsigned users;        /* that many beside the first client's; 0 = each client has its own */
    int64_t business;      /* of the first; each holds `per_business`, the next has the next id */
    unsigned per_business; /* 0 = all in one */
    const char *jwt_key_file;
};

/* Makes the clients and mints their tokens: opening them costs the server's clock, this does not.
 */
void crowd_init(struct crowd *crowd, struct loop *loop, const struct crowd_config *config);
void crowd_finish(struct crowd *crowd);
/* Opens all of them, at most `at_once` handshakes at a time, and ends the process when one is
 * refused or none gets ready for long. Returns the seconds it took. */
double crowd_open(struct crowd *crowd, unsigned at_once);

/* Whether an ack says that it was done. */
bool client_ack_ok(struct str args);

/* Queue one Engine.IO packet, e.g. `42["typing_start",{"chatId":1}]`. */
void client_send(struct client *client, struct str text);

/* The webhook endpoint over real HTTP and the real store, all on one loop. */
#pragma once

#include "libshared/buf.h"
#include "net_fixture.h"
#include "siod/store/store.h"
#include "siod/webhook/receive.h"
#include "tests/unit/gate.h"

#define NUMBER "109876543210001"

enum { BODY_BYTES = 1024 * 1024, IN_FLIGHT = 1200 * 1024 };

/* Of /webhook, whose verify token is "let me in", and of /other, which has none. */
extern const struct str receive_secrets[2];
extern const struct str receive_other_secrets[1];

struct rig {
    char dir[64];
    char *path;
    struct loop *loop;
    struct transport *transport;
    struct http_server *http;
    struct listener *listener;
    struct store *store;
    struct webhook_receiver *receiver;
    size_t events; /* log rows committed */
};

int receive_setup(void **state);
int receive_teardown(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, receive_setup, receive_teardown)

/* Opens all gates; the writer is through them when it returns. */
void gates_pass(struct rig *rig);

int64_t sql_int(struct rig *rig, const char *sql);
void sql_exec(struct rig *rig, const char *sql);

/* The stored bodies, as `webhook list` reads them. */
struct webhook_query {
    struct store_query query;
    struct buf body, counts, reason; /* of the newest */
    enum store_webhook_state state;
    size_t rows;
    bool done;
};

void read_webhooks(struct rig *rig, struct webhook_query *q);
void webhook_query_finish(struct webhook_query *q);

/* A request in parts, and as a whole. */
void start_post(struct buf *request, const char *path);
void add_signature(struct buf *head, struct str secret, struct str body);
void add_body(struct buf *request, struct str body);
void signed_post(struct buf *request, const char *path, struct str secret, struct str body);
/* A webhook with one text to NUMBER. */
void text_body(struct buf *body, const char *wamid, const char *text);

/* Sends it on a connection of its own and waits for the answer: its status. */
unsigned status_of(struct rig *rig, struct str request, struct buf *ret_answer);
unsigned text_status(struct rig *rig, const char *request, struct buf *ret_answer);
unsigned post(struct rig *rig, const char *path, struct str secret, struct str body);
unsigned post_vector(struct rig *rig, const char *name);

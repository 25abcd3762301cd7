/* The ways to the daemon: over the control socket, or signed over HTTP. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/str.h"
#include "sioctl/replay/records.h"
#include "sioctl/sioctl.h"

/* The answer to a delivery: {"status":200,"webhookId":7,"counts":{…},"reason":null}, borrowed for
 * the call. Over HTTP the last three are null. */
typedef void replay_answered(void *arg, size_t tag, json_t *answer);

struct sender {
    const struct sender_ops *ops;
    replay_answered *answered;
    void *arg;
    size_t room;  /* deliveries that may be under way at a time */
    size_t under; /* and that are */
    bool keeps_order;
};

struct sender_ops {
    /* Begins a delivery; record and body live until it is answered. */
    void (*send)(struct sender *sender, size_t tag, const struct replay_record *record);
    /* Works on those under way until one is answered, or until then (clock_monotonic_ns()). What
     * ends the replay is said. */
    enum exit_code (*wait)(struct sender *sender, uint64_t until_ns);
    void (*free)(struct sender *sender);
};

struct sender_config {
    struct session *session;
    size_t concurrency; /* 0: as many as go without one overtaking another */
    replay_answered *answered;
    void *arg;
};
enum { CONCURRENCY_MAX = 64 };

/* NULL with *ret_code when there is no way, which is said. */
NODISCARD
struct sender *sender_socket_new(const struct sender_config *config, enum exit_code *ret_code);
NODISCARD
struct sender *sender_http_new(const struct sender_config *config, const char *url,
                               struct str secret, enum exit_code *ret_code);

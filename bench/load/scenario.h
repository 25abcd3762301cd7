/* What is measured. Each scenario connects its agents, loads the server for the warm-up and the
 * measurement, waits for what is still under way, and fills in the result: numbers of the measured
 * time, and losses counted over all of it. */
#pragma once

#include <jansson.h>

#include "bench/lib/fail.h"
#include "bench/lib/loop.h"
#include "bench/load/client.h"
#include "bench/load/histogram.h"
#include "bench/load/options.h"
#include "bench/load/server.h"

struct scenario {
    const struct options *options;
    struct loop *loop;
    json_t *result;
    struct crowd idle; /* --idle: open before the scenario starts */
};

void scenario_idle(struct scenario *scenario);
void scenario_fanout(struct scenario *scenario);
void scenario_ack(struct scenario *scenario);
void scenario_webhook(struct scenario *scenario);
void scenario_rooms(struct scenario *scenario);

/* ---- what they share: scenario.c */

enum {
    USERS_DESK = 1,          /* user ids: of the measured agents */
    USERS_IDLE = 500000,     /* of those that --idle adds */
    PER_BUSINESS = 10,       /* agents of an idle business: presence stays cheap */
    BUSINESS_IDLE = 2000000, /* ids of idle businesses */
};

/* Sends one message that was due at `due_ns`. */
typedef void send_due_fn(void *arg, uint64_t due_ns);

/* The load of a scenario while it lasts: rounds of the loop, and with --rate the messages that fall
 * due. Late ones keep their due time: a server that stalls is charged for every message of the
 * stall (no coordinated omission). */
struct pace {
    uint64_t next_due_ns;
    send_due_fn *send_due;
    void *arg;
};
void scenario_drive(struct scenario *scenario, struct pace *pace, double seconds);

void scenario_count(struct scenario *scenario, const char *name, uint64_t count);
void scenario_rate(struct scenario *scenario, const char *name, uint64_t count, double seconds);
/* {"p50":…,"p99":…,"p999":…,"max":…} in microseconds. */
void scenario_latency(struct scenario *scenario, const char *name,
                      const struct histogram *histogram);

/* A model of a desk, around the queue of chats that wait and the rule by which they are given.
 *
 * The model's store takes jobs in order and answers later, in order, as the real one does: what was
 * true when a job was submitted need not be true any more when it is applied, and what was applied
 * is not known yet on the loop. It refuses by compare-and-set, is full at times, and fails for
 * whole periods. Around it customers write and come back, agents come, go, rest, finish chats, and
 * an operator meddles. What has to hold at every instant is checked at every instant, with the
 * model's own words instead of the rule's. Seeded, so that a failure repeats: the message names the
 * seed. */
#pragma once

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <utlist.h>

#include "libshared/alloc.h"
#include "siod/chat/assign_queue.h"

enum {
    BUSINESSES = 3,
    AGENTS = 120, /* of each business */
    CHATS_MAX = 60000,
    IN_FLIGHT_MAX = 256, /* as the queue limits itself */
    TELLING_MAX = 64,    /* likewise */
    DAY_MS = 24 * 3600 * 1000,
};

struct sim_chat {
    struct sim_chat *prev, *next; /* the loop has it in line: business->line */
    int64_t id, business_id;
    /* In the store. */
    enum store_chat_state state;
    int64_t version, agent_id, last_agent_id, since_ms;
    bool told;
    /* On the loop. */
    bool in_line, proposed;
    struct store_waiting known;
};

struct sim_agent {
    int64_t user_id;
    /* In the store. */
    enum store_agent_status status;
    int64_t capacity, load;
    bool seen;
    /* On the loop; NULL while it is not there. */
    struct agent *live;
};

struct sim_business {
    struct sim_agent agents[AGENTS];
    struct agent *online;
    struct sim_chat *line;
};

enum kind { PROPOSE, TELL, SEEN, GIVE_BACK, SET_STATUS, SET_CAPACITY, ARRIVE, CLOSE, FORCE, BACK };

struct sim_job {
    struct sim_job *prev, *next;
    enum kind kind;
    int64_t business_id, user_id, version, value;
    struct sim_chat *chat;
    /* The outcome. */
    enum err err;
    struct assign_outcome outcome;
    struct store_agent row;
    int64_t was_agent, now_agent;
    bool was_waiting;
    struct store_waiting *waiting;
    size_t waiting_count;
};

struct sim {
    unsigned seed;
    uint64_t random;
    int64_t now_ms;
    enum assign_policy policy;
    struct assign_queue *queue;
    struct sim_business businesses[BUSINESSES + 1]; /* by id */
    unsigned agents;
    struct sim_chat *chats;
    size_t chat_count;
    struct sim_job *submitted, *applied;
    unsigned in_flight, telling;
    bool failing, retry, calm; /* calm: the store neither fails nor is full */
    struct {
        unsigned assigned, sticky, refused, failed, waited, reopened, given_back, forced, full,
            avoided;
    } seen;
};

extern struct sim *sim; /* the one that runs */

#define CHECK(condition_)                                                                          \
    do {                                                                                           \
        if (!(condition_)) {                                                                       \
            fail_msg("seed %u at %" PRId64 " ms, line %d: %s", sim->seed, sim->now_ms, __LINE__,   \
                     #condition_);                                                                 \
        }                                                                                          \
    } while (0)

/* Any number below the limit. */
unsigned sim_below(unsigned limit);
/* With a probability of `per_mille` thousandths. */
bool sim_chance(unsigned per_mille);
struct sim_business *sim_business_of(int64_t id);
struct sim_agent *sim_agent_of(int64_t business_id, int64_t user_id);

/* `capacity`: of each agent; 0 = as it comes. */
void sim_start(unsigned seed, enum assign_policy policy, unsigned agents, int64_t capacity);
void sim_end(void);
struct sim_job *sim_job_new(enum kind kind, int64_t business_id);
void sim_submit(struct sim_job *job);
/* The store takes the next job, and the loop hears of the next one that was taken. */
void sim_store_step(void);
void sim_loop_step(void);
/* The store works again and everything that is under way arrives. */
void sim_settle(void);

unsigned sim_live_load(const struct agent *agent);
void sim_check_nobody_waits_in_vain(void);

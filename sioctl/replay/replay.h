/* `webhook replay`, from its files to its reports. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "sioctl/replay/ids.h"
#include "sioctl/replay/plan.h"
#include "sioctl/replay/records.h"
#include "sioctl/replay/sender.h"
#include "sioctl/sioctl.h"

struct replay {
    struct session *session;
    struct replay_options options;
    size_t concurrency; /* 0: as many as go without one overtaking another */
    struct replay_records records;
    struct replay_ids *ids; /* NULL: ids stay */
    struct replay_plan plan;
    struct sender *sender;
    json_t **answers; /* to each step of the plan, NULL until it came; owned */
    size_t started, answered, accepted;
    size_t printed; /* steps whose answers are out */
    bool silent;    /* no rows: stdout is for a report */
    bool unread;    /* stdout takes no more */
    bool judged;    /* by a golden file or for a report: then rows are not all that is wanted */
    bool parted;    /* deliveries that concern the same chat are not under way together */
    size_t under[CONCURRENCY_MAX]; /* then: the steps that are under way */
    bool large;                    /* the one under way must not be overtaken */
};

/* engine.c: makes the deliveries of the plan when they are due. EXIT_DONE when all were answered,
 * well or not. */
NODISCARD
enum exit_code replay_run(struct replay *replay);
const struct replay_record *replay_record_of(const struct replay *replay, size_t step);
bool replay_accepted(const json_t *answer);

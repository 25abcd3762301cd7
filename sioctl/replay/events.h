/* The events of a replay, from the log of every business: what was emitted between the two ends is
 * all there, in its order, however fast it was. */
#pragma once

#include <jansson.h>

#include "libshared/base.h"
#include "sioctl/replay/golden.h"
#include "sioctl/sioctl.h"

/* Where the logs stand: as `business list` has it, to be released. */
NODISCARD
enum exit_code events_mark(struct session *session, json_t **ret_mark);
/* Waits until everything that was delivered had its consequences, then gives each event since
 * `mark`, and what the golden lines have to know beside them, to `golden`. */
NODISCARD
enum exit_code events_collect(struct session *session, const json_t *mark, struct golden *golden);

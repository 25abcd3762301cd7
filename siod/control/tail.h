/* Shared by tail.c and tail_filter.c. Pure: the log is filtered on the threads that read it. */
#pragma once

#include <stdbool.h>

#include "libshared/base.h"
#include "libshared/str.h"

struct control_call;
struct desk_emission;

/* Does it pass --event, --room, --business, --chat and --agent of this call? */
NODISCARD
bool tail_wanted(const struct control_call *call, const struct desk_emission *emission);
/* The first of an event's arguments, JSON values that are separated by commas; borrows them. */
NODISCARD
struct str tail_payload(struct str args);

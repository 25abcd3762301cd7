/* Lists of sockets, for `socket list` and `room show`. */
#pragma once

#include <stdint.h>

#include "libshared/str.h"

struct control_call;

/* {"members":[…]} in pieces, then the end of the call. */
void control_send_members(struct control_call *call, uint64_t scope, struct str room);

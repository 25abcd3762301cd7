/* Lists of sockets, for `socket list` and `room show`. */
#pragma once

#include <stdint.h>

#include "libshared/str.h"

struct control_call;
struct sio_socket;

/* {"members":[…]} in pieces, then the end of the call. */
void control_send_members(struct control_call *call, uint64_t scope, struct str room);
/* The socket that the call names; NULL: there is none, and the call has been answered. */
struct sio_socket *control_find_socket(struct control_call *call);

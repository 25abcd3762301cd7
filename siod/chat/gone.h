/* Who left lately, and why: for the log, the metrics and `sioctl socket show`, all with the same
 * word. */
#pragma once

#include "siod/socketio/socketio.h"

struct desk;
struct desk_gone_list;

void desk_gone_note(struct desk *desk, const struct sio_socket *socket, struct sio_reason reason);
void desk_gone_free(struct desk_gone_list *list);

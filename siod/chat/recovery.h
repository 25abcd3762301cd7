/* Clients that come back: the log of a business as Socket.IO's recovery reads it
 * (siod/socketio/recovery.h). */
#pragma once

#include "siod/socketio/recovery.h"

/* Its arg is the desk. */
extern const struct sio_log desk_log;

/* The application of fuzz_session that speaks Engine.IO alone: it echoes every message behind the
 * count of its session. */
#pragma once

#include "siod/engineio/engineio.h"

/* The server's arg is an unsigned that counts open sessions. */
extern const struct eio_ops session_echo;

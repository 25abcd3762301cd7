/* The service manager's notification protocol, sd_notify(3). */
#pragma once

/* Sends `state` ("READY=1") to $NOTIFY_SOCKET; does nothing without it. */
void notify_manager(const char *state);

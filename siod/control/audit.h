/* Who changed what through the control socket: a row in the store for each command that is more
 * than reading. */
#pragma once

#include <sys/types.h>

#include <jansson.h>

struct control;

/* Written ahead of what the command itself writes. Bodies are recorded by their length. */
void control_audit(struct control *control, uid_t uid, pid_t pid, const char *cmd,
                   const json_t *args);

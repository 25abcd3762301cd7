/* Who changed what through the control socket: a row in the store for each command that is more
 * than reading. */
#pragma once

struct control_call;

/* Written ahead of what the command itself writes; the last answer waits for it, so that who has
 * the answer finds the row. Bodies are recorded by their length. */
void control_audit(struct control_call *call, const char *cmd);

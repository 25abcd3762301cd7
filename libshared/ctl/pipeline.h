/* Many requests under way on one connection of the control socket, for a caller with a poll() of
 * its own. The daemon takes the requests of a connection in their order and answers each when it is
 * ready. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/ctl/client.h"
#include "libshared/ctl/frame.h"
#include "libshared/error.h"
#include "libshared/str.h"

struct ctl_pipeline;

/* Takes a client that was asked nothing yet. Returns owned. */
NODISCARD
struct ctl_pipeline *ctl_pipeline_new(struct ctl_client *client);
/* Hangs up; NULL is taken. */
void ctl_pipeline_free(struct ctl_pipeline *pipeline);

/* Room for a request, which ctl_pipeline_step() sends: "args" is JSON text. Ids are the caller's
 * own, above 0. */
void ctl_pipeline_ask(struct ctl_pipeline *pipeline, int64_t id, const char *cmd, struct str args);
/* Bytes that wait to be sent. */
size_t ctl_pipeline_unsent(const struct ctl_pipeline *pipeline);

int ctl_pipeline_fd(const struct ctl_pipeline *pipeline);
short ctl_pipeline_events(const struct ctl_pipeline *pipeline);
/* An answer, borrowed for the call; `more`: there will be others to the same request. */
typedef void ctl_reply_fn(void *arg, const struct ctl_reply *reply);
/* Sends what can be sent and reads what there is, without waiting. CTL_DONE; CTL_UNREACHABLE with
 * msg when the daemon has hung up or talks nonsense. */
NODISCARD
enum ctl_outcome ctl_pipeline_step(struct ctl_pipeline *pipeline, ctl_reply_fn *on_reply, void *arg,
                                   struct errmsg *msg);

/* What a replay is judged by: the golden file of --expect, or else that each delivery is answered
 * 200; and the reports about it. */
#pragma once

#include "sioctl/replay/golden.h"
#include "sioctl/replay/replay.h"

struct verdict;

/* Before the deliveries; what is wrong with a file is said. *ret is NULL when nothing of this was
 * asked for. */
NODISCARD
enum exit_code verdict_begin(struct replay *replay, struct verdict **ret);
/* After them, `code` being how they ended: compares, writes and reports, where they ended early
 * only the latter. EXIT_REFUSED when something is not as expected. */
NODISCARD
enum exit_code verdict_end(struct verdict *verdict, enum exit_code code);
void verdict_free(struct verdict *verdict);

/* What `sioctl wait` waits for: `ready`, `settled`, `agent/7=available`, `chat/12=assigned`. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/str.h"

enum ctl_subject { CTL_SUBJECT_READY, CTL_SUBJECT_SETTLED, CTL_SUBJECT_AGENT, CTL_SUBJECT_CHAT };

struct ctl_condition {
    enum ctl_subject subject;
    int64_t id;       /* 0 of READY and SETTLED */
    struct str state; /* one of the words below; empty of READY and SETTLED */
};
/* False when it is none; otherwise *ret_condition borrows from `text`. */
bool ctl_condition_parse(struct str text, struct ctl_condition *ret_condition);
/* The n-th state that a subject may be waited for in; .data NULL past the last. */
struct str ctl_condition_state(enum ctl_subject subject, unsigned n);

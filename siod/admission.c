#include "siod/admission.h"

#include "libshared/base.h"
#include "libshared/log.h"
#include "siod/metrics/metrics.h"
#include "siod/net/loop.h"

enum { MILLI = 1000 };

void admission_init(struct admission *admission, const struct loop *loop, unsigned per_s)
{
    *admission = (struct admission) { .loop = loop,
                                      .per_s = per_s,
                                      .refilled_ms = loop_now_ms(loop),
                                      .milli = (uint64_t)per_s * MILLI };
}

void admission_set_rate(struct admission *admission, unsigned per_s)
{
    if (admission->per_s != per_s) {
        admission_init(admission, admission->loop, per_s);
    }
}

static void refuse(const struct admission *admission, const char *address)
{
    static struct log_gate gate;
    unsigned suppressed;

    metric_add(METRIC_LIMITED_HANDSHAKES, 1);
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_NET, "too many handshakes",
                 "limit=limits.handshakes_per_s per_s=%u from=%s suppressed=%u", admission->per_s,
                 address, suppressed);
    }
}

bool admission_take(void *arg, const char *address)
{
    struct admission *admission = arg;
    uint64_t now_ms = loop_now_ms(admission->loop), full = (uint64_t)admission->per_s * MILLI;

    if (admission->per_s == 0) {
        return true;
    }
    admission->milli =
        MIN(full, admission->milli + (now_ms - admission->refilled_ms) * admission->per_s);
    admission->refilled_ms = now_ms;
    if (admission->milli < MILLI) {
        refuse(admission, address);
        return false;
    }
    admission->milli -= MILLI;
    return true;
}

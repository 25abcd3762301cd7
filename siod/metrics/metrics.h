/* Counters and gauges, one row each in metrics.def. Any thread may count. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "libshared/buf.h"

enum metric {
#define METRIC(id, type, name, labels, help) METRIC_##id,
#include "siod/metrics/metrics.def"
#undef METRIC
    METRIC_COUNT
};

void metric_add(enum metric metric, uint64_t n);
/* For gauges, and for counters that a module keeps itself. */
void metric_set(enum metric metric, uint64_t value);
uint64_t metric_get(enum metric metric);
/* All of them in the OpenMetrics text format, with the final `# EOF`. */
void metrics_render(struct buf *out);

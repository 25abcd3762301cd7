#include "siod/metrics/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

enum metric_type { COUNTER, GAUGE };

static const struct {
    enum metric_type type;
    const char *name;
    const char *labels;
    const char *help;
} rows[METRIC_COUNT] = {
#define METRIC(id, type, name, labels, help) [METRIC_##id] = { type, name, labels, help },
#include "siod/metrics/metrics.def"
#undef METRIC
};

static _Atomic uint64_t values[METRIC_COUNT];

void metric_add(enum metric metric, uint64_t n)
{
    atomic_fetch_add_explicit(&values[metric], n, memory_order_relaxed);
}

void metric_set(enum metric metric, uint64_t value)
{
    atomic_store_explicit(&values[metric], value, memory_order_relaxed);
}

uint64_t metric_get(enum metric metric)
{
    return atomic_load_explicit(&values[metric], memory_order_relaxed);
}

static void add_family(struct buf *out, enum metric metric)
{
    buf_printf(out, "# TYPE %s %s\n", rows[metric].name,
               rows[metric].type == COUNTER ? "counter" : "gauge");
    buf_printf(out, "# HELP %s %s.\n", rows[metric].name, rows[metric].help);
}

void metrics_render(struct buf *out)
{
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        if (i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0) {
            add_family(out, (enum metric)i);
        }
        buf_add_cstr(out, rows[i].name);
        if (rows[i].type == COUNTER) {
            buf_add_cstr(out, "_total");
        }
        if (rows[i].labels[0] != '\0') {
            buf_printf(out, "{%s}", rows[i].labels);
        }
        buf_printf(out, " %" PRIu64 "\n", metric_get((enum metric)i));
    }
    buf_add_cstr(out, "# EOF\n");
}

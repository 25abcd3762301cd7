/* Latencies in nanoseconds, counted in buckets that are at most 1/64 of their value wide: adding is
 * a handful of instructions, and a quantile is right within 1.6 %. */
#pragma once

#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 6,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS,
};

struct histogram {
    uint64_t count, greatest;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Below 64 a bucket holds one value; above, each power of two has 64 of them. */
static inline unsigned histogram_bucket(uint64_t value)
{
    if (value < HISTOGRAM_STEPS) {
        return (unsigned)value;
    }
    unsigned shift = 63 - HISTOGRAM_STEP_BITS - (unsigned)__builtin_clzll(value);

    return shift * HISTOGRAM_STEPS + (unsigned)(value >> shift);
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[histogram_bucket(value)]++;
    histogram->count++;
    if (value > histogram->greatest) {
        histogram->greatest = value;
    }
}

void histogram_clear(struct histogram *histogram);
/* The least value that a share of `quantile` (0 … 1) does not exceed, as the lower end of its
 * bucket; 0 when nothing was added. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

#include "bench/load/histogram.h"

#include <math.h>
#include <string.h>

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
}

static uint64_t bucket_start(unsigned bucket)
{
    unsigned shift = bucket / HISTOGRAM_STEPS;

    if (shift <= 1) {
        return bucket;
    }
    return (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << (shift - 1);
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    uint64_t wanted = (uint64_t)ceil(quantile * (double)histogram->count), seen = 0;

    for (unsigned bucket = 0; wanted > 0 && bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen >= wanted) {
            return bucket_start(bucket);
        }
    }
    return histogram->greatest;
}

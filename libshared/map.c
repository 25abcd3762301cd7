#include "libshared/map.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "libshared/base.h"
#include "libshared/id.h"
#include "libshared/siphash.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool seeded; /* pthread_once() is a call into libc each time */
static uint64_t seed[2];

static void choose_seed(void)
{
    id_random(seed, sizeof seed);
    atomic_store_explicit(&seeded, true, memory_order_release);
}

uint32_t map_hash(const void *key, size_t len)
{
    if (UNLIKELY(!atomic_load_explicit(&seeded, memory_order_acquire))) {
        pthread_once(&once, choose_seed);
    }
    return (uint32_t)siphash(seed, key, len, 1, 3);
}

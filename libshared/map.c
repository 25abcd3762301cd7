#include "libshared/map.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "libshared/base.h"
#include "libshared/id.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool seeded; /* pthread_once() is a call into libc each time */
static uint64_t seed[2];

static void choose_seed(void)
{
    id_random(seed, sizeof seed);
    atomic_store_explicit(&seeded, true, memory_order_release);
}

static inline uint64_t rotl(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* SipHash (Aumasson, Bernstein 2012) with one compression and three finalisation rounds. */
uint32_t map_hash(const void *key, size_t len)
{
    const unsigned char *at = key;
    uint64_t v[4], word, last = (uint64_t)len << 56;
    size_t left = len;

    if (UNLIKELY(!atomic_load_explicit(&seeded, memory_order_acquire))) {
        pthread_once(&once, choose_seed);
    }
    v[0] = seed[0] ^ 0x736f6d6570736575u;
    v[1] = seed[1] ^ 0x646f72616e646f6du;
    v[2] = seed[0] ^ 0x6c7967656e657261u;
    v[3] = seed[1] ^ 0x7465646279746573u;
    for (; left >= 8; left -= 8, at += 8) {
        memcpy(&word, at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = 0; i < left; i++) {
        last |= (uint64_t)at[i] << (8 * i);
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

/* SipHash (Aumasson, Bernstein 2012): a keyed hash of short inputs, that nobody without the key can
 * foresee. One compression and three finalisation rounds do for hash tables; two and four make it a
 * message authentication code. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t siphash_rotl(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void siphash_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = siphash_rotl(v[1], 13) ^ v[0];
    v[0] = siphash_rotl(v[0], 32);
    v[2] += v[3];
    v[3] = siphash_rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = siphash_rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = siphash_rotl(v[1], 17) ^ v[2];
    v[2] = siphash_rotl(v[2], 32);
}

static inline void siphash_rounds(uint64_t v[4], unsigned count)
{
#pragma GCC unroll 4
    for (unsigned i = 0; i < count; i++) {
        siphash_round(v);
    }
}

/* The rounds are constants where this is called. */
static inline uint64_t siphash(const uint64_t key[2], const void *data, size_t len,
                               unsigned compression, unsigned finalisation)
{
    const unsigned char *at = data;
    uint64_t word, last = (uint64_t)len << 56;
    uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                      key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
    size_t left = len;

    for (; left >= 8; left -= 8, at += 8) {
        memcpy(&word, at, 8);
        v[3] ^= word;
        siphash_rounds(v, compression);
        v[0] ^= word;
    }
    for (size_t i = 0; i < left; i++) {
        last |= (uint64_t)at[i] << (8 * i);
    }
    v[3] ^= last;
    siphash_rounds(v, compression);
    v[0] ^= last;
    v[2] ^= 0xff;
    siphash_rounds(v, finalisation);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

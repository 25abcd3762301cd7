/* uthash, with a hash that is seeded once per process: peers choose many of our keys (chat names,
 * session ids, tokens) and must not be able to choose collisions. Include this file, never
 * uthash.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3 of the key under the process's random seed. */
uint32_t map_hash(const void *key, size_t len);

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = map_hash((keyptr), (keylen)))

#include <uthash.h>

/* Keys of the token module. */
#pragma once

#include "libshared/token.h"

struct token_key {
    char *kid;         /* the file's name without its extension */
    struct buf verify; /* the secret, or the public key as PEM */
    struct buf sign;   /* the secret, or the private key as PEM; empty when the file has none */
    struct evp_mac_ctx_st *hmac; /* HS256: the secret, set up once; else NULL */
};

/* Read a key file and check that it suits the algorithm. */
NODISCARD
enum err token_key_read(const char *path, enum token_algorithm algorithm, struct token_key *ret_key,
                        struct errmsg *msg);
void token_key_finish(struct token_key *key);
/* HS256: is this the HMAC-SHA256 of `text`? In constant time. Not thread-safe. */
NODISCARD
bool token_key_hmac_fits(const struct token_key *key, struct str text, struct str signature);

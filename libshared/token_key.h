/* Keys of the token module. */
#pragma once

#include "libshared/token.h"

struct token_key {
    char *kid;         /* the file's name without its extension */
    struct buf verify; /* the secret, or the public key as PEM */
    struct buf sign;   /* the secret, or the private key as PEM; empty when the file has none */
};

/* Read a key file and check that it suits the algorithm. */
NODISCARD
enum err token_key_read(const char *path, enum token_algorithm algorithm, struct token_key *ret_key,
                        struct errmsg *msg);
void token_key_finish(struct token_key *key);

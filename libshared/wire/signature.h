/* The signature of a webhook: `X-Hub-Signature-256: sha256=` and 64 lower-case hex digits, the
 * HMAC-SHA256 of the raw body under the app secret (Meta, "Webhooks: validate payloads"). It is
 * computed while the body arrives, against several secrets at once: apps rotate theirs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/base.h"
#include "libshared/str.h"

enum {
    SIGNATURE_LEN = 7 + 64,
    SIGNATURE_SIZE = SIGNATURE_LEN + 1,
    SIGNATURE_SECRETS_MAX = 16, /* of one app */
};

/* The secrets of one app with their HMAC prepared: setting a key up costs three times as much as
 * copying it. Thread-safe once made. */
struct signature_keys;
/* Copies what it needs. 1 to SIGNATURE_SECRETS_MAX secrets, none empty. Returns owned. */
NODISCARD
struct signature_keys *signature_keys_new(const struct str *secrets, size_t count);
void signature_keys_free(struct signature_keys *keys);

/* One body on its way in. Does not refer to the keys after its start. */
struct signature;
/* Returns owned. */
NODISCARD
struct signature *signature_start(const struct signature_keys *keys);
void signature_update(struct signature *signature, const void *data, size_t len);
/* Whether `header`, the value of X-Hub-Signature-256 (data NULL when absent), fits one of the
 * secrets; compared in constant time. *ret_key (NULL is accepted) is then its place in the list.
 * Ends the computation: only signature_free() may follow. */
NODISCARD
bool signature_check(struct signature *signature, struct str header, size_t *ret_key);
void signature_free(struct signature *signature);

/* The header's value for a body. */
void signature_header(struct str secret, struct str body, char ret_header[SIGNATURE_SIZE]);

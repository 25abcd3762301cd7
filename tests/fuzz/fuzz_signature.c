/* fuzz: links wire shared */

/* The signature of a webhook whose body comes in pieces, against one to four secrets: a header
 * counts when it is what one of them makes of the whole body, and only then.
 *
 * Input: two bytes (how many secrets, which of them signs; the size of the pieces), the header that
 * a stranger sends, as long as a right one, then the body. */
#include <stdint.h>
#include <stdlib.h>

#include "libshared/wire/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct str secrets[] = { STR_INIT("one"), STR_INIT("two"), STR_INIT("three"),
                                      STR_INIT("one") };

static bool check(const struct signature_keys *keys, struct str body, size_t piece,
                  struct str header, size_t *ret_key)
{
    struct signature *signature = signature_start(keys);
    bool fits;

    while (body.len > 0) {
        size_t len = MIN(piece, body.len);

        signature_update(signature, body.data, len);
        body = str_skip(body, len);
    }
    fits = signature_check(signature, header, ret_key);
    signature_free(signature);
    return fits;
}

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size };
    char right[SIGNATURE_SIZE];
    struct signature_keys *keys;
    struct str stranger;
    size_t count, signer, piece, key;

    if (size < 2) {
        return 0;
    }
    count = 1 + data[0] % ARRAY_SIZE(secrets);
    signer = data[0] / ARRAY_SIZE(secrets) % count;
    piece = 1 + (size_t)data[1];
    rest = str_skip(rest, 2);
    stranger = (struct str) { rest.data, MIN(rest.len, (size_t)SIGNATURE_LEN) };
    rest = str_skip(rest, stranger.len);

    keys = signature_keys_new(secrets, count);
    signature_header(secrets[signer], rest, right);
    require(check(keys, rest, piece, str_of(right), &key));
    require(str_eq(secrets[key], secrets[signer]) && key <= signer);
    require(!check(keys, rest, piece, (struct str) { right, SIGNATURE_LEN - 1 }, NULL));
    if (check(keys, rest, piece, stranger, &key)) {
        signature_header(secrets[key], rest, right);
        require(str_eq(stranger, str_of(right)));
    }
    signature_keys_free(keys);
    return 0;
}

/* fuzz: links shared */
/* Form, header and claims of a token, as far as they are judged without a key. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/token_part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct str header, struct str payload)
{
    static const struct token_rules rules = { "issuer", "audience", 5, true };
    autobuf struct buf kid = BUF_INIT;
    struct token_claims claims;
    int64_t not_before_s;

    if (token_check_header(header, TOKEN_HS256, &kid, NULL) == OK && header.len == 0) {
        abort();
    }
    if (token_check_claims(payload, &rules, 1800000000, &claims, &not_before_s, NULL) == OK &&
        (claims.user_id < 1 || claims.business_id < 1 || strlen(claims.name) > TOKEN_NAME_MAX ||
         strlen(claims.jti) > TOKEN_JTI_MAX || claims.expires_s <= 1800000000 - 5)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str token = { (const char *)data, size };
    autobuf struct buf header = BUF_INIT;
    autobuf struct buf payload = BUF_INIT;

    if (token_decode(token, &header, &payload, NULL) == OK) {
        judge(buf_str(&header), buf_str(&payload));
    } else if (header.len != 0 || payload.len != 0) {
        abort();
    }
    judge(token, token); /* most inputs are no base64: let them through as JSON as well */
    return 0;
}

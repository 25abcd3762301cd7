/* `webhook verify`: what the daemon would say to a signature. */
#include "libshared/json.h"
#include "libshared/wire/signature.h"
#include "sioctl/sioctl.h"

enum { PAYLOAD_MAX = 64 * 1024 * 1024 };

static bool fits(struct str secret, struct str body, struct str header)
{
    struct signature_keys *keys = signature_keys_new(&secret, 1);
    struct signature *signature = signature_start(keys);
    bool good;

    signature_update(signature, body.data, body.len);
    good = signature_check(signature, header, NULL);
    signature_free(signature);
    signature_keys_free(keys);
    return good;
}

enum exit_code run_webhook_verify(struct session *session)
{
    struct str header = json_str(session_arg(session, "signature"));
    autobuf struct buf secret = BUF_INIT;
    autobuf struct buf body = BUF_INIT;
    autojson json_t *result = NULL;
    bool valid;

    if (!read_secret(session, &secret) ||
        !read_input(session_arg_text(session, "file"), PAYLOAD_MAX, &body)) {
        return EXIT_REFUSED;
    }
    valid = fits(buf_str(&secret), buf_str(&body), header);
    result = json_pack("{s:b}", "valid", valid);
    output_result(&session->out, result);
    if (valid) {
        return EXIT_DONE;
    }
    if (header.len != SIGNATURE_LEN || !str_starts_with(header, STR("sha256="))) {
        say("the signature is malformed: sha256= and 64 lower-case hex digits expected");
    } else {
        say("the signature does not match");
    }
    return EXIT_REFUSED;
}

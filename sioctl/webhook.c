/* `webhook sign`. */
#include "libshared/config.h"
#include "libshared/json.h"
#include "libshared/wire/signature.h"
#include "sioctl/sioctl.h"

enum { PAYLOAD_MAX = 64 * 1024 * 1024 };

bool read_secret(const struct session *session, struct buf *ret_secret)
{
    struct errmsg msg = { "" };

    if (config_read_secret_file(session_arg_text(session, "secretFile"), ret_secret, &msg) == OK) {
        return true;
    }
    say_failure(&msg);
    return false;
}

enum exit_code run_webhook_sign(struct session *session)
{
    autobuf struct buf secret = BUF_INIT;
    autobuf struct buf body = BUF_INIT;
    autojson json_t *result = NULL;
    char header[SIGNATURE_SIZE];

    if (!read_secret(session, &secret) ||
        !read_input(session_arg_text(session, "file"), PAYLOAD_MAX, &body)) {
        return EXIT_REFUSED;
    }
    signature_header(buf_str(&secret), buf_str(&body), header);
    result = json_pack("{s:s}", "signature", header);
    output_result(&session->out, result);
    return EXIT_DONE;
}

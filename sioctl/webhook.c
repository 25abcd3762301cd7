/* `webhook sign` and `webhook replay`. */
#include <string.h>

#include <openssl/evp.h>

#include "libshared/alloc.h"
#include "libshared/config.h"
#include "libshared/ctl/frame.h"
#include "libshared/json.h"
#include "libshared/utf8.h"
#include "libshared/wire/signature.h"
#include "sioctl/payloads.h"
#include "sioctl/sioctl.h"

enum { PAYLOAD_MAX = 64 * 1024 * 1024 };

bool read_secret(const struct session *session, struct buf *ret_secret)
{
    struct errmsg msg = { "" };

    if (config_read_secret_file(session_arg_text(session, "secretFile"), ret_secret, &msg) == OK) {
        return true;
    }
    say("%s", msg.text);
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

struct replay {
    struct session *session;
    struct poster *poster; /* NULL: over the control socket */
    struct buf secret;
    size_t accepted;
};

static void encode_base64(struct str body, struct buf *to)
{
    char *out = buf_reserve(to, (body.len + 2) / 3 * 4 + 1);

    to->len += (size_t)EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)body.data,
                                       (int)body.len);
}

/* As text if that is what it is, else, or when escapes would make it longer, in base64. */
static json_t *deliver_args(struct str body)
{
    autobuf struct buf text = BUF_INIT;
    autobuf struct buf encoded = BUF_INIT;
    json_t *args = json_object();

    json_add_string(&text, body);
    if (utf8_valid(body) && text.len <= body.len / 3 * 4 + 64) {
        json_object_set_new(args, "body",
                            json_stringn(body.data != NULL ? body.data : "", body.len));
    } else {
        encode_base64(body, &encoded);
        json_object_set_new(args, "bodyB64", json_stringn(encoded.data, encoded.len));
    }
    return args;
}

static enum exit_code deliver(struct replay *replay, struct str body, json_t **ret_outcome)
{
    autojson json_t *args = NULL;
    const struct ctl_call call = { .cmd = "webhook deliver" };
    struct ctl_call with_args = call;

    if (body.len > CTL_LINE_MAX / 4 * 3 - 1024) {
        *ret_outcome = json_pack("{s:i,s:n,s:{},s:s}", "status", 413, "webhookId", "counts",
                                 "reason", err_text(ERR_TOO_LARGE));
        return EXIT_DONE;
    }
    args = deliver_args(body);
    with_args.args = args;
    return session_call(replay->session, &with_args, ret_outcome);
}

static enum exit_code post(struct replay *replay, struct str body, json_t **ret_outcome)
{
    char header[SIGNATURE_SIZE];
    unsigned status;
    const char *why;

    signature_header(buf_str(&replay->secret), body, header);
    poster_send(replay->poster, body, header, &status, &why);
    if (interrupted) {
        return EXIT_INTERRUPTED;
    }
    if (status == 0) {
        say("%s: %s", session_arg_text(replay->session, "url"), why != NULL ? why : "timed out");
        return why != NULL ? EXIT_UNREACHABLE : EXIT_TIMED_OUT;
    }
    *ret_outcome =
        json_pack("{s:i,s:n,s:n,s:n}", "status", (int)status, "webhookId", "counts", "reason");
    return EXIT_DONE;
}

static enum exit_code replay_file(struct replay *replay, const char *path)
{
    autobuf struct buf body = BUF_INIT;
    autojson json_t *outcome = NULL;
    autojson json_t *record = json_object();
    enum exit_code code;

    if (!read_input(path, PAYLOAD_MAX, &body)) {
        return EXIT_REFUSED;
    }
    code = (replay->poster != NULL ? post : deliver)(replay, buf_str(&body), &outcome);
    if (code != EXIT_DONE) {
        return code;
    }
    json_object_set_new(record, "file", json_text(str_of(path)));
    json_object_update(record, outcome);
    replay->accepted += json_integer_value(json_object_get(outcome, "status")) == 200;
    return output_record(&replay->session->out, record) ? EXIT_DONE : EXIT_REFUSED;
}

static enum exit_code replay_all(struct replay *replay, const struct payloads *payloads)
{
    for (size_t i = 0; i < payloads->count; i++) {
        enum exit_code code =
            interrupted ? EXIT_INTERRUPTED : replay_file(replay, payloads->paths[i]);

        if (code != EXIT_DONE) {
            output_close(&replay->session->out);
            say("%zu of %zu replayed, %zu accepted", i, payloads->count, replay->accepted);
            return code;
        }
    }
    output_close(&replay->session->out);
    say("%zu replayed, %zu accepted", payloads->count, replay->accepted);
    return replay->accepted == payloads->count ? EXIT_DONE : EXIT_REFUSED;
}

static enum exit_code replay_found(struct session *session, const struct payloads *payloads)
{
    const char *url = session_arg_text(session, "url");
    struct replay replay = { .session = session };
    enum exit_code code;

    if (url != NULL && !read_secret(session, &replay.secret)) {
        return EXIT_REFUSED;
    }
    if (url != NULL) {
        replay.poster = poster_new(url, session->config.timeout_ms);
    }
    code = replay_all(&replay, payloads);
    if (replay.poster != NULL) {
        poster_free(replay.poster);
    }
    buf_finish(&replay.secret);
    return code;
}

enum exit_code run_webhook_replay(struct session *session)
{
    bool url = session_arg(session, "url") != NULL;
    bool secret = session_arg(session, "secretFile") != NULL;
    struct payloads payloads;
    enum exit_code code = EXIT_REFUSED;

    if (url != secret) {
        say("%s", url ? "--url needs --secret-file" : "--secret-file needs --url");
        return EXIT_USAGE;
    }
    if (payloads_find(session_arg(session, "path"), &payloads)) {
        code = replay_found(session, &payloads);
    }
    payloads_finish(&payloads);
    return code;
}

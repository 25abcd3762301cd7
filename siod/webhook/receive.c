#include "siod/webhook/receive.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "libshared/wire/signature.h"
#include "siod/metrics/metrics.h"
#include "siod/store/store.h"
#include "siod/webhook/receiver.h"

enum {
    CHALLENGE_MAX = 256,
    RESERVE_MAX = 256 * 1024, /* room made for what a Content-Length only announces */
    ENVELOPE_DEPTH = 10,      /* what the platform puts around the text of a message */
};

/* A POST while its body arrives, and after that until it is answered. It outlives its request when
 * the client leaves early, since what was received is stored all the same. */
struct post {
    struct webhook_app *app;
    struct http_request *request; /* NULL: it is over */
    struct signature *signature;
    struct buf body;
    bool refused;    /* answered before the body was complete: the rest is ignored */
    bool delivering; /* the body was handed on, done() will come */
};

/* ---- answers */

static void respond_busy(struct http_request *request)
{
    http_respond(request, 503, STR("Retry-After: 2\r\nContent-Type: text/plain\r\n"),
                 STR("too much in flight, send it again later\n"));
}

static void respond_unavailable(struct http_request *request)
{
    http_respond(request, 503, STR("Retry-After: 5\r\nContent-Type: text/plain\r\n"),
                 STR("cannot store it now, send it again later\n"));
}

/* ---- GET: the verification of the path */

static bool same_secret(struct str a, struct str b)
{
    return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}

static void refuse_verification(struct webhook_app *app, struct http_request *request,
                                const char *why)
{
    unsigned suppressed;

    if (log_gate_pass(&app->receiver->verify_gate, &suppressed)) {
        log_warn(LOG_WEBHOOK, "verification refused", "app=%s from=%s suppressed=%u", app->name,
                 http_client_address(request), suppressed);
    }
    http_respond_error(request, ERR_FORBIDDEN, why);
}

static enum err take_param(struct http_request *request, const char *name, struct str *ret_value,
                           struct errmsg *msg)
{
    enum err err = http_query_param_once(request, str_of(name), ret_value);

    if (err != OK) {
        return err_set(msg, err, "%s is there twice, or has a broken escape or a NUL", name);
    }
    return ret_value->data != NULL ? OK : err_set(msg, ERR_INVALID, "%s is missing", name);
}

static enum err take_challenge(struct http_request *request, struct str *ret_value,
                               struct errmsg *msg)
{
    enum err err = take_param(request, "hub.challenge", ret_value, msg);

    if (err == OK && (ret_value->len == 0 || ret_value->len > CHALLENGE_MAX)) {
        err = err_set(msg, ERR_INVALID, "hub.challenge is too %s",
                      ret_value->len == 0 ? "short" : "long");
    }
    return err;
}

static void verify(struct webhook_app *app, struct http_request *request)
{
    struct str mode, token, challenge;
    struct errmsg msg = { "" };
    enum err err = take_param(request, "hub.mode", &mode, &msg);

    err = err == OK ? take_param(request, "hub.verify_token", &token, &msg) : err;
    err = err == OK ? take_challenge(request, &challenge, &msg) : err;
    if (err != OK) {
        http_respond_error(request, err, msg.text);
    } else if (app->verify_token.len == 0 || !same_secret(token, buf_str(&app->verify_token))) {
        refuse_verification(app, request, "the verify token does not match");
    } else if (!str_eq(mode, STR("subscribe"))) {
        refuse_verification(app, request, "hub.mode is not subscribe");
    } else {
        log_info(LOG_WEBHOOK, "verification answered", "app=%s from=%s", app->name,
                 http_client_address(request));
        http_respond(request, 200,
                     STR("Content-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\n"),
                     challenge);
    }
}

/* ---- POST */

static void post_free(struct post *post)
{
    struct webhook_receiver *receiver = post->app->receiver;

    receiver->bytes -= post->body.len;
    signature_free(post->signature);
    buf_finish(&post->body);
    free(post);
    receiver_unref(receiver);
}

/* The body is not wanted any more. */
static void post_drop_body(struct post *post)
{
    post->refused = true;
    post->app->receiver->bytes -= post->body.len;
    buf_finish(&post->body);
}

static void refuse_unsigned(struct webhook_app *app, struct http_request *request, const char *why)
{
    unsigned suppressed;

    metric_add(METRIC_WEBHOOKS_UNSIGNED, 1);
    if (log_gate_pass(&app->receiver->unsigned_gate, &suppressed)) {
        log_warn(LOG_WEBHOOK, "webhook signature refused",
                 "app=%s from=%s why=\"%s\" suppressed=%u", app->name, http_client_address(request),
                 why, suppressed);
    }
    http_respond_error(request, ERR_UNAUTHORIZED, why);
}

static void refuse(struct http_request *request, enum err err, const char *detail)
{
    metric_add(METRIC_WEBHOOKS_REFUSED, 1);
    http_respond_error(request, err, detail);
}

static void refuse_too_large(struct webhook_app *app, struct http_request *request)
{
    static struct log_gate gate;
    unsigned suppressed;

    metric_add(METRIC_LIMITED_BODIES, 1);
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_WEBHOOK, "webhook too large",
                 "limit=limits.body_bytes app=%s from=%s bytes=%lld suppressed=%u", app->name,
                 http_client_address(request), (long long)http_content_length(request), suppressed);
    }
    refuse(request, ERR_TOO_LARGE, "the body is above limits.body_bytes");
}

static void refuse_busy(struct webhook_app *app, struct http_request *request)
{
    const char *limit;
    unsigned suppressed;

    metric_add(METRIC_WEBHOOKS_BUSY, 1);
    limit = receiver_count_busy(app->receiver);
    if (log_gate_pass(&app->receiver->refused_gate, &suppressed)) {
        log_warn(LOG_WEBHOOK, "webhook turned away",
                 "limit=%s app=%s bytes=%zu deliveries=%zu suppressed=%u", limit, app->name,
                 app->receiver->bytes, app->receiver->deliveries, suppressed);
    }
    respond_busy(request);
}

/* The store failed before this request came: nothing is queued that could make room. */
static void refuse_unstored(struct http_request *request)
{
    metric_add(METRIC_WEBHOOKS_FAILED, 1);
    respond_unavailable(request);
}

static struct str signature_of(const struct http_request *request)
{
    return http_header(request, STR("x-hub-signature-256"));
}

/* Absent is taken for JSON: the signature says who sent it. */
static bool is_json(struct str type)
{
    const char *end = type.len > 0 ? memchr(type.data, ';', type.len) : NULL;

    if (end != NULL) {
        type.len = (size_t)(end - type.data);
    }
    while (type.len > 0 && (type.data[type.len - 1] == ' ' || type.data[type.len - 1] == '\t')) {
        type.len--;
    }
    return type.data == NULL || str_eq_nocase(type, STR("application/json"));
}

/* What can be told from the head alone, so that the body is not read for nothing. */
static bool head_is_good(struct webhook_app *app, struct http_request *request)
{
    const struct webhook_receiver *receiver = app->receiver;
    int64_t length = http_content_length(request);
    struct str signature = signature_of(request);

    if (!is_json(http_header(request, STR("content-type")))) {
        refuse(request, ERR_UNSUPPORTED, "application/json is needed");
    } else if (receiver->body_bytes > 0 && length > (int64_t)receiver->body_bytes) {
        refuse_too_large(app, request);
    } else if (signature.data == NULL) {
        refuse_unsigned(app, request, "X-Hub-Signature-256 is missing");
    } else if (signature.len != SIGNATURE_LEN) {
        refuse_unsigned(app, request, "X-Hub-Signature-256 is malformed");
    } else if (!receiver->closed && store_health(receiver->store, NULL) != STORE_OK) {
        refuse_unstored(request);
    } else if (receiver->closed || !store_accepting(receiver->store) ||
               !receiver_has_room(receiver, 0, (size_t)MAX(length, 0))) {
        refuse_busy(app, request);
    } else {
        return true;
    }
    return false;
}

static void post_start(struct webhook_app *app, struct http_request *request)
{
    int64_t length = http_content_length(request);
    struct post *post;

    if (!head_is_good(app, request)) {
        return;
    }
    post = xnew(struct post);
    post->app = app;
    post->request = request;
    post->signature = signature_start(app->keys);
    receiver_ref(app->receiver);
    if (length > 0) {
        buf_reserve(&post->body, (size_t)MIN(length, RESERVE_MAX));
    }
    http_set_user(request, post);
    http_accept_body(request, app->receiver->body_bytes); /* may end the request */
}

static void on_body(struct http_request *request, struct str bytes)
{
    struct post *post = http_user(request);
    struct webhook_receiver *receiver = post->app->receiver;

    if (post->refused) {
        return;
    }
    if (!receiver_has_room(receiver, post->body.len, bytes.len)) {
        post_drop_body(post);
        refuse_busy(post->app, request);
        return;
    }
    signature_update(post->signature, bytes.data, bytes.len);
    receiver->bytes += bytes.len;
    buf_add_str(&post->body, bytes);
}

static void on_delivered(void *arg, enum err err, const struct webhook_result *result)
{
    struct post *post = arg;

    post->delivering = false;
    if (post->request == NULL) {
        post_free(post);
    } else if (err == OK) {
        http_respond(post->request, 200, STR("Content-Type: application/json\r\n"), STR("{}"));
    } else if (err == ERR_SYNTAX) {
        http_respond_error(post->request, err, result->reasons.data);
    } else if (err == ERR_BUSY) {
        respond_busy(post->request);
    } else {
        respond_unavailable(post->request);
    }
}

static void on_complete(struct http_request *request)
{
    struct post *post = http_user(request);

    if (post->refused) {
        return;
    }
    if (!signature_check(post->signature, signature_of(request), NULL)) {
        post_drop_body(post);
        refuse_unsigned(post->app, request, "X-Hub-Signature-256 does not match the body");
        return;
    }
    post->delivering = true;
    delivery_start(
        post->app->receiver,
        &(struct delivery_source) {
            .app = post->app->name, .done = on_delivered, .arg = post, .outlives_receiver = true },
        &post->body);
}

static void on_end(struct http_request *request, bool aborted)
{
    struct post *post = http_user(request);

    (void)aborted;
    if (post == NULL) {
        return;
    }
    post->request = NULL;
    if (!post->delivering) {
        post_free(post);
    }
}

static void on_head(void *arg, struct http_request *request)
{
    struct webhook_app *app = arg;
    struct str method = http_method(request);

    if (str_eq(method, STR("POST"))) {
        post_start(app, request);
    } else if (str_eq(method, STR("GET"))) {
        verify(app, request);
    } else {
        metric_add(METRIC_WEBHOOKS_REFUSED, 1);
        http_respond(request, 405, STR("Allow: GET, POST\r\nContent-Type: text/plain\r\n"),
                     STR("GET or POST\n"));
    }
}

static const struct http_handler handler = {
    .on_head = on_head,
    .on_body = on_body,
    .on_complete = on_complete,
    .on_end = on_end,
};

/* ---- life */

static void app_init(struct webhook_receiver *receiver, struct webhook_app *app,
                     const struct webhook_app_config *config)
{
    app->receiver = receiver;
    app->name = xstrdup(config->name);
    app->path = xstrdup(config->path);
    app->keys = signature_keys_new(config->secrets, config->secret_count);
    buf_add_str(&app->verify_token, config->verify_token);
    app->route = (struct http_route) { app->path, &handler, app };
}

static void app_finish(struct webhook_app *app)
{
    free(app->name);
    free(app->path);
    signature_keys_free(app->keys);
    buf_finish(&app->verify_token);
}

static void take_limits(struct webhook_receiver *receiver, const struct webhook_config *config)
{
    receiver->body_bytes = config->body_bytes;
    receiver->body_bytes_in_flight = config->body_bytes_in_flight;
    receiver->json_depth =
        config->json_depth > 0 ? MIN(config->json_depth + ENVELOPE_DEPTH, JSON_DEPTH_MAX) : 0;
}

static void app_rekey(struct webhook_app *app, const struct webhook_app_config *config)
{
    signature_keys_free(app->keys);
    app->keys = signature_keys_new(config->secrets, config->secret_count);
    buf_clear(&app->verify_token);
    buf_add_str(&app->verify_token, config->verify_token);
}

void webhook_reconfigure(struct webhook_receiver *receiver, const struct webhook_config *config)
{
    take_limits(receiver, config);
    for (size_t i = 0; i < receiver->app_count; i++) {
        for (size_t j = 0; j < config->app_count; j++) {
            if (strcmp(receiver->apps[i].name, config->apps[j].name) == 0) {
                app_rekey(&receiver->apps[i], &config->apps[j]);
            }
        }
    }
}

struct webhook_receiver *webhook_receiver_new(const struct webhook_config *config)
{
    struct webhook_receiver *receiver = xnew(struct webhook_receiver);

    receiver->refs = 1;
    receiver->loop = config->loop;
    receiver->store = config->store;
    receiver->pool = pool_new(config->loop, "siod-webhook", 1);
    take_limits(receiver, config);
    receiver->on_waiting = config->on_waiting;
    receiver->on_merged = config->on_merged;
    receiver->arg = config->arg;
    receiver->app_count = config->app_count;
    receiver->apps = xcalloc(config->app_count, sizeof *receiver->apps);
    for (size_t i = 0; i < config->app_count; i++) {
        app_init(receiver, &receiver->apps[i], &config->apps[i]);
    }
    return receiver;
}

void receiver_ref(struct webhook_receiver *receiver)
{
    receiver->refs++;
}

void receiver_unref(struct webhook_receiver *receiver)
{
    if (--receiver->refs > 0) {
        return;
    }
    for (size_t i = 0; i < receiver->app_count; i++) {
        app_finish(&receiver->apps[i]);
    }
    inbound_work_finish(&receiver->work);
    free(receiver->apps);
    free(receiver);
}

void webhook_receiver_free(struct webhook_receiver *receiver)
{
    if (receiver == NULL) {
        return;
    }
    pool_free(TAKE(receiver->pool));
    receiver->closed = true;
    receiver_unref(receiver);
}

void webhook_routes(struct webhook_receiver *receiver, struct http_server *server)
{
    for (size_t i = 0; i < receiver->app_count; i++) {
        http_server_route(server, &receiver->apps[i].route);
    }
}

bool receiver_has_room(const struct webhook_receiver *receiver, size_t own, size_t more)
{
    return receiver->body_bytes_in_flight == 0 || receiver->bytes == own ||
           receiver->bytes + more <= receiver->body_bytes_in_flight;
}

const char *receiver_count_busy(const struct webhook_receiver *receiver)
{
    if (receiver->closed) {
        return "none";
    }
    if (!store_accepting(receiver->store)) {
        metric_add(METRIC_LIMITED_STORE_QUEUE, 1);
        return "limits.store_queue";
    }
    metric_add(METRIC_LIMITED_IN_FLIGHT, 1);
    return "limits.body_bytes_in_flight";
}

size_t webhook_in_flight(const struct webhook_receiver *receiver)
{
    return receiver->deliveries;
}

size_t webhook_bytes_in_flight(const struct webhook_receiver *receiver)
{
    return receiver->bytes;
}

bool webhook_is_full(const struct webhook_receiver *receiver)
{
    size_t large = receiver->body_bytes_in_flight / 16;

    if (receiver->body_bytes > 0) {
        large = MIN(large, receiver->body_bytes);
    }
    return !receiver_has_room(receiver, 0, MAX(large, (size_t)1));
}

/* From a request to its handler: path, method, token, role, size, body, in this order. Each refusal
 * comes before anything behind it is looked at, and all of them before the body is read. */
#include "siod/api/api.h"

#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/id.h"
#include "libshared/json.h"
#include "libshared/json_text.h"
#include "libshared/log.h"
#include "siod/api/call.h"
#include "siod/chat/tokens.h"
#include "siod/metrics/metrics.h"
#include "siod/net/cors.h"
#include "siod/net/loop.h"

enum { BODY_KEYS = 4096 };

enum api_who { ANYBODY, SERVICE };
enum api_body { NONE, OPTIONAL, REQUIRED };

struct api_route {
    struct str method, path;
    enum api_who who;
    enum api_body body;
    void (*handle)(struct api_call *call);
};

static const struct api_route routes[] = {
#define ROUTE(id, method, path, who, body)                                                         \
    { STR_INIT(method), STR_INIT(path), who, body, api_##id },
#include "siod/api/routes.def"
#undef ROUTE
};

/* ---- the life of a call */

static void call_free(struct api_call *call)
{
    if (call->release != NULL) {
        call->release(call->state);
    }
    buf_finish(&call->text);
    buf_finish(&call->normal);
    free(call);
}

void api_hold(struct api_call *call)
{
    call->held = true;
}

bool api_unhold(struct api_call *call)
{
    call->held = false;
    if (call->request == NULL) {
        call_free(call);
        return false;
    }
    return true;
}

static void on_end(struct http_request *request, bool aborted)
{
    struct api_call *call = http_user(request);

    (void)aborted;
    if (call == NULL) {
        return;
    }
    call->request = NULL;
    if (!call->held) {
        call_free(call);
    }
}

/* ---- path and method */

static struct str next_segment(struct str *path)
{
    const char *slash = memchr(path->data, '/', path->len);
    struct str segment = { path->data, slash != NULL ? (size_t)(slash - path->data) : path->len };

    *path = str_skip(*path, slash != NULL ? segment.len + 1 : segment.len);
    return segment;
}

/* *ret_id is the segment in the place of {}. */
static bool path_matches(struct str pattern, struct str path, struct str *ret_id)
{
    while (pattern.len > 0 && path.len > 0) {
        struct str wanted = next_segment(&pattern), given = next_segment(&path);

        if (str_eq(wanted, STR("{}"))) {
            *ret_id = given;
        } else if (!str_eq(wanted, given)) {
            return false;
        }
    }
    return pattern.len == 0 && path.len == 0;
}

static bool method_fits(const struct api_route *route, struct str method)
{
    bool head = str_eq(method, STR("HEAD")) && str_eq(route->method, STR("GET"));

    return head || str_eq(method, route->method);
}

static void refuse_method(const struct api_config *config, struct http_request *request,
                          const struct api_route *route)
{
    autobuf struct buf allow = BUF_INIT;

    cors_add_allow(&allow, config->cors_origins,
                   str_eq(route->method, STR("GET")) ? "GET, HEAD" : "POST");
    api_refuse(config, request, 405, "method_not_allowed", "not a method of this resource",
               buf_str(&allow));
}

/* No two rows have the same path. */
static const struct api_route *find_route(const struct api_config *config,
                                          struct http_request *request, struct str *ret_id)
{
    const struct api_route *route = routes;
    struct str path = http_path(request);

    while (route < routes + ARRAY_SIZE(routes) && !path_matches(route->path, path, ret_id)) {
        route++;
    }
    if (route == routes + ARRAY_SIZE(routes)) {
        api_refuse(config, request, 404, err_code(ERR_NOT_FOUND), "no such resource", STR(""));
        return NULL;
    }
    if (!method_fits(route, http_method(request))) {
        refuse_method(config, request, route);
        return NULL;
    }
    return route;
}

/* ---- who asks */

/* The token of `Authorization: Bearer TOKEN` (RFC 6750, 2.1); .data NULL when there is none, or no
 * telling which. */
static struct str bearer(const struct http_request *request)
{
    struct str value = http_header(request, STR("Authorization"));
    const struct str scheme = STR("Bearer ");

    if (http_header_count(request, STR("Authorization")) > 1 || value.len < scheme.len ||
        !str_eq_nocase((struct str) { value.data, scheme.len }, scheme)) {
        return STR_NONE;
    }
    value = str_skip(value, scheme.len);
    while (value.len > 0 && value.data[0] == ' ') {
        value = str_skip(value, 1);
    }
    return value.len > 0 ? value : STR_NONE;
}

/* The challenge of RFC 6750, 3: without a token it gives no reason. */
static void refuse_token(const struct api_config *config, struct http_request *request,
                         enum err err, const struct errmsg *msg)
{
    autobuf struct buf challenge = BUF_INIT;

    buf_add_cstr(&challenge, "WWW-Authenticate: Bearer realm=\"siod\"");
    if (err != ERR_TOKEN_MISSING) {
        buf_printf(&challenge, ", error=\"invalid_token\", error_description=\"%s\"",
                   err_text(err));
    }
    buf_add_cstr(&challenge, "\r\n");
    metric_add(METRIC_API_REFUSED, 1);
    log_info(LOG_HTTP, "api request refused", "code=%s from=%s why=\"%s\"", err_code(err),
             http_client_address(request), msg->text);
    api_refuse(config, request, err_http_status(err), err_code(err), err_text(err),
               buf_str(&challenge));
}

static bool authenticate(const struct api_config *config, struct http_request *request,
                         struct token_claims *ret_claims)
{
    struct str token = bearer(request);
    struct errmsg msg = { "" };
    enum err err = token.data == NULL ? err_set(&msg, ERR_TOKEN_MISSING, "no Authorization: Bearer")
                                      : desk_token_verify(config->desk, token, ret_claims, &msg);

    if (err != OK) {
        refuse_token(config, request, err, &msg);
    }
    return err == OK;
}

/* ---- the body */

static void handle(struct api_call *call)
{
    metric_add(METRIC_API_REQUESTS, 1);
    call->route->handle(call);
}

static void refuse_body(struct api_call *call)
{
    api_fail(call, ERR_TOO_LARGE, "a body has at most %d bytes", API_BODY_MAX);
}

/* Not called any more once the request is answered. */
static void on_body(struct http_request *request, struct str bytes)
{
    struct api_call *call = http_user(request);

    if (call->text.len + bytes.len > API_BODY_MAX) {
        refuse_body(call);
    } else {
        buf_add_str(&call->text, bytes);
    }
}

static void on_complete(struct http_request *request)
{
    struct api_call *call = http_user(request);
    const struct json_limits limits = { .depth = call->config->json_depth,
                                        .keys = BODY_KEYS,
                                        .keep_numbers = true }; /* those that emit passes on */
    struct errmsg msg = { "" };

    if (call->route->body == NONE || (call->text.len == 0 && call->route->body == OPTIONAL)) {
        handle(call);
        return;
    }
    if (json_normalise(buf_str(&call->text), &limits, &call->normal, &call->body, &msg) != OK) {
        api_fail(call, ERR_SYNTAX, "the body is not JSON: %s", msg.text);
    } else if (!json_text_is_object(call->body)) {
        api_fail(call, ERR_INVALID, "the body must be an object");
    } else {
        handle(call);
    }
}

static void start(struct api_call *call, struct str id)
{
    const struct api_route *route = call->route;
    struct http_request *request = call->request;

    if (id.data != NULL && !id_parse(id, &call->id)) {
        api_fail(call, ERR_INVALID, "id: a positive integer is needed in the path");
    } else if (route->who == SERVICE && call->claims.role != TOKEN_ROLE_SERVICE) {
        api_fail(call, ERR_FORBIDDEN, "only for tokens of the role service");
    } else if (http_content_length(request) > API_BODY_MAX) {
        refuse_body(call);
    } else {
        /* Counted here, so that the refusal is ours. Where none belongs it is read, too: behind it
         * the peer may close its side, and still gets the answer. */
        http_accept_body(request, 0);
    }
}

static void on_head(void *arg, struct http_request *request)
{
    const struct api_config *config = arg;
    const struct api_route *route;
    struct token_claims claims;
    struct str id = STR_NONE;
    struct api_call *call;

    http_set_user(request, NULL);
    if (str_eq(http_method(request), STR("OPTIONS")) &&
        cors_preflight(config->cors_origins, request)) {
        return;
    }
    route = find_route(config, request, &id);
    if (route == NULL || !authenticate(config, request, &claims)) {
        return;
    }
    call = xnew(struct api_call);
    call->request = request;
    call->config = config;
    call->route = route;
    call->claims = claims;
    http_set_user(request, call);
    start(call, id);
}

void api_routes(struct http_server *server, const struct api_config *config)
{
    static const struct http_handler handler = {
        .on_head = on_head,
        .on_body = on_body,
        .on_complete = on_complete,
        .on_end = on_end,
    };
    const struct http_route route = { "/api/*", &handler, (void *)(uintptr_t)config };

    http_server_route(server, &route);
}

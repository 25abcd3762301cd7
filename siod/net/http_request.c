#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/query.h"
#include "siod/net/http_internal.h"

/* `text` moved from one buffer to another. */
static struct str rebase(struct str text, const char *from, char *to)
{
    return (struct str) { to + (text.data - from), text.len };
}

/* From the method to the end of the last field: what the strings of the head point into. */
static size_t head_span(const struct http_head *head)
{
    const char *end = head->target.data + head->target.len;

    if (head->count > 0) {
        const struct http_field *last = &head->fields[head->count - 1];

        end = MAX(last->name.data + last->name.len, last->value.data + last->value.len);
    }
    return (size_t)(end - head->method.data);
}

static void find_address(struct http_request *request)
{
    struct str lists[16];
    size_t count = 0;

    for (size_t i = 0; i < request->count && count < ARRAY_SIZE(lists); i++) {
        if (str_eq_nocase(request->fields[i].name, STR("X-Forwarded-For"))) {
            lists[count++] = request->fields[i].value;
        }
    }
    forwarded_client(&request->hc->server->trust, conn_peer(request->hc->conn), lists, count,
                     request->address);
}

struct http_request *http_request_new(struct http_conn *hc, const struct http_head *head)
{
    size_t span = head_span(head), fields = head->count * sizeof head->fields[0];
    struct http_request *request = xmalloc(sizeof *request + fields + span);
    char *text = (char *)request + sizeof *request + fields;
    char *path = text + (head->path.data - head->method.data);
    size_t path_len;

    memset(request, 0, sizeof *request);
    memcpy(text, head->method.data, span);
    if (!percent_decode(head->path, false, path, &path_len)) {
        free(request);
        return NULL;
    }
    request->hc = hc;
    request->method = rebase(head->method, head->method.data, text);
    request->path = (struct str) { path, path_len };
    request->query = rebase(head->query, head->method.data, text);
    if (head->authority.data != NULL) {
        request->authority = rebase(head->authority, head->method.data, text);
    }
    request->content_length = head->content_length;
    request->minor = (uint8_t)head->minor;
    request->chunked = head->chunked;
    request->keep_alive = head->keep_alive;
    request->expect_continue = head->expect_continue;
    request->upgrade = head->upgrade;
    request->upgrade_websocket = head->upgrade_websocket;
    request->head_only = str_eq(head->method, STR("HEAD"));
    request->body_done = !head->chunked && head->content_length == 0;
    request->count = head->count;
    for (size_t i = 0; i < head->count; i++) {
        request->fields[i].name = rebase(head->fields[i].name, head->method.data, text);
        request->fields[i].value = rebase(head->fields[i].value, head->method.data, text);
    }
    find_address(request);
    return request;
}

/* As if the peer had gone away: the request may be anywhere. */
static bool give_way(struct hold *hold)
{
    struct http_request *request = CONTAINER_OF(hold, struct http_request, hold);

    hold_release(loop_budget(request->hc->server->loop), hold);
    request->hc->closing = true;
    conn_abort(request->hc->conn);
    return true;
}

bool http_request_hold(struct http_request *request, size_t len)
{
    request->hold.evict = give_way;
    request->hold.from = conn_peer(request->hc->conn);
    return hold_set(loop_budget(request->hc->server->loop), &request->hold, len);
}

void http_request_free(struct http_request *request)
{
    struct http_param *param, *next;

    hold_release(loop_budget(request->hc->server->loop), &request->hold);
    LL_FOREACH_SAFE (request->params, param, next) {
        free(param);
    }
    free(request);
}

struct str http_method(const struct http_request *request)
{
    return request->method;
}

struct str http_path(const struct http_request *request)
{
    return request->path;
}

struct str http_query(const struct http_request *request)
{
    return request->query;
}

struct str http_header(const struct http_request *request, struct str name)
{
    const struct http_field *field = http_field_find(request->fields, request->count, name);

    return field != NULL ? field->value : STR_NONE;
}

unsigned http_header_count(const struct http_request *request, struct str name)
{
    unsigned count = 0;

    for (size_t i = 0; i < request->count; i++) {
        count += str_eq_nocase(request->fields[i].name, name);
    }
    return count;
}

static struct http_param *decode(struct str text)
{
    struct http_param *param = xmalloc(sizeof *param + text.len);

    if (!percent_decode(text, true, param->value, &param->len)) {
        free(param);
        return NULL;
    }
    return param;
}

static bool name_matches(struct str raw, struct str name)
{
    autofree struct http_param *decoded = NULL;

    if (str_eq(raw, name)) {
        return true;
    }
    if (memchr(raw.data, '%', raw.len) == NULL && memchr(raw.data, '+', raw.len) == NULL) {
        return false;
    }
    decoded = decode(raw);
    return decoded != NULL && str_eq((struct str) { decoded->value, decoded->len }, name);
}

/* Raw value of the last parameter of that name; .data NULL if none. */
static struct str find_param(struct str query, struct str name, unsigned *ret_count)
{
    struct str found = STR_NONE;
    struct query_param param;

    *ret_count = 0;
    while (query_next(&query, &param)) {
        if (name_matches(param.name, name)) {
            found = param.value;
            (*ret_count)++;
        }
    }
    return found;
}

struct str http_query_param(struct http_request *request, struct str name)
{
    unsigned count;
    struct str raw = find_param(request->query, name, &count);
    struct http_param *param = raw.data != NULL ? decode(raw) : NULL;

    if (param == NULL) {
        return STR_NONE;
    }
    LL_PREPEND(request->params, param);
    return (struct str) { param->value, param->len };
}

enum err http_query_param_once(struct http_request *request, struct str name, struct str *ret_value)
{
    unsigned count;
    struct str raw = find_param(request->query, name, &count);
    struct str value = count == 1 ? http_query_param(request, name) : STR_NONE;

    if (count > 1 || (raw.data != NULL && value.data == NULL)) {
        return ERR_INVALID;
    }
    *ret_value = value;
    return OK;
}

const char *http_client_address(const struct http_request *request)
{
    return request->address;
}

bool http_asks_upgrade(const struct http_request *request)
{
    return request->upgrade;
}

bool http_asks_websocket(const struct http_request *request)
{
    return request->upgrade_websocket;
}

void *http_user(const struct http_request *request)
{
    return request->user;
}

void http_set_user(struct http_request *request, void *user)
{
    request->user = user;
}

struct conn *http_conn(const struct http_request *request)
{
    return request->hc->conn;
}

int64_t http_content_length(const struct http_request *request)
{
    return request->chunked ? -1 : (int64_t)request->content_length;
}

void http_accept_body(struct http_request *request, size_t max_bytes)
{
    if (request->answered || request->accepted) {
        return;
    }
    request->accepted = true;
    request->body_max = max_bytes;
    if (max_bytes > 0 && request->content_length > max_bytes) {
        http_fail(request, 413);
        return;
    }
    if (request->expect_continue) {
        request->expect_continue = false;
        /* The body may be on its way already (RFC 9110, 10.1.1). */
        if (!request->body_done && request->hc->in.len == 0) {
            conn_send_bytes(request->hc->conn, STR("HTTP/1.1 100 Continue\r\n\r\n"));
        }
    }
    request->body_done = false;
}

void http_close_after(struct http_request *request)
{
    request->keep_alive = false;
    if (request->answered) {
        request->hc->closing = true;
    }
}

void http_abort(struct http_request *request)
{
    request->hc->closing = true;
    conn_abort(request->hc->conn);
}

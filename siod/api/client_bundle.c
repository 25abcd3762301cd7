#include "siod/api/client_bundle.h"

#include <stdint.h>

#include <openssl/sha.h>

#include "libshared/config.h"
#include "siod/net/cors.h"
#include "siod/net/http.h"

/* ---- the file */

static void make_tag(struct client_bundle *bundle)
{
    enum { TAG_BYTES = 16 };
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char *to = bundle->tag;

    SHA256((const unsigned char *)bundle->script.data, bundle->script.len, digest);
    *to++ = '"';
    for (size_t i = 0; i < TAG_BYTES; i++) {
        *to++ = "0123456789abcdef"[digest[i] >> 4];
        *to++ = "0123456789abcdef"[digest[i] & 15];
    }
    *to++ = '"';
    *to = '\0';
}

enum err client_bundle_read(const char *path, struct client_bundle *ret, struct errmsg *msg)
{
    struct client_bundle bundle = { .script = BUF_INIT };
    enum err err = OK;

    if (*path != '\0') {
        err = config_read_named_file(path, CLIENT_BUNDLE_MAX, &bundle.script, msg);
    }
    if (err != OK) {
        return err;
    }
    if (bundle.script.len > 0) {
        make_tag(&bundle);
    }
    *ret = bundle;
    return OK;
}

void client_bundle_finish(struct client_bundle *bundle)
{
    buf_finish(&bundle->script);
}

/* ---- If-None-Match (RFC 9110, 13.1.2) */

static bool is_between(char c)
{
    return c == ',' || c == ' ' || c == '\t';
}

/* The next entity tag of the list, in its quotes; W/ is dropped, since the comparison is the weak
 * one: a proxy that compresses weakens the tag. False at the end and where the list is broken. */
static bool next_tag(struct str *list, struct str *ret_tag)
{
    const char *end;

    while (list->len > 0 && is_between(list->data[0])) {
        *list = str_skip(*list, 1);
    }
    if (str_starts_with(*list, STR("W/"))) {
        *list = str_skip(*list, 2);
    }
    if (!str_starts_with(*list, STR("\""))) {
        return false;
    }
    end = memchr(list->data + 1, '"', list->len - 1);
    if (end == NULL) {
        return false;
    }
    *ret_tag = (struct str) { list->data, (size_t)(end + 1 - list->data) };
    *list = str_skip(*list, ret_tag->len);
    return true;
}

static bool has_it(const struct http_request *request, const struct client_bundle *bundle)
{
    struct str list = http_header(request, STR("If-None-Match"));
    struct str tag;

    if (str_eq(list, STR("*"))) {
        return true;
    }
    while (next_tag(&list, &tag)) {
        if (str_eq(tag, str_of(bundle->tag))) {
            return true;
        }
    }
    return false;
}

/* ---- the route */

static void answer(const struct client_bundle_config *config, struct http_request *request)
{
    const struct client_bundle *bundle = &config->bundle;
    autobuf struct buf headers = BUF_INIT;

    buf_printf(&headers, "ETag: %s\r\nCache-Control: public, max-age=0\r\n", bundle->tag);
    cors_add(&headers, config->cors_origins, request);
    if (has_it(request, bundle)) {
        http_respond(request, 304, buf_str(&headers), STR(""));
        return;
    }
    buf_add_cstr(&headers, "Content-Type: application/javascript; charset=utf-8\r\n");
    http_respond(request, 200, buf_str(&headers), buf_str(&bundle->script));
}

static void on_head(void *arg, struct http_request *request)
{
    const struct client_bundle_config *config = arg;
    struct str method = http_method(request);
    autobuf struct buf headers = BUF_INIT;

    if (config->bundle.script.len == 0) {
        http_respond_error(request, ERR_NOT_FOUND, NULL);
    } else if (str_eq(method, STR("GET")) || str_eq(method, STR("HEAD"))) {
        answer(config, request);
    } else if (!str_eq(method, STR("OPTIONS")) || !cors_preflight(config->cors_origins, request)) {
        cors_add_allow(&headers, config->cors_origins, "GET, HEAD");
        http_respond(request, 405, buf_str(&headers), STR(""));
    }
}

static void on_end(struct http_request *request, bool aborted)
{
    (void)request;
    (void)aborted;
}

void client_bundle_route(struct http_server *server, const struct client_bundle_config *config)
{
    static const struct http_handler handler = { .on_head = on_head, .on_end = on_end };
    const struct http_route route = { "/socket.io/socket.io.min.js", &handler,
                                      (void *)(uintptr_t)config };

    http_server_route(server, &route);
}

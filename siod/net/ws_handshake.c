#include "siod/net/ws_handshake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "libshared/base64.h"
#include "siod/net/http.h"

enum {
    KEY_LEN = 24,       /* 16 bytes in base64 */
    PROTOCOL_MAX = 256, /* bytes of one that is offered */
    PROTOCOLS_MAX = 64,
    SWITCH_SIZE = 192, /* of an answer without a protocol */
};

/* 22 characters of base64 and "==": 16 bytes. */
static bool key_valid(struct str key)
{
    if (key.len != KEY_LEN || memcmp(key.data + 22, "==", 2) != 0) {
        return false;
    }
    for (size_t i = 0; i < 22; i++) {
        if (base64_value(key.data[i], "+/") < 0) {
            return false;
        }
    }
    return true;
}

static bool is_token(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f ||
            strchr("()<>@,;:\\\"/[]?={}", text.data[i]) != NULL) {
            return false;
        }
    }
    return text.len > 0 && text.len <= PROTOCOL_MAX;
}

/* The first offered subprotocol; false when one of them is no token, or there twice. .data NULL
 * when none is offered. */
static bool first_protocol(const struct http_request *request, struct str *ret_protocol)
{
    struct str rest = http_header(request, STR("Sec-WebSocket-Protocol")), seen[PROTOCOLS_MAX];
    unsigned count = 0;

    *ret_protocol = STR_NONE;
    while (rest.data != NULL) {
        const char *comma = rest.len > 0 ? memchr(rest.data, ',', rest.len) : NULL;
        size_t len = comma != NULL ? (size_t)(comma - rest.data) : rest.len;
        struct str token = str_trim((struct str) { rest.data, len });

        if (count == PROTOCOLS_MAX || !is_token(token)) {
            return false;
        }
        for (unsigned i = 0; i < count; i++) {
            if (str_eq(seen[i], token)) {
                return false;
            }
        }
        seen[count++] = token;
        rest = comma != NULL ? str_skip(rest, len + 1) : STR_NONE;
    }
    if (count > 0) {
        *ret_protocol = seen[0];
    }
    return true;
}

static EVP_MD *sha1;

static void fetch_sha1(void)
{
    sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
}

/* SHA1() would look for its implementation each time. */
static void accept_digest(struct str joined, unsigned char ret_digest[SHA_DIGEST_LENGTH])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fetch_sha1);
    if (EVP_Digest(joined.data, joined.len, ret_digest, NULL, sha1, NULL) != 1) {
        abort(); /* without memory, or without its provider */
    }
}

static void render_switch(struct buf *to, struct str key, struct str protocol, struct str headers)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    char joined[KEY_LEN + sizeof guid];
    unsigned char digest[SHA_DIGEST_LENGTH];
    unsigned char accept[29];

    memcpy(joined, key.data, KEY_LEN);
    memcpy(joined + KEY_LEN, guid, sizeof guid);
    accept_digest((struct str) { joined, sizeof joined - 1 }, digest);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    buf_reserve(to, SWITCH_SIZE);
    buf_add_cstr(to, "HTTP/1.1 101 Switching Protocols\r\n"
                     "Upgrade: websocket\r\n"
                     "Connection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: ");
    buf_add_cstr(to, (char *)accept);
    if (protocol.data != NULL) {
        buf_add_cstr(to, "\r\nSec-WebSocket-Protocol: ");
        buf_add_str(to, protocol);
    }
    buf_add_cstr(to, "\r\n");
    buf_add_str(to, headers);
    buf_add_cstr(to, "\r\n");
}

/* 8 is a draft of the RFC with the same frames. */
static bool version_valid(struct str version)
{
    return str_eq(version, STR("13")) || str_eq(version, STR("8"));
}

/* Why not, in the reference's words; NULL when there is nothing to say against it. */
static const char *objection(const struct http_request *request, struct str *ret_protocol)
{
    if (!str_eq(http_method(request), STR("GET"))) {
        return "Invalid HTTP method";
    }
    if (!http_asks_websocket(request)) {
        return "Invalid Upgrade header";
    }
    if (!key_valid(http_header(request, STR("Sec-WebSocket-Key")))) {
        return "Missing or invalid Sec-WebSocket-Key header";
    }
    if (!version_valid(http_header(request, STR("Sec-WebSocket-Version")))) {
        return "Missing or invalid Sec-WebSocket-Version header";
    }
    if (!first_protocol(request, ret_protocol)) {
        return "Invalid Sec-WebSocket-Protocol header";
    }
    return http_content_length(request) != 0 ? "An upgrade has no body" : NULL;
}

static void refuse(struct http_request *request, const char *text)
{
    bool spoke = version_valid(http_header(request, STR("Sec-WebSocket-Version")));

    http_close_after(request);
    http_respond(request, 400,
                 spoke ? STR("Content-Type: text/html\r\n")
                       : STR("Content-Type: text/html\r\nSec-WebSocket-Version: 13, 8\r\n"),
                 str_of(text));
}

bool ws_handshake(struct http_request *request, struct str headers, struct buf *answer)
{
    struct str protocol;
    const char *why = objection(request, &protocol);

    if (why != NULL) {
        refuse(request, why);
        return false;
    }
    render_switch(answer, http_header(request, STR("Sec-WebSocket-Key")), protocol, headers);
    return true;
}

#include "tests/fuzz/eio_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/utf8.h"
#include "libshared/wire/engineio.h"
#include "libshared/wire/engineio3.h"
#include "libshared/wire/ws_frame.h"
#include "siod/net/http.h"
#include "tests/fuzz/fake_conn.h"

enum { CONN_QUEUE = 8192 };

static struct conn *connection(struct eio_client *client, enum eio_link link)
{
    if (client->links[link].conn == NULL) {
        client->links[link].conn = fake_conn_new(client->loop, CONN_QUEUE);
        http_server_accept(client->http, client->links[link].conn);
    }
    return client->links[link].conn;
}

/* Can something be asked there? One request at a time, and not before the whole body of the last
 * one, answered or not. */
static bool is_free(const struct eio_client *client, enum eio_link link)
{
    if (link == LINK_POST && client->half_post) {
        return false;
    }
    return client->links[link].conn == NULL ||
           (client->links[link].asked == client->links[link].answered &&
            !client->links[link].is_ws && !client->links[link].conn->dead);
}

static void ask(struct eio_client *client, enum eio_link link, const char *method, bool websocket,
                const char *fields, struct str body)
{
    autobuf struct buf head = BUF_INIT;
    bool has_sid = client->sid[0] != '\0';

    buf_printf(&head, "%s %s?EIO=%u&transport=%s%s%s%s&x=y HTTP/1.1\r\nHost: a\r\n%s\r\n", method,
               client->path, client->protocol, websocket ? "websocket" : "polling",
               has_sid ? "&sid=" : "", client->sid, client->base64 ? "&b64=1" : "", fields);
    buf_add_str(&head, body);
    connection(client, link);
    client->asked_odd = client->asked_odd && link != LINK_SPARE;
    client->links[link].asked++;
    client->links[link].turn = ++client->turns;
    fake_conn_write(client->links[link].conn, buf_str(&head));
}

static void ask_websocket(struct eio_client *client)
{
    ask(client, LINK_WS, "GET", true,
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        STR(""));
}

void eio_client_open(struct eio_client *client, bool websocket)
{
    for (int i = 0; i < LINK_COUNT; i++) {
        if (client->links[i].conn != NULL) {
            return;
        }
    }
    client->sid[0] = '\0';
    client->closed = client->lossy = false;
    client->upgraded = websocket;
    if (websocket) {
        ask_websocket(client);
    } else {
        ask(client, LINK_GET, "GET", false, "", STR(""));
    }
}

void eio_client_ask(struct eio_client *client, const char *method, struct str query)
{
    autobuf struct buf text = BUF_INIT;

    if (!is_free(client, LINK_SPARE)) {
        return;
    }
    for (size_t i = 0; i < query.len; i++) {
        if ((uint8_t)query.data[i] <= ' ' || (uint8_t)query.data[i] >= 0x7f) {
            return; /* is no request: the HTTP server's own target has that */
        }
    }
    buf_printf(&text, "%s %s?%.*s&sid=%s HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n", method,
               client->path, STR_ARG(query), client->sid);
    connection(client, LINK_SPARE);
    client->asked_odd = client->lossy = true;
    client->links[LINK_SPARE].asked++;
    client->links[LINK_SPARE].turn = ++client->turns;
    fake_conn_write(client->links[LINK_SPARE].conn, buf_str(&text));
}

void eio_client_poll(struct eio_client *client, enum eio_link link)
{
    if (client->sid[0] != '\0' && is_free(client, link)) {
        ask(client, link, "GET", false, "", STR(""));
    }
}

static void post(struct eio_client *client, enum eio_link link, size_t length, struct str part)
{
    char fields[96];

    snprintf(fields, sizeof fields, "Content-Type: %s\r\nContent-Length: %zu\r\n",
             client->protocol == 3 && part.len > 0 && (uint8_t)part.data[0] < 2
                 ? "application/octet-stream"
                 : "text/plain",
             length);
    ask(client, link, "POST", false, fields, part);
}

void eio_client_post(struct eio_client *client, enum eio_link link, struct str body)
{
    if (client->sid[0] != '\0' && is_free(client, link)) {
        post(client, link, body.len, body);
    }
}

void eio_client_post_half(struct eio_client *client, struct str body)
{
    if (client->sid[0] != '\0' && is_free(client, LINK_POST)) {
        post(client, LINK_POST, body.len, (struct str) { body.data, body.len / 2 });
        client->half_post = true;
        buf_clear(&client->scratch);
        buf_add_str(&client->scratch, str_skip(body, body.len / 2));
    }
}

void eio_client_post_rest(struct eio_client *client)
{
    if (client->half_post && client->links[LINK_POST].conn != NULL) {
        fake_conn_write(client->links[LINK_POST].conn, buf_str(&client->scratch));
    }
    client->half_post = false;
}

void eio_client_probe(struct eio_client *client)
{
    if (client->sid[0] != '\0' && client->links[LINK_WS].conn == NULL) {
        ask_websocket(client);
    }
}

void eio_client_raw(struct eio_client *client, struct str bytes)
{
    if (client->links[LINK_WS].is_ws) {
        fake_conn_write(client->links[LINK_WS].conn, bytes);
    }
}

void eio_client_frame(struct eio_client *client, bool binary, struct str payload)
{
    static const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };
    uint8_t head[WS_SERVER_HEADER_MAX];
    size_t head_len = ws_header_encode(head, binary ? WS_OP_BINARY : WS_OP_TEXT, payload.len);
    autobuf struct buf frame = BUF_INIT;

    head[1] |= 0x80;
    buf_add(&frame, head, head_len);
    buf_add(&frame, mask, sizeof mask);
    ws_mask(buf_reserve(&frame, payload.len), payload.data, payload.len, mask);
    frame.len += payload.len;
    eio_client_raw(client, buf_str(&frame));
}

void eio_client_send(struct eio_client *client, bool binary, struct str packet)
{
    autobuf struct buf payload = BUF_INIT;

    if (client->upgraded) {
        if (binary && client->protocol == 3) {
            buf_add_char(&payload, EIO_MESSAGE);
        }
        buf_add_str(&payload, packet);
        eio_client_frame(client, binary, buf_str(&payload));
        return;
    }
    if (client->protocol == 3 && binary) {
        eio3_text_add_binary(&payload, packet);
    } else if (client->protocol == 3) {
        if (utf8_valid(packet)) {
            eio3_text_add(&payload, packet);
        }
    } else if (binary) {
        eio_binary_encode(&payload, packet);
    } else {
        buf_add_str(&payload, packet);
    }
    eio_client_post(client, LINK_POST, buf_str(&payload));
}

void eio_client_stick(struct eio_client *client, bool stuck)
{
    if (client->links[LINK_WS].conn != NULL) {
        client->links[LINK_WS].conn->stuck = stuck;
    }
}

void eio_client_hang_up(struct eio_client *client, enum eio_link link)
{
    if (client->links[link].conn != NULL) {
        client->lossy = true;
        fake_conn_hang_up(client->links[link].conn);
    }
}

static void take_handshake(struct eio_client *client, struct str data)
{
    static const char name[] = "\"sid\":\"";
    const char *at = memmem(data.data, data.len, name, sizeof name - 1);

    REQUIRE(at != NULL && client->sid[0] == '\0');
    memcpy(client->sid, at + sizeof name - 1, SID_LEN);
    client->sid[SID_LEN] = '\0';
    client->generation++;
}

/* The answer to a probe comes on a connection of its own: nothing orders it with what a GET got. */
static bool is_probe_answer(const struct eio_client *client, const struct eio_packet *packet)
{
    return packet->type == EIO_PONG && client->links[LINK_WS].is_ws && !client->upgraded;
}

static void take_packet(struct eio_client *client, const struct eio_packet *packet)
{
    REQUIRE(!client->closed || is_probe_answer(client, packet));
    switch (packet->type) {
    case EIO_OPEN:
        take_handshake(client, packet->data);
        return;
    case EIO_CLOSE:
        client->closed = true;
        break;
    case EIO_PING:
        REQUIRE(client->protocol == 4);
        break;
    case EIO_MESSAGE:
        client->on_message(client, packet->binary, packet->data);
        break;
    case EIO_PONG:
    case EIO_NOOP:
        break;
    case EIO_UPGRADE:
        REQUIRE(false);
    }
    REQUIRE(client->sid[0] != '\0');
}

static void take_text(struct eio_client *client, struct str text)
{
    const struct eio3_item item = { .packet = text };
    autobuf struct buf scratch = BUF_INIT;
    struct eio_packet packet;

    REQUIRE(utf8_valid(text));
    REQUIRE((client->protocol == 3 ? eio3_packet_decode(&item, &scratch, &packet)
                                   : eio_packet_decode(text, &scratch, &packet)) == OK);
    take_packet(client, &packet);
}

static void take_binary(struct eio_client *client, struct str data)
{
    const struct eio3_item item = { .binary = true, .packet = data };
    struct eio_packet packet = { EIO_MESSAGE, true, data };
    autobuf struct buf scratch = BUF_INIT;

    REQUIRE(!client->base64);
    REQUIRE(client->protocol == 4 || eio3_packet_decode(&item, &scratch, &packet) == OK);
    take_packet(client, &packet);
}

static unsigned take_payload3(struct eio_client *client, struct str body, bool is_bytes)
{
    struct eio3_payload payload = { body, is_bytes };
    struct eio3_item item;
    unsigned count = 0;
    enum err err;

    while ((err = eio3_payload_next(&payload, &item)) == OK) {
        /* in a payload of bytes, binary is data behind the type that the decoder expects */
        if (item.binary) {
            take_binary(client, item.packet);
        } else {
            take_text(client, item.packet);
        }
        count++;
    }
    REQUIRE(err == ERR_NOT_FOUND);
    return count;
}

static unsigned take_payload(struct eio_client *client, struct str body)
{
    struct eio_payload payload = eio_payload_of(body);
    struct str packet;
    unsigned count = 0;

    while (eio_payload_next(&payload, &packet)) {
        take_text(client, packet);
        count++;
    }
    return count;
}

static void take_answer(struct eio_client *client, enum eio_link link, struct str head,
                        struct str body)
{
    bool is_bytes = memmem(head.data, head.len, "octet-stream", 12) != NULL;
    unsigned count;

    if (link == LINK_POST || link == LINK_WS || !str_starts_with(head, STR("HTTP/1.1 200"))) {
        return;
    }
    if (link == LINK_SPARE &&
        (client->asked_odd || memmem(head.data, head.len, "text/html", 9) != NULL)) {
        return; /* "ok" of a POST */
    }
    count =
        client->protocol == 3 ? take_payload3(client, body, is_bytes) : take_payload(client, body);
    REQUIRE(count >= 1 && count <= EIO_PAYLOAD_PACKETS_MAX);
}

/* One whole answer, if it is there: an answer is sent in one piece. */
static bool read_answer(struct eio_client *client, enum eio_link link)
{
    static const char name[] = "Content-Length: ";
    struct buf *in = &client->links[link].conn->received;
    const char *end = in->len > 0 ? memmem(in->data, in->len, "\r\n\r\n", 4) : NULL;
    struct str head, body;
    const char *length;

    if (in->len == 0) {
        return false;
    }
    REQUIRE(end != NULL);
    head = (struct str) { in->data, (size_t)(end - in->data) + 4 };
    length = memmem(head.data, head.len, name, sizeof name - 1);
    body = (struct str) { head.data + head.len,
                          length != NULL ? strtoul(length + sizeof name - 1, NULL, 10) : 0 };
    REQUIRE(head.len + body.len <= in->len);
    client->links[link].answered++;
    REQUIRE(client->links[link].answered <= client->links[link].asked);
    client->links[link].is_ws = str_starts_with(head, STR("HTTP/1.1 101"));
    take_answer(client, link, head, body);
    buf_consume(in, head.len + body.len);
    return true;
}

/* One whole frame, if it is there. */
static bool read_frame(struct eio_client *client)
{
    struct buf *in = &client->links[LINK_WS].conn->received;
    const uint8_t *bytes = (const uint8_t *)in->data;
    size_t head = 2, len;
    unsigned opcode;

    if (in->len < 2) {
        return false;
    }
    opcode = bytes[0] & 0x0f;
    len = bytes[1];
    REQUIRE((bytes[0] & 0xf0) == 0x80 && len < 127);
    if (len == 126) {
        REQUIRE(in->len >= 4);
        head = 4;
        len = (size_t)bytes[2] << 8 | bytes[3];
    }
    REQUIRE(head + len <= in->len);
    if (opcode == WS_OP_TEXT) {
        take_text(client, (struct str) { in->data + head, len });
    } else if (opcode == WS_OP_BINARY) {
        take_binary(client, (struct str) { in->data + head, len });
    } else {
        REQUIRE(ws_opcode_is_control(opcode));
    }
    buf_consume(in, head + len);
    return true;
}

static void drop(struct eio_client *client, enum eio_link link)
{
    struct conn *conn = TAKE(client->links[link].conn);

    /* Only who hung up, or was dropped for breaking the rules, goes without an answer. */
    REQUIRE(client->links[link].asked == client->links[link].answered || !conn->closing ||
            conn->end != CONN_END_LOCAL);
    client->lossy = client->lossy || link == LINK_WS;
    client->half_post = client->half_post && link != LINK_POST;
    client->links[link].asked = client->links[link].answered = 0;
    client->links[link].is_ws = false;
    fake_conn_free(conn);
}

static bool settle(struct eio_client *client, enum eio_link link)
{
    struct conn *conn = client->links[link].conn;
    bool moved;

    if (conn == NULL) {
        return false;
    }
    moved = fake_conn_settle(conn);
    while (client->links[link].is_ws ? read_frame(client) : read_answer(client, link)) {
    }
    if (conn->over) {
        drop(client, link);
        moved = true;
    }
    return moved;
}

/* Two GETs of one round are answered in the order in which they were asked. */
bool eio_client_settle(struct eio_client *client)
{
    bool moved = false;

    if (client->links[LINK_SPARE].turn < client->links[LINK_GET].turn) {
        moved = settle(client, LINK_SPARE);
    }
    for (enum eio_link i = 0; i < LINK_COUNT; i++) {
        moved = settle(client, i) || moved;
    }
    return moved;
}

bool eio_client_is_answered(const struct eio_client *client)
{
    for (int i = 0; i < LINK_COUNT; i++) {
        if (client->links[i].conn != NULL && client->links[i].asked != client->links[i].answered) {
            return false;
        }
    }
    return true;
}

void eio_client_finish(struct eio_client *client)
{
    for (int i = 0; i < LINK_COUNT; i++) {
        REQUIRE(client->links[i].conn == NULL);
    }
    buf_finish(&client->scratch);
}

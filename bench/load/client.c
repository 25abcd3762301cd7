#include "bench/load/client.h"

#include <inttypes.h>

#include "bench/lib/fail.h"
#include "bench/lib/frame.h"
#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/token.h"

/* RFC 6455's own example of a key and what a server must make of it. */
static const char upgrade_request[] = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                                      "Host: siod\r\n"
                                      "Connection: Upgrade\r\n"
                                      "Upgrade: websocket\r\n"
                                      "Sec-WebSocket-Version: 13\r\n"
                                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                      "\r\n";
static const struct str upgrade_status = STR_INIT("HTTP/1.1 101 ");
static const struct str upgrade_accept = STR_INIT("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

static struct client *client_of(struct conn *conn)
{
    return CONTAINER_OF(conn, struct client, conn);
}

static void send_frame(struct client *client, enum ws_opcode opcode, struct str payload)
{
    static uint32_t state = 0x2545f491; /* xorshift: masks need not be secret here */
    uint8_t mask[sizeof(state)];

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    memcpy(mask, &state, sizeof(mask));
    frame_add(conn_out(&client->conn), opcode, payload, mask);
}

void client_send(struct client *client, struct str text)
{
    send_frame(client, WS_OP_TEXT, text);
}

static void on_connected(struct conn *conn)
{
    client_of(conn)->state = CLIENT_UPGRADING;
    buf_add(conn_out(conn), upgrade_request, sizeof(upgrade_request) - 1);
}

static void on_closed(struct conn *conn)
{
    struct client *client = client_of(conn);

    if (client->state < CLIENT_READY) {
        bench_fail("agent %u was refused in state %d", client->number, (int)client->state);
    }
    client->state = CLIENT_LOST;
    client->crowd->lost++;
}

static size_t upgrade_received(struct client *client, struct str bytes)
{
    const char *end = memmem(bytes.data, bytes.len, "\r\n\r\n", 4);

    if (end == NULL) {
        return 0;
    }
    if (!str_starts_with(bytes, upgrade_status) ||
        memmem(bytes.data, bytes.len, upgrade_accept.data, upgrade_accept.len) == NULL) {
        bench_fail("no WebSocket: %.*s", (int)MIN(bytes.len, 200), bytes.data);
    }
    client->state = CLIENT_OPENING;
    return (size_t)(end - bytes.data) + 4;
}

static void connect_sent(struct client *client)
{
    autobuf struct buf packet = BUF_INIT;

    buf_printf(&packet, "40{\"token\":\"%s\"}", client->token);
    client_send(client, buf_str(&packet));
    client->state = CLIENT_CONNECTING;
}

bool client_ack_ok(struct str args)
{
    static const struct str ok = STR_INIT("[{\"ok\":true");

    return str_starts_with(args, ok);
}

static void ack_received(struct client *client, struct str packet)
{
    uint64_t id = 0;

    for (; packet.len > 0 && *packet.data >= '0' && *packet.data <= '9';
         packet = str_skip(packet, 1)) {
        id = id * 10 + (uint64_t)(*packet.data - '0');
    }
    if (client->crowd->ops.ack != NULL) {
        client->crowd->ops.ack(client, id, packet);
    }
}

static void message_received(struct client *client, struct str packet)
{
    struct crowd *crowd = client->crowd;

    switch (*packet.data) {
    case '0':
        client->state = CLIENT_READY;
        crowd->ready++;
        free(TAKE(client->token));
        break;
    case '2':
        if (crowd->ops.event != NULL) {
            crowd->ops.event(client, str_skip(packet, 1));
        }
        break;
    case '3':
        ack_received(client, str_skip(packet, 1));
        break;
    default:
        bench_fail("agent %u was sent 4%.*s", client->number, (int)MIN(packet.len, 200),
                   packet.data);
    }
}

static void packet_received(struct client *client, struct str packet)
{
    if (packet.len >= 2 && *packet.data == '4') {
        message_received(client, str_skip(packet, 1));
    } else if (packet.len >= 1 && *packet.data == '2') {
        client_send(client, STR("3"));
    } else if (packet.len >= 1 && *packet.data == '0' && client->state == CLIENT_OPENING) {
        connect_sent(client);
    } else {
        bench_fail("agent %u was sent %.*s", client->number, (int)MIN(packet.len, 200),
                   packet.data);
    }
}

static void frame_received(struct client *client, const struct frame *frame)
{
    switch (frame->first) {
    case FRAME_FIN | WS_OP_TEXT:
        packet_received(client, frame->payload);
        break;
    case FRAME_FIN | WS_OP_PING:
        send_frame(client, WS_OP_PONG, frame->payload);
        break;
    case FRAME_FIN | WS_OP_CLOSE:
        conn_close(&client->conn);
        on_closed(&client->conn);
        break;
    default:
        bench_fail("agent %u was sent a frame that starts with 0x%02x", client->number,
                   frame->first);
    }
}

static size_t on_received(struct conn *conn, struct str bytes)
{
    struct client *client = client_of(conn);
    size_t used = 0, len;
    struct frame frame;

    if (client->state == CLIENT_UPGRADING) {
        used = upgrade_received(client, bytes);
    }
    while (conn->open && client->state != CLIENT_UPGRADING &&
           (len = frame_next(str_skip(bytes, used), &frame)) > 0) {
        if (frame.mask != NULL) {
            bench_fail("the server masks its frames");
        }
        frame_received(client, &frame);
        used += len;
    }
    return used;
}

static const struct conn_ops client_conn_ops = {
    .connected = on_connected,
    .received = on_received,
    .closed = on_closed,
};

static char *token_of(const struct crowd_config *config, unsigned number)
{
    const char *key_files[] = { config->jwt_key_file, NULL };
    struct token_config token = { .algorithm = TOKEN_HS256, .key_files = key_files };
    autobuf struct buf claims = BUF_INIT;
    int64_t now_s = clock_wall_ms() / 1000, day_s = 86400;
    unsigned shift = config->per_business > 0 ? number / config->per_business : 0;
    unsigned user = config->users > 0 && number > 0 ? 1 + number % config->users : number;
    struct errmsg msg;
    char *text;

    buf_printf(&claims, "{\"userId\":%" PRId64 ",\"businessId\":%" PRId64,
               config->first_user + user, config->business + shift);
    buf_printf(&claims, ",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", now_s, now_s + day_s);
    if (token_mint(&token, buf_str(&claims), &text, &msg) != OK) {
        bench_fail("--jwt-key: %s", msg.text);
    }
    return text;
}

void crowd_init(struct crowd *crowd, struct loop *loop, const struct crowd_config *config)
{
    *crowd = (struct crowd) { .loop = loop, .count = config->count };
    crowd->clients = xcalloc(config->count, sizeof(struct client));
    for (unsigned i = 0; i < config->count; i++) {
        crowd->clients[i] = (struct client) {
            .conn.ops = &client_conn_ops, .crowd = crowd, .number = i, .token = token_of(config, i)
        };
    }
}

void crowd_finish(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->count; i++) {
        conn_close(&crowd->clients[i].conn);
        free(crowd->clients[i].token);
    }
    free(crowd->clients);
}

double crowd_open(struct crowd *crowd, unsigned at_once)
{
    const uint64_t patience_ns = 20 * UINT64_C(1000000000);
    uint64_t start = clock_monotonic_ns(), progress = start;
    unsigned ready = 0;

    while (crowd->ready < crowd->count) {
        while (crowd->opened < crowd->count && crowd->opened - crowd->ready < at_once) {
            conn_open(crowd->loop, &crowd->clients[crowd->opened++].conn);
        }
        loop_round(crowd->loop, 100);
        if (crowd->ready != ready) {
            ready = crowd->ready;
            progress = clock_monotonic_ns();
        } else if (clock_monotonic_ns() - progress > patience_ns) {
            bench_fail("%u of %u agents are connected and no more get ready", ready, crowd->count);
        }
    }
    return (double)(clock_monotonic_ns() - start) / 1e9;
}

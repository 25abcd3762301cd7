#include "tests/guard/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <ev.h>
#include <jansson.h>

#include "libshared/alloc.h"
#include "libshared/token.h"
#include "libshared/wire/signature.h"
#include "libshared/wire/ws_frame.h"
#include "siod/server_state.h"
#include "tests/guard/seam.h"

enum { ROUNDS_MAX = 20, READ_BYTES = 65536 };

static const char app_secret[] = "guard-app-secret";
static const char listen_path[] = "./http.sock";

void rig_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("guard: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}

/* ---- the daemon */

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "wx");

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        rig_fail("%s: %s", name, strerror(errno));
    }
}

struct siod *rig_start(const char *config_path)
{
    const char *const overrides[] = { "http.listen=unix:./http.sock" };
    const struct siod_options options = { .config_path = config_path };
    struct config *config;
    struct siod *siod;
    struct errmsg msg;

    json_object_seed(1); /* jansson would draw it from /dev/urandom */
    write_file("jwt.key", "guard-jwt-secret");
    write_file("app.secret", app_secret);
    write_file("verify.token", "guard-verify-token");
    if (config_load(config_path, overrides, ARRAY_SIZE(overrides), &config, &msg) != OK ||
        siod_start(config, &options, &siod, &msg) != OK) {
        rig_fail("%s", msg.text);
    }
    seam_hold();
    return siod;
}

void rig_stop(struct siod *siod)
{
    seam_release();
    siod_free(siod);
}

void rig_round(struct siod *siod)
{
    seam_count(true);
    ev_run(loop_ev(siod->loop), EVRUN_NOWAIT);
    seam_count(false);
    seam_run_threads();
}

/* ---- clients */

void client_open(struct client *client, struct siod *siod)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };

    *client = (struct client) { .siod = siod };
    memcpy(to.sun_path, listen_path, sizeof listen_path);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        rig_fail("%s: %s", listen_path, strerror(errno));
    }
}

static void receive(struct client *client)
{
    ssize_t got;

    do {
        char *to = buf_reserve(&client->received, READ_BYTES);

        got = recv(client->fd, to, READ_BYTES - 1, MSG_DONTWAIT);
        to[MAX(got, 0)] = '\0';
        client->received.len += (size_t)MAX(got, 0);
    } while (got > 0);
    if (got == 0 || errno != EAGAIN) {
        rig_fail("the daemon has closed a connection after: %s", client->received.data);
    }
}

void client_forget(struct client *client)
{
    receive(client);
    buf_clear(&client->received);
}

/* Frames have zeros in their headers. */
static unsigned count_of(const struct client *client, const char *text)
{
    const char *at = client->received.data, *end = at + client->received.len;
    size_t len = strlen(text);
    unsigned count = 0;

    while (at != NULL && (at = memmem(at, (size_t)(end - at), text, len)) != NULL) {
        at += len;
        count++;
    }
    return count;
}

void client_await(struct client *client, const char *text)
{
    client_forget(client);
    for (unsigned i = 0; i < ROUNDS_MAX; i++) {
        rig_round(client->siod);
        receive(client);
        if (count_of(client, text) > 0) {
            return;
        }
    }
    rig_fail("no %s in: %s", text, client->received.data);
}

void client_expect(struct client *client, const char *text, unsigned times)
{
    unsigned got;

    receive(client);
    got = count_of(client, text);
    if (got != times) {
        rig_fail("%u times %s instead of %u in: %s", got, text, times, client->received.data);
    }
}

void client_send(struct client *client, struct str bytes)
{
    if (send(client->fd, bytes.data, bytes.len, MSG_NOSIGNAL) != (ssize_t)bytes.len) {
        rig_fail("send: %s", strerror(errno));
    }
}

void client_close(struct client *client)
{
    if (client->siod != NULL) {
        close(client->fd);
    }
    buf_finish(&client->received);
}

/* ---- agents */

void agent_frame(struct buf *out, const char *text)
{
    static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    size_t len = strlen(text);

    buf_add_char(out, (char)(0x80 | WS_OP_TEXT));
    if (len <= WS_CONTROL_MAX) {
        buf_add_char(out, (char)(0x80 | len));
    } else {
        buf_add_char(out, (char)(0x80 | 126));
        buf_add_char(out, (char)(len >> 8));
        buf_add_char(out, (char)len);
    }
    buf_add(out, mask, sizeof mask);
    ws_mask(buf_reserve(out, len), text, len, mask);
    out->len += len;
}

void agent_send(struct client *client, const char *text)
{
    autobuf struct buf frame = BUF_INIT;

    agent_frame(&frame, text);
    client_send(client, buf_str(&frame));
}

char *rig_token(struct siod *siod, unsigned user_id, unsigned serial)
{
    autofree char *claims =
        xasprintf("{\"userId\":%u,\"businessId\":%d,\"iat\":%u,\"exp\":1772443800}", user_id,
                  GUARD_BUSINESS, 1772350000 + serial);
    struct errmsg msg;
    char *token;

    if (token_mint(&siod->token_config, str_of(claims), &token, &msg) != OK) {
        rig_fail("%s", msg.text);
    }
    return token;
}

void agent_open(struct client *client, struct siod *siod, const char *token)
{
    static const struct str upgrade =
        STR_INIT("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                 "Host: guard.example\r\n"
                 "Connection: Upgrade\r\n"
                 "Upgrade: websocket\r\n"
                 "User-Agent: guard\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    autofree char *connect = xasprintf("40{\"token\":\"%s\"}", token);

    client_open(client, siod);
    client_send(client, upgrade);
    client_await(client, "0{\"sid\"");
    agent_send(client, connect);
    client_await(client, "40{\"sid\"");
}

/* ---- webhooks */

void webhook_post(struct buf *out, struct str body)
{
    char signature[SIGNATURE_SIZE];

    signature_header(STR(app_secret), body, signature);
    buf_printf(out,
               "POST /webhook HTTP/1.1\r\n"
               "Host: guard.example\r\n"
               "Accept: */*\r\n"
               "Accept-Encoding: deflate, gzip\r\n"
               "User-Agent: facebookexternalua\r\n"
               "Content-Type: application/json\r\n"
               "X-Hub-Signature-256: %s\r\n"
               "Content-Length: %zu\r\n\r\n",
               signature, body.len);
    buf_add_str(out, body);
}

static void begin_body(struct buf *body)
{
    buf_add_cstr(body,
                 "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"203040506070801\","
                 "\"changes\":[{\"value\":{\"messaging_product\":\"whatsapp\",\"metadata\":"
                 "{\"display_phone_number\":\"4930555010001\","
                 "\"phone_number_id\":\"100000000000001\"},");
}

static void end_body(struct buf *body, const char *field)
{
    buf_printf(body, "},\"field\":\"%s\"}]}]}", field);
}

static void add_contact(struct buf *body, unsigned customer)
{
    buf_printf(body,
               "\"contacts\":[{\"profile\":{\"name\":\"Amara Okafor\"},"
               "\"wa_id\":\"4915550%06u\"}],",
               customer);
}

void webhook_text(struct buf *body, unsigned customer, unsigned number)
{
    begin_body(body);
    add_contact(body, customer);
    buf_printf(body,
               "\"messages\":[{\"from\":\"4915550%06u\",\"id\":\"wamid.HBgLdGV4dC0x%08u\","
               "\"timestamp\":\"1772357401\",\"type\":\"text\","
               "\"text\":{\"body\":\"Do you still have the blue bicycle?\"}}]",
               customer, number);
    end_body(body, "messages");
}

void webhook_echo(struct buf *body, unsigned customer, unsigned number)
{
    begin_body(body);
    add_contact(body, customer);
    buf_printf(body,
               "\"message_echoes\":[{\"from\":\"4930555010001\",\"to\":\"4915550%06u\","
               "\"id\":\"wamid.HBgLZWNoby0x%08u\",\"timestamp\":\"1772357450\",\"type\":\"text\","
               "\"text\":{\"body\":\"Yes, it is in the shop window\"}}]",
               customer, number);
    end_body(body, "smb_message_echoes");
}

void webhook_status(struct buf *body, unsigned customer, unsigned number)
{
    begin_body(body);
    buf_printf(body,
               "\"statuses\":[{\"id\":\"wamid.HBgLZWNoby0x%08u\",\"status\":\"delivered\","
               "\"timestamp\":\"1772357452\",\"recipient_id\":\"4915550%06u\","
               "\"pricing\":{\"billable\":true,\"pricing_model\":\"PMP\",\"type\":\"regular\","
               "\"category\":\"service\"}}]",
               number, customer);
    end_body(body, "messages");
}

#include "tests/fuzz/sio_client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/wire/socketio.h"
#include "tests/fuzz/fake_conn.h"
#include "tests/fuzz/fake_loop.h"
#include "tests/fuzz/session_book.h"

static uint64_t leading_number(struct str text)
{
    uint64_t number = 0;

    for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    return number;
}

/* The echo counts: whole, unless something got lost on the way. */
static void check_count(struct sio_client *peer, struct str text)
{
    uint64_t count = leading_number(text);

    REQUIRE(count == peer->heard + 1 || (peer->client.lossy && count > peer->heard));
    peer->heard = count;
}

/* ---- Socket.IO */

/* Every event without an ack id ends with one. */
static void take_offset(struct str args, char *ret_offset)
{
    size_t len = CLIENT_OFFSET_SIZE - 1;
    const char *at = args.data + args.len - len - 2;

    REQUIRE(args.len > len + 2 && at[0] == '"' && at[1] == '~' && at[len + 1] == '"');
    memcpy(ret_offset, at + 1, len);
    ret_offset[len] = '\0';
}

static void hear_event(struct sio_client *peer, unsigned nsp, const struct sio_packet *packet)
{
    struct sio_ear *ear = &peer->ears[nsp];
    uint32_t number = (uint32_t)leading_number(packet->args);

    if (packet->ack >= 0) {
        return;
    }
    take_offset(packet->args, ear->is_joined ? ear->offset : peer->early_offset[nsp]);
    if (number == 0 || ear->is_deaf) {
        return;
    }
    if (ear->is_joined) {
        book_hear(ear->session, &ear->at, number);
    } else {
        buf_add(&peer->early[nsp], &number, sizeof number);
    }
}

static void hear_early(struct sio_client *peer, unsigned nsp)
{
    struct sio_ear *ear = &peer->ears[nsp];
    const uint32_t *early = (const void *)buf_str(&peer->early[nsp]).data;

    for (size_t i = 0; i < peer->early[nsp].len / sizeof *early; i++) {
        book_hear(ear->session, &ear->at, early[i]);
    }
    if (peer->early[nsp].len > 0) {
        memcpy(ear->offset, peer->early_offset[nsp], CLIENT_OFFSET_SIZE);
    }
    buf_clear(&peer->early[nsp]);
}

/* {"sid":"…","pid":"…"} */
static void hear_connect(struct sio_client *peer, unsigned nsp, struct str body)
{
    struct sio_ear *ear = &peer->ears[nsp];
    const struct book_session *session;

    REQUIRE(body.len == 8 + SID_LEN + 9 + CLIENT_PID_SIZE - 1 + 2);
    session = book_find(peer->book, body.data + 8);
    REQUIRE(session != NULL);
    if (session != ear->session || ear->is_deaf) {
        REQUIRE(peer->early[nsp].len == 0 || ear->is_deaf);
        buf_clear(&peer->early[nsp]);
        *ear = (struct sio_ear) { .session = session,
                                  .is_deaf = session->joins > 1,
                                  .claimed = ear->claimed };
    }
    memcpy(ear->pid, body.data + 8 + SID_LEN + 9, CLIENT_PID_SIZE - 1);
    ear->is_joined = true;
    hear_early(peer, nsp);
}

static void hear_packet(struct sio_client *peer, const struct sio_packet *packet)
{
    unsigned nsp = str_eq(packet->nsp, STR("/")) ? 0 : 1;

    if (peer->client.lossy) {
        return; /* no client goes on then */
    }
    if (packet->type == SIO_CONNECT) {
        hear_connect(peer, nsp, packet->body);
    } else if (packet->type == SIO_DISCONNECT) {
        peer->ears[nsp].is_joined = false;
    } else if (packet->type == SIO_EVENT || packet->type == SIO_BINARY_EVENT) {
        hear_event(peer, nsp, packet);
    }
}

static void hear_socketio(struct sio_client *peer, struct str text)
{
    static const struct json_limits limits = { .depth = 100 };
    struct sio_scratch scratch = { 0 };
    struct sio_packet packet;

    REQUIRE(peer->attachments == 0 || peer->client.lossy);
    peer->attachments = 0;
    if (text.len > 0 && text.data[0] == '0' + SIO_CONNECT_ERROR) {
        return; /* of any JSON in protocol 4 */
    }
    REQUIRE(sio_packet_decode(text, &limits, &scratch, &packet) == OK);
    if (packet.type == SIO_BINARY_EVENT || packet.type == SIO_BINARY_ACK) {
        peer->attachments = packet.attachments;
    }
    if (peer->client.protocol == 4) {
        hear_packet(peer, &packet);
    }
    sio_scratch_finish(&scratch);
}

/* ---- as a whole */

static void begin_anew(struct sio_client *peer)
{
    peer->generation = peer->client.generation;
    peer->heard = 0;
    peer->attachments = 0;
    for (unsigned nsp = 0; nsp < SESSION_NAMESPACES; nsp++) {
        peer->ears[nsp].is_joined = false;
        buf_clear(&peer->early[nsp]);
    }
}

static void hear(struct eio_client *client, bool binary, struct str payload)
{
    struct sio_client *peer = (struct sio_client *)client;

    if (peer->generation != client->generation) {
        begin_anew(peer);
    }
    if (!binary && peer->has_socketio) {
        hear_socketio(peer, payload);
    } else if (!binary) {
        check_count(peer, payload);
    } else if (peer->has_socketio) {
        REQUIRE(peer->attachments > 0 || client->lossy);
        peer->attachments -= peer->attachments > 0;
    }
}

void sio_client_init(struct sio_client *peer, struct loop *loop, const struct book *book,
                     unsigned index)
{
    bool has_socketio = index < 3;

    *peer = (struct sio_client) { .client = { .loop = loop,
                                              .on_message = hear,
                                              .path = has_socketio ? "/socket.io/" : "/engine.io/",
                                              .protocol = index == 1 ? 3 : 4,
                                              .base64 = index == 2 },
                                  .book = book,
                                  .has_socketio = has_socketio };
}

void sio_client_finish(struct sio_client *peer)
{
    eio_client_finish(&peer->client);
    for (unsigned nsp = 0; nsp < SESSION_NAMESPACES; nsp++) {
        buf_finish(&peer->early[nsp]);
    }
}

void sio_client_number(struct sio_client *peer, struct buf *packet)
{
    buf_printf(packet, "4%08" PRIx32, (uint32_t)(++peer->numbered * sio_number_factor));
}

void sio_client_claim(struct sio_client *peer, const struct sio_client *other, unsigned nsp,
                      struct str made_up, struct buf *packet)
{
    struct sio_ear *ear = &peer->ears[nsp];
    unsigned generation = peer->client.generation;

    if (ear->claimed == generation) {
        ear->is_deaf = true;
    } else if (!ear->is_joined || peer->generation != generation) {
        *ear = other->ears[nsp];
        ear->is_joined = false;
        ear->is_deaf = ear->is_deaf || made_up.len > 0;
        ear->claimed = generation;
    }
    buf_printf(packet, "40%s{\"pid\":\"%s\"", nsp == 0 ? "" : "/custom,", ear->pid);
    if (made_up.len > 0) {
        buf_printf(packet, ",\"offset\":\"%.*s\"", STR_ARG(made_up));
    } else if (ear->offset[0] != '\0') {
        buf_printf(packet, ",\"offset\":\"%s\"", ear->offset);
    }
    buf_add_char(packet, '}');
}

static bool settle(struct sio_client *peers, size_t count)
{
    bool moved = false;

    for (size_t i = 0; i < count; i++) {
        moved = eio_client_settle(&peers[i].client) || moved;
    }
    return moved;
}

void session_end_round(struct loop *loop, struct sio_client *peers, size_t count, uint64_t ms)
{
    fake_loop_begin(loop, ms);
    do {
        fake_loop_end(loop);
    } while (settle(peers, count));
}

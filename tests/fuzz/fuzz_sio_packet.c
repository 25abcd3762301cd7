/* fuzz: links wire shared */
#include <assert.h>
#include <stdint.h>

#include "libshared/wire/socketio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = { .depth = 64, .keys = 1000 };

/* What was decoded and is encoded again means the same to the next reader. */
static void check_event(const struct sio_packet *packet)
{
    struct sio_scratch scratch = { 0 };
    autobuf struct buf text = BUF_INIT;
    struct sio_packet again = { 0 };
    enum err err;

    sio_event_encode(&text, packet->nsp, packet->ack, packet->name, packet->args);
    err = sio_packet_decode(buf_str(&text), &limits, &scratch, &again);
    assert(err == OK);
    assert(again.type == SIO_EVENT && again.ack == packet->ack);
    assert(str_eq(again.nsp, packet->nsp));
    assert(str_eq(again.name, packet->name));
    assert(str_eq(again.args, packet->args));
    sio_scratch_finish(&scratch);
}

/* What is passed on is the same value as what is read. */
static void check_raw(const struct sio_packet *packet)
{
    autobuf struct buf raw = BUF_INIT, expected = BUF_INIT, scratch = BUF_INIT;
    struct str normal;
    enum err err;

    buf_printf(&raw, "[%.*s]", STR_ARG(packet->raw_args));
    buf_printf(&expected, "[%.*s]", STR_ARG(packet->args));
    err = json_normalise(buf_str(&raw), &limits, &scratch, &normal, NULL);
    assert(err == OK && str_eq(normal, buf_str(&expected)));
}

static void check_ack(const struct sio_packet *packet)
{
    struct sio_scratch scratch = { 0 };
    autobuf struct buf text = BUF_INIT;
    struct sio_packet again = { 0 };
    enum err err;

    sio_ack_encode(&text, packet->nsp, packet->ack, packet->args);
    err = sio_packet_decode(buf_str(&text), &limits, &scratch, &again);
    assert(err == OK);
    assert(again.type == SIO_ACK && again.ack == packet->ack);
    assert(str_eq(again.args, packet->args));
    sio_scratch_finish(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    struct sio_scratch scratch = { 0 };
    struct sio_packet packet;

    if (sio_packet_decode(text, &limits, &scratch, &packet) == OK) {
        assert(packet.nsp.len >= 1 && packet.nsp.data[0] == '/');
        assert(packet.ack >= SIO_ACK_NONE && packet.ack <= SIO_ACK_ID_MAX);
        assert(packet.attachments <= SIO_ATTACHMENTS_MAX);
        check_raw(&packet);
        if (packet.name.data != NULL) {
            check_event(&packet);
        } else if (packet.type == SIO_ACK || packet.type == SIO_BINARY_ACK) {
            check_ack(&packet);
        }
    }
    sio_scratch_finish(&scratch);
    return 0;
}

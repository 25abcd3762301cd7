/* fuzz: links wire shared */
#include <assert.h>
#include <stdint.h>

#include "libshared/wire/engineio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Base64 is strict, so what was decoded has one spelling only: the one that came. */
static void check_spelling(struct str text, const struct eio_packet *packet)
{
    autobuf struct buf again = BUF_INIT;

    eio_binary_encode(&again, packet->data);
    assert(str_eq(buf_str(&again), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eio_payload payload = eio_payload_of((struct str) { (const char *)data, size });
    autobuf struct buf scratch = BUF_INIT;
    size_t bytes = 0, packets = 0;
    struct str text;

    while (eio_payload_next(&payload, &text)) {
        struct eio_packet packet;

        bytes += text.len;
        packets++;
        if (eio_packet_decode(text, &scratch, &packet) != OK) {
            continue;
        }
        assert(packet.type <= EIO_NOOP);
        if (packet.binary) {
            check_spelling(text, &packet);
        } else {
            assert(packet.data.len == text.len - 1);
        }
    }
    assert(bytes + packets - 1 == size);
    return 0;
}

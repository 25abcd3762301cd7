/* fuzz: links wire shared */
#include <assert.h>
#include <stdint.h>

#include "libshared/utf8.h"
#include "libshared/wire/engineio3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was decoded comes out again when it is encoded in the same form. (Binary that is no message
 * does not: nobody sends that.) */
static void check_again(bool bytes, const struct eio3_item *item, const struct eio_packet *packet)
{
    autobuf struct buf again = BUF_INIT, scratch = BUF_INIT;
    struct eio3_payload payload = { .binary = bytes };
    struct eio3_item same;
    struct eio_packet twin;

    if (bytes) {
        eio3_bytes_add(&again, item->binary, item->binary ? packet->data : item->packet);
    } else if (packet->binary) {
        eio3_text_add_binary(&again, packet->data);
    } else {
        eio3_text_add(&again, item->packet);
    }
    payload.rest = buf_str(&again);
    assert(eio3_payload_next(&payload, &same) == OK);
    assert(str_eq(same.packet, item->packet) && same.binary == item->binary);
    assert(eio3_packet_decode(&same, &scratch, &twin) == OK);
    assert(twin.type == packet->type && twin.binary == packet->binary);
    assert(eio3_payload_next(&payload, &same) == ERR_NOT_FOUND);
}

/* The first byte says which form the rest is in. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autobuf struct buf scratch = BUF_INIT;
    struct eio3_payload payload;
    struct eio3_item item;
    size_t bytes = 0;

    if (size == 0) {
        return 0;
    }
    payload = (struct eio3_payload) {
        .rest = { (const char *)data + 1, size - 1 },
        .binary = data[0] % 2 == 1,
    };
    while (eio3_payload_next(&payload, &item) == OK) {
        struct eio_packet packet;

        bytes += item.packet.len;
        assert(item.packet.len > 0);
        assert(item.binary || utf8_valid(item.packet));
        if (eio3_packet_decode(&item, &scratch, &packet) == OK && packet.binary >= item.binary) {
            check_again(data[0] % 2 == 1, &item, &packet);
        }
    }
    assert(bytes < size);
    return 0;
}

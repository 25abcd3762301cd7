/* fuzz: links wire shared */

/* The first byte says in pieces of which size the rest is fed to the frame decoder; what comes out
 * must not depend on it, and no message may pass its limit. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/buf.h"
#include "libshared/wire/ws_frame.h"

enum { MAX_MESSAGE = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* The payload of a frame is complete. */
static void frame_over(const struct ws_decoder *decoder, struct str payload)
{
    unsigned peer_code;

    if (ws_opcode_is_control(decoder->opcode)) {
        require(payload.len <= WS_CONTROL_MAX && decoder->fin);
        if (decoder->opcode == WS_OP_CLOSE &&
            ws_close_parse(payload, &peer_code) == WS_CODE_NORMAL) {
            require(peer_code == WS_CODE_NONE || ws_code_valid(peer_code));
        }
    }
}

/* Feeds one piece; what happens is written to `out`. False after an error. */
static bool feed(struct ws_decoder *decoder, struct str in, struct buf *out, size_t *frame_start)
{
    for (;;) {
        enum ws_code code = WS_CODE_NONE;
        ptrdiff_t len;
        size_t used;

        if (!ws_decoder_in_frame(decoder)) {
            enum ws_step step = ws_decoder_head(decoder, in, &used, &code);

            require(used <= in.len);
            in = str_skip(in, used);
            if (step == WS_STEP_MORE) {
                require(in.len == 0);
                return true;
            }
            if (step == WS_STEP_ERROR) {
                buf_printf(out, "!%d", code);
                return false;
            }
            require(decoder->message_len <= MAX_MESSAGE);
            buf_printf(out, "%u%d:", decoder->opcode, decoder->fin);
            *frame_start = out->len;
        }
        if (in.len == 0 && decoder->left > 0) {
            return true;
        }
        len = ws_decoder_payload(decoder, in, buf_reserve(out, in.len));
        if (len < 0) {
            out->len = *frame_start; /* how much of it was checked depends on the pieces */
            buf_add_char(out, '!');
            return false;
        }
        out->len += (size_t)len;
        in = str_skip(in, (size_t)len);
        if (ws_decoder_frame_done(decoder)) {
            frame_over(decoder, str_skip(buf_str(out), *frame_start));
        }
    }
}

static void decode(struct str bytes, size_t piece, struct buf *out)
{
    struct ws_decoder decoder;
    size_t frame_start = 0;

    ws_decoder_init(&decoder, MAX_MESSAGE);
    while (bytes.len > 0) {
        struct str in = { bytes.data, MIN(piece, bytes.len) };

        bytes = str_skip(bytes, in.len);
        if (!feed(&decoder, in, out, &frame_start)) {
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autobuf struct buf whole = BUF_INIT, pieces = BUF_INIT;

    if (size >= 1) {
        struct str bytes = { (const char *)data + 1, size - 1 };

        decode(bytes, SIZE_MAX, &whole);
        decode(bytes, 1 + data[0] % 16, &pieces);
        require(str_eq(buf_str(&whole), buf_str(&pieces)));
    }
    return 0;
}

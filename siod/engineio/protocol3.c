/* Clients of Engine.IO 3 (protocol.md 2): other payloads, other marks on binary. Which side pings
 * is heartbeat.c's. JSONP is not served. */
#include "libshared/wire/engineio3.h"
#include "siod/engineio/session.h"

/* Bytes only when there is binary to send to a client that takes it. */
static bool wants_bytes(const struct eio_session *session, struct frame *const *frames,
                        size_t count)
{
    for (size_t i = 0; i < count && !session->base64; i++) {
        if (frames[i]->binary) {
            return true;
        }
    }
    return false;
}

static void add_packet(struct buf *payload, const struct frame *frame, bool as_bytes)
{
    if (as_bytes) {
        eio3_bytes_add(payload, frame->binary, frame_payload(frame));
    } else if (frame->binary) {
        eio3_text_add_binary(payload, frame_payload(frame));
    } else {
        eio3_text_add(payload, frame_payload(frame));
    }
}

void eio_v3_reply_packets(struct eio_session *session, struct http_request *request,
                          struct frame *const *frames, size_t count)
{
    bool as_bytes = wants_bytes(session, frames, count);
    autobuf struct buf payload = BUF_INIT;

    for (size_t i = 0; i < count; i++) {
        add_packet(&payload, frames[i], as_bytes);
    }
    eio_reply_payload(session, request,
                      as_bytes ? "application/octet-stream" : "text/plain; charset=UTF-8",
                      buf_str(&payload));
}

bool eio_v3_receive_payload(struct eio_session *session, struct str body, bool is_bytes)
{
    struct eio3_payload payload = { body.data != NULL ? body : STR(""), is_bytes };
    struct eio3_item item;
    enum err err = OK;

    while (session->state == EIO_STATE_OPEN && (err = eio3_payload_next(&payload, &item)) == OK) {
        if (!(item.binary ? eio_session_receive_binary(session, item.packet)
                          : eio_session_receive(session, item.packet))) {
            return false;
        }
    }
    if (err == ERR_SYNTAX) {
        eio_session_end(session, EIO_REASON_PARSE_ERROR, EIO_FAREWELL_CLOSE);
    }
    return err != ERR_SYNTAX;
}

struct frame *eio_v3_binary_frame(const struct eio_session *session, const struct frame *frame)
{
    autobuf struct buf message = BUF_INIT;

    if (session->base64) {
        buf_add_cstr(&message, "b4");
        eio_base64_encode(&message, frame_payload(frame));
        return frame_text(buf_str(&message));
    }
    buf_add_char(&message, EIO_MESSAGE);
    buf_add_str(&message, frame_payload(frame));
    return frame_binary(buf_str(&message));
}

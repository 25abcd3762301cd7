#include "libshared/wire/socketio.h"

#include "libshared/json_text.h"

void sio_scratch_finish(struct sio_scratch *scratch)
{
    buf_finish(&scratch->json);
    buf_finish(&scratch->name);
}

static bool is_digit(struct str text)
{
    return text.len > 0 && text.data[0] >= '0' && text.data[0] <= '9';
}

static bool is_binary(enum sio_packet_type type)
{
    return type == SIO_BINARY_EVENT || type == SIO_BINARY_ACK;
}

/* Takes the digits at the start of *rest. False when there are too many or the value is too large;
 * *ret_value stays as it is when there are none. */
static bool take_number(struct str *rest, int64_t max, int64_t *ret_value)
{
    enum { DIGITS_MAX = 16 };
    int64_t value = 0;
    size_t digits = 0;

    for (; is_digit(*rest); *rest = str_skip(*rest, 1)) {
        if (++digits > DIGITS_MAX) {
            return false;
        }
        value = value * 10 + (rest->data[0] - '0');
    }
    if (digits > 0) {
        *ret_value = value;
    }
    return value <= max;
}

static enum err take_attachments(struct str *rest, unsigned *ret_count)
{
    int64_t count = 0;

    if (!take_number(rest, SIO_ATTACHMENTS_MAX, &count)) {
        return ERR_TOO_LARGE;
    }
    if (count == 0 || rest->len == 0 || rest->data[0] != '-') {
        return ERR_SYNTAX;
    }
    *rest = str_skip(*rest, 1);
    *ret_count = (unsigned)count;
    return OK;
}

static enum err take_namespace(struct str *rest, struct str *ret_nsp)
{
    const char *comma;

    *ret_nsp = STR("/");
    if (rest->len == 0 || rest->data[0] != '/') {
        return OK;
    }
    comma = memchr(rest->data, ',', MIN(rest->len, (size_t)SIO_NAMESPACE_QUERY_MAX + 1));
    if (comma == NULL && rest->len > SIO_NAMESPACE_QUERY_MAX) {
        return ERR_TOO_LARGE;
    }
    ret_nsp->data = rest->data;
    ret_nsp->len = comma != NULL ? (size_t)(comma - rest->data) : rest->len;
    *rest = str_skip(*rest, comma != NULL ? ret_nsp->len + 1 : ret_nsp->len);
    return OK;
}

static struct str skip_space(struct str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t' || text.data[0] == '\n' ||
                            text.data[0] == '\r')) {
        text = str_skip(text, 1);
    }
    return text;
}

static struct str trim_end(struct str text)
{
    while (text.len > 0 && strchr(" \t\n\r", text.data[text.len - 1]) != NULL) {
        text.len--;
    }
    return text;
}

/* The first element: a string or a number, which is taken as its text. */
static enum err take_name(struct str *list, struct buf *scratch, struct str *ret_name)
{
    struct str value;

    buf_clear(scratch);
    if (!json_text_take(list, &value)) {
        return ERR_SYNTAX;
    }
    if (is_digit(value) || value.data[0] == '-') {
        *ret_name = value;
        return OK;
    }
    return json_text_string(value, scratch, ret_name) ? OK : ERR_SYNTAX;
}

static struct str raw_args(struct str raw, bool named)
{
    struct str list = json_text_inside(trim_end(raw)), name;

    if (named) {
        (void)json_text_take(&list, &name);
    }
    return trim_end(skip_space(list));
}

/* body is a valid JSON array, `raw` what it was before it was normalised. */
static enum err split_array(struct sio_packet *packet, struct str raw, bool named,
                            struct buf *scratch)
{
    struct str list = json_text_inside(packet->body);

    if (named && take_name(&list, scratch, &packet->name) != OK) {
        return ERR_SYNTAX;
    }
    packet->args = trim_end(skip_space(list));
    packet->raw_args = packet->body.data == raw.data ? packet->args : raw_args(raw, named);
    return OK;
}

static enum err check_body(struct sio_packet *packet, struct str raw, struct buf *scratch)
{
    char first = packet->body.len > 0 ? packet->body.data[0] : '\0';

    switch (packet->type) {
    case SIO_CONNECT:
        return first == '\0' || first == '{' ? OK : ERR_SYNTAX;
    case SIO_DISCONNECT:
        return first == '\0' ? OK : ERR_SYNTAX;
    case SIO_CONNECT_ERROR:
        return first == '{' || first == '"' ? OK : ERR_SYNTAX;
    case SIO_EVENT:
    case SIO_ACK:
    case SIO_BINARY_EVENT:
    case SIO_BINARY_ACK:
        if (first == '\0') {
            return OK;
        }
        break;
    }
    if (first != '[') {
        return ERR_SYNTAX;
    }
    return split_array(packet, raw, packet->type == SIO_EVENT || packet->type == SIO_BINARY_EVENT,
                       scratch);
}

/* A space would be read as digit by the reference, and JSON may start with one. */
static enum err take_body(struct str rest, const struct json_limits *limits, struct buf *scratch,
                          struct str *ret_body, struct errmsg *why)
{
    if (rest.len == 0) {
        return OK;
    }
    if (skip_space(rest).len != rest.len) {
        return ERR_SYNTAX;
    }
    return json_normalise(rest, limits, scratch, ret_body, why);
}

enum err sio_packet_decode(struct str text, const struct json_limits *limits,
                           struct sio_scratch *scratch, struct sio_packet *ret_packet)
{
    struct sio_packet packet = { .ack = SIO_ACK_NONE };
    enum err err = OK;

    scratch->why.text[0] = '\0';
    if (!is_digit(text) || text.data[0] > '0' + SIO_BINARY_ACK) {
        return ERR_SYNTAX;
    }
    packet.type = (enum sio_packet_type)(text.data[0] - '0');
    text = str_skip(text, 1);
    if (is_binary(packet.type)) {
        err = take_attachments(&text, &packet.attachments);
    }
    if (err == OK) {
        err = take_namespace(&text, &packet.nsp);
    }
    if (err == OK && !take_number(&text, SIO_ACK_ID_MAX, &packet.ack)) {
        err = ERR_TOO_LARGE;
    }
    if (err == OK) {
        err = take_body(text, limits, &scratch->json, &packet.body, &scratch->why);
    }
    if (err == OK) {
        err = check_body(&packet, text, &scratch->name);
    }
    if (err == OK) {
        *ret_packet = packet;
    }
    return err;
}

bool sio_event_reserved(struct str name)
{
    static const struct str reserved[] = {
        STR_INIT("connect"),       STR_INIT("connect_error"), STR_INIT("disconnect"),
        STR_INIT("disconnecting"), STR_INIT("newListener"),   STR_INIT("removeListener"),
    };

    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (str_eq(name, reserved[i])) {
            return true;
        }
    }
    return false;
}

void sio_packet_encode_head(struct buf *buf, enum sio_packet_type type, unsigned attachments,
                            struct str nsp, int64_t ack)
{
    buf_add_char(buf, (char)('0' + type));
    if (attachments > 0) {
        buf_add_u64(buf, attachments);
        buf_add_char(buf, '-');
    }
    if (nsp.len > 1) {
        buf_add_str(buf, nsp);
        buf_add_char(buf, ',');
    }
    if (ack >= 0) {
        buf_add_i64(buf, ack);
    }
}

static void add_named(struct buf *buf, struct str name, struct str args)
{
    buf_add_char(buf, '[');
    json_add_string(buf, name);
    if (args.len > 0) {
        buf_add_char(buf, ',');
        buf_add_str(buf, args);
    }
}

void sio_event_encode_open(struct buf *buf, struct str nsp, unsigned attachments, struct str name,
                           struct str args)
{
    sio_packet_encode_head(buf, attachments > 0 ? SIO_BINARY_EVENT : SIO_EVENT, attachments, nsp,
                           SIO_ACK_NONE);
    add_named(buf, name, args);
}

void sio_event_encode(struct buf *buf, struct str nsp, int64_t ack, struct str name,
                      struct str args)
{
    sio_packet_encode_head(buf, SIO_EVENT, 0, nsp, ack);
    add_named(buf, name, args);
    buf_add_char(buf, ']');
}

void sio_ack_encode(struct buf *buf, struct str nsp, int64_t ack, struct str args)
{
    sio_packet_encode_head(buf, SIO_ACK, 0, nsp, ack);
    buf_add_char(buf, '[');
    buf_add_str(buf, args);
    buf_add_char(buf, ']');
}

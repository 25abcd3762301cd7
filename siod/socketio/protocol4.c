/* Clients of Socket.IO 2, protocol 4 (protocol.md 4): the main namespace is connected unasked, what
 * a client has to say about itself is in queries, and the answers to CONNECT have another form.
 *
 * Such a client takes its Engine.IO sid for the id of its socket. Here that stays the secret it is:
 * the socket has an id of its own, which the client never learns. */
#include "libshared/json.h"
#include "libshared/query.h"
#include "libshared/utf8.h"
#include "siod/socketio/server.h"

/* As a JSON string. With escapes that are broken or do not make UTF-8 it stays as it is. */
static void add_decoded(struct buf *out, struct str text)
{
    autobuf struct buf decoded = BUF_INIT;
    bool sound = percent_decode(text, true, buf_reserve(&decoded, text.len), &decoded.len);

    if (sound && utf8_valid(buf_str(&decoded))) {
        text = buf_str(&decoded);
    }
    json_add_string(out, utf8_valid(text) ? text : STR(""));
}

static void add_query(struct buf *out, struct str query)
{
    struct query_param param;
    const char *separator = "";

    buf_add_char(out, '{');
    while (query_next(&query, &param)) {
        if (param.name.len > 0) {
            buf_add_cstr(out, separator);
            add_decoded(out, param.name);
            buf_add_char(out, ':');
            add_decoded(out, param.value);
            separator = ",";
        }
    }
    buf_add_char(out, '}');
}

void sio_v4_open(struct sio_connection *connection)
{
    struct sio_namespace *nsp = sio_namespace_find(connection->server, STR("/"));
    autobuf struct buf auth = BUF_INIT;

    connection->is_v4 = true;
    add_query(&auth, eio_session_query(connection->session));
    if (nsp != NULL) {
        sio_socket_open(connection, nsp, buf_str(&auth));
    } else {
        sio_namespace_unknown(connection, STR("/"));
    }
}

static struct str before(struct str text, char mark)
{
    const char *at = memchr(text.data, mark, text.len);

    return (struct str) { text.data, at != NULL ? (size_t)(at - text.data) : text.len };
}

struct str sio_v4_name(struct str nsp)
{
    return before(before(nsp, '#'), '?');
}

void sio_v4_add_auth(struct buf *auth, struct str nsp)
{
    struct str url = before(nsp, '#');

    url = str_skip(url, before(url, '?').len);
    add_query(auth, url.len > 0 ? str_skip(url, 1) : STR(""));
}

void sio_v4_add_accept(struct buf *out, struct str nsp)
{
    sio_packet_encode_head(out, SIO_CONNECT, 0, nsp, SIO_ACK_NONE);
}

void sio_v4_add_refuse(struct buf *out, struct str nsp, struct str message, struct str data_json)
{
    sio_packet_encode_head(out, SIO_CONNECT_ERROR, 0, nsp, SIO_ACK_NONE);
    if (data_json.len > 0) {
        buf_add_str(out, data_json);
    } else {
        json_add_string(out, message);
    }
}

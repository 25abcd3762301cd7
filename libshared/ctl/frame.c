#include "libshared/ctl/frame.h"

#include <stdio.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "libshared/json_text.h"

static const struct json_limits limits = { .depth = CTL_DEPTH_MAX, .keys = 1000000 };

/* The first newline that is not before `scanned`; remembers that there is none. */
static const char *find_newline(struct ctl_lines *lines)
{
    size_t left = lines->buf.len - lines->scanned;
    const char *newline = left > 0 ? memchr(lines->buf.data + lines->scanned, '\n', left) : NULL;

    if (newline == NULL) {
        lines->scanned = lines->buf.len;
    }
    return newline;
}

enum err ctl_lines_add(struct ctl_lines *lines, struct str bytes, size_t max)
{
    const char *newline = bytes.len > 0 ? memchr(bytes.data, '\n', bytes.len) : NULL;
    size_t head = newline != NULL ? (size_t)(newline - bytes.data) : bytes.len;

    if (find_newline(lines) == NULL && lines->buf.len - lines->start + head > max) {
        return ERR_TOO_LARGE;
    }
    if (lines->start > 0) {
        buf_consume(&lines->buf, lines->start);
        lines->scanned -= lines->start;
        lines->start = 0;
    }
    buf_add(&lines->buf, bytes.data, bytes.len);
    return OK;
}

bool ctl_lines_next(struct ctl_lines *lines, struct str *ret_line)
{
    const char *newline = find_newline(lines);
    const char *from;

    if (newline == NULL) {
        return false;
    }
    from = lines->buf.data + lines->start;
    *ret_line = (struct str) { from, (size_t)(newline - from) };
    if (ret_line->len > 0 && newline[-1] == '\r') {
        ret_line->len--;
    }
    lines->start += (size_t)(newline - from) + 1;
    lines->scanned = lines->start;
    return true;
}

/* The id as JSON text; NULL when it is neither an integer nor a short string. */
static char *id_text(const json_t *id)
{
    autobuf struct buf text = BUF_INIT;

    if (!json_is_integer(id) &&
        (!json_is_string(id) || json_string_length(id) > CTL_REQUEST_ID_MAX)) {
        return NULL;
    }
    json_add_tree(&text, id);
    return buf_take(&text);
}

/* An integer beyond int64 and a string with a lone surrogate would come back as something else.
 * `line` is the object that became `normal`: they have the same members. */
static bool id_is_as_sent(struct str line, struct str normal)
{
    struct str sent = json_text_inside(json_text_trim(line)), list = json_text_inside(normal);
    struct str key, value, sent_key, sent_value, name;
    autobuf struct buf decoded = BUF_INIT;
    bool same = true;

    while (json_text_take_member(&list, &key, &value) &&
           json_text_take_member(&sent, &sent_key, &sent_value)) {
        buf_clear(&decoded);
        if (json_text_string(key, &decoded, &name) && str_eq(name, STR("id"))) {
            same = str_eq(value, sent_value);
        }
    }
    return same;
}

static enum err read_request(json_t *root, struct ctl_request *request, struct errmsg *msg)
{
    json_t *args = json_object_get(root, "args");
    const json_t *cmd = json_object_get(root, "cmd");

    if (!json_is_object(root)) {
        return err_set(msg, ERR_SYNTAX, "a request is a JSON object");
    }
    free(request->id);
    request->id = id_text(json_object_get(root, "id"));
    if (request->id == NULL) {
        request->id = xstrdup("null");
        return err_set(msg, ERR_INVALID, "id must be an integer of 64 bits or a short string");
    }
    if (!json_is_string(cmd)) {
        return err_set(msg, ERR_INVALID, "cmd must be a string");
    }
    if (strlen(json_string_value(cmd)) < json_string_length(cmd)) {
        return err_set(msg, ERR_INVALID, "cmd has a NUL");
    }
    if (args != NULL && !json_is_object(args)) {
        return err_set(msg, ERR_INVALID, "args must be an object");
    }
    request->cmd = xstrdup(json_string_value(cmd));
    request->args = args != NULL ? json_incref(args) : json_object();
    return OK;
}

enum err ctl_request_decode(struct str line, struct ctl_request *ret_request, struct errmsg *msg)
{
    autobuf struct buf changed = BUF_INIT;
    autojson json_t *root = NULL;
    struct str normal;

    *ret_request = (struct ctl_request) { .id = xstrdup("null") };
    if (json_normalise(line, &limits, &changed, &normal, msg) != OK) {
        return ERR_SYNTAX;
    }
    if (changed.len > 0 && json_text_is_object(normal) && !id_is_as_sent(line, normal)) {
        return err_set(msg, ERR_INVALID, "id must be an integer of 64 bits or a short string");
    }
    root = json_tree(normal);
    return read_request(root, ret_request, msg);
}

void ctl_request_finish(struct ctl_request *request)
{
    free(request->id);
    free(request->cmd);
    json_decref(request->args);
    *request = (struct ctl_request) { 0 };
}

void ctl_request_encode(struct buf *out, int64_t id, struct str cmd, const json_t *args)
{
    buf_add_cstr(out, "{\"id\":");
    buf_add_i64(out, id);
    buf_add_cstr(out, ",\"cmd\":");
    json_add_string(out, cmd);
    if (args != NULL) {
        buf_add_cstr(out, ",\"args\":");
        json_add_tree(out, args);
    }
    buf_add_cstr(out, "}\n");
}

void ctl_request_encode_text(struct buf *out, int64_t id, struct str cmd, struct str args)
{
    buf_add_cstr(out, "{\"id\":");
    buf_add_i64(out, id);
    buf_add_cstr(out, ",\"cmd\":");
    json_add_string(out, cmd);
    buf_add_cstr(out, ",\"args\":");
    buf_add_str(out, args);
    buf_add_cstr(out, "}\n");
}

void ctl_greeting_encode(struct buf *out, struct str version)
{
    buf_add_cstr(out, "{\"siod\":");
    json_add_string(out, version);
    buf_printf(out, ",\"protocol\":%d}\n", CTL_PROTOCOL);
}

enum err ctl_greeting_decode(struct str line, struct errmsg *msg)
{
    autojson json_t *root = json_read(line, &limits, NULL);
    const json_t *protocol = json_object_get(root, "protocol");

    if (json_object_get(root, "siod") == NULL || !json_is_integer(protocol)) {
        return err_set(msg, ERR_SYNTAX, "whoever answers is not siod");
    }
    if (json_integer_value(protocol) != CTL_PROTOCOL) {
        return err_set(msg, ERR_UNSUPPORTED, "siod speaks control protocol %lld, not %d",
                       (long long)json_integer_value(protocol), CTL_PROTOCOL);
    }
    return OK;
}

void ctl_reply_encode(struct buf *out, struct str id, bool more, struct str result)
{
    buf_add_cstr(out, "{\"id\":");
    buf_add_str(out, id);
    buf_add_cstr(out, more ? ",\"ok\":true,\"more\":true" : ",\"ok\":true");
    if (result.len > 0) {
        buf_add_cstr(out, ",\"result\":");
        buf_add_str(out, result);
    }
    buf_add_cstr(out, "}\n");
}

void ctl_error_encode(struct buf *out, struct str id, struct str code, struct str message)
{
    buf_add_cstr(out, "{\"id\":");
    buf_add_str(out, id);
    buf_add_cstr(out, ",\"ok\":false,\"error\":{\"code\":");
    json_add_string(out, code);
    buf_add_cstr(out, ",\"message\":");
    json_add_string(out, message);
    buf_add_cstr(out, "}}\n");
}

static void read_error(json_t *error, struct ctl_reply *reply)
{
    struct str code = json_str_at(error, "code");
    struct str message = json_str_at(error, "message");

    snprintf(reply->code, sizeof(reply->code), "%.*s", (int)MIN(code.len, sizeof(reply->code) - 1),
             code.data != NULL ? code.data : "");
    reply->message = xstrndup(message.data != NULL ? message.data : "", message.len);
}

enum err ctl_reply_decode(struct str line, struct ctl_reply *ret_reply, struct errmsg *msg)
{
    autojson json_t *root = json_read(line, &limits, msg);
    struct ctl_reply reply = { 0 };

    if (root == NULL) {
        return ERR_SYNTAX;
    }
    if (!json_is_boolean(json_object_get(root, "ok"))) {
        return err_set(msg, ERR_SYNTAX, "the answer is no reply");
    }
    reply.id = json_integer_value(json_object_get(root, "id"));
    reply.ok = json_is_true(json_object_get(root, "ok"));
    reply.more = json_is_true(json_object_get(root, "more"));
    reply.result = json_incref(json_object_get(root, "result"));
    if (!reply.ok) {
        read_error(json_object_get(root, "error"), &reply);
    }
    *ret_reply = reply;
    return OK;
}

void ctl_reply_finish(struct ctl_reply *reply)
{
    json_decref(reply->result);
    free(reply->message);
    *reply = (struct ctl_reply) { 0 };
}

static void merge_members(json_t *whole, json_t *piece)
{
    const char *key;
    json_t *value;

    json_object_foreach(piece, key, value)
    {
        json_t *before = json_object_get(whole, key);

        json_object_set_new(whole, key, ctl_merge(json_incref(before), json_incref(value)));
    }
}

json_t *ctl_merge(json_t *whole, json_t *piece)
{
    if (piece == NULL) {
        return whole;
    }
    if (json_is_array(whole) && json_is_array(piece)) {
        json_array_extend(whole, piece);
    } else if (json_is_object(whole) && json_is_object(piece)) {
        merge_members(whole, piece);
    } else {
        json_decref(whole);
        return piece;
    }
    json_decref(piece);
    return whole;
}

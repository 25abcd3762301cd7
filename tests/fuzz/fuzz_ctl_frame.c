/* fuzz: links ctl */
/* What anybody who can open the control socket may send: lines, requests, their args. And what
 * sioctl reads: replies. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/ctl/command.h"
#include "libshared/ctl/frame.h"
#include "libshared/utf8.h"

enum { LINE_MAX_BYTES = 4096, PIECE = 7 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* `line` without its newline. */
static struct str only_line(const struct buf *line)
{
    require(line->len > 0 && memchr(line->data, '\n', line->len) == line->data + line->len - 1);
    return (struct str) { line->data, line->len - 1 };
}

/* What sioctl would send is understood as it was meant. */
static void send_again(const struct ctl_request *request)
{
    autobuf struct buf line = BUF_INIT;
    struct ctl_request again;

    ctl_request_encode(&line, 7, str_of(request->cmd), request->args);
    require(ctl_request_decode(only_line(&line), &again, NULL) == OK);
    require(strcmp(again.cmd, request->cmd) == 0 && json_equal(again.args, request->args) == 1);
    require(strcmp(again.id, "7") == 0);
    ctl_request_finish(&again);
}

/* And what siod would answer: a piece, and an error that repeats what the peer sent. */
static void answer(const struct ctl_request *request, struct str text)
{
    autobuf struct buf piece = BUF_INIT, error = BUF_INIT;
    autofree char *result = json_dumps(request->args, JSON_COMPACT);
    struct ctl_reply reply;

    ctl_reply_encode(&piece, str_of(request->id), true, str_of(result));
    if (ctl_reply_decode(only_line(&piece), &reply, NULL) == OK) {
        require(reply.ok && reply.more && json_equal(reply.result, request->args) == 1);
        ctl_reply_finish(&reply);
    }
    if (utf8_valid(text)) {
        ctl_error_encode(&error, STR("7"), STR("invalid"), text);
        require(ctl_reply_decode(only_line(&error), &reply, NULL) == OK);
        require(!reply.ok && reply.id == 7 && strcmp(reply.code, "invalid") == 0);
        ctl_reply_finish(&reply);
    }
}

static void greet(struct str text)
{
    autobuf struct buf line = BUF_INIT;

    if (utf8_valid(text)) {
        ctl_greeting_encode(&line, text);
        require(ctl_greeting_decode(only_line(&line), NULL) == OK);
    }
}

static void take_request(struct str line)
{
    struct ctl_request request;
    struct errmsg msg;

    if (ctl_request_decode(line, &request, &msg) == OK) {
        const struct ctl_command *command = ctl_command_find(str_of(request.cmd));

        send_again(&request);
        answer(&request, line);
        if (command != NULL) {
            json_decref(ctl_args_accept(command, request.args, &msg));
        }
    }
    ctl_request_finish(&request);
}

static void take_reply(struct str line)
{
    struct ctl_reply reply;

    if (ctl_reply_decode(line, &reply, NULL) == OK) {
        json_decref(ctl_merge(json_incref(reply.result), json_deep_copy(reply.result)));
        ctl_reply_finish(&reply);
    }
    (void)!ctl_greeting_decode(line, NULL);
    greet(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ctl_lines lines = { 0 };

    for (size_t at = 0; at < size; at += PIECE) {
        struct str piece = { (const char *)data + at, MIN(PIECE, size - at) };
        struct str line;

        if (ctl_lines_add(&lines, piece, LINE_MAX_BYTES) != OK) {
            break;
        }
        require(lines.buf.len <= LINE_MAX_BYTES + PIECE);
        while (ctl_lines_next(&lines, &line)) {
            take_request(line);
            take_reply(line);
        }
    }
    buf_finish(&lines.buf);
    return 0;
}

/* fuzz: links ctl */
/* What anybody who can open the control socket may send: lines, requests, their args. And what
 * sioctl reads: replies. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "libshared/ctl/command.h"
#include "libshared/ctl/frame.h"

enum { LINE_MAX_BYTES = 4096, PIECE = 7 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_request(struct str line)
{
    struct ctl_request request;
    struct errmsg msg;

    if (ctl_request_decode(line, &request, &msg) == OK) {
        const struct ctl_command *command = ctl_command_find(str_of(request.cmd));

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
        if (lines.buf.len > LINE_MAX_BYTES + PIECE) {
            abort();
        }
        while (ctl_lines_next(&lines, &line)) {
            take_request(line);
            take_reply(line);
        }
    }
    buf_finish(&lines.buf);
    return 0;
}

#include "siod/control/rows.h"

#include <string.h>

#include "libshared/alloc.h"
#include "siod/control/call.h"

enum { PIECE_BYTES = 64 * 1024, LIMIT_DEFAULT = 100, LIMIT_MAX = 100000 };

void control_rows_finish(struct control_rows *rows)
{
    buf_finish(&rows->text);
    buf_finish(&rows->ends);
}

void control_rows_end_row(struct control_rows *rows)
{
    if (rows->text.len - rows->piece_start >= PIECE_BYTES) {
        size_t end = rows->text.len;

        buf_add(&rows->ends, &end, sizeof(end));
        rows->piece_start = end;
    } else {
        buf_add_char(&rows->text, ',');
    }
}

/* Where the piece that starts at rows->sent ends. */
static size_t piece_end(struct control_rows *rows)
{
    size_t end;

    if (rows->ends.len == 0) {
        return rows->text.len;
    }
    memcpy(&end, rows->ends.data, sizeof(end));
    buf_consume(&rows->ends, sizeof(end));
    return end;
}

static bool send_slice(struct control_call *call)
{
    struct control_rows *rows = call->state;
    autobuf struct buf piece = BUF_INIT;
    size_t end = piece_end(rows), len = end - rows->sent;
    bool last = end == rows->text.len;

    buf_add_char(&piece, '[');
    buf_add(&piece, rows->text.data + rows->sent, len);
    if (len > 0 && piece.data[piece.len - 1] == ',') {
        piece.len--;
    }
    buf_add_char(&piece, ']');
    rows->sent = end;
    if (last) {
        control_reply(call, buf_str(&piece));
        return false;
    }
    control_piece(call, buf_str(&piece));
    return true;
}

void control_rows_send(struct control_call *call)
{
    control_produce(call, send_slice);
}

/* ---- what the store reads */

static void list_free(void *state)
{
    struct control_list *list = state;

    control_rows_finish(&list->rows);
    free(list);
}

static enum err list_fetch(struct store_query *query, struct store_reader *reader)
{
    struct control_list *list = CONTAINER_OF(query, struct control_list, query);

    return list->read(list, reader);
}

static void list_done(struct store_query *query, enum err err)
{
    struct control_list *list = CONTAINER_OF(query, struct control_list, query);
    struct control_call *call = list->call;

    if (!control_unhold(call)) {
        return;
    }
    if (err == OK) {
        control_rows_send(call);
    } else if (list->fail != NULL) {
        list->fail(call, err);
    } else {
        control_fail(call, err, NULL);
    }
}

static struct control_list *list_new(struct control_call *call, unsigned limit,
                                     enum err (*read)(struct control_list *list,
                                                      struct store_reader *reader))
{
    struct control_list *list = xnew(struct control_list);

    list->query.fetch = list_fetch;
    list->query.done = list_done;
    list->call = call;
    list->limit = limit;
    list->read = read;
    call->state = list;
    call->release = list_free;
    control_hold(call);
    return list;
}

void control_list_all(struct control_call *call,
                      enum err (*read)(struct control_list *list, struct store_reader *reader))
{
    store_ask(control_config(call)->store, &list_new(call, 0, read)->query);
}

void control_list_care(struct control_call *call,
                       enum err (*read)(struct control_list *list, struct store_reader *reader),
                       void (*fail)(struct control_call *call, enum err err))
{
    struct control_list *list = list_new(call, 0, read);

    list->fail = fail;
    store_care(control_config(call)->store, &list->query);
}

void control_list_newest(struct control_call *call,
                         enum err (*read)(struct control_list *list, struct store_reader *reader))
{
    int64_t limit = control_arg_int(call, "limit");

    if (limit > LIMIT_MAX) {
        control_fail(call, ERR_TOO_LARGE, "--limit: at most %d", LIMIT_MAX);
        return;
    }
    store_ask(control_config(call)->store,
              &list_new(call, limit > 0 ? (unsigned)limit : LIMIT_DEFAULT, read)->query);
}

/* A list that was rendered elsewhere (a read of the store), cut into pieces for sending. */
#pragma once

#include <stddef.h>

#include "libshared/buf.h"
#include "siod/store/store.h"

struct control_call;

struct control_rows {
    struct buf text; /* rows without brackets, separated by commas; append the next one here */
    struct buf ends; /* size_t: where each full piece ends */
    size_t piece_start;
    size_t sent;
};
void control_rows_finish(struct control_rows *rows);
/* A row was appended to rows->text. Any thread. */
void control_rows_end_row(struct control_rows *rows);
/* A list that the store's readers make. `read` runs on another thread, appends each row to
 * rows->text and calls control_rows_end_row(). Ends the call. */
struct control_list {
    struct control_rows rows;
    struct store_query query;
    struct control_call *call;
    unsigned limit;                                        /* of control_list_newest() */
    void (*fail)(struct control_call *call, enum err err); /* NULL: in the error's own words */
    enum err (*read)(struct control_list *list, struct store_reader *reader);
};
void control_list_all(struct control_call *call,
                      enum err (*read)(struct control_list *list, struct store_reader *reader));
/* The same as a long read, store_care(); `fail` ends the call when it failed. */
void control_list_care(struct control_call *call,
                       enum err (*read)(struct control_list *list, struct store_reader *reader),
                       void (*fail)(struct control_call *call, enum err err));
/* The newest rows, as many as `--limit` says. */
void control_list_newest(struct control_call *call,
                         enum err (*read)(struct control_list *list, struct store_reader *reader));
/* The pieces, one a round, then the end of the call. `rows` must be call->state's first member. */
void control_rows_send(struct control_call *call);

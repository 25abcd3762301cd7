/* A list that was rendered elsewhere (a read of the store), cut into pieces for sending. */
#pragma once

#include <stddef.h>

#include "libshared/buf.h"

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
/* The pieces, one a round, then the end of the call. `rows` must be call->state's first member. */
void control_rows_send(struct control_call *call);

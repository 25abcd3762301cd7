/* One table of failures for acks, control replies and HTTP answers: see error.def. */
#pragma once

#include "libshared/base.h"

enum err {
    OK = 0,
#define ERROR(id, code, status, text) ERR_##id,
#include "libshared/error.def"
#undef ERROR
};

/* The `code` on the wire ("token_expired"); "ok" for OK. */
const char *err_code(enum err err);
/* The HTTP status; 200 for OK. */
unsigned err_http_status(enum err err);
/* The default sentence, without a full stop. */
const char *err_text(enum err err);

/* The sentence a human will read, with the place: file:line, JSON path. Functions write it only
 * when they fail; NULL is accepted everywhere. */
struct errmsg {
    char text[256];
};

/* Sets msg (NULL is ignored) and returns err: `return err_set(msg, ERR_SYNTAX, "%s:%d: …", file,
 * line);` */
PRINTF(3, 4) enum err err_set(struct errmsg *msg, enum err err, const char *format, ...);

/* Compressed answers (RFC 9110, 8.4.1 and 12.5.3). Pure but for the memory of a compressor, which
 * is made at its first use and kept: a quarter of a megabyte for each coding. */
#pragma once

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"

enum coding { CODING_NONE, CODING_GZIP, CODING_DEFLATE, CODING_COUNT };

/* The coding that a client with this Accept-Encoding likes best; .data NULL is no such field. As
 * the reference chooses: by weight, then a name before `*`, then the order of the field. */
enum coding coding_choose(struct str accept_encoding);
/* "gzip" */
struct str coding_name(enum coding coding);

struct coder;
/* Returns owned. */
NODISCARD
struct coder *coder_new(void);
void coder_free(struct coder *coder);
/* Append `body`, compressed, in the least time rather than space: the loop waits for it. */
void coder_run(struct coder *coder, enum coding coding, struct str body, struct buf *out);

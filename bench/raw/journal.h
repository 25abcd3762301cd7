/* What the disk allows: pieces that are on it when the call returns, written over the same few
 * megabytes again and again, as a database writes its log. */
#pragma once

#include "libshared/base.h"
#include "libshared/str.h"

struct journal;

/* Ends the process when that is impossible. Returns owned. */
NODISCARD
struct journal *journal_new(const char *path);
void journal_free(struct journal *journal);
/* One write and one fdatasync. */
void journal_append(struct journal *journal, struct str piece);

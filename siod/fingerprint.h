/* What was in the files that reloadable settings name (keys, secrets, certificates), so that a
 * reload can say which of them have changed while their names have not. */
#pragma once

#include "libshared/base.h"
#include "libshared/config.h"

struct fingerprints;

/* Reads the files; one that cannot be read, or that would have to be waited for,
 * counts as empty. The configuration is borrowed as long
 * as the result lives. Returns owned. */
NODISCARD
struct fingerprints *fingerprints_new(const struct config *config);
void fingerprints_free(struct fingerprints *prints);
/* Settings of `after` that name the same files as in `before`, with another content: change->before
 * and after are equal. */
void fingerprints_compare(const struct fingerprints *before, const struct fingerprints *after,
                          config_change_fn *fn, void *arg);

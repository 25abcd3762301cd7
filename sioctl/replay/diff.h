/* What has to be taken out of one list of lines, and put in, to make it another. Pure. */
#pragma once

#include <stddef.h>

/* '-': line `index` of a is not in b; '+': line `index` of b is not in a. In the order of the
 * lines. */
typedef void replay_diff_fn(void *arg, char sign, size_t index);
/* As few as there can be, but for lists that have next to nothing in common. */
void replay_diff(const char *const *a, size_t a_count, const char *const *b, size_t b_count,
                 replay_diff_fn *fn, void *arg);

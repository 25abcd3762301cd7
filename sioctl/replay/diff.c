/* The greedy algorithm of Myers ("An O(ND) difference algorithm and its variations"): for each
 * number of changes the furthest point of every diagonal is kept, and the way back through them is
 * the difference. */
#include "sioctl/replay/diff.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/base.h"

enum { CHANGES_MAX = 2000 }; /* memory grows with its square: 16 MB */

struct diff {
    const char *const *a, *const *b;
    int a_count, b_count;
    int **reach; /* reach[d][k + d]: how far into a, on diagonal k, after d changes */
    int changes;
    replay_diff_fn *fn;
    void *arg;
    size_t offset; /* equal lines that were left out in front */
};

static int slide(const struct diff *diff, int x, int k)
{
    while (x < diff->a_count && x - k < diff->b_count && strcmp(diff->a[x], diff->b[x - k]) == 0) {
        x++;
    }
    return x;
}

/* Does the best way to diagonal k after d changes come from k + 1, that is, by an insertion? */
static bool is_insertion(const int *before, int d, int k)
{
    return k == -d || (k != d && before[k - 1 + d - 1] < before[k + 1 + d - 1]);
}

/* False when there are too many changes. */
static bool search(struct diff *diff)
{
    for (int d = 0; d <= CHANGES_MAX; d++) {
        const int *before = d > 0 ? diff->reach[d - 1] : NULL;
        int *now = xcalloc(2 * (size_t)d + 1, sizeof *now);

        diff->reach[d] = now;
        diff->changes = d;
        for (int k = -d; k <= d; k += 2) {
            int x = 0;

            if (d > 0) {
                x = is_insertion(before, d, k) ? before[k + 1 + d - 1] : before[k - 1 + d - 1] + 1;
            }
            now[k + d] = x = slide(diff, x, k);
            if (x >= diff->a_count && x - k >= diff->b_count) {
                return true;
            }
        }
    }
    return false;
}

static void tell(const struct diff *diff, char sign, int index)
{
    diff->fn(diff->arg, sign, diff->offset + (size_t)index);
}

/* The changes from the last to the first, told in their order. */
static void trace_back(const struct diff *diff, int d, int k)
{
    struct step {
        char sign;
        int index;
    } *steps = xcalloc((size_t)d + 1, sizeof *steps);
    int count = d;

    for (; d > 0; d--) {
        const int *before = diff->reach[d - 1];

        if (is_insertion(before, d, k)) {
            k++;
            steps[d] = (struct step) { '+', before[k + d - 1] - k };
        } else {
            k--;
            steps[d] = (struct step) { '-', before[k + d - 1] };
        }
    }
    for (int i = 1; i <= count; i++) {
        tell(diff, steps[i].sign, steps[i].index);
    }
    free(steps);
}

static void replace_all(const struct diff *diff)
{
    for (int i = 0; i < diff->a_count; i++) {
        tell(diff, '-', i);
    }
    for (int i = 0; i < diff->b_count; i++) {
        tell(diff, '+', i);
    }
}

void replay_diff(const char *const *a, size_t a_count, const char *const *b, size_t b_count,
                 replay_diff_fn *fn, void *arg)
{
    struct diff diff = { .fn = fn, .arg = arg };

    while (a_count > 0 && b_count > 0 && strcmp(*a, *b) == 0) {
        a++, b++, a_count--, b_count--;
        diff.offset++;
    }
    while (a_count > 0 && b_count > 0 && strcmp(a[a_count - 1], b[b_count - 1]) == 0) {
        a_count--, b_count--;
    }
    diff.a = a;
    diff.b = b;
    diff.a_count = (int)a_count;
    diff.b_count = (int)b_count;
    diff.reach = (int **)xcalloc(CHANGES_MAX + 1, sizeof(int *));
    if (search(&diff)) {
        trace_back(&diff, diff.changes, diff.a_count - diff.b_count);
    } else {
        replace_all(&diff);
    }
    for (int d = 0; d <= diff.changes; d++) {
        free(diff.reach[d]);
    }
    free((void *)diff.reach);
}

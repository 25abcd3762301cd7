/* jansson's memory.
 *
 * The tree of a webhook is some two hundred blocks of a few sizes, taken together and given back
 * together. glibc keeps seven of a size at hand and puts the rest through its bins, which took a
 * tenth of what a webhook costs. So the thread that reads trees keeps what is given back in a list
 * for each size.
 *
 * A block is malloc()'s own: any thread may give it back, and free() does it, too. Its size is what
 * malloc_usable_size() says; only sizes that malloc() hands out just as they were asked for are
 * kept. */
#include <malloc.h>
#include <stdlib.h>

#include "libshared/json.h"

enum {
    STEP = 16, /* from one of glibc's sizes to the next, of which a word each is its own */
    WORD = 8,
    SMALLEST = 2, /* steps */
    LARGEST = 16,
    KEPT = 1024, /* of a size: 2 MiB in all */
};

struct block {
    struct block *next;
};

static _Thread_local struct {
    bool on;
    struct block *first[LARGEST + 1]; /* by the number of steps */
    unsigned count[LARGEST + 1];
} kept;

static size_t steps_of(size_t usable)
{
    return (usable + WORD) / STEP;
}

static void *take(size_t size)
{
    size_t steps = MAX(steps_of(size + STEP - 1), (size_t)SMALLEST);
    struct block *block;

    if (!kept.on || steps > LARGEST) {
        return malloc(size);
    }
    block = kept.first[steps];
    if (block == NULL) {
        return malloc(steps * STEP - WORD);
    }
    kept.first[steps] = block->next;
    kept.count[steps]--;
    return block;
}

static void give_back(void *memory)
{
    struct block *block = memory;
    size_t steps = kept.on && block != NULL ? steps_of(malloc_usable_size(block)) : 0;

    if (steps < SMALLEST || steps > LARGEST || kept.count[steps] == KEPT) {
        free(block);
        return;
    }
    block->next = kept.first[steps];
    kept.first[steps] = block;
    kept.count[steps]++;
}

void json_blocks_keep(void)
{
    json_set_alloc_funcs(take, give_back);
    kept.on = !SANITIZED;
}

void json_blocks_release(void)
{
    kept.on = false;
    for (size_t steps = SMALLEST; steps <= LARGEST; steps++) {
        struct block *block;

        while ((block = kept.first[steps]) != NULL) {
            kept.first[steps] = block->next;
            free(block);
        }
        kept.count[steps] = 0;
    }
}

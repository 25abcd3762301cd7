/* Which records have somebody or something in common, also by way of others: a customer may write
 * by number, then by user id, and only a later delivery tells that both are one, which merges the
 * chats. So the sets are made of all records before the first is delivered (the disjoint-set
 * forests of Galler and Fischer). */
#include <stdlib.h>

#include "libshared/alloc.h"
#include "libshared/map.h"
#include "sioctl/replay/ids.h"
#include "sioctl/replay/records.h"

struct mention {
    uint32_t party; /* a hash: that two have the same one costs a little time */
    size_t record;
};

struct mentions {
    struct mention *list;
    size_t count, cap;
    size_t record; /* that is searched */
};

static void add_mention(void *arg, struct str id, struct str status)
{
    struct mentions *mentions = arg;

    (void)status;
    if (mentions->count == mentions->cap) {
        mentions->cap = mentions->cap * 2 + 64;
        mentions->list = xrealloc(mentions->list, mentions->cap * sizeof *mentions->list);
    }
    mentions->list[mentions->count++] =
        (struct mention) { map_hash(id.data, id.len), mentions->record };
}

static int by_party(const void *a, const void *b)
{
    const struct mention *x = a, *y = b;

    return x->party < y->party ? -1 : x->party > y->party;
}

/* A set is named by its first record, which has its own number; each step halves the way there. */
static size_t find_set(struct replay_record *list, size_t record)
{
    while (list[record].set != record) {
        list[record].set = list[list[record].set].set;
        record = list[record].set;
    }
    return record;
}

static void unite(struct replay_record *list, size_t a, size_t b)
{
    size_t x = find_set(list, a), y = find_set(list, b);

    list[MAX(x, y)].set = MIN(x, y);
}

void replay_records_find_sets(struct replay_records *records)
{
    struct mentions mentions = { 0 };

    for (size_t i = 0; i < records->count; i++) {
        records->list[i].set = mentions.record = i;
        replay_parties_find(records->list[i].body, add_mention, &mentions);
    }
    if (mentions.count > 0) {
        qsort(mentions.list, mentions.count, sizeof *mentions.list, by_party);
    }
    for (size_t i = 1; i < mentions.count; i++) {
        if (mentions.list[i - 1].party == mentions.list[i].party) {
            unite(records->list, mentions.list[i - 1].record, mentions.list[i].record);
        }
    }
    for (size_t i = 0; i < records->count; i++) {
        records->list[i].set = find_set(records->list, i);
    }
    free(mentions.list);
}

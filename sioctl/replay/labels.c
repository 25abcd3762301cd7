/* The label of a record is the end of its name that no other name has: without the folders where
 * that is enough, so that it is the same wherever the files lie. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/map.h"
#include "sioctl/replay/records.h"

struct label {
    const char *text;
    const char *name; /* of the first record that has it */
    bool ambiguous;   /* one of another name has it too */
    size_t count;
    UT_hash_handle hh;
};

static void labels_add(struct label **labels, const char *text, const char *name)
{
    struct label *label;

    HASH_FIND_STR(*labels, text, label);
    if (label == NULL) {
        label = xnew(struct label);
        label->text = text;
        label->name = name;
        HASH_ADD_KEYPTR(hh, *labels, label->text, strlen(label->text), label);
    }
    label->ambiguous = label->ambiguous || strcmp(label->name, name) != 0;
}

static struct label *labels_find(struct label *labels, const char *text)
{
    struct label *label;

    HASH_FIND_STR(labels, text, label);
    return label;
}

static void labels_free(struct label *labels)
{
    struct label *label, *next;

    HASH_ITER (hh, labels, label, next) {
        HASH_DEL(labels, label);
        free(label);
    }
}

static const char *base_of(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash != NULL ? slash + 1 : name;
}

/* With one folder more; false when there is none. */
static bool lengthen(const char *name, const char **text)
{
    const char *start = *text;

    if (start == name) {
        return false;
    }
    for (start--; start > name && start[-1] != '/';) {
        start--;
    }
    *text = start;
    return true;
}

static struct label *labels_of(const struct replay_records *records, const char *const *texts)
{
    struct label *labels = NULL;

    for (size_t i = 0; i < records->count; i++) {
        labels_add(&labels, texts[i], records->list[i].name);
    }
    return labels;
}

/* Returns whether any could be. */
static bool lengthen_ambiguous(const struct replay_records *records, const char **texts,
                               struct label *labels)
{
    bool some = false;

    for (size_t i = 0; i < records->count; i++) {
        struct label *label = labels_find(labels, texts[i]);

        if (label->ambiguous && lengthen(records->list[i].name, &texts[i])) {
            some = true;
        }
    }
    return some;
}

/* What was given several times has one name: it is counted. */
static void set_labels(struct replay_records *records, const char *const *texts,
                       struct label *labels)
{
    for (size_t i = 0; i < records->count; i++) {
        struct label *label = labels_find(labels, texts[i]);

        label->count++;
        records->list[i].label =
            label->count > 1 ? xasprintf("%s (%zu)", texts[i], label->count) : xstrdup(texts[i]);
    }
}

void replay_records_label(struct replay_records *records)
{
    const char **texts = (const char **)xcalloc(records->count + 1, sizeof *texts);
    struct label *labels;

    for (size_t i = 0; i < records->count; i++) {
        texts[i] = base_of(records->list[i].name);
    }
    labels = labels_of(records, texts);
    while (lengthen_ambiguous(records, texts, labels)) {
        labels_free(labels);
        labels = labels_of(records, texts);
    }
    set_labels(records, texts, labels);
    labels_free(labels);
    free((void *)texts);
}

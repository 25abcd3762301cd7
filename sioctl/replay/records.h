/* What a replay is made of: the deliveries of all its files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"
#include "sioctl/replay/plan.h"

struct replay_record {
    char *name;  /* "recordings/monday.siorec:12", or a payload's path: where to look for it */
    char *label; /* "monday.siorec:12": the same wherever the files lie, and no other record's */
    struct replay_time time;
    struct str body;
    bool sign;      /* false: over HTTP it goes with the signature it was recorded with, if any */
    size_t set;     /* of records that concern the same chats, where that was asked for */
    char **headers; /* "Name: value" as recorded, NULL at the end; NULL = none */
};

struct replay_records {
    struct replay_record *list;
    size_t count;
};

/* Reads recordings and payloads, "-" for one on the standard input; what is wrong with one of them
 * is said. Release with replay_records_finish() in either case. */
NODISCARD
bool replay_records_load(const json_t *paths, struct replay_records *ret_records);
void replay_records_finish(struct replay_records *records);
/* Takes the content of `body`. */
void replay_record_set_body(struct replay_record *record, struct buf *body);
/* labels.c: what is loaded gets its labels. */
void replay_records_label(struct replay_records *records);
/* parties.c: fills in the sets. Records of two sets concern different chats. Pure. */
void replay_records_find_sets(struct replay_records *records);

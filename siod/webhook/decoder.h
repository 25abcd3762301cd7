/* How the decoder's files share their state: payload.c walks the envelope, element.c, history.c and
 * call.c read what is in the arrays, with the help of profile.c and value.c. */
#pragma once

#include "libshared/map.h"
#include "libshared/str.h"
#include "siod/webhook/payload.h"

/* What the tree does not hold as a string: ids that are numbers, a text that is none. */
struct wa_text {
    struct wa_text *next;
    char data[];
};

/* One entry of contacts[]. */
struct profile {
    struct str name, username, wa_id, user_id, parent_user_id;
    UT_hash_handle by_user_id, by_wa_id;
};

struct decoder {
    struct wa_delivery *out;
    int64_t received_s;
    size_t entry, change; /* where we are, for reasons */
    struct str phone_number_id, display_phone_number;
    bool calls;               /* its statuses are of calls */
    const json_t *errors;     /* of this change as a whole */
    struct profile *profiles; /* of this change */
    size_t profile_room;
    const struct profile *lone;            /* the only one, NULL if there are more or none */
    struct profile *by_user_id, *by_wa_id; /* maps of them: the sender decides how many there are */
};

/* value.c: a copy that lives as long as the delivery. */
struct str decode_keep(struct decoder *decoder, struct str text);
/* An id in whatever JSON type it comes; .data NULL for one that is absent, empty or too long. */
struct str decode_id(struct decoder *decoder, const json_t *object, const char *key);
/* Why the element's `id` cannot be used. */
const char *decode_no_id(const json_t *element);
/* The one that is there, `a` if both are. */
struct str decode_first(struct str a, struct str b);
/* Seconds, as a number or as its digits. */
bool decode_seconds(const json_t *value, int64_t *ret_seconds);
/* The element's `timestamp`, or what stands in for it. */
int64_t decode_timestamp(const struct decoder *decoder, const json_t *element);
/* Room for one more in an array of the delivery. */
void *decode_grow(void *array, size_t count_now, size_t *room, size_t size);

/* profile.c: contacts[] of a change. */
void decode_profiles(struct decoder *decoder, const json_t *contacts);
void decode_profiles_forget(struct decoder *decoder);
/* The party of the only profile. */
struct inbound_party decode_lone_party(const struct decoder *decoder);
/* What its profile says of a party. */
void decode_party(const struct decoder *decoder, struct inbound_party *party);

/* element.c: one element into the delivery. NULL, or why it cannot be used. */
const char *decode_message(struct decoder *decoder, const json_t *element);
const char *decode_echo(struct decoder *decoder, const json_t *element);
/* The same for any of them: `given` says whose it is, and of whom it is if the element does not. */
const char *decode_said(struct decoder *decoder, const json_t *element,
                        const struct inbound_message *given);
const char *decode_status(struct decoder *decoder, const json_t *element);

/* history.c: the value of the field `history`. */
void decode_history(struct decoder *decoder, const json_t *value);

/* call.c: an element of calls[], and one of statuses[] that is of a call. */
const char *decode_call(struct decoder *decoder, const json_t *element);
const char *decode_call_status(struct decoder *decoder, const json_t *element);

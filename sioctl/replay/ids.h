/* New ids for the messages and calls of a replay, so that a recording can be replayed into a store
 * that has it already. An id becomes the same new one wherever it stands in the run: in a status,
 * a reply, a reaction, an edit, as well as in the message itself. Pure.
 *
 * An id is what a message, status, echo or call is named by, what message_id, original_message_id
 * and a context's id say, and whatever string begins as ids do ("wamid.", "wacid."). One
 * that is a number becomes a string. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"

enum { REPLAY_SALT_SIZE = 32 };

/* Each id in a body, as often as it is there, with the status beside it (.data NULL if there is
 * none); borrowed for the call. A body that is no JSON has none. */
typedef void replay_id_fn(void *arg, struct str id, struct str status);
void replay_ids_find(struct str body, replay_id_fn *fn, void *arg);
/* The same, and whoever a body comes from, goes to or is about, but for the business. */
void replay_parties_find(struct str body, replay_id_fn *fn, void *arg);

struct replay_ids;

/* Runs with another salt have other ids. Returns owned. */
NODISCARD
struct replay_ids *replay_ids_new(const unsigned char salt[REPLAY_SALT_SIZE]);
void replay_ids_free(struct replay_ids *ids);
/* Learns the ids in a body. */
void replay_ids_learn(struct replay_ids *ids, struct str body);
/* Appends the body with every id that was learnt exchanged, byte for byte as it was otherwise. */
void replay_ids_exchange(const struct replay_ids *ids, struct str body, struct buf *to);
/* What a new id was before; .data NULL if it is none. Borrowed. */
struct str replay_ids_original(const struct replay_ids *ids, struct str fresh);

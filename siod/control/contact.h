/* The contact that a command names: by its id, or by what the platform calls it. */
#pragma once

#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"

struct control_call;
struct store_contact;
struct store_reader;

/* In a read: calls fn (may be NULL) with the one contact that the argument `contact` means within
 * `--business`, and returns its id. One that is being erased is meant by its names when nobody else
 * has them. ERR_NOT_FOUND; ERR_CONFLICT when it means more than one. */
NODISCARD
enum err control_contact_find(struct control_call *call, struct store_reader *reader,
                              void (*fn)(void *arg, const struct store_contact *contact), void *arg,
                              int64_t *ret_id);
/* Likewise, but one that is being erased comes first: what was begun is to be ended. */
NODISCARD
enum err control_contact_find_to_erase(struct control_call *call, struct store_reader *reader,
                                       int64_t *ret_id);
/* Ends the call with what that, or what followed it, came back with. */
void control_contact_fail(struct control_call *call, enum err err);

/* What an element of messages[] or message_echoes[] says, in the words of `message`
 * (siod-events(7)).
 *
 * `media` gathers what the types image, video, audio, voice, document and sticker have in common,
 * under siod's names. All other members are WhatsApp's objects as they came, but for what is nested
 * deeper than CONTENT_DEPTH_MAX, and for what is no object where one belongs: that is left out.
 * Nothing is refused. Pure; any thread. */
#pragma once

#include <jansson.h>

#include "libshared/buf.h"
#include "libshared/str.h"

/* Readers of other languages give up at some hundred levels; no type needs ten. */
enum { CONTENT_DEPTH_MAX = 64 };

/* WhatsApp's word; "unknown" where there is none, or none that can be. */
struct str content_type(const json_t *element);

/* The body or the caption; .data NULL if there is none. What is no string is shown as its JSON
 * text: then *ret_text borrows from `scratch`, which is cleared first, otherwise from the tree. */
struct str content_text(struct str type, const json_t *element, struct buf *scratch);

/* Appends the members of `message` that say more than its text, each with a comma before it:
 * `,"media":{…},"context":{…}`. Nothing for a plain text. `errors`, NULL if there are none, is what
 * the platform says is wrong with the message. */
void content_render(struct buf *out, struct str type, const json_t *element, const json_t *errors);

/* Has the element the object that belongs to its type? */
bool content_is_there(struct str type, const json_t *element);

/* `element` as it is after an edit: `edited`, the edit's `message`, brings a type, its object and
 * perhaps a context. Of a medium whose caption alone was edited the rest stays. */
void content_edit(json_t *element, json_t *edited);

/* Mobile numbers that WhatsApp writes in two ways. */
#pragma once

#include "libshared/str.h"

enum { WA_NUMBER_ROOM = 16 };

/* The other form of a number of Brazil (55, area code, with or without a 9, eight digits) or Mexico
 * (52, with or without a 1, ten digits): `from` may have the one and contacts[].wa_id the other. It
 * is for recognising somebody, never to be stored or sent to. Lives in `room`; STR_NONE if there is
 * none. */
struct str wa_number_other_form(struct str number, char room[WA_NUMBER_ROOM]);

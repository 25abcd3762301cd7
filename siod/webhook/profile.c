/* contacts[]: who the parties of a change's elements are. */
#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/webhook/decoder.h"
#include "siod/webhook/number.h"

enum { NAME_MAX_BYTES = 1024, USERNAME_MAX_BYTES = 256 };

/* Every event of a chat carries it, so an absurd one is left out. */
static struct str name_of(const json_t *contact)
{
    struct str name = json_str_at(json_object_get(contact, "profile"), "name");

    return name.len <= NAME_MAX_BYTES ? name : STR_NONE;
}

static struct str username_of(const json_t *contact)
{
    struct str name = json_str_at(json_object_get(contact, "profile"), "username");

    return name.len <= USERNAME_MAX_BYTES ? name : STR_NONE;
}

void decode_profiles_forget(struct decoder *decoder)
{
    HASH_CLEAR(by_user_id, decoder->by_user_id);
    HASH_CLEAR(by_wa_id, decoder->by_wa_id);
}

/* Of several profiles with one id the first counts. */
static void index_profile(struct decoder *decoder, struct profile *profile)
{
    struct str user_id = profile->user_id, wa_id = profile->wa_id;
    struct profile *known;

    if (user_id.len > 0) {
        HASH_FIND(by_user_id, decoder->by_user_id, user_id.data, (unsigned)user_id.len, known);
        if (known == NULL) {
            HASH_ADD_KEYPTR(by_user_id, decoder->by_user_id, user_id.data, (unsigned)user_id.len,
                            profile);
        }
    }
    if (wa_id.len > 0) {
        HASH_FIND(by_wa_id, decoder->by_wa_id, wa_id.data, (unsigned)wa_id.len, known);
        if (known == NULL) {
            HASH_ADD_KEYPTR(by_wa_id, decoder->by_wa_id, wa_id.data, (unsigned)wa_id.len, profile);
        }
    }
}

void decode_profiles(struct decoder *decoder, const json_t *contacts)
{
    size_t room = json_array_size(contacts), used = 0, i;
    const json_t *contact;

    decode_profiles_forget(decoder);
    if (room > decoder->profile_room) {
        decoder->profiles = xrealloc(decoder->profiles, room * sizeof *decoder->profiles);
        decoder->profile_room = room;
    }
    json_array_foreach(contacts, i, contact)
    {
        const struct profile profile = {
            .name = name_of(contact),
            .username = username_of(contact),
            .wa_id = decode_id(decoder, contact, "wa_id"),
            .user_id = decode_id(decoder, contact, "user_id"),
            .parent_user_id = decode_id(decoder, contact, "parent_user_id"),
        };

        if (profile.wa_id.len > 0 || profile.user_id.len > 0) {
            decoder->profiles[used] = profile;
            index_profile(decoder, &decoder->profiles[used++]);
        }
    }
    decoder->lone = room == 1 && used == 1 ? decoder->profiles : NULL;
}

struct inbound_party decode_lone_party(const struct decoder *decoder)
{
    const struct profile *lone = decoder->lone;

    return lone == NULL ? (struct inbound_party) { .phone = STR_NONE }
                        : (struct inbound_party) { .phone = lone->wa_id,
                                                   .user_id = lone->user_id,
                                                   .parent_user_id = lone->parent_user_id };
}

static const struct profile *find_by_wa_id(const struct decoder *decoder, struct str wa_id)
{
    struct profile *profile = NULL;

    if (wa_id.len > 0) {
        HASH_FIND(by_wa_id, decoder->by_wa_id, wa_id.data, (unsigned)wa_id.len, profile);
    }
    return profile;
}

/* Only the ids say whose profile it is; its place says nothing. */
static const struct profile *find_profile(const struct decoder *decoder,
                                          const struct inbound_party *party)
{
    struct str user_id = party->user_id;
    const struct profile *profile;
    struct profile *known = NULL;
    char other[WA_NUMBER_ROOM];

    if (user_id.len > 0) {
        HASH_FIND(by_user_id, decoder->by_user_id, user_id.data, (unsigned)user_id.len, known);
    }
    profile = known != NULL ? known : find_by_wa_id(decoder, party->phone);
    return profile != NULL ? profile
                           : find_by_wa_id(decoder, wa_number_other_form(party->phone, other));
}

void decode_party(const struct decoder *decoder, struct inbound_party *party)
{
    const struct profile *profile = find_profile(decoder, party);

    if (profile != NULL) {
        party->name = profile->name;
        party->username = profile->username;
        party->wa_id = profile->wa_id;
        party->user_id = decode_first(party->user_id, profile->user_id);
        party->parent_user_id = decode_first(party->parent_user_id, profile->parent_user_id);
    }
}

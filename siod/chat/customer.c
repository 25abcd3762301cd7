#include "siod/chat/customer.h"

#include <string.h>

#include "siod/chat/inbound.h"
#include "siod/chat/merge.h"

/* ---- names */

/* In the order in which they identify somebody: the BSUID stays when the number is not shown. */
struct name {
    enum store_alias kind;
    struct str value;
};
enum { NAMES = 5, FINDING_NAMES = 3 };

/* The parent id names a person over several portfolios and is not unique within a business, and a
 * username goes from one to another: they are kept, as the last ones, but find nobody. */
static void names_of(const struct inbound_party *party, struct name names[NAMES])
{
    names[0] = (struct name) { STORE_ALIAS_BSUID, party->user_id };
    names[1] = (struct name) { STORE_ALIAS_WA_ID, party->wa_id };
    names[2] = (struct name) { STORE_ALIAS_WA_ID,
                               str_eq(party->phone, party->wa_id) ? STR_NONE : party->phone };
    names[3] = (struct name) { STORE_ALIAS_PARENT_BSUID, party->parent_user_id };
    names[4] = (struct name) { STORE_ALIAS_USERNAME, party->username };
}

/* What a system message says that the customer is called from now on. */
static struct inbound_party renamed(const struct inbound_message *in)
{
    return (struct inbound_party) { .phone = in->new_wa_id,
                                    .wa_id = in->new_wa_id,
                                    .user_id = in->new_user_id,
                                    .parent_user_id = in->new_parent_user_id };
}

/* *ret_id = 0 when none of the names is known. */
static enum err find(struct inbound_work *work, int64_t business_id,
                     const struct inbound_party *party, int64_t *ret_id)
{
    struct name names[NAMES];
    int64_t id = 0;

    names_of(party, names);
    for (size_t i = 0; i < FINDING_NAMES && id == 0; i++) {
        enum err err = OK;

        if (names[i].value.len > 0) {
            err = store_contact_by_alias(work->tx, business_id, names[i].kind, names[i].value, &id);
        }
        if (err != OK) {
            return err;
        }
    }
    *ret_id = id;
    return OK;
}

typedef enum err put_name(struct store_tx *tx, int64_t business_id, int64_t contact_id,
                          enum store_alias kind, struct str value);

static enum err put_names(struct inbound_work *work, const struct store_contact *contact,
                          const struct inbound_party *party, put_name *put)
{
    struct name names[NAMES];
    enum err err = OK;

    names_of(party, names);
    for (size_t i = 0; i < NAMES && err == OK; i++) {
        if (names[i].value.len > 0) {
            err = (names[i].kind == STORE_ALIAS_USERNAME ? store_contact_alias_move : put)(
                work->tx, contact->business_id, contact->id, names[i].kind, names[i].value);
        }
    }
    return err;
}

/* ---- the row */

/* Keeps a row's strings over later calls to the store. */
static void keep_contact(struct inbound_work *work, struct store_contact *contact)
{
    struct str *fields[] = { &contact->name, &contact->username, &contact->phone, &contact->wa_id,
                             &contact->user_id };
    size_t size = 0;
    char *to;

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        size += fields[i]->len;
    }
    buf_clear(&work->contact);
    to = buf_reserve(&work->contact, size);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (fields[i]->len > 0) {
            memcpy(to, fields[i]->data, fields[i]->len);
            fields[i]->data = to;
            to += fields[i]->len;
        }
    }
}

enum err customer_load(struct inbound_work *work, int64_t contact_id, struct store_contact *contact)
{
    enum err err = store_contact_get(work->tx, contact_id, contact);

    if (err == OK) {
        keep_contact(work, contact);
    }
    return err;
}

static bool learn(struct str *known, struct str told, bool newest)
{
    if (told.len == 0 || str_eq(*known, told) || (known->len > 0 && !newest)) {
        return false;
    }
    *known = told;
    return true;
}

static struct str either(struct str first, struct str second)
{
    return first.len > 0 ? first : second;
}

/* What the payload tells beyond the row goes into *contact; true if there was anything. Number and
 * wa_id stand in for one another only while nothing better is known; while they are the same, a new
 * number is the new wa_id. */
static bool learn_party(struct store_contact *contact, const struct inbound_party *party,
                        bool newest)
{
    bool same = str_eq(contact->phone, contact->wa_id);
    bool name = learn(&contact->name, party->name, newest);
    bool username = learn(&contact->username, party->username, newest);
    bool phone = learn(&contact->phone, party->phone, newest);
    bool wa_id =
        learn(&contact->wa_id, same ? either(party->wa_id, party->phone) : party->wa_id, newest);
    bool user_id = learn(&contact->user_id, party->user_id, newest);

    if (contact->wa_id.len == 0) {
        wa_id = learn(&contact->wa_id, contact->phone, true);
    } else if (contact->phone.len == 0) {
        phone = learn(&contact->phone, contact->wa_id, true);
    }
    return name || username || phone || wa_id || user_id;
}

/* If somebody has a name of it, that was taken over. */
static enum err create(struct inbound_work *work, const struct inbound_party *party,
                       struct store_contact *contact)
{
    enum err err;

    *contact = (struct store_contact) { .business_id = contact->business_id, .name = STR("") };
    learn_party(contact, party, true);
    err = store_contact_create(work->tx, contact, &contact->id);
    return err != OK ? err : put_names(work, contact, party, store_contact_alias_move);
}

/* ---- two who are one */

struct rival {
    int64_t contact_id; /* 0: nobody */
    struct name name;   /* by which the payload names it */
    bool same;          /* by the platform's word: whatever else they are called */
};

static bool is_on_row(const struct store_contact *contact, const struct name *name)
{
    return name->kind == STORE_ALIAS_BSUID
               ? str_eq(name->value, contact->user_id)
               : str_eq(name->value, contact->wa_id) || str_eq(name->value, contact->phone);
}

/* Another contact that has one of these names. What stands in the contact's own row needs no look:
 * that is nearly always so. */
static enum err find_rival(struct inbound_work *work, const struct inbound_party *party, bool same,
                           const struct store_contact *contact, struct rival *ret_rival)
{
    struct name names[NAMES];

    names_of(party, names);
    for (size_t i = 0; i < FINDING_NAMES && ret_rival->contact_id == 0; i++) {
        int64_t id = 0;
        enum err err = OK;

        if (names[i].value.len > 0 && !is_on_row(contact, &names[i])) {
            err = store_contact_by_alias(work->tx, contact->business_id, names[i].kind,
                                         names[i].value, &id);
        }
        if (err != OK) {
            return err;
        }
        if (id != 0 && id != contact->id) {
            *ret_rival = (struct rival) { .contact_id = id, .name = names[i], .same = same };
        }
    }
    return OK;
}

static enum err next_rival(struct inbound_work *work, const struct inbound_message *in,
                           const struct store_contact *contact, struct rival *ret_rival)
{
    const struct inbound_party change = renamed(in);
    enum err err;

    *ret_rival = (struct rival) { .contact_id = 0 };
    err = find_rival(work, &in->party, false, contact, ret_rival);
    return err != OK || ret_rival->contact_id != 0
               ? err
               : find_rival(work, &change, true, contact, ret_rival);
}

static bool are_two_accounts(const struct store_contact *a, const struct store_contact *b)
{
    return a->user_id.len > 0 && b->user_id.len > 0 && !str_eq(a->user_id, b->user_id);
}

static enum err settle(struct inbound_work *work, const struct rival *rival,
                       struct store_contact *contact)
{
    struct store_contact other;
    enum err err = store_contact_get(work->tx, rival->contact_id, &other);

    if (err != OK) {
        return err;
    }
    if (!rival->same && are_two_accounts(contact, &other)) {
        return store_contact_alias_move(work->tx, contact->business_id, contact->id,
                                        rival->name.kind, rival->name.value);
    }
    /* The older one stays. */
    err = merge_contacts(work, contact->business_id, MAX(contact->id, rival->contact_id),
                         MIN(contact->id, rival->contact_id));
    return err != OK ? err : customer_load(work, MIN(contact->id, rival->contact_id), contact);
}

static enum err check_known(struct inbound_work *work, const struct inbound_message *in,
                            bool *ret_known)
{
    struct store_message_state state;
    enum err err = store_message_state_by_wamid(work->tx, in->phone_number_id, in->wamid, &state);

    *ret_known = err == OK;
    return err == ERR_NOT_FOUND ? OK : err;
}

/* Each step takes one name from somebody else, and there are few. */
static enum err settle_all(struct inbound_work *work, const struct inbound_message *in,
                           struct store_contact *contact, bool *ret_duplicate)
{
    struct rival rival;
    enum err err = next_rival(work, in, contact, &rival);

    if (err != OK || rival.contact_id == 0) {
        return err;
    }
    err = check_known(work, in, ret_duplicate);
    while (err == OK && !*ret_duplicate && rival.contact_id != 0) {
        err = settle(work, &rival, contact);
        err = err == OK ? next_rival(work, in, contact, &rival) : err;
    }
    return err;
}

/* ---- the customer of a message */

/* A number that its owner has left, and that somebody with another BSUID writes from. */
static bool is_taken_over(const struct store_contact *contact, const struct inbound_party *party)
{
    struct str number = party->wa_id.len > 0 ? party->wa_id : party->phone;

    return party->user_id.len > 0 && contact->user_id.len > 0 && contact->wa_id.len > 0 &&
           !str_eq(party->user_id, contact->user_id) && !str_eq(number, contact->wa_id) &&
           !str_eq(number, contact->phone);
}

/* *ret_id: the contact that was found by these names, 0 if there is none or it is not meant. */
static enum err look_up(struct inbound_work *work, const struct inbound_message *in,
                        struct store_contact *contact, int64_t *ret_id)
{
    const struct inbound_party change = renamed(in);
    int64_t business_id = contact->business_id, known = 0;
    enum err err = find(work, business_id, &in->party, ret_id);

    if (err == OK && *ret_id == 0 && in->new_wa_id.len + in->new_user_id.len > 0) {
        err = find(work, business_id, &change, ret_id);
    }
    if (err == OK && *ret_id != 0) {
        err = customer_load(work, *ret_id, contact);
    }
    if (err != OK || *ret_id == 0 || !is_taken_over(contact, &in->party)) {
        return err;
    }
    err =
        store_contact_by_alias(work->tx, business_id, STORE_ALIAS_BSUID, in->party.user_id, &known);
    *ret_id = known;
    return err;
}

/* A first message makes its contact; its repetition from somebody else must not. */
static enum err make(struct inbound_work *work, const struct inbound_message *in,
                     struct store_contact *contact, bool *ret_duplicate)
{
    enum err err = check_known(work, in, ret_duplicate);

    return err != OK || *ret_duplicate ? err : create(work, &in->party, contact);
}

enum err customer_of(struct inbound_work *work, const struct inbound_message *in,
                     struct store_contact *contact, bool *ret_duplicate)
{
    int64_t id;
    enum err err = look_up(work, in, contact, &id);

    *ret_duplicate = false;
    if (err == OK && id == 0) {
        err = make(work, in, contact, ret_duplicate);
    }
    return err != OK || *ret_duplicate ? err : settle_all(work, in, contact, ret_duplicate);
}

/* ---- what a message tells */

static bool is_news(const struct store_contact *contact, const struct inbound_party *party)
{
    struct store_contact copy = *contact;

    return learn_party(&copy, party, true);
}

/* Late messages must not bring an old name back. How new a group's is beside the customer's own is
 * not known. */
static enum err check_newest(struct inbound_work *work, const struct store_message *row,
                             bool *ret_newest)
{
    struct store_chat chat;
    struct store_message last;
    enum err err = store_chat_current(work->tx, row->chat_id, &chat, &last);

    *ret_newest = err == OK && chat.last_message_id == row->id && chat.group_id.len == 0;
    return err;
}

static bool adopt(struct str *known, struct str old, struct str fresh, bool newest)
{
    return learn(known, fresh, newest || str_eq(*known, old));
}

static bool learn_change(struct store_contact *contact, const struct inbound_message *in,
                         bool newest)
{
    const struct inbound_party *was = &in->party;
    struct str number = was->phone.len > 0 ? was->phone : was->wa_id;
    bool phone = adopt(&contact->phone, number, in->new_wa_id, newest);
    bool wa_id = adopt(&contact->wa_id, number, in->new_wa_id, newest);

    return adopt(&contact->user_id, was->user_id, in->new_user_id, newest) || phone || wa_id;
}

static enum err write(struct inbound_work *work, const struct inbound_message *in,
                      const struct store_contact *contact)
{
    const struct inbound_party change = renamed(in);
    enum err err = store_contact_update(work->tx, contact);

    if (err == OK) {
        err = put_names(work, contact, &in->party, store_contact_alias_add);
    }
    return err != OK ? err : put_names(work, contact, &change, store_contact_alias_add);
}

enum err customer_learn(struct inbound_work *work, const struct inbound_message *in,
                        const struct store_message *row, struct store_contact *contact)
{
    bool renames = in->new_wa_id.len + in->new_user_id.len > 0, newest = true;
    enum err err;

    if (!renames && !is_news(contact, &in->party)) {
        return in->party.parent_user_id.len == 0
                   ? OK
                   : store_contact_alias_add(work->tx, contact->business_id, contact->id,
                                             STORE_ALIAS_PARENT_BSUID, in->party.parent_user_id);
    }
    err = check_newest(work, row, &newest);
    if (err == OK) {
        learn_party(contact, &in->party, newest && !renames);
        learn_change(contact, in, newest);
        err = write(work, in, contact);
    }
    return err;
}

enum err customer_met(struct inbound_work *work, const struct inbound_party *party,
                      struct store_contact *contact)
{
    const struct inbound_message in = { .party = *party };
    bool duplicate;
    enum err err = customer_of(work, &in, contact, &duplicate);

    if (err == OK && (learn_party(contact, party, false) || is_news(contact, party))) {
        err = write(work, &in, contact);
    }
    return err;
}

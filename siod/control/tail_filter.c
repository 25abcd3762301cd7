/* Which emissions a `tail` asked for. */
#include "libshared/json.h"
#include "libshared/json_text.h"
#include "siod/chat/desk.h"
#include "siod/control/call.h"
#include "siod/control/tail.h"

struct str tail_payload(struct str args)
{
    unsigned depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < args.len; i++) {
        char c = args.data[i];

        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == ',' && depth == 0) {
            return (struct str) { args.data, i };
        } else {
            quoted = c == '"';
            depth += (c == '{' || c == '[');
            depth -= (c == '}' || c == ']');
        }
    }
    return args;
}

static bool listed(const json_t *list, struct str text)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (str_eq(json_str(item), text)) {
            return true;
        }
    }
    return list == NULL;
}

static bool id_listed(const json_t *list, int64_t id)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_integer_value(item) == id) {
            return true;
        }
    }
    return false;
}

/* Does one of these members of the payload, NULL behind the last, hold an id of the list? */
static bool names_id(struct str payload, const char *const *keys, const json_t *list)
{
    struct str inside, quoted, value;
    int64_t id;

    if (!json_text_is_object(payload)) {
        return false;
    }
    inside = json_text_inside(payload);
    while (json_text_take_member(&inside, &quoted, &value)) {
        for (const char *const *key = keys; *key != NULL; key++) {
            if (str_eq(json_text_inside(quoted), str_of(*key)) && json_text_id(value, &id) &&
                id_listed(list, id)) {
                return true;
            }
        }
    }
    return false;
}

static bool about_chat(const json_t *list, const struct desk_emission *emission, struct str payload)
{
    static const char *const keys[] = { "chatId", NULL };
    int64_t id;

    return list == NULL || (desk_room_chat(emission->room, &id) && id_listed(list, id)) ||
           names_id(payload, keys, list);
}

static bool about_agent(const json_t *list, struct str payload)
{
    static const char *const keys[] = { "agentId", "userId", "readBy", NULL };

    return list == NULL || names_id(payload, keys, list);
}

bool tail_wanted(const struct control_call *call, const struct desk_emission *emission)
{
    const json_t *chats = control_arg(call, "chat"), *agents = control_arg(call, "agent");
    int64_t business_id = control_arg_int(call, "business");
    struct str payload;

    if ((business_id != 0 && business_id != emission->business_id) ||
        !listed(control_arg(call, "event"), emission->event) ||
        !listed(control_arg(call, "room"), emission->room)) {
        return false;
    }
    if (chats == NULL && agents == NULL) {
        return true;
    }
    payload = tail_payload(emission->args);
    return about_chat(chats, emission, payload) && about_agent(agents, payload);
}

/* `contact export`: the daemon's records, put together into one document. */
#include "libshared/json.h"
#include "sioctl/sioctl.h"

/* {section: "messages", …} goes to the list of that name; of "contact" there is one. */
static void put_record(json_t *document, json_t *record)
{
    const char *section = json_string_value(json_object_get(record, "section"));
    json_t *list;

    if (section == NULL) {
        return;
    }
    list = json_object_get(document, section);
    json_array_append(list, record);
    json_object_del(record, "section");
}

enum exit_code run_contact_export(struct session *session)
{
    const struct ctl_call call = { .cmd = "contact export",
                                   .args = session->line->args,
                                   .patient = true };
    static const char *const lists[] = { "aliases",     "chats",    "groups",    "decisions",
                                         "readCursors", "messages", "statuses",  "participations",
                                         "calls",       "changes",  "reactions", "events",
                                         "audit",       "webhooks" };
    autojson json_t *records = NULL;
    autojson json_t *document = json_object();
    enum exit_code code = session_call(session, &call, &records);
    json_t *record;
    size_t i;

    if (code != EXIT_DONE) {
        return code;
    }
    json_object_set_new(document, "contact", json_array());
    for (i = 0; i < ARRAY_SIZE(lists); i++) {
        json_object_set_new(document, lists[i], json_array());
    }
    json_array_foreach(records, i, record)
    {
        put_record(document, record);
    }
    json_object_set(document, "contact", json_array_get(json_object_get(document, "contact"), 0));
    output_result(&session->out, document);
    return EXIT_DONE;
}

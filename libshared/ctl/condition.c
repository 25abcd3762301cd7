#include "libshared/ctl/condition.h"

#include <string.h>

#include "libshared/base.h"
#include "libshared/id.h"

enum { STATES_MAX = 5 };

static const struct subject {
    struct str name;
    struct str states[STATES_MAX];
} subjects[] = {
    [CTL_SUBJECT_READY] = { .name = STR_INIT("ready") },
    [CTL_SUBJECT_SETTLED] = { .name = STR_INIT("settled") },
    [CTL_SUBJECT_AGENT] = { STR_INIT("agent"),
                            { STR_INIT("available"), STR_INIT("busy"), STR_INIT("away"),
                              STR_INIT("online"), STR_INIT("offline") } },
    [CTL_SUBJECT_CHAT] = { STR_INIT("chat"),
                           { STR_INIT("waiting"), STR_INIT("assigned"), STR_INIT("closed") } },
};

struct str ctl_condition_state(enum ctl_subject subject, unsigned n)
{
    return n < STATES_MAX ? subjects[subject].states[n] : STR_NONE;
}

static bool has_state(enum ctl_subject subject, struct str state)
{
    struct str word;

    for (unsigned i = 0; (word = ctl_condition_state(subject, i)).data != NULL; i++) {
        if (str_eq(word, state)) {
            return true;
        }
    }
    return false;
}

/* The text up to the character, which is skipped; all of it when that does not come. */
static struct str take_until(struct str *text, char c)
{
    const char *at = text->len > 0 ? memchr(text->data, c, text->len) : NULL;
    struct str head = { text->data, at != NULL ? (size_t)(at - text->data) : text->len };

    *text = str_skip(*text, MIN(head.len + 1, text->len));
    return head;
}

bool ctl_condition_parse(struct str text, struct ctl_condition *ret_condition)
{
    struct ctl_condition condition = { 0 };
    struct str name, id;

    for (unsigned i = CTL_SUBJECT_READY; i < CTL_SUBJECT_AGENT; i++) {
        condition.subject = (enum ctl_subject)i;
        if (str_eq(text, subjects[i].name)) {
            *ret_condition = condition;
            return true;
        }
    }
    name = take_until(&text, '/');
    id = take_until(&text, '=');
    for (unsigned i = CTL_SUBJECT_AGENT; i < ARRAY_SIZE(subjects); i++) {
        condition.subject = (enum ctl_subject)i;
        condition.state = text;
        if (str_eq(name, subjects[i].name) && id_parse(id, &condition.id) &&
            has_state(condition.subject, text)) {
            *ret_condition = condition;
            return true;
        }
    }
    return false;
}

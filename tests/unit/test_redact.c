/* Redaction: what stays, what becomes of the rest, and that nothing is left to be found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/json.h"
#include "libshared/wire/redact.h"

static struct str redacted(const char *key, const char *body, struct buf *out)
{
    struct pseudonyms *pseudonyms = pseudonyms_new(str_of(key));

    buf_clear(out);
    redact_body(pseudonyms, str_of(body), out);
    pseudonyms_free(pseudonyms);
    return buf_str(out);
}

static json_t *redacted_tree(const char *body)
{
    const struct json_limits limits = { .depth = 64 };
    autobuf struct buf out = BUF_INIT;
    json_t *tree = json_read(redacted("key", body, &out), &limits, NULL);

    assert_non_null(tree);
    return tree;
}

static const char *text_at(json_t *tree, size_t i)
{
    return json_string_value(json_array_get(tree, i));
}

static bool note(void *arg, const char *path, const char *what)
{
    buf_printf(arg, "%s=%s\n", path, what);
    return true;
}

static const char *scanned(struct str body, struct buf *findings)
{
    buf_clear(findings);
    buf_add_cstr(findings, "");
    redact_scan(body, note, findings);
    return findings->data;
}

static void what_is_harmless_stays(void **state)
{
    static const char *const bodies[] = {
        "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"102290129340398\","
        "\"time\":1751247548,\"changes\":[{\"field\":\"messages\",\"value\":{"
        "\"messaging_product\":\"whatsapp\",\"metadata\":{\"phone_number_id\":\"106540352242922\"}"
        ",\"statuses\":[{\"status\":\"failed\",\"timestamp\":\"1751142888\",\"errors\":[{"
        "\"code\":131049}]}],\"messages\":[{\"type\":\"image\",\"image\":{\"mime_type\":"
        "\"audio/ogg; codecs=opus\",\"voice\":true,\"caption\":\"\"},\"x\":null,\"y\":[]}]}}]}]}",
        ("{\"order\":{\"product_items\":[{\"quantity\":2,\"item_price\":29.95,\"currency\":\"USD\""
         "}]}}"),
        "{\"user_preferences\":[{\"value\":\"stop\",\"category\":\"marketing_messages\"}]}",
        "{\"max_daily_conversations_per_business\":\"TIER_100K\",\"duration\":48}",
        "[]",
        "null",
    };
    autobuf struct buf out = BUF_INIT;
    autobuf struct buf findings = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        assert_string_equal(redacted("key", bodies[i], &out).data, bodies[i]);
        assert_string_equal(scanned(str_of(bodies[i]), &findings), "");
    }
}

/* Each member alone: none of its text may be in what comes out. */
static void what_is_personal_goes(void **state)
{
    static const char *const members[] = {
        "\"wa_id\":\"16505551234\"",
        "\"from\":16505551234",
        "\"display_phone_number\":\"15550783881\"",
        "\"phone\":\"+1 (983) 555-2319\"",
        "\"id\":\"wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQzQTYyOEI0OUQ5NkRDREU5N0E0MwA=\"",
        "\"id\":\"wacid.HBgLMTY1MDU1NTEyMzQVAgASGBQ3OEQ2NkMxRjc5REI5MkJFRUIwRA==\"",
        "\"id\":\"ABGGFlA5FpafAgo6tHcNmNjXmuSf\"",
        "\"id\":\"77\"",
        "\"user_id\":\"US.13491208655302741918\"",
        "\"parent_user_id\":\"US.ENT.11815799212886844830\"",
        "\"group_id\":\"Y2FwaV9ncm91cDoxODA1NTU1MDE3MjoxMjAzNjMyMjI3NzE5NjMwNjcZD\"",
        "\"name\":\"Sheena Nelson\"",
        "\"username\":\"@realsheenanelson\"",
        "\"body\":\"Does it come in another color?\"",
        "\"caption\":\"Maria\"",
        "\"text\":\"Hi\"",
        "\"title\":\"Call +1 650 555 1234\"",
        "\"filename\":\"invoice_nelson.pdf\"",
        "\"filename\":\"a.nelson\"",
        "\"sha256\":\"29ed500fa64eb55fc19dc4124acb300e5dcca0f822a301ae99944db\"",
        "\"emoji\":\"\\ud83d\\udd95\"",
        "\"latitude\":37.4847483695",
        "\"longitude\":\"-122.14847\"",
        "\"address\":\"1 Hacker Way\"",
        "\"email\":\"bob@example.com\"",
        "\"url\":\"https://example.com/?token=abc\"",
        "\"birthday\":\"1999-01-23\"",
        "\"sdp\":\"v=0\\r\\no=- 3626166318745852955 2 IN IP4 192.0.2.7\\r\\n\"",
        "\"type\":\"Sheena Nelson\"",
        "\"type\":\"16505551234\"",
        "\"type\":\"EAAGm0PX4ZCpsBAKZCVr0ZBpRqZBgqQ8xgm\"",
        "\"type\":\"0123456789abcdef0123456789abcdef\"",
        "\"timestamp\":\"16505551234\"",
        "\"code\":16505551234",
        "\"phone_number_id\":\"+1 650 555\"",
        "\"mime_type\":\"call 16505551234/x\"",
        "\"mime_type\":\"audio/ogg; name=JohnSmith\"",
        "\"mime_type\":\"audio/ogg; codecs=opus; name=JohnSmith\"",
        "\"mime_type\":\"audio/ogg; codecs=John Smith\"",
        "\"mime_type\":\"x/john.smith\"",
        "\"mime_type\":\"application/john.smith\"",
        "\"unheard_of\":\"anything\"",
        "\"unheard_of\":4711",
        "\"unheard_of\":12.5",
        "\"unheard_of\":[\"a b\",{\"deep\":\"secret\"}]",
        "\"Jane Doe\":1",
        "\"16505551234\":true",
        "\"jane@example.com\":{}",
    };
    enum { KEYS = 3 }; /* the last ones, where it is the member's name */
    autobuf struct buf body = BUF_INIT;
    autobuf struct buf out = BUF_INIT;
    autobuf struct buf findings = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        buf_clear(&body);
        buf_printf(&body, "{\"message\":{%s}}", members[i]);
        if (scanned(buf_str(&body), &findings)[0] == '\0') {
            fail_msg("not found: %s", members[i]);
        }
        (void)redacted("key", body.data, &out);
        if (strstr(out.data, members[i]) != NULL ||
            (i < ARRAY_SIZE(members) - KEYS && strstr(out.data, strchr(members[i], ':') + 1))) {
            fail_msg("%s is still there: %s", members[i], out.data);
        }
        if (scanned(buf_str(&out), &findings)[0] != '\0') {
            fail_msg("%s: %s", out.data, findings.data);
        }
    }
}

static void the_same_value_has_the_same_pseudonym_wherever_it_stands(void **state)
{
    autojson json_t *tree = redacted_tree(
        "[[\"16505551234\",\"+16505551234\",\"+1 (650) 555-1234\"],"
        "{\"from\":\"16505551234\",\"wa_id\":16505551234,\"to\":\"16505551235\"},"
        "{\"id\":\"wamid.A\",\"context\":{\"id\":\"wamid.A\",\"message_id\":\"wamid.B\"}},"
        "{\"name\":\"Ann\",\"first_name\":\"Ann\",\"last_name\":\"Bo\"},[\"Hi\",\"Hi\",\"Yo\"]]");
    json_t *phones = json_array_get(tree, 0), *ids = json_array_get(tree, 1);
    json_t *wamids = json_array_get(tree, 2), *names = json_array_get(tree, 3);
    json_t *texts = json_array_get(tree, 4);
    char digits[24];

    (void)state;
    assert_string_equal(text_at(phones, 1), text_at(phones, 2));
    assert_string_equal(text_at(phones, 0), text_at(phones, 1) + 1);
    assert_string_equal(text_at(phones, 0), json_string_value(json_object_get(ids, "from")));
    assert_true(json_is_integer(json_object_get(ids, "wa_id")));
    assert_true(
        str_eq(json_id_text(json_object_get(ids, "wa_id"), digits), str_of(text_at(phones, 0))));
    assert_string_not_equal(text_at(phones, 0), json_string_value(json_object_get(ids, "to")));
    assert_true(json_equal(json_object_get(wamids, "id"), json_dig(wamids, "context", "id", NULL)));
    assert_false(
        json_equal(json_object_get(wamids, "id"), json_dig(wamids, "context", "message_id", NULL)));
    assert_true(json_equal(json_object_get(names, "name"), json_object_get(names, "first_name")));
    assert_false(json_equal(json_object_get(names, "name"), json_object_get(names, "last_name")));
    assert_string_equal(text_at(texts, 0), text_at(texts, 1));
    assert_string_not_equal(text_at(texts, 0), text_at(texts, 2));
}

static void another_key_gives_other_pseudonyms(void **state)
{
    static const char body[] = "{\"from\":\"16505551234\",\"name\":\"Ann\"}";
    autobuf struct buf one = BUF_INIT;
    autobuf struct buf other = BUF_INIT;

    (void)state;
    (void)redacted("one", body, &one);
    (void)redacted("other", body, &other);
    assert_string_not_equal(one.data, other.data);
    (void)redacted("one", body, &other);
    assert_string_equal(one.data, other.data);
}

static void empty_text_and_removed_reactions_stay_empty(void **state)
{
    static const char body[] = "{\"emoji\":\"\",\"body\":\"\",\"name\":\"\",\"from\":\"\"}";
    autobuf struct buf out = BUF_INIT;

    (void)state;
    assert_string_equal(redacted("key", body, &out).data, body);
}

static void a_document_in_a_string_is_redacted_inside(void **state)
{
    autojson json_t *tree = redacted_tree(
        "{\"response_json\":\"{\\\"flow_token\\\":\\\"AQAA\\\",\\\"rating\\\":\\\"4\\\"}\"}");
    const struct json_limits limits = { .depth = 8 };
    autojson json_t *inside = json_read(json_str_at(tree, "response_json"), &limits, NULL);

    (void)state;
    assert_non_null(inside);
    assert_int_equal(json_object_size(inside), 2);
    assert_true(pseudonym_is(PSEUDONYM_TEXT, json_str_at(inside, "flow_token")));
}

static void what_is_no_json_is_replaced_by_what_is_none(void **state)
{
    autobuf struct buf out = BUF_INIT;
    autobuf struct buf findings = BUF_INIT;

    (void)state;
    assert_string_equal(redacted("key", "{\"from\":\"16505551234", &out).data,
                        "redacted: no JSON, bytes: 20");
    assert_string_equal(scanned(buf_str(&out), &findings), "");
    assert_string_equal(scanned(STR("hello"), &findings), "=text that is no JSON\n");
    assert_string_equal(scanned(STR("call +49 170 1234567"), &findings), "=phone number\n");
}

static void findings_say_where_and_what(void **state)
{
    static const char body[] =
        "{\"entry\":[{\"changes\":[{\"value\":{\"messages\":[{\"from\":\"16505551234\",\"text\":{"
        "\"body\":\"mail me: bob@example.com\"},\"x\":\"Bearer EAAGm0PX4ZCpsBAKZCVr0ZBpRqZBgq\","
        "\"y\":\"eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln\",\"response_json\":\"[\\\"a\\\"]\","
        "\"latitude\":52.5}],\"contacts\":[{\"profile\":{\"name\":\"Ann\"}}]}}]}]}";
    autobuf struct buf findings = BUF_INIT;

    (void)state;
    assert_string_equal(scanned(str_of(body), &findings),
                        "entry[0].changes[0].value.messages[0].from=phone number\n"
                        "entry[0].changes[0].value.messages[0].text.body=email address\n"
                        "entry[0].changes[0].value.messages[0].x=access token\n"
                        "entry[0].changes[0].value.messages[0].y=JSON web token\n"
                        "entry[0].changes[0].value.messages[0].response_json(JSON)[0]=text\n"
                        "entry[0].changes[0].value.messages[0].latitude=coordinates\n"
                        "entry[0].changes[0].value.contacts[0].profile.name=name\n");
}

static void text_without_structure_is_looked_through(void **state)
{
    static const struct {
        const char *text, *what;
    } cases[] = {
        { "nothing here, 12:30 or 2026-03-01", NULL },
        { "Authorization: Bearer EAAGm0PX4ZCpsBAKZCVr0ZBpRqZBgq", "access token" },
        { "?access_token=EAAGm0PX4ZCpsBAKZCVr0ZBpRqZBgq&x", "access token" },
        { "EAA and nothing else", NULL },
        { "secret=0123456789abcdef0123456789abcdef", "app secret" },
        { "secret: 0123456789abcdef0123456789abcdef", "app secret" },
        { "to +49 170 1234567", "phone number" },
        { "from 16505551234 to", "phone number" },
        { "from 99912345678901 to", NULL },
        { "x@redacted.invalid", NULL },
        { "write to a.b+c@example.org now", "email address" },
        { "@ home", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *what = redact_look(str_of(cases[i].text));

        if ((what == NULL) != (cases[i].what == NULL) ||
            (what != NULL && strcmp(what, cases[i].what) != 0)) {
            fail_msg("%s: %s", cases[i].text, what != NULL ? what : "nothing");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_harmless_stays),
        cmocka_unit_test(what_is_personal_goes),
        cmocka_unit_test(the_same_value_has_the_same_pseudonym_wherever_it_stands),
        cmocka_unit_test(another_key_gives_other_pseudonyms),
        cmocka_unit_test(empty_text_and_removed_reactions_stay_empty),
        cmocka_unit_test(a_document_in_a_string_is_redacted_inside),
        cmocka_unit_test(what_is_no_json_is_replaced_by_what_is_none),
        cmocka_unit_test(findings_say_where_and_what),
        cmocka_unit_test(text_without_structure_is_looked_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

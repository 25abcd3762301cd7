/* The webhook decoder: every element is found, side fields never cost a message, and what cannot be
 * used is named. */
#include "tests/unit/payload_fixture.h"

/* What the delivery holds, counted the way it will be when all of it is new. */
static struct wa_counts total(const struct wa_delivery *delivery)
{
    struct wa_counts counts = delivery->counts;

    for (size_t i = 0; i < delivery->message_count; i++) {
        counts.of[delivery->messages[i].kind]++;
    }
    for (size_t i = 0; i < delivery->change_count; i++) {
        counts.of[delivery->changes[i].kind]++;
    }
    for (size_t i = 0; i < delivery->call_count; i++) {
        counts.of[delivery->calls[i].kind]++;
    }
    counts.of[WA_STATUS] += (unsigned)delivery->status_count;
    return counts;
}

static const struct {
    const char *file;
    struct wa_counts counts;
    const char *reasons;
} vectors[] = {
    { "text.json", { { [WA_INBOUND] = 1 } }, "" },
    { "text_unicode_wire.json", { { [WA_INBOUND] = 1 } }, "" },
    { "text_lone_surrogate.json", { { [WA_INBOUND] = 1 } }, "" },
    { "text_numeric_ids.json", { { [WA_INBOUND] = 1 } }, "" },
    { "text_no_contacts.json", { { [WA_INBOUND] = 1 } }, "" },
    { "text_bsuid_only.json", { { [WA_INBOUND] = 1 } }, "" },
    { "text_group.json", { { [WA_INBOUND] = 1 } }, "" },
    { "image.json", { { [WA_INBOUND] = 1 } }, "" },
    { "contacts.json", { { [WA_INBOUND] = 1 } }, "" },
    { "order.json", { { [WA_INBOUND] = 1 } }, "" },
    { "unsupported.json", { { [WA_INBOUND] = 1 } }, "" },
    { "system_number_changed.json", { { [WA_SYSTEM] = 1 } }, "" },
    { "reaction.json", { { [WA_REACTION] = 1 } }, "" },
    { "edit.json", { { [WA_EDIT] = 1 } }, "" },
    { "revoke.json", { { [WA_REVOKE] = 1 } }, "" },
    { "status_sent.json", { { [WA_STATUS] = 1 } }, "" },
    { "status_delivered.json", { { [WA_STATUS] = 1 } }, "" },
    { "status_read.json", { { [WA_STATUS] = 1 } }, "" },
    { "status_failed.json", { { [WA_STATUS] = 1 } }, "" },
    { "status_group.json", { { [WA_STATUS] = 2 } }, "" },
    { "echo.json", { { [WA_ECHO] = 1 } }, "" },
    { "batch.json", { { [WA_INBOUND] = 4, [WA_STATUS] = 3 } }, "" },
    { "history.json", { { [WA_HISTORY] = 2 } }, "" },
    { "calls_connect.json", { { [WA_CALL] = 1 } }, "" },
    { "calls_status.json", { { [WA_CALL_STATUS] = 1 } }, "" },
    { "template_status.json", { { [WA_ADMIN] = 1 } }, "" },
    { "user_preferences.json", { { [WA_ADMIN] = 1 } }, "" },
    { "unknown_field.json", { { [WA_IGNORED] = 1 } }, "" },
    { "errors_only.json", { { [WA_IGNORED] = 1 } }, "" },
    { "foreign_object.json", { { [WA_IGNORED] = 1 } }, "" },
    { "empty.json", { { 0 } }, "" },
    { "odd_side_fields.json", { { [WA_INBOUND] = 9 } }, "" },
    { "unknown_number.json", { { [WA_INBOUND] = 1 } }, "" },
    { "bad_elements.json",
      { { [WA_INBOUND] = 1, [WA_STATUS] = 1 } },
      "entry[0].changes[0].value.messages[0]: no id; "
      "entry[0].changes[0].value.messages[1]: no sender; "
      "entry[0].changes[0].value.messages[2]: not an object; "
      "entry[0].changes[0].value.messages[3]: not an object; "
      "entry[0].changes[0].value.messages[4]: not an object; "
      "entry[0].changes[0].value.statuses[0]: no id; "
      "entry[0].changes[0].value.statuses[1]: unknown status; "
      "entry[0].changes[0].value.statuses[2]: unknown status; "
      "entry[0].changes[0].value.statuses[3]: not an object; "
      "entry[0].changes[1]: no field; "
      "entry[0].changes[2]: value is not an object; "
      "entry[0].changes[3]: not an object" },
    { "no_phone_number_id.json", { { 0 } }, "entry[0].changes[0]: no metadata.phone_number_id" },
    { "no_changes.json", { { 0 } }, "entry[0]: no changes; entry[1]: no changes" },
    { "no_entry.json", { { 0 } }, "no entry" },
    { "no_object.json", { { 0 } }, "no object" },
};

static void each_vector_counts_what_it_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autodecoded struct decoded decoded;
        struct wa_counts counts;

        decode_vector(&decoded, vectors[i].file);
        counts = total(&decoded.delivery);
        for (unsigned kind = 0; kind < WA_KINDS; kind++) {
            if (counts.of[kind] != vectors[i].counts.of[kind]) {
                fail_msg("%s: %u %s, not %u", vectors[i].file, counts.of[kind],
                         wa_kind_name((enum wa_kind)kind), vectors[i].counts.of[kind]);
            }
        }
        if (!str_eq(buf_str(&decoded.delivery.reasons), str_of(vectors[i].reasons))) {
            fail_msg("%s: %.*s", vectors[i].file, STR_ARG(buf_str(&decoded.delivery.reasons)));
        }
    }
}

static void the_fields_of_the_changes_are_named_once(void **state)
{
    static const struct {
        const char *changes, *fields;
    } cases[] = {
        { "", NULL },
        { "{}", NULL },
        { "{\"field\":\"messages\"}", "[\"messages\"]" },
        { "{\"field\":\"a\"},{\"field\":\"messages\"},{\"field\":\"a\"},7,{\"field\":\"b\"}",
          "[\"a\",\"messages\",\"b\"]" },
        { "{\"field\":\"a\\\"\"},{\"field\":\"a\\\",\\\"b\"},{\"field\":\"b\"},{\"field\":\",\"}",
          "[\"a\\\"\",\"a\\\",\\\"b\",\"b\",\",\"]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autodecoded struct decoded decoded;
        autobuf struct buf text = BUF_INIT;

        buf_printf(&text,
                   "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[%s]}]}",
                   cases[i].changes);
        decode_text(&decoded, buf_str(&text));
        assert_str(buf_str(&decoded.delivery.fields), cases[i].fields);
    }
}

static void a_text_says_who_wrote_what_and_when(void **state)
{
    autodecoded struct decoded decoded;
    const struct inbound_message *in;

    (void)state;
    decode_vector(&decoded, "text_reply.json");
    in = &decoded.delivery.messages[0].in;
    assert_int_equal(in->direction, STORE_INBOUND);
    assert_str(in->phone_number_id, "109876543210001");
    assert_str(in->wamid, "wamid.dGV4dC0y");
    assert_str(in->type, "text");
    assert_str(in->text, "Yes, that one");
    assert_str(in->context_wamid, "wamid.ZWNoby0x");
    assert_str(in->party.phone, "4915550100011");
    assert_str(in->party.wa_id, "4915550100011");
    assert_str(in->party.name, "Amara Okafor");
    assert_str(in->party.user_id, NULL);
    assert_str(in->group_id, NULL);
    assert_int_equal(in->wa_timestamp_s, 1772357460);
    assert_true(in->opens_window);
}

static void escapes_of_the_wire_become_utf8(void **state)
{
    autodecoded struct decoded wire, surrogate;

    (void)state;
    decode_vector(&wire, "text_unicode_wire.json");
    assert_str(wire.delivery.messages[0].in.text,
               "Grüße 👋🏽 an dich @ home — <3 & mehr https://example.org/a?b=c 日本");
    decode_vector(&surrogate, "text_lone_surrogate.json");
    assert_true(
        str_eq(surrogate.delivery.messages[0].in.text, STR("cut \xef\xbf\xbd here, nul \0 there")));
}

static void ids_keep_their_digits_whatever_their_type(void **state)
{
    autodecoded struct decoded decoded;
    const struct inbound_message *in;

    (void)state;
    decode_vector(&decoded, "text_numeric_ids.json");
    in = &decoded.delivery.messages[0].in;
    assert_str(in->phone_number_id, "109876543210001");
    assert_str(in->wamid, "900719925474099312345");
    assert_str(in->party.phone, "4915550100011");
    assert_str(in->party.name, "Amara Okafor");
    assert_int_equal(in->wa_timestamp_s, 1772357402);
}

static void a_customer_may_have_no_number(void **state)
{
    autodecoded struct decoded decoded;
    const struct inbound_party *party;

    (void)state;
    decode_vector(&decoded, "text_bsuid_only.json");
    party = &decoded.delivery.messages[0].in.party;
    assert_str(party->phone, NULL);
    assert_str(party->wa_id, NULL);
    assert_str(party->user_id, "DE.20461193570018264417");
    assert_str(party->parent_user_id, "DE.ENT.3310029918");
    assert_str(party->name, "Noor");
}

static void profiles_are_matched_by_id_and_never_by_place(void **state)
{
    autodecoded struct decoded decoded, other;

    (void)state;
    decode_vector(&decoded, "batch.json");
    assert_str(decoded.delivery.messages[0].in.party.name, "Amara Okafor");
    assert_str(decoded.delivery.messages[1].in.party.name, "Amara Okafor");
    assert_str(decoded.delivery.messages[2].in.party.name, "Jonas");
    decode_text(&other,
                STR("{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{\"field\":"
                    "\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"1\"},\"contacts\":"
                    "[{\"profile\":{\"name\":\"Somebody\"},\"wa_id\":\"222\"}],\"messages\":"
                    "[{\"from\":\"333\",\"id\":\"a\",\"type\":\"text\"}]}}]}]}"));
    assert_str(other.delivery.messages[0].in.party.name, NULL);
    assert_str(other.delivery.messages[0].in.party.phone, "333");
}

/* A message from `from` beside the only profile, which has `wa_id`. */
static void decode_beside(struct decoded *decoded, const char *from, const char *wa_id)
{
    autofree char *text =
        xasprintf("{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{\"field\":"
                  "\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"1\"},\"contacts\":"
                  "[{\"profile\":{\"name\":\"Bia\"},\"wa_id\":\"%s\"}],\"messages\":"
                  "[{\"from\":\"%s\",\"id\":\"a\",\"type\":\"text\"}]}}]}]}",
                  wa_id, from);

    decode_text(decoded, str_of(text));
}

static void numbers_of_brazil_and_mexico_find_the_profile_under_their_other_form(void **state)
{
    static const struct {
        const char *from, *wa_id;
        bool same;
    } cases[] = {
        { "551188887777", "5511988887777", true },   { "5511988887777", "551188887777", true },
        { "525512345678", "5215512345678", true },   { "5215512345678", "525512345678", true },
        { "551188887777", "5511888887777", false },  { "5511888887777", "551188887777", false },
        { "55118888777", "551198888777", false },    { "541188887777", "5411988887777", false },
        { "55118888777x", "5511988887777x", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autodecoded struct decoded decoded;
        const struct inbound_party *party;

        decode_beside(&decoded, cases[i].from, cases[i].wa_id);
        party = &decoded.delivery.messages[0].in.party;
        assert_str(party->phone, cases[i].from);
        assert_str(party->wa_id, cases[i].same ? cases[i].wa_id : NULL);
        assert_str(party->name, cases[i].same ? "Bia" : NULL);
    }
}

static void decode_message_beside(struct decoded *decoded, const char *contacts,
                                  const char *message)
{
    autofree char *text =
        xasprintf("{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{"
                  "\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"1\"},"
                  "\"contacts\":[%s],\"messages\":[%s]}}]}]}",
                  contacts, message);

    decode_text(decoded, str_of(text));
}

#define ANN "{\"profile\":{\"name\":\"Ann\"},\"wa_id\":\"491\",\"user_id\":\"DE.1\"}"
#define BO  "{\"wa_id\":\"492\"}"

static void a_message_without_a_sender_is_of_the_only_contact_beside_it(void **state)
{
    autodecoded struct decoded decoded;
    autodecoded struct decoded two;
    autodecoded struct decoded nobody;
    const struct inbound_party *party;

    (void)state;
    decode_message_beside(&decoded, ANN, "{\"id\":\"w\",\"type\":\"text\"}");
    assert_int_equal(decoded.delivery.message_count, 1);
    party = &decoded.delivery.messages[0].in.party;
    assert_str(party->phone, "491");
    assert_str(party->user_id, "DE.1");
    assert_str(party->name, "Ann");
    decode_message_beside(&two, ANN "," BO, "{\"id\":\"w\",\"type\":\"text\"}");
    assert_int_equal(two.delivery.message_count, 0);
    assert_string_equal(two.delivery.reasons.data,
                        "entry[0].changes[0].value.messages[0]: no sender");
    decode_message_beside(&nobody, "{\"profile\":{\"name\":\"Ann\"}}", "{\"id\":\"w\"}");
    assert_int_equal(nobody.delivery.message_count, 0);
}

static void an_id_that_is_too_long_is_told_from_none(void **state)
{
    autodecoded struct decoded decoded;
    autofree char *message = xasprintf("{\"id\":\"%0513d\",\"from\":\"1\"}", 0);
    autodecoded struct decoded longest;
    autofree char *fits = xasprintf("{\"id\":\"%0512d\",\"from\":\"1\"}", 0);

    (void)state;
    decode_message_beside(&decoded, "", message);
    assert_string_equal(decoded.delivery.reasons.data,
                        "entry[0].changes[0].value.messages[0]: id of more than 512 bytes");
    decode_message_beside(&longest, "", fits);
    assert_int_equal(longest.delivery.message_count, 1);
}

static void profiles_are_found_however_many_there_are_and_in_whatever_order(void **state)
{
    enum { COUNT = 5000 };
    autobuf struct buf text = BUF_INIT;
    autodecoded struct decoded decoded;

    (void)state;
    buf_add_cstr(&text, "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{"
                        "\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":"
                        "\"1\"},\"contacts\":[{\"profile\":{\"name\":\"no ids\"}}");
    for (unsigned i = 0; i < COUNT; i++) {
        buf_printf(&text, ",{\"profile\":{\"name\":\"n%u\"},\"%s\":\"%u\"}", i,
                   i % 2 == 0 ? "wa_id" : "user_id", i);
    }
    buf_add_cstr(&text, ",{\"profile\":{\"name\":\"late\"},\"wa_id\":\"0\"}],\"messages\":[");
    for (unsigned i = COUNT; i-- > 0;) {
        buf_printf(&text, "{\"id\":\"a%u\",\"%s\":\"%u\"}%s", i,
                   i % 2 == 0 ? "from" : "from_user_id", i, i > 0 ? "," : "]}}]}]}");
    }
    decode_text(&decoded, buf_str(&text));
    assert_int_equal(decoded.delivery.message_count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        autofree char *name = xasprintf("n%u", COUNT - 1 - i);

        assert_str(decoded.delivery.messages[i].in.party.name, name);
    }
}

static void a_group_that_cannot_be_named_never_becomes_a_private_chat(void **state)
{
    static const struct {
        const char *group_id;
        bool usable;
    } groups[] = {
        { "null", true },     { "\"g\"", true }, { "17", true },   { "\"\"", false },
        { "[\"g\"]", false }, { "{}", false },   { "1.5", false }, { "true", false },
    };
    autofree char *long_id = xcalloc(WA_ID_MAX + 4, 1);

    (void)state;
    memset(long_id, '"', WA_ID_MAX + 3);
    memset(long_id + 1, 'g', WA_ID_MAX + 1);
    for (size_t i = 0; i <= ARRAY_SIZE(groups); i++) {
        const char *group_id = i < ARRAY_SIZE(groups) ? groups[i].group_id : long_id;
        bool usable = i < ARRAY_SIZE(groups) && groups[i].usable;
        autofree char *text =
            xasprintf("{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{"
                      "\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"1\"},"
                      "\"messages\":[{\"from\":\"3\",\"id\":\"a\",\"group_id\":%s},"
                      "{\"from\":\"3\",\"id\":\"b\"}]}}]}]}",
                      group_id);
        autodecoded struct decoded decoded;

        decode_text(&decoded, str_of(text));
        assert_int_equal(decoded.delivery.message_count, usable ? 2 : 1);
        assert_str(decoded.delivery.messages[usable].in.wamid, "b");
        assert_true(str_eq(
            buf_str(&decoded.delivery.reasons),
            usable ? STR("") : STR("entry[0].changes[0].value.messages[0]: unusable group_id")));
    }
}

static void side_fields_never_cost_a_message(void **state)
{
    static const struct {
        const char *type, *text;
        int64_t time;
    } want[] = {
        { "text", "a word for a time", RECEIVED_S },
        { "text", "milliseconds", RECEIVED_S },
        { "text", "negative", RECEIVED_S },
        { "text", "no time", RECEIVED_S },
        { "text", "{\"not\":[\"a\",\"string\",1.5]}", 1772357401 },
        { "text", NULL, 1772357401 },
        { "unknown", "no type", 1772357401 },
        { "hologram", NULL, 1772357401 },
        { "text", "beyond all time", RECEIVED_S },
    };
    autodecoded struct decoded decoded;

    (void)state;
    decode_vector(&decoded, "odd_side_fields.json");
    assert_int_equal(decoded.delivery.message_count, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        const struct inbound_message *in = &decoded.delivery.messages[i].in;

        assert_str(in->type, want[i].type);
        assert_str(in->text, want[i].text);
        assert_int_equal(in->wa_timestamp_s, want[i].time);
        assert_str(in->party.name, "Amara Okafor");
    }
}

static void only_what_the_customer_wrote_opens_the_window(void **state)
{
    static const struct {
        const char *file;
        bool opens;
    } cases[] = {
        { "text.json", true },
        { "image.json", true },
        { "system_number_changed.json", false },
        { "echo.json", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autodecoded struct decoded decoded;

        decode_vector(&decoded, cases[i].file);
        assert_int_equal(decoded.delivery.messages[0].in.opens_window, cases[i].opens);
    }
}

static void captions_are_the_text_of_media(void **state)
{
    static const struct {
        const char *file, *type, *text;
    } cases[] = {
        { "image.json", "image", "The scratch is here" },
        { "video.json", "video", NULL },
        { "document.json", "document", "Our order" },
        { "audio_voice.json", "audio", NULL },
        { "location.json", "location", NULL },
        { "system_number_changed.json", "system",
          "Jonas changed from 4915550100022 to 4915550100077" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autodecoded struct decoded decoded;

        decode_vector(&decoded, cases[i].file);
        assert_str(decoded.delivery.messages[0].in.type, cases[i].type);
        assert_str(decoded.delivery.messages[0].in.text, cases[i].text);
    }
}

static void other_products_are_foreign(void **state)
{
    autodecoded struct decoded decoded;

    (void)state;
    decode_vector(&decoded, "foreign_object.json");
    assert_true(decoded.delivery.foreign);
}

static void any_json_value_is_survived(void **state)
{
    static const char *const texts[] = {
        "null",
        "7",
        "\"x\"",
        "[]",
        "{}",
        "[[[]]]",
        "{\"object\":7}",
        "{\"object\":\"whatsapp_business_account\",\"entry\":{}}",
        "{\"object\":\"whatsapp_business_account\",\"entry\":[[]]}",
        "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{\"field\":7}]}]}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        autodecoded struct decoded decoded;

        decode_text(&decoded, str_of(texts[i]));
        assert_int_equal(decoded.delivery.message_count, 0);
        assert_true(decoded.delivery.reasons.len > 0);
    }
}

static void reasons_stay_short(void **state)
{
    autobuf struct buf reasons = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        wa_reason_add(&reasons, "entry[%zu]: no changes", i);
    }
    assert_true(reasons.len < 1100);
    assert_non_null(strstr(reasons.data, "; and more"));
}

static void counts_show_every_key(void **state)
{
    autobuf struct buf text = BUF_INIT;

    (void)state;
    wa_counts_render(&text, &(struct wa_counts) { { [WA_INBOUND] = 3, [WA_DUPLICATE] = 1 } });
    assert_string_equal(text.data,
                        "{\"inbound\":3,\"system\":0,\"reactions\":0,\"edits\":0,\"revokes\":0,"
                        "\"statuses\":0,\"echoes\":0,\"history\":0,\"calls\":0,"
                        "\"call_statuses\":0,\"admin\":0,\"dups\":1,\"ignored\":0}");
}

static void counts_are_read_back(void **state)
{
    struct wa_counts counts = { { 0 } }, again;
    autobuf struct buf text = BUF_INIT;

    (void)state;
    for (unsigned i = 0; i < WA_KINDS; i++) {
        counts.of[i] = i + 1;
    }
    wa_counts_render(&text, &counts);
    wa_counts_read(buf_str(&text), &again);
    assert_memory_equal(&counts, &again, sizeof counts);
    wa_counts_read(STR("{\"inbound\":-1,\"dups\":\"x\",\"echoes\":99999999999,\"edits\":2}"),
                   &again);
    for (unsigned i = 0; i < WA_KINDS; i++) {
        assert_int_equal(again.of[i], i == WA_EDIT ? 2 : 0);
    }
    wa_counts_read(STR("rubbish"), &again);
    assert_int_equal(again.of[WA_EDIT], 0);
}

/* Three messages and a call, of which one message was known before and one could not be handled;
 * then nothing is left to be wished for. */
static void what_is_handled_again_counts_once(void **state)
{
    const struct wa_counts before = {
        .of = { [WA_INBOUND] = 1, [WA_DUPLICATE] = 1, [WA_CALL] = 1, [WA_IGNORED] = 1 }
    };
    const struct wa_counts now = {
        .of = { [WA_INBOUND] = 1, [WA_DUPLICATE] = 2, [WA_CALL] = 1, [WA_IGNORED] = 1 }
    };
    const struct wa_counts rowless = { .of = { [WA_CALL] = 1, [WA_IGNORED] = 1 } };
    struct wa_counts all = wa_counts_again(&before, &now, &rowless);

    (void)state;
    assert_int_equal(all.of[WA_INBOUND], 2);
    assert_int_equal(all.of[WA_DUPLICATE], 1);
    assert_int_equal(all.of[WA_CALL], 1);
    assert_int_equal(all.of[WA_IGNORED], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_read_back),
        cmocka_unit_test(what_is_handled_again_counts_once),
        cmocka_unit_test(each_vector_counts_what_it_holds),
        cmocka_unit_test(the_fields_of_the_changes_are_named_once),
        cmocka_unit_test(a_text_says_who_wrote_what_and_when),
        cmocka_unit_test(escapes_of_the_wire_become_utf8),
        cmocka_unit_test(ids_keep_their_digits_whatever_their_type),
        cmocka_unit_test(a_customer_may_have_no_number),
        cmocka_unit_test(profiles_are_matched_by_id_and_never_by_place),
        cmocka_unit_test(numbers_of_brazil_and_mexico_find_the_profile_under_their_other_form),
        cmocka_unit_test(profiles_are_found_however_many_there_are_and_in_whatever_order),
        cmocka_unit_test(a_message_without_a_sender_is_of_the_only_contact_beside_it),
        cmocka_unit_test(an_id_that_is_too_long_is_told_from_none),
        cmocka_unit_test(a_group_that_cannot_be_named_never_becomes_a_private_chat),
        cmocka_unit_test(side_fields_never_cost_a_message),
        cmocka_unit_test(only_what_the_customer_wrote_opens_the_window),
        cmocka_unit_test(captions_are_the_text_of_media),
        cmocka_unit_test(other_products_are_foreign),
        cmocka_unit_test(any_json_value_is_survived),
        cmocka_unit_test(reasons_stay_short),
        cmocka_unit_test(counts_show_every_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

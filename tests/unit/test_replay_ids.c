/* Which ids a replay exchanges, and that nothing else changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/buf.h"
#include "sioctl/replay/ids.h"

static const unsigned char salt[REPLAY_SALT_SIZE] = { 1 }, other_salt[REPLAY_SALT_SIZE] = { 2 };

/* The body with each new id written as its old one in [ ]. */
static void assert_exchanged(const char *body, const char *want)
{
    struct replay_ids *ids = replay_ids_new(salt);
    autobuf struct buf text = BUF_INIT;
    autobuf struct buf shown = BUF_INIT;

    replay_ids_learn(ids, str_of(body));
    replay_ids_exchange(ids, str_of(body), &text);
    for (const char *at = text.data; *at != '\0';) {
        size_t len = *at == '"' ? strcspn(at + 1, "\"") : 0;
        struct str old = replay_ids_original(ids, (struct str) { at + 1, len });

        if (len > 0 && old.data != NULL) {
            buf_printf(&shown, "[%.*s]", STR_ARG(old));
            at += len + 2;
        } else {
            buf_add_char(&shown, *at++);
        }
    }
    assert_string_equal(shown.data, want);
    replay_ids_free(ids);
}

static void ids_are_exchanged_wherever_they_name_a_message(void **state)
{
    (void)state;
    assert_exchanged("{\"messages\":[{\"id\":\"wamid.A\",\"text\":{\"body\":\"hi\"},"
                     "\"context\":{\"id\":\"gBGGold\",\"from\":\"49\"}}]}",
                     "{\"messages\":[{\"id\":[wamid.A],\"text\":{\"body\":\"hi\"},"
                     "\"context\":{\"id\":[gBGGold],\"from\":\"49\"}}]}");
    assert_exchanged("{\"statuses\":[{\"id\":\"X\"}],\"reaction\":{\"message_id\":\"Y\"},"
                     "\"edit\":{\"original_message_id\":\"X\"}}",
                     "{\"statuses\":[{\"id\":[X]}],\"reaction\":{\"message_id\":[Y]},"
                     "\"edit\":{\"original_message_id\":[X]}}");
    assert_exchanged("{\"calls\":[{\"id\":\"wacid.Q\"}],\"other\":[[\"wamid.Z\"]]}",
                     "{\"calls\":[{\"id\":[wacid.Q]}],\"other\":[[[wamid.Z]]]}");
}

static void an_id_that_is_a_number_becomes_a_string(void **state)
{
    (void)state;
    assert_exchanged("{\"messages\":[{\"id\":90071992547409931234,\"n\":[1234567, 12]}],"
                     "\"context\":{\"id\":1234567},\"statuses\":[{\"id\":12}]}",
                     "{\"messages\":[{\"id\":[90071992547409931234],\"n\":[[1234567], 12]}],"
                     "\"context\":{\"id\":[1234567]},\"statuses\":[{\"id\":12}]}");
    assert_exchanged("{\"messages\":[{\"id\":1234567}],\"n\":[-1234567,1234567.5,1234567e1]}",
                     "{\"messages\":[{\"id\":[1234567]}],\"n\":[-1234567,1234567.5,1234567e1]}");
}

static void other_ids_stay(void **state)
{
    static const char body[] = "{\"entry\":[{\"id\":\"1022\",\"image\":{\"id\":\"1003\"},"
                               "\"metadata\":{\"phone_number_id\":\"106\"}}],\"button\":{\"id\":"
                               "\"cancel\"},\"group_id\":\"G\",\"id\":\"top\"}";

    (void)state;
    assert_exchanged(body, body);
}

static void escapes_and_white_space_stay_as_they_were(void **state)
{
    (void)state;
    assert_exchanged(
        "{ \"messages\" : [ { \"id\" : \"wamid.a\\/b\" , \"t\" : \"\\ud83d\\u00e9\\\\\""
        " } ]\n, \"wamid.a/b\" : 1e5 }\n",
        "{ \"messages\" : [ { \"id\" : [wamid.a/b] , \"t\" : \"\\ud83d\\u00e9\\\\\""
        " } ]\n, \"wamid.a/b\" : 1e5 }\n");
}

static void what_is_no_json_stays(void **state)
{
    (void)state;
    assert_exchanged("{\"messages\":[{\"id\":\"wamid.A\"", "{\"messages\":[{\"id\":\"wamid.A\"");
    assert_exchanged("wamid.A", "wamid.A");
}

static void a_new_id_is_another_in_each_run_and_keeps_its_kind(void **state)
{
    static const char body[] = "{\"id\":\"wamid.A\"}";
    struct replay_ids *a = replay_ids_new(salt), *b = replay_ids_new(other_salt);
    autobuf struct buf x = BUF_INIT;
    autobuf struct buf y = BUF_INIT;

    (void)state;
    replay_ids_learn(a, str_of(body));
    replay_ids_learn(b, str_of(body));
    replay_ids_exchange(a, str_of(body), &x);
    replay_ids_exchange(b, str_of(body), &y);
    assert_string_not_equal(x.data, y.data);
    assert_memory_equal(x.data, "{\"id\":\"wamid.", 13);
    assert_null(replay_ids_original(a, STR("wamid.A")).data);
    replay_ids_free(a);
    replay_ids_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_exchanged_wherever_they_name_a_message),
        cmocka_unit_test(an_id_that_is_a_number_becomes_a_string),
        cmocka_unit_test(other_ids_stay),
        cmocka_unit_test(escapes_and_white_space_stay_as_they_were),
        cmocka_unit_test(what_is_no_json_stays),
        cmocka_unit_test(a_new_id_is_another_in_each_run_and_keeps_its_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/buf.h"
#include "libshared/ctl/command.h"
#include "libshared/ctl/condition.h"
#include "libshared/ctl/line.h"
#include "libshared/ctl/mint.h"
#include "libshared/json.h"

enum { WORDS_MAX = 16 };

/* "chat show 12" → words, cut at blanks. */
static unsigned split(char *text, const char *words[WORDS_MAX])
{
    unsigned count = 0;

    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        assert_true(count < WORDS_MAX);
        words[count++] = word;
    }
    return count;
}

static enum err parse(const char *text, struct ctl_line *line, struct errmsg *msg)
{
    char copy[256];
    const char *words[WORDS_MAX];

    snprintf(copy, sizeof(copy), "%s", text);
    return ctl_line_parse(words, split(copy, words), line, msg);
}

static void every_grammar_of_the_table_is_well_formed(void **state)
{
    struct ctl_grammar grammar;

    (void)state;
    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        if (!ctl_grammar_read(ctl_commands[i].grammar, &grammar)) {
            fail_msg("%s", ctl_commands[i].grammar);
        }
        assert_int_equal(ctl_commands[i].id, i);
    }
}

static void malformed_grammars_are_noticed(void **state)
{
    static const char *const bad[] = {
        "",
        "<chat>",
        "one two three four",
        "chat show <unheard-of>",
        "chat show <chat",
        "chat show [<chat>",
        "chat show [--state <state>",
        "chat  show",
        "chat show <chat><chat>",
        "Chat show",
    };
    struct ctl_grammar grammar;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (ctl_grammar_read(bad[i], &grammar)) {
            fail_msg("accepted: '%s'", bad[i]);
        }
    }
}

static void an_option_takes_a_value_in_all_commands_or_in_none(void **state)
{
    struct ctl_grammar grammar;

    (void)state;
    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        ctl_grammar_of(&ctl_commands[i], &grammar);
        for (unsigned k = 0; k < grammar.param_count; k++) {
            const struct ctl_param *param = &grammar.params[k];

            if (param->option[0] != '\0') {
                assert_int_equal(param->argument != NULL,
                                 ctl_option_takes_value(str_of(param->option)));
            }
        }
    }
}

static void a_line_becomes_the_args_of_a_request(void **state)
{
    static const struct {
        const char *line, *grammar_start, *args;
    } good[] = {
        { "status", "status", "{}" },
        { "room list", "room list", "{}" },
        { "chat show 12", "chat show", "{\"chat\":12}" },
        { "ch sh 12", "chat show", "{\"chat\":12}" },
        { "sta", "status", "{}" },
        { "ta", "tail", "{}" },
        { "ch l --state waiting", "chat list", "{\"state\":\"waiting\"}" },
        { "--count 5 tail", "tail", "{\"count\":5}" },
        { "tail --for 1m --event a --event b --room chat_1", "tail",
          "{\"for\":60000,\"event\":[\"a\",\"b\"],\"room\":[\"chat_1\"]}" },
        { "tail --count=5 --idle=500ms", "tail", "{\"count\":5,\"idle\":500}" },
        { "room show -- --odd", "room show", "{\"room\":\"--odd\"}" },
        { "token decode -", "token decode", "{\"token\":\"-\"}" },
        { "webhook replay a b c", "webhook replay", "{\"path\":[\"a\",\"b\",\"c\"]}" },
        { "webhook replay a --seed 0 --dup 0.5 --speed 2 --reorder 3 --update", "webhook replay",
          "{\"seed\":0,\"dup\":0.5,\"speed\":2.0,\"reorder\":3,\"update\":true,\"path\":[\"a\"]}" },
        { "business add 5 --name Acme --phone-number-id 1 --phone-number-id 2", "business add",
          "{\"name\":\"Acme\",\"phoneNumberId\":[\"1\",\"2\"],\"business\":5}" },
        { "token mint --user 7 --business 1 --claim exp=1 --claim x=y", "token mint",
          "{\"user\":7,\"business\":1,\"claim\":[{\"exp\":1},{\"x\":\"y\"}]}" },
        { "-o json -s /x status", "status", "{}" },
        { "complete", "complete", "{}" },
        { "webhook deliver --body {}", "webhook deliver", "{\"body\":\"{}\"}" },
        { "help", "help", "{}" },
        { "config check -c /etc/x", "config check", "{\"config\":\"/etc/x\"}" },
        { "config check -c/etc/x", "config check", "{\"config\":\"/etc/x\"}" },
        { "conf ch --config=/etc/x", "config check", "{\"config\":\"/etc/x\"}" },
        { "wait agent/7=available --business 2", "wait",
          "{\"business\":2,\"condition\":\"agent/7=available\"}" },
        { "tail --since 0 --business 1", "tail", "{\"since\":0,\"business\":1}" },
        { "tail --since 10m", "tail", "{\"since\":\"10m\"}" },
        { "tail --since 2026-03-01T09:30Z", "tail", "{\"since\":\"2026-03-01T09:30Z\"}" },
        { "token revoke --user 7 --business 1 --issued-before 10m", "token revoke",
          "{\"user\":7,\"business\":1,\"issuedBefore\":\"10m\"}" },
        { "token revoke --jti a", "token revoke", "{\"jti\":\"a\"}" },
        { "emit note {\"a\":[1,\"b\"]} --room r --business 1", "emit",
          "{\"room\":\"r\",\"business\":1,\"event\":\"note\",\"json\":\"{\\\"a\\\":[1,\\\"b\\\"]}"
          "\"}" },
        { "log level", "log level", "{}" },
        { "webhook quarantine replay 1 2 --all", "webhook quarantine replay",
          "{\"all\":true,\"webhook\":[1,2]}" },
        { "we q sh 3", "webhook quarantine show", "{\"webhook\":3}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct errmsg msg = { "" };
        struct ctl_line line;
        autobuf struct buf args = BUF_INIT;

        if (parse(good[i].line, &line, &msg) != OK) {
            fail_msg("%s: %s", good[i].line, msg.text);
        }
        assert_int_equal(
            strncmp(line.command->grammar, good[i].grammar_start, strlen(good[i].grammar_start)),
            0);
        json_add_tree(&args, line.args);
        assert_string_equal(args.data, good[i].args);
        ctl_line_finish(&line);
    }
}

static void a_bad_line_is_refused_with_an_exact_sentence(void **state)
{
    static const struct {
        const char *line, *message;
    } bad[] = {
        { "", "which command?" },
        { "frobnicate", "unknown command 'frobnicate'" },
        { "t", "'t' is ambiguous: tail, token" },
        { "room", "'room' needs a verb: list, show, join, leave" },
        { "room eat", "unknown verb 'eat'" },
        { "webhook q", "'webhook q' needs a verb: list, show, replay, drop" },
        { "webhook quarantine eat", "unknown verb 'eat'" },
        { "socket l x", "unexpected argument 'x'" },
        { "comp", "unknown command 'comp'" },
        { "chat show", "missing <chat>" },
        { "chat show 1 2", "unexpected argument '2'" },
        { "chat show abc", "'abc' is not a chat id" },
        { "chat show 0", "'0' is not a chat id" },
        { "business add 5 --phone-number-id 10x",
          "--phone-number-id: '10x' is not a phone number id" },
        { "chat show 9007199254740992", "'9007199254740992' is not a chat id" },
        { "chat show -5", "unknown option -5" },
        { "chat list --state odd",
          "--state: 'odd' is not a chat state: waiting, assigned, closed" },
        { "chat list --colour red", "unknown option --colour" },
        { "room list --state waiting", "unknown option --state" },
        { "tail --count 0", "--count: '0' is not a positive number" },
        { "tail --count 5x", "--count: '5x' is not a positive number" },
        { "tail --count", "--count needs a value" },
        { "tail --for 10", "--for: '10' is not a duration like 500ms, 10s, 5m or 1h" },
        { "tail --for 99999999999999999999s",
          "--for: '99999999999999999999s' is not a duration like 500ms, 10s, 5m or 1h" },
        { "tail --count 1 --count 2", "--count is given twice" },
        { "token mint --user 7", "missing --business" },
        { "token mint --user 7 --business 1 --claim x",
          "--claim: 'x' is not a claim like name=value" },
        { "token mint --user 7 --business 1 --claim x=\"a\\u0000b\"",
          "--claim: a claim like name=value cannot hold a NUL" },
        { "webhook replay a --url ftp://x", "--url: 'ftp://x' is not an http:// or https:// URL" },
        { "webhook replay a --url ftp://me:p@ss@x/@y",
          "--url: 'ftp://x/@y' is not an http:// or https:// URL" },
        { "webhook replay a --url me:pass@x", "--url: 'x' is not an http:// or https:// URL" },
        { "status -o yaml", "--output: 'yaml' is not an output format: text, json, ndjson, tsv" },
        { "status -o", "-o needs a value" },
        { "status -x", "unknown option -x" },
        { "status --header=yes", "--header takes no value" },
        { "wait never",
          "'never' is not a condition like ready, agent/7=available or chat/12=assigned" },
        { "wait agent/7", "'agent/7' is not a condition like ready, agent/7=available or "
                          "chat/12=assigned" },
        { "agent status 7 asleep", "'asleep' is not a status: available, busy, away" },
        { "agent capacity 7 many", "'many' is not a number of chats" },
        { "agent capacity 7 2147483648", "'2147483648' is not a number of chats" },
        { "emit note {a:1} --room r --business 1", "'{a:1}' is not JSON" },
        { "emit note {} --room r", "missing --business" },
        { "config check", "missing --config" },
        { "config check -c", "-c needs a value" },
        { "tail --since yesterday", "--since: 'yesterday' is not a position, a time like "
                                    "2026-03-01T09:30:00Z or a duration like 10m" },
        { "token revoke --issued-before 5", "--issued-before: '5' is not a time like "
                                            "2026-03-01T09:30:00Z or a duration like 10m" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct errmsg msg = { "" };
        struct ctl_line line;

        if (parse(bad[i].line, &line, &msg) == OK) {
            fail_msg("accepted: '%s'", bad[i].line);
        }
        assert_string_equal(msg.text, bad[i].message);
        ctl_line_finish(&line);
    }
}

static void a_condition_names_a_subject_and_one_of_its_states(void **state)
{
    static const struct {
        const char *text;
        enum ctl_subject subject;
        int64_t id; /* -1 = refused */
        const char *state;
    } vectors[] = {
        { "ready", CTL_SUBJECT_READY, 0, "" },
        { "settled", CTL_SUBJECT_SETTLED, 0, "" },
        { "agent/7=available", CTL_SUBJECT_AGENT, 7, "available" },
        { "agent/7=online", CTL_SUBJECT_AGENT, 7, "online" },
        { "agent/7=offline", CTL_SUBJECT_AGENT, 7, "offline" },
        { "chat/12=assigned", CTL_SUBJECT_CHAT, 12, "assigned" },
        { "chat/9007199254740991=closed", CTL_SUBJECT_CHAT, INT64_C(9007199254740991), "closed" },
        { "", 0, -1, NULL },
        { "ready=", 0, -1, NULL },
        { "settled/1=x", 0, -1, NULL },
        { "ready/1", 0, -1, NULL },
        { "ready/=x", 0, -1, NULL },
        { "agent", 0, -1, NULL },
        { "agent/7", 0, -1, NULL },
        { "agent/7=", 0, -1, NULL },
        { "agent/7=assigned", 0, -1, NULL },
        { "agent/0=away", 0, -1, NULL },
        { "agent/x=away", 0, -1, NULL },
        { "chat/12=online", 0, -1, NULL },
        { "chat/12=assigned ", 0, -1, NULL },
        { "room/1=open", 0, -1, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct ctl_condition condition = { .id = -1 };

        if (ctl_condition_parse(str_of(vectors[i].text), &condition) != (vectors[i].id >= 0)) {
            fail_msg("'%s'", vectors[i].text);
        }
        assert_int_equal(condition.id, vectors[i].id);
        if (vectors[i].id >= 0) {
            assert_int_equal(condition.subject, vectors[i].subject);
            assert_true(str_eq(condition.state, str_of(vectors[i].state)));
        }
    }
}

static void the_options_of_every_command_are_understood_anywhere(void **state)
{
    struct errmsg msg = { "" };
    struct ctl_line line;

    (void)state;
    assert_int_equal(parse("-Ho tsv room -s /tmp/x list --reply-timeout 2s", &line, &msg), OK);
    assert_string_equal(json_string_value(line.options[CTL_OPT_output]), "tsv");
    assert_string_equal(json_string_value(line.options[CTL_OPT_socket]), "/tmp/x");
    assert_int_equal(json_integer_value(line.options[CTL_OPT_timeout]), 2000);
    assert_true(json_is_true(line.options[CTL_OPT_header]));
    assert_null(line.options[CTL_OPT_help]);
    ctl_line_finish(&line);

    assert_int_equal(parse("chat show --help", &line, &msg), OK);
    assert_non_null(line.options[CTL_OPT_help]);
    ctl_line_finish(&line);
    assert_int_equal(parse("agent -h", &line, &msg), OK);
    assert_ptr_equal(line.command, &ctl_commands[CTL_CMD_help]);
    assert_null(line.options[CTL_OPT_help]);
    ctl_line_finish(&line);
    assert_int_equal(parse("--version", &line, &msg), OK);
    assert_null(line.command);
    ctl_line_finish(&line);
}

static void the_args_of_a_request_are_checked_like_a_command_line(void **state)
{
    static const struct {
        const char *cmd, *args, *accepted; /* accepted NULL: refused */
    } vectors[] = {
        { "chat show", "{\"chat\":12}", "{\"chat\":12}" },
        { "chat show", "{\"chat\":\"12\"}", "{\"chat\":12}" },
        { "chat show", "{\"chat\":0}", NULL },
        { "chat show", "{\"chat\":1.5}", NULL },
        { "chat show", "{\"chat\":null}", NULL },
        { "chat show", "{}", NULL },
        { "chat show", "{\"chat\":1,\"more\":2}", NULL },
        { "tail", "{\"event\":\"a\"}", "{\"event\":[\"a\"]}" },
        { "tail", "{\"event\":[\"a\",\"b\"],\"for\":\"2s\"}",
          "{\"event\":[\"a\",\"b\"],\"for\":2000}" },
        { "tail", "{\"event\":[1]}", NULL },
        { "tail", "{\"count\":-1}", NULL },
        { "token mint", "{\"user\":1,\"business\":2,\"claim\":{\"a\":1}}",
          "{\"user\":1,\"business\":2,\"claim\":[{\"a\":1}]}" },
        { "token mint", "{\"user\":1,\"business\":2,\"claim\":{\"a\":1,\"b\":2}}", NULL },
        { "chat list", "{\"state\":\"odd\"}", NULL },
        { "chat assign", "{\"chat\":1,\"agent\":2,\"ifWaiting\":true}",
          "{\"chat\":1,\"agent\":2,\"ifWaiting\":true}" },
        { "chat assign", "{\"chat\":1,\"agent\":2,\"ifWaiting\":false}",
          "{\"chat\":1,\"agent\":2}" },
        { "store backup", "{\"file\":\"/x\",\"force\":false}", "{\"file\":\"/x\"}" },
        { "store backup", "{\"file\":\"/x\",\"force\":null}", NULL },
        { "tail", "{\"since\":0}", "{\"since\":0}" },
        { "tail", "{\"since\":-1}", NULL },
        { "tail", "{\"since\":\"12\"}", "{\"since\":12}" },
        { "token revoke", "{\"issuedBefore\":\"2026-03-01T09:30Z\"}",
          "{\"issuedBefore\":\"2026-03-01T09:30Z\"}" },
        { "token revoke", "{\"issuedBefore\":1772357400}", NULL },
        { "wait", "{\"condition\":\"chat/0=waiting\"}", NULL },
        { "store backup", "{\"file\":\"/x/a\\u0000b\"}", NULL },
        { "tail", "{\"event\":[\"a\",\"b\\u0000\"]}", NULL },
        { "business add", "{\"business\":1,\"name\":\"\\u0000\"}", NULL },
        { "token mint", "{\"user\":1,\"business\":2,\"claim\":{\"x\":[{\"y\":\"a\\u0000\"}]}}",
          NULL },
        { "token mint", "{\"user\":1,\"business\":2,\"claim\":\"x=\\\"\\\\u0000\\\"\"}", NULL },
        { "webhook deliver", "{\"body\":\"a\\u0000b\"}", "{\"body\":\"a\\u0000b\"}" },
        { "emit", "{\"room\":\"r\",\"business\":1,\"event\":\"e\",\"json\":{\"a\": 1}}",
          "{\"room\":\"r\",\"business\":1,\"event\":\"e\",\"json\":\"{\\\"a\\\":1}\"}" },
        { "emit", "{\"room\":\"r\",\"business\":1,\"event\":\"e\",\"json\":\"[1,\\n2]\"}",
          "{\"room\":\"r\",\"business\":1,\"event\":\"e\",\"json\":\"[1,2]\"}" },
        { "emit", "{\"room\":\"r\",\"business\":1,\"event\":\"e\",\"json\":\"[1e400, 1E5, 1.0]\"}",
          "{\"room\":\"r\",\"business\":1,\"event\":\"e\",\"json\":\"[1e400,1E5,1.0]\"}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autojson json_t *args = json_loads(vectors[i].args, JSON_ALLOW_NUL, NULL);
        struct errmsg msg = { "" };
        autojson json_t *accepted =
            ctl_args_accept(ctl_command_find(str_of(vectors[i].cmd)), args, &msg);
        autobuf struct buf text = BUF_INIT;

        assert_int_equal(accepted != NULL, vectors[i].accepted != NULL);
        assert_int_equal(accepted == NULL, msg.text[0] != '\0');
        if (accepted != NULL) {
            json_add_tree(&text, accepted);
            assert_string_equal(text.data, vectors[i].accepted);
        }
    }
}

static void commands_are_found_by_their_whole_name_only(void **state)
{
    (void)state;
    assert_non_null(ctl_command_find(STR("room list")));
    assert_non_null(ctl_command_find(STR("webhook deliver")));
    assert_null(ctl_command_find(STR("room")));
    assert_null(ctl_command_find(STR("room l")));
    assert_null(ctl_command_find(STR("")));
}

static void collect(void *arg, const char *word)
{
    struct buf *list = arg;

    buf_printf(list, "%s ", word);
}

static void candidates_leave_plumbing_out(void **state)
{
    static const char *const words[] = { "webhook", "token" };
    static const char *const three[] = { "webhook", "quarantine", "list" };
    autobuf struct buf list = BUF_INIT;

    (void)state;
    ctl_command_candidates(NULL, 0, "", collect, &list);
    assert_string_equal(list.data,
                        "status wait room socket chat message agent contact business emit tail "
                        "webhook store token config log audit shell help ");
    buf_clear(&list);
    ctl_command_candidates(words, 1, "", collect, &list);
    assert_string_equal(list.data, "list show replay sign verify export scan quarantine ");
    buf_clear(&list);
    ctl_command_candidates(three, 2, "", collect, &list);
    assert_string_equal(list.data, "list show replay drop ");
    buf_clear(&list);
    ctl_command_candidates(three, 3, "", collect, &list);
    assert_int_equal(list.len, 0);
    buf_clear(&list);
    ctl_command_candidates(words + 1, 1, "m", collect, &list);
    assert_string_equal(list.data, "mint ");
}

static void minted_claims_hold_what_was_asked_for(void **state)
{
    autojson json_t *args = json_loads("{\"user\":7,\"business\":1,\"role\":\"supervisor\","
                                       "\"ttl\":60000,\"claim\":[{\"exp\":5},{\"x\":[1]}]}",
                                       0, NULL);
    autobuf struct buf text = BUF_INIT;
    autojson json_t *claims = NULL;

    (void)state;
    ctl_mint_claims(args, "me", "", 1000, &text);
    claims = json_loadb(text.data, text.len, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(claims, "userId")), 7);
    assert_int_equal(json_integer_value(json_object_get(claims, "iat")), 1000);
    assert_int_equal(json_integer_value(json_object_get(claims, "exp")), 5);
    assert_string_equal(json_string_value(json_object_get(claims, "role")), "supervisor");
    assert_string_equal(json_string_value(json_object_get(claims, "iss")), "me");
    assert_null(json_object_get(claims, "aud"));
    assert_int_equal(json_array_size(json_object_get(claims, "x")), 1);
    assert_int_equal(json_string_length(json_object_get(claims, "jti")), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_grammar_of_the_table_is_well_formed),
        cmocka_unit_test(malformed_grammars_are_noticed),
        cmocka_unit_test(an_option_takes_a_value_in_all_commands_or_in_none),
        cmocka_unit_test(a_line_becomes_the_args_of_a_request),
        cmocka_unit_test(a_bad_line_is_refused_with_an_exact_sentence),
        cmocka_unit_test(a_condition_names_a_subject_and_one_of_its_states),
        cmocka_unit_test(the_options_of_every_command_are_understood_anywhere),
        cmocka_unit_test(the_args_of_a_request_are_checked_like_a_command_line),
        cmocka_unit_test(commands_are_found_by_their_whole_name_only),
        cmocka_unit_test(candidates_leave_plumbing_out),
        cmocka_unit_test(minted_claims_hold_what_was_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

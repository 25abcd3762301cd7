/* The configuration: what is read, what is refused, and that every refusal names its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/config.h"

static char directory[] = "/tmp/test_config.XXXXXX";
static char *conf; /* the file's path, and what errors call it */

static void write_bytes(const char *path, struct str text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static struct config *load(const char *text, const char *const *overrides, size_t count)
{
    struct config *config = NULL;
    struct errmsg msg = { "" };

    write_bytes(conf, str_of(text));
    if (config_load(conf, overrides, count, &config, &msg) != OK) {
        fail_msg("%s: %s", text, msg.text);
    }
    return config;
}

/* `want` without the file's name. */
static void assert_refused(struct str text, const char *want)
{
    struct config *config = NULL;
    struct errmsg msg = { "" };

    write_bytes(conf, text);
    if (config_load(conf, NULL, 0, &config, &msg) == OK) {
        fail_msg("accepted: %.*s", STR_ARG(text));
    }
    assert_null(config);
    assert_int_equal(strncmp(msg.text, conf, strlen(conf)), 0);
    assert_string_equal(msg.text + strlen(conf), want);
}

static void assert_override_refused(const char *override, const char *want)
{
    struct config *config = NULL;
    struct errmsg msg = { "" };

    if (config_load(NULL, &override, 1, &config, &msg) == OK) {
        fail_msg("accepted: %s", override);
    }
    assert_string_equal(msg.text, want);
}

static void defaults_suit_a_production_desk(void **state)
{
    struct config *config = config_defaults();

    (void)state;
    assert_int_equal(config->http.listen.count, 1);
    assert_string_equal(config->http.listen.items[0], "127.0.0.1:3000");
    assert_null(config->http.listen.items[1]);
    assert_int_equal(config->http.cors_origins.count, 0);
    assert_null(config->http.cors_origins.items[0]);
    assert_int_equal(config->engineio.ping_interval_ms, 25000);
    assert_int_equal(config->engineio.max_payload, 1000000);
    assert_int_equal(config->jwt.algorithm, TOKEN_HS256);
    assert_true(config->jwt.require_exp);
    assert_string_equal(config->jwt.issuer, "");
    assert_string_equal(config->store.url, "sqlite:/var/lib/siod/siod.db");
    assert_int_equal(config->store.synchronous, CONFIG_SYNCHRONOUS_FULL);
    assert_int_equal(config->assign.policy, CONFIG_POLICY_LEAST_LOADED);
    assert_int_equal(config->log.level, LOG_LEVEL_INFO);
    assert_int_equal(config->log.format, LOG_FORMAT_TEXT);
    assert_true(config->recovery.enabled);
    assert_true(config->limits.body_bytes >= 4 << 20);
    assert_int_equal(config->app_count, 0);
    assert_int_equal(config->business_count, 0);
    config_free(config);
}

static void a_file_is_read(void **state)
{
    struct config *config = load("# all kinds of values\n"
                                 "http { listen = {\"127.0.0.1:0\", \"unix:/tmp/x\"}\n"
                                 "       cors_origins = {\"http://localhost:5173\"} }\n"
                                 "engineio { ping_interval_ms = 300 /* short */\n"
                                 "  max_payload = 2000000 allow_eio3 = yes }\n"
                                 "jwt { algorithm = ES256  key_files = \"one.pem\" leeway_s = 0 }\n"
                                 "app main { path = \"/webhook\" secret_files = {'a', \"b\"} }\n"
                                 "app second { // another\n"
                                 "  path = /hook secret_files = {c,} }\n"
                                 "business 456 { name = \"Acme \\\"\xc3\xa4\\\"\"\n"
                                 "  phone_number_ids = {\"106540352242922\", 2} }\n"
                                 "limits { json_depth = 0 }\n"
                                 "log { level = debug format = json }\n"
                                 "retention { raw_body_days = 0 }\n",
                                 NULL, 0);

    (void)state;
    assert_int_equal(config->http.listen.count, 2);
    assert_string_equal(config->http.listen.items[1], "unix:/tmp/x");
    assert_int_equal(config->engineio.ping_interval_ms, 300);
    assert_int_equal(config->engineio.max_payload, 2000000);
    assert_true(config->engineio.allow_eio3);
    assert_int_equal(config->jwt.algorithm, TOKEN_ES256);
    assert_string_equal(config->jwt.key_files.items[0], "one.pem");
    assert_int_equal(config->jwt.leeway_s, 0);
    assert_int_equal(config->app_count, 2);
    assert_string_equal(config->app[0].title, "main");
    assert_int_equal(config->app[0].secret_files.count, 2);
    assert_string_equal(config->app[1].title, "second");
    assert_string_equal(config->app[1].path, "/hook");
    assert_int_equal(config->app[1].secret_files.count, 1);
    assert_string_equal(config->app[1].verify_token_file, "");
    assert_int_equal(config->business_count, 1);
    assert_string_equal(config->business[0].title, "456");
    assert_string_equal(config->business[0].name, "Acme \"\xc3\xa4\"");
    assert_string_equal(config->business[0].phone_number_ids.items[1], "2");
    assert_int_equal(config->limits.json_depth, 0);
    assert_int_equal(config->log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(config->log.format, LOG_FORMAT_JSON);
    assert_int_equal(config->retention.raw_body_days, 0);
    assert_int_equal(config->engineio.ping_timeout_ms, 20000);
    config_free(config);
}

static void an_empty_file_is_the_defaults(void **state)
{
    static const char *const texts[] = { "", "\n", "# nothing\n", "/* */", "http { }" };
    struct config *defaults = config_defaults();
    autobuf struct buf want = BUF_INIT;

    (void)state;
    config_print(defaults, &want);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct config *config = load(texts[i], NULL, 0);
        autobuf struct buf got = BUF_INIT;

        config_print(config, &got);
        assert_string_equal(got.data, want.data);
        config_free(config);
    }
    config_free(defaults);
}

static void a_truth_value_has_three_words(void **state)
{
    static const char *const words[2][3] = { { "false", "no", "off" }, { "true", "yes", "on" } };
    static const char *const none[] = { "TRUE", "1", "Yes", "y" };
    char text[64], want[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(words) * ARRAY_SIZE(words[0]); i++) {
        struct config *config;

        snprintf(text, sizeof text, "engineio { allow_eio3 = %s }", words[i % 2][i / 2]);
        config = load(text, NULL, 0);
        assert_int_equal(config->engineio.allow_eio3, i % 2);
        config_free(config);
    }
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        snprintf(text, sizeof text, "engineio.allow_eio3=%s", none[i]);
        snprintf(want, sizeof want, "-o %s: true or false is expected, not \"%s\"", text, none[i]);
        assert_override_refused(text, want);
    }
}

static void an_empty_list_replaces_the_default(void **state)
{
    struct config *config = load("http { listen = {} }", NULL, 0);

    (void)state;
    assert_int_equal(config->http.listen.count, 0);
    config_free(config);
}

static void environment_variables_are_expanded_in_strings(void **state)
{
    struct config *config;

    (void)state;
    setenv("TEST_CONFIG_DIRECTORY", "/run/x", 1);
    unsetenv("TEST_CONFIG_UNSET");
    config = load("store { url = \"sqlite:${TEST_CONFIG_DIRECTORY}/y\" }\n"
                  "control { socket = \"${TEST_CONFIG_UNSET:-/z}\" }\n"
                  "jwt { issuer = 'a${TEST_CONFIG_UNSET}' audience = \"\\${b}\" }",
                  NULL, 0);
    assert_string_equal(config->store.url, "sqlite:/run/x/y");
    assert_string_equal(config->control.socket, "/z");
    assert_string_equal(config->jwt.issuer, "a${TEST_CONFIG_UNSET}");
    assert_string_equal(config->jwt.audience, "${b}");
    config_free(config);
    assert_refused(STR("jwt {\n issuer = \"${TEST_CONFIG_UNSET}\" }"),
                   ":2: environment variable TEST_CONFIG_UNSET is not set");
}

static void what_is_printed_parses_back_to_itself(void **state)
{
    struct config *config = load("http { listen = {\"a:1\", \"b:2\"} tls_cert_file = \"/c\\\\d\"\n"
                                 "tls_key_file = '/$x\"{y}' }\n"
                                 "app one { secret_files = {\"a b\"} }\n"
                                 "app two { path = \"/2\" secret_files = {\"#\", \"//\"} }\n"
                                 "business 1 { name = \"tab\\there \xf0\x9f\x98\x80\" }\n"
                                 "typing { throttle_ms = 0 }\n"
                                 "assign { policy = manual }\n",
                                 NULL, 0);
    autobuf struct buf first = BUF_INIT;
    autobuf struct buf second = BUF_INIT;
    struct config *again;

    (void)state;
    config_print(config, &first);
    again = load(first.data, NULL, 0);
    config_print(again, &second);
    assert_string_equal(first.data, second.data);
    assert_string_equal(again->http.tls_key_file, "/$x\"{y}");
    assert_string_equal(again->business[0].name, "tab\there \xf0\x9f\x98\x80");
    assert_non_null(strstr(first.data, "policy = manual\n"));
    assert_non_null(strstr(first.data, "app two {\n    path = \"/2\"\n"));
    config_free(config);
    config_free(again);
}

static void every_setting_is_in_the_table_and_in_the_print(void **state)
{
    struct config *config = load("app a { secret_files = {x} } business 1 { }", NULL, 0);
    const struct config_setting *setting;
    autobuf struct buf text = BUF_INIT;
    size_t count = 0;

    (void)state;
    config_print(config, &text);
    for (; (setting = config_setting_at(count)) != NULL; count++) {
        autofree char *line = xasprintf("\n    %s = ", setting->key);

        assert_non_null(strstr(text.data, line));
        assert_true(strlen(setting->help) > 5);
        assert_int_equal(*setting->title != '\0', strcmp(setting->section, "app") == 0 ||
                                                      strcmp(setting->section, "business") == 0);
        assert_int_equal(setting->words != NULL, setting->type == CONFIG_CHOICE);
    }
    assert_true(count > 40);
    config_free(config);
}

static void a_bad_file_is_refused_with_its_line(void **state)
{
    static const struct {
        struct str text;
        const char *want;
    } vectors[] = {
        /* structure */
        { STR_INIT("\n\nhtpp { }"), ":3: unknown section htpp" },
        { STR_INIT("http {\n\n listne = \"x\" }"), ":3: unknown setting listne in section http" },
        { STR_INIT("listen = \"x\""), ":1: listen stands outside of any section" },
        { STR_INIT("\nhttp {\n listen = \"x\"\n"), ":2: section http is not closed" },
        { STR_INIT("http {\n listen = {\"x\"\n"), ":1: section http is not closed" },
        { STR_INIT("http {\n listen = \"x\"\n\napp main {\n path = \"/\" }"),
          ":4: { unexpected: is section http of line 1 closed?" },
        { STR_INIT("http { }\n}\n"), ":2: unexpected closing brace" },
        { STR_INIT("http\n"), ":2: premature end of file" },
        { STR_INIT("http x {\n}"), ":1: missing opening brace for section 'http'" },
        { STR_INIT("\napp {\n}"), ":2: section app needs a title: app NAME { ... }" },
        { STR_INIT("app \"a b\" {\n}"),
          ":1: \"a b\" is no title: 1 to 64 letters, digits, - and _ are expected" },
        { STR_INIT("\n{"), ":2: { unexpected: the name of a section is missing" },
        { STR_INIT("\"\" { }"), ":1: { unexpected: the name of a section is missing" },
        { STR_INIT("= x"), ":1: = unexpected: the name of a setting is missing" },
        { STR_INIT("http { listen = \"a:1\" }\njwt {\n = 5 }"),
          ":3: = unexpected: the name of a setting is missing" },
        { STR_INIT("jwt {\n issuer = \"${NOPE\" }"), ":2: this ${ is not closed" },
        { STR_INIT("jwt {\n issuer = \"a\n${NO\nPE}\" }"), ":3: this ${ is not closed" },
        { STR_INIT("jwt {\n issuer = \"${}\" }"),
          ":2: ${ wants the name of an environment variable" },
        { STR_INIT("jwt {\n issuer = \"${:-x}\" }"),
          ":2: ${ wants the name of an environment variable" },
        { STR_INIT("business \"\" { }"),
          ":1: section business needs a title: business ID { ... }" },
        { STR_INIT("typing {\n expire_ms 5 }"), ":2: missing equal sign after option 'expire_ms'" },
        { STR_INIT("typing {\n expire_ms =\n }"), ":3: unexpected token '}'" },
        { STR_INIT("typing {\n\n expire_ms = {5} }"), ":3: unexpected token '{'" },
        { STR_INIT("typing {\n\n expire_ms = 5 6 }"), ":3: no such option '6'" },
        { STR_INIT("http {\n cors_origins += {\"a\"} }"), ":2: + must stand in quotes" },
        { STR_INIT("http {\n cors_origins = * }"), ":2: * must stand in quotes" },
        { STR_INIT("http|listen = x"), ":1: | must stand in quotes" },
        { STR_INIT("jwt {\n issuer = $HOME }"), ":2: $ must stand in quotes" },
        { STR_INIT("jwt {\n issuer = \"a\0b\" }"), ":2: byte 0x00" },
        { STR_INIT("\x01"), ":1: byte 0x01" },
        { STR_INIT("\njwt { issuer = \"abc\n\n }"), ":2: this string is not closed" },
        { STR_INIT("jwt { issuer = 'abc\\"), ":1: this string is not closed" },
        { STR_INIT("\n\n/* abc\n\n"), ":3: this comment is not closed" },
        /* twice */
        { STR_INIT("http {\n listen = \"x\"\n listen = \"y\" }"),
          ":3: http.listen is already in line 2" },
        { STR_INIT("http { }\nhttp { }"), ":2: http is already in line 1" },
        { STR_INIT("app a { secret_files = {x} }\n\napp a { secret_files = {x} }"),
          ":3: app.a is already in line 1" },
        /* values */
        { STR_INIT("typing {\n expire_ms = -5 }"),
          ":2: typing.expire_ms: a whole number is expected, not \"-5\"" },
        { STR_INIT("typing {\n expire_ms = 5s }"),
          ":2: typing.expire_ms: a whole number is expected, not \"5s\"" },
        { STR_INIT("typing {\n expire_ms = 0x10 }"),
          ":2: typing.expire_ms: a whole number is expected, not \"0x10\"" },
        { STR_INIT("typing {\n expire_ms = \"\" }"),
          ":2: typing.expire_ms: a whole number is expected, not \"\"" },
        { STR_INIT("typing {\n expire_ms = 1.5 }"),
          ":2: typing.expire_ms: a whole number is expected, not \"1.5\"" },
        { STR_INIT("typing {\n expire_ms = 60001 }"),
          ":2: typing.expire_ms: 60001 is not between 0 and 60000 ms" },
        { STR_INIT("typing {\n expire_ms = 99999999999999999999999 }"),
          ":2: typing.expire_ms: the number is not between 0 and 60000 ms" },
        { STR_INIT("retention {\n raw_body_days = 7 }"),
          ":2: retention.raw_body_days: 7 is not between 8 and 36500 days, nor 0" },
        { STR_INIT("recovery {\n enabled = 1 }"),
          ":2: recovery.enabled: true or false is expected, not \"1\"" },
        { STR_INIT("log {\n level = loud }"),
          ":2: log.level: one of error|warn|info|debug is expected, not \"loud\"" },
        { STR_INIT("log {\n level = \"error|warn\" }"),
          ":2: log.level: one of error|warn|info|debug is expected, not \"error|warn\"" },
        { STR_INIT("http {\n listen = {\"a\", \"\"} }"), ":2: http.listen: must not be empty" },
        /* several settings */
        { STR_INIT("http {\n cors_origins = {\"*\", \"http://a\"} }"),
          ":2: http.cors_origins: * stands alone" },
        { STR_INIT("http {\n cors_origins = {\"http://a/\"} }"),
          ":2: http.cors_origins: http://a/ is no origin such as https://desk.example.com" },
        { STR_INIT("http {\n trusted_proxies = {\"10.0.0.0/33\"} }"),
          ":2: http.trusted_proxies: 10.0.0.0/33 is no address, network or \"unix\"" },
        { STR_INIT("http {\n\n tls_cert_file = a }"),
          ":3: http.tls_cert_file: tls_cert_file and tls_key_file go together" },
        { STR_INIT("http {\n listen = {\"a:0\", \"127.0.0.1:65536\"} }"),
          ":2: http.listen: 127.0.0.1:65536 is not ADDRESS:PORT, [ADDRESS]:PORT, :PORT, unix:PATH "
          "or systemd" },
        { STR_INIT("http {\n admin_listen = {\"a:http\"} }"),
          ":2: http.admin_listen: a:http is not ADDRESS:PORT, [ADDRESS]:PORT, :PORT, unix:PATH or "
          "systemd" },
        { STR_INIT("http {\n listen = {\"unix:\"} }"),
          ":2: http.listen: unix: is not ADDRESS:PORT, [ADDRESS]:PORT, :PORT, unix:PATH or "
          "systemd" },
        { STR_INIT("store {\n url = \"mysql:x\" }"), ":2: store.url: sqlite:PATH is expected" },
        { STR_INIT("store {\n url = \"sqlite:\" }"), ":2: store.url: sqlite:PATH is expected" },
        { STR_INIT("\napp a { }"), ":2: app.a.secret_files: must be given" },
        { STR_INIT("app a { secret_files = {x} }\napp b { secret_files = {x} }"),
          ":2: app.b.path: /webhook is the path of app a already" },
        { STR_INIT("app a { secret_files = {x}\n path = \"/api/x\" }"),
          ":2: app.a.path: /api/x is used by siod itself" },
        { STR_INIT("app a { secret_files = {x}\n path = webhook }"),
          ":2: app.a.path: a path that starts with / is expected" },
        { STR_INIT("\nbusiness acme { }"),
          ":2: business.acme: the ID must be a whole number from 1 to 2^53 - 1" },
        { STR_INIT("business 0 { }"),
          ":1: business.0: the ID must be a whole number from 1 to 2^53 - 1" },
        { STR_INIT("business 1 { phone_number_ids = {1, 2} }\n"
                   "business 2 { name = x\n phone_number_ids = {3, 2} }"),
          ":3: business.2.phone_number_ids: 2 belongs to business 1 already" },
        { STR_INIT("business 1 {\n phone_number_ids = {1, 1} }"),
          ":2: business.1.phone_number_ids: 1 belongs to business 1 already" },
        { STR_INIT("business 1 {\n phone_number_ids = {\"+49 1\"} }"),
          ":2: business.1.phone_number_ids: +49 1 does not consist of digits" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        assert_refused(vectors[i].text, vectors[i].want);
    }
}

static void lines_are_counted_through_comments_and_strings(void **state)
{
    (void)state;
    assert_refused(STR("/* a\n b */ # c\n// d\nbusiness 1 { name = \"x\ny\" }\njwt { # e {\n"
                       " issuer = 'a\nb'\n leeway_s = x }"),
                   ":9: jwt.leeway_s: a whole number is expected, not \"x\"");
}

static void a_missing_file_is_named(void **state)
{
    struct config *config;
    struct errmsg msg;

    (void)state;
    assert_int_equal(config_load("/nonexistent/siod.conf", NULL, 0, &config, &msg), ERR_IO);
    assert_string_equal(msg.text, "/nonexistent/siod.conf: No such file or directory");
    assert_int_equal(config_load(directory, NULL, 0, &config, &msg), ERR_IO);
}

static void overrides_win_over_the_file(void **state)
{
    static const char *const overrides[] = {
        "http.listen=127.0.0.1:1,127.0.0.1:2",
        "engineio.ping_interval_ms=100",
        "engineio.ping_interval_ms=200",
        "jwt.issuer=a=b.c",
        "jwt.key_files=",
        "app.main.secret_files=a,b",
        "business.456.name=X, Y",
        "business.7.phone_number_ids=70",
    };
    struct config *config = load("http { listen = \"x\" } jwt { key_files = {\"k\"} }\n"
                                 "business 456 { name = \"Acme\" phone_number_ids = {1} }",
                                 overrides, ARRAY_SIZE(overrides));

    (void)state;
    assert_int_equal(config->http.listen.count, 2);
    assert_string_equal(config->http.listen.items[1], "127.0.0.1:2");
    assert_int_equal(config->engineio.ping_interval_ms, 200);
    assert_string_equal(config->jwt.issuer, "a=b.c");
    assert_int_equal(config->jwt.key_files.count, 0);
    assert_string_equal(config->app[0].secret_files.items[1], "b");
    assert_string_equal(config->app[0].path, "/webhook");
    assert_int_equal(config->business_count, 2);
    assert_string_equal(config->business[0].name, "X, Y");
    assert_int_equal(config->business[0].phone_number_ids.count, 1);
    assert_string_equal(config->business[1].title, "7");
    config_free(config);
}

static void a_bad_override_is_quoted(void **state)
{
    (void)state;
    assert_override_refused("typing", "-o typing: SECTION.KEY=VALUE is expected");
    assert_override_refused("typing=1", "-o typing=1: SECTION.KEY=VALUE is expected");
    assert_override_refused("x.y=1", "-o x.y=1: unknown section x");
    assert_override_refused("typing.y=1", "-o typing.y=1: unknown setting y in section typing");
    assert_override_refused("typing.a.expire_ms=1",
                            "-o typing.a.expire_ms=1: section typing has no titles");
    assert_override_refused("app.path=/x",
                            "-o app.path=/x: section app needs a title: app.NAME.path");
    assert_override_refused("app..path=/x",
                            "-o app..path=/x: section app needs a title: app.NAME.path");
    assert_override_refused("app.a b.path=/x",
                            "-o app.a b.path=/x: \"a b\" is no title: 1 to 64 letters, digits, - "
                            "and _ are expected");
    assert_override_refused("typing.expire_ms=-1",
                            "-o typing.expire_ms=-1: a whole number is expected, not \"-1\"");
    assert_override_refused("http.listen=a,,b", "-o http.listen=a,,b: must not be empty");
    assert_override_refused("http.cors_origins=*,*", "-o http.cors_origins=*,*: * stands alone");
    assert_override_refused("app.main.path=/x", "app.main.secret_files: must be given");
}

static void a_check_blames_the_override_that_broke_it(void **state)
{
    static const char *const override[] = { "business.2.phone_number_ids=5" };
    struct config *config;
    struct errmsg msg;

    (void)state;
    write_bytes(conf, STR("business 1 { phone_number_ids = {5} }"));
    assert_int_equal(config_load(conf, override, 1, &config, &msg), ERR_INVALID);
    assert_string_equal(msg.text,
                        "-o business.2.phone_number_ids=5: 5 belongs to business 1 already");
}

static void what_is_found_later_is_blamed_on_its_place(void **state)
{
    static const struct {
        const char *section, *title, *key, *want;
    } vectors[] = {
        { "control", NULL, "operators", ":2: control.operators: no" },
        { "business", "7", "phone_number_ids", ":4: business.7.phone_number_ids: no" },
        { "control", NULL, "socket", ":2: control.socket: no" },
        { "jwt", NULL, "issuer", "-o jwt.issuer=x: no" },
        { "log", NULL, "level", "log.level: no" },
    };
    autofree char *override = xstrdup("jwt.issuer=x");
    struct config *config =
        load("\ncontrol { operators = {a} }\nbusiness 7 { name = x\nphone_number_ids = {1} }",
             (const char *const[]) { override }, 1);

    (void)state;
    memset(override, '?', strlen(override));
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        bool in_file = vectors[i].want[0] == ':';
        autofree char *want = xasprintf("%s%s", in_file ? conf : "", vectors[i].want);
        struct errmsg msg = { "no" };

        assert_int_equal(config_blame(config, ERR_EXISTS, vectors[i].section, vectors[i].title,
                                      vectors[i].key, &msg),
                         ERR_EXISTS);
        assert_string_equal(msg.text, want);
    }
    config_free(config);
}

static void one_trailing_newline_of_a_secret_is_ignored(void **state)
{
    static const struct {
        struct str text, secret;
    } vectors[] = {
        { STR_INIT("secret"), STR_INIT("secret") },
        { STR_INIT("secret\n"), STR_INIT("secret") },
        { STR_INIT("secret\n\n"), STR_INIT("secret\n") },
        { STR_INIT("secret\r\n"), STR_INIT("secret") },
        { STR_INIT("secret\r\n\r\n"), STR_INIT("secret\r\n") },
        { STR_INIT("secret\r"), STR_INIT("secret\r") },
        { STR_INIT("secret\n\r"), STR_INIT("secret\n\r") },
        { STR_INIT(" a\0b "), STR_INIT(" a\0b ") },
    };
    autofree char *path = xasprintf("%s/secret", directory);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autobuf struct buf secret = BUF_INIT;

        write_bytes(path, vectors[i].text);
        assert_int_equal(config_read_secret_file(path, &secret, NULL), OK);
        assert_true(str_eq(buf_str(&secret), vectors[i].secret));
    }
    unlink(path);
}

static void bad_secret_files_are_named(void **state)
{
    autofree char *path = xasprintf("%s/secret", directory);
    autofree char *large = xcalloc(CONFIG_SECRET_MAX + 2, 1);
    autofree char *want = NULL;
    autobuf struct buf secret = BUF_INIT;
    struct errmsg msg;

    (void)state;
    write_bytes(path, STR("\r\n"));
    assert_int_equal(config_read_secret_file(path, &secret, &msg), ERR_INVALID);
    write_bytes(path, STR("\n"));
    assert_int_equal(config_read_secret_file(path, &secret, &msg), ERR_INVALID);
    want = xasprintf("%s: the file is empty", path);
    assert_string_equal(msg.text, want);
    write_bytes(path, (struct str) { large, CONFIG_SECRET_MAX + 1 });
    assert_int_equal(config_read_secret_file(path, &secret, &msg), ERR_TOO_LARGE);
    write_bytes(path, (struct str) { large, CONFIG_SECRET_MAX });
    assert_int_equal(config_read_secret_file(path, &secret, &msg), OK);
    large[CONFIG_SECRET_MAX] = '\r';
    large[CONFIG_SECRET_MAX + 1] = '\n';
    write_bytes(path, (struct str) { large, CONFIG_SECRET_MAX + 2 });
    assert_int_equal(config_read_secret_file(path, &secret, &msg), OK);
    large[CONFIG_SECRET_MAX] = 'x';
    write_bytes(path, (struct str) { large, CONFIG_SECRET_MAX + 2 });
    assert_int_equal(config_read_secret_file(path, &secret, &msg), ERR_TOO_LARGE);
    unlink(path);
    assert_int_equal(config_read_secret_file(path, &secret, &msg), ERR_IO);
    assert_int_equal(config_read_secret_file(directory, &secret, &msg), ERR_IO);
}

static void relative_secrets_are_looked_up_among_the_credentials_first(void **state)
{
    autofree char *path = xasprintf("%s/test_config_secret", directory);
    autobuf struct buf secret = BUF_INIT;

    (void)state;
    write_bytes(path, STR("from credentials\n"));
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    assert_int_equal(config_read_secret_file("test_config_secret", &secret, NULL), OK);
    assert_string_equal(secret.data, "from credentials");
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(config_read_secret_file("test_config_secret", &secret, NULL), ERR_IO);
    unlink(path);
}

static void a_reload_does_not_wait_for_a_file(void **state)
{
    static const struct {
        const char *text, *want;
    } vectors[] = {
        { "\njwt {\n key_files = {\"a\", \"%s\"} }", ":3: jwt.key_files: " },
        { "http { tls_cert_file = \"%s\"\n tls_key_file = x }", ":1: http.tls_cert_file: " },
        { "app a {\n secret_files = {x}\n verify_token_file = \"%s\" }",
          ":3: app.a.verify_token_file: " },
    };
    autofree char *fifo = xasprintf("%s/fifo", directory);
    struct config *config = NULL;
    struct errmsg msg;

    (void)state;
    assert_int_equal(mkfifo(fifo, 0600), 0);
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        const char *rest = strstr(vectors[i].text, "%s") + strlen("%s");
        autofree char *text =
            xasprintf("%.*s%s%s", (int)(rest - 2 - vectors[i].text), vectors[i].text, fifo, rest);
        autofree char *want =
            xasprintf("%s%s%s is no regular file, and a running siod does not wait for it", conf,
                      vectors[i].want, fifo);

        config_free(load(text, NULL, 0)); /* a start looks at no file yet */
        assert_int_equal(config_reload(conf, NULL, 0, &config, &msg), ERR_INVALID);
        assert_string_equal(msg.text, want);
    }
    assert_int_equal(config_reload(fifo, NULL, 0, &config, &msg), ERR_INVALID);
    assert_non_null(strstr(msg.text, "/fifo is no regular file"));
    unlink(fifo);
    assert_int_equal(config_reload(conf, NULL, 0, &config, &msg),
                     OK); /* who needs it will say so */
    config_free(config);
}

static int make_directory(void **state)
{
    (void)state;
    conf = mkdtemp(directory) != NULL ? xasprintf("%s/siod.conf", directory) : NULL;
    return conf != NULL ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(conf);
    free(conf);
    return rmdir(directory);
}

static void add_path(void *arg, const struct config_change *change)
{
    config_change_path(change, arg);
    buf_add_cstr(arg, change->reloads ? " " : "! ");
}

static struct config *loaded(const char *const *overrides, size_t count)
{
    struct config *config = NULL;
    struct errmsg msg = { "" };

    assert_int_equal(config_load(NULL, overrides, count, &config, &msg), OK);
    return config;
}

static void what_reloads_is_taken_over_and_the_rest_stays(void **state)
{
    static const char *const before[] = { "app.a.secret_files=x", "app.a.path=/a",
                                          "business.1.name=One", "business.2.name=Two" };
    static const char *const after[] = { "app.a.secret_files=x,y", "app.a.path=/b",
                                         "app.c.secret_files=z",   "business.3.name=Three",
                                         "business.2.name=Zwei",   "log.level=debug",
                                         "limits.queue_bytes=5",   "typing.expire_ms=1",
                                         "recovery.enabled=false", "http.cors_origins=*",
                                         "jwt.issuer=somebody",    "http.tls_cert_file=/c",
                                         "http.tls_key_file=/k" };
    struct config *config = loaded(before, ARRAY_SIZE(before));
    struct config *file = loaded(after, ARRAY_SIZE(after));
    autobuf struct buf paths = BUF_INIT;

    (void)state;
    config_compare(config, file, add_path, &paths);
    assert_string_equal(
        paths.data,
        "http.cors_origins http.tls_cert_file http.tls_key_file jwt.issuer! app.a.path! "
        "app.a.secret_files app.c.path! app.c.secret_files! app.c.verify_token_file! "
        "recovery.enabled! typing.expire_ms limits.queue_bytes log.level business.1.name "
        "business.1.phone_number_ids business.2.name business.3.name "
        "business.3.phone_number_ids ");
    config_take(config, file);
    buf_clear(&paths);
    config_compare(config, file, add_path, &paths);
    assert_string_equal(paths.data, "jwt.issuer! app.a.path! app.c.path! app.c.secret_files! "
                                    "app.c.verify_token_file! recovery.enabled! ");
    config_free(file); /* nothing is shared */
    assert_string_equal(config->business[0].title, "3");
    assert_string_equal(config->app[0].secret_files.items[1], "y");
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_suit_a_production_desk),
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(an_empty_file_is_the_defaults),
        cmocka_unit_test(a_truth_value_has_three_words),
        cmocka_unit_test(an_empty_list_replaces_the_default),
        cmocka_unit_test(environment_variables_are_expanded_in_strings),
        cmocka_unit_test(what_is_printed_parses_back_to_itself),
        cmocka_unit_test(every_setting_is_in_the_table_and_in_the_print),
        cmocka_unit_test(a_bad_file_is_refused_with_its_line),
        cmocka_unit_test(lines_are_counted_through_comments_and_strings),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(overrides_win_over_the_file),
        cmocka_unit_test(a_bad_override_is_quoted),
        cmocka_unit_test(a_check_blames_the_override_that_broke_it),
        cmocka_unit_test(what_is_found_later_is_blamed_on_its_place),
        cmocka_unit_test(one_trailing_newline_of_a_secret_is_ignored),
        cmocka_unit_test(bad_secret_files_are_named),
        cmocka_unit_test(relative_secrets_are_looked_up_among_the_credentials_first),
        cmocka_unit_test(a_reload_does_not_wait_for_a_file),
        cmocka_unit_test(what_reloads_is_taken_over_and_the_rest_stays),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

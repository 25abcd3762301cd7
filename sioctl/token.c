/* `token …`: with the key files given, without a daemon; else with the daemon's own keys. */
#include "libshared/token.h"

#include <string.h>
#include <time.h>

#include "libshared/alloc.h"
#include "libshared/config.h"
#include "libshared/ctl/mint.h"
#include "libshared/json.h"
#include "sioctl/sioctl.h"

enum { LEEWAY_S = 5 };

/* HS256 unless said otherwise; but never by accident with a PEM, whose public half is public. */
static bool choose_algorithm(const struct session *session, const char *key_file,
                             enum token_algorithm *ret)
{
    const char *name = session_arg_text(session, "algorithm");
    autobuf struct buf key = BUF_INIT;
    struct errmsg msg = { "" };

    *ret = TOKEN_HS256;
    if (name != NULL) {
        return token_algorithm_parse(name, ret);
    }
    if (config_read_secret_file(key_file, &key, &msg) != OK) {
        say_failure(&msg);
        return false;
    }
    if (str_starts_with(buf_str(&key), STR("-----BEGIN"))) {
        say("%s is a PEM key: choose --algorithm RS256 or ES256", key_file);
        return false;
    }
    return true;
}

static enum exit_code mint_here(struct session *session, const char *key_file)
{
    const char *files[] = { key_file, NULL };
    struct token_config config = { .key_files = files };
    autobuf struct buf claims = BUF_INIT;
    autojson json_t *result = NULL;
    autofree char *token = NULL;
    struct errmsg msg = { "" };

    if (!choose_algorithm(session, key_file, &config.algorithm)) {
        return EXIT_REFUSED;
    }
    ctl_mint_claims(session->line->args, NULL, NULL, time(NULL), &claims);
    if (token_mint(&config, buf_str(&claims), &token, &msg) != OK) {
        say_failure(&msg);
        return EXIT_REFUSED;
    }
    result = json_pack("{s:s}", "token", token);
    output_result(&session->out, result);
    return EXIT_DONE;
}

enum exit_code run_token_mint(struct session *session)
{
    const char *key_file = session_arg_text(session, "keyFile");

    return key_file != NULL ? mint_here(session, key_file) : run_by_daemon(session);
}

/* The token that was given, or the one on stdin. */
static bool take_token(struct session *session, struct buf *to)
{
    const char *token = session_arg_text(session, "token");

    if (strcmp(token, "-") != 0) {
        buf_add_cstr(to, token);
        return true;
    }
    if (!read_input("-", TOKEN_MAX * 2, to)) {
        return false;
    }
    while (to->len > 0 && strchr(" \t\r\n", to->data[to->len - 1]) != NULL) {
        to->data[--to->len] = '\0';
    }
    return true;
}

static bool verify_here(struct session *session, const json_t *key_files, struct str token,
                        struct buf *ret_verdict)
{
    size_t count = json_array_size(key_files);
    autofree const char **files = xcalloc(count + 1, sizeof(*files));
    struct token_config config = { .key_files = files, .leeway_s = LEEWAY_S };
    struct token_verifier *verifier;
    struct token_claims claims;
    struct errmsg msg = { "" };
    enum err err;

    for (size_t i = 0; i < count; i++) {
        files[i] = json_string_value(json_array_get(key_files, i));
    }
    if (!choose_algorithm(session, files[0], &config.algorithm)) {
        return false;
    }
    if (token_verifier_new(&config, &verifier, &msg) != OK) {
        say_failure(&msg);
        return false;
    }
    err = token_verify(verifier, token, time(NULL), &claims, &msg);
    token_verifier_free(verifier);
    ctl_verdict_render(ret_verdict, err, &claims, &msg);
    return true;
}

static enum exit_code ask_verdict(struct session *session, struct str token, json_t **ret_verdict)
{
    autojson json_t *args = json_object();
    const struct ctl_call call = { .cmd = "token verify", .args = args };

    json_object_set_new(args, "token", json_text(token));
    return session_call(session, &call, ret_verdict);
}

static enum exit_code print_verdict(struct session *session, const json_t *verdict)
{
    struct str code = json_str_at(verdict, "code"), message = json_str_at(verdict, "message");

    output_result(&session->out, verdict);
    if (json_is_true(json_object_get(verdict, "valid"))) {
        return EXIT_DONE;
    }
    say("%.*s: %.*s", STR_ARG(code), STR_ARG(message));
    return EXIT_REFUSED;
}

enum exit_code run_token_verify(struct session *session)
{
    const json_t *key_files = session_arg(session, "keyFile");
    autobuf struct buf token = BUF_INIT;
    autobuf struct buf text = BUF_INIT;
    autojson json_t *verdict = NULL;

    if (!take_token(session, &token)) {
        return EXIT_REFUSED;
    }
    if (key_files == NULL) {
        enum exit_code code = ask_verdict(session, buf_str(&token), &verdict);

        return code == EXIT_DONE ? print_verdict(session, verdict) : code;
    }
    if (!verify_here(session, key_files, buf_str(&token), &text)) {
        return EXIT_REFUSED;
    }
    verdict = json_loadb(text.data, text.len, 0, NULL);
    return print_verdict(session, verdict);
}

/* The token is read here, so that it need not be on a command line. */
enum exit_code run_token_revoke(struct session *session)
{
    autojson json_t *args = json_copy(session->line->args);
    const struct ctl_call call = { .cmd = "token revoke", .args = args };
    autobuf struct buf token = BUF_INIT;
    autojson json_t *result = NULL;
    enum exit_code code;

    if (session_arg(session, "token") != NULL) {
        if (!take_token(session, &token)) {
            return EXIT_REFUSED;
        }
        json_object_set_new(args, "token", json_text(buf_str(&token)));
    }
    code = session_call(session, &call, &result);
    if (code == EXIT_DONE) {
        output_result(&session->out, result);
    }
    return code;
}

/* Whoever made the token need not have made JSON that the library reads as it stands. */
static enum exit_code print_parts(struct session *session, struct str header, struct str claims)
{
    const struct json_limits limits = { 0 };
    autojson json_t *result = json_object();
    struct errmsg msg = { "" };

    if (json_object_set_new(result, "header", json_read(header, &limits, &msg)) < 0 ||
        json_object_set_new(result, "claims", json_read(claims, &limits, &msg)) < 0) {
        say_failure(&msg);
        return EXIT_REFUSED;
    }
    output_result(&session->out, result);
    return EXIT_DONE;
}

enum exit_code run_token_decode(struct session *session)
{
    autobuf struct buf token = BUF_INIT;
    autobuf struct buf header = BUF_INIT;
    autobuf struct buf claims = BUF_INIT;
    struct errmsg msg = { "" };
    enum err err;

    if (!take_token(session, &token)) {
        return EXIT_REFUSED;
    }
    err = token_decode(buf_str(&token), &header, &claims, &msg);
    if (err != OK) {
        say("%s: %s", err_code(err), msg.text);
        return EXIT_REFUSED;
    }
    return print_parts(session, buf_str(&header), buf_str(&claims));
}

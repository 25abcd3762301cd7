#include "siod/net/http_parse.h"

#include <string.h>

#include <http_parser.h>

enum { HEAD_BYTES_HUGE = 1 << 30 };

ptrdiff_t http_scan(struct http_scan *scan, struct str bytes)
{
    while (scan->seen < bytes.len) {
        const char *from = bytes.data + scan->seen;
        const char *lf = memchr(from, '\n', bytes.len - scan->seen);
        size_t at;

        if (lf == NULL) {
            scan->seen = bytes.len;
            return 0;
        }
        at = (size_t)(lf - bytes.data);
        if (at == scan->line || bytes.data[at - 1] != '\r') {
            return -1;
        }
        scan->seen = at + 1;
        if (at - 1 == scan->line) {
            return (ptrdiff_t)(at + 1);
        }
        scan->line = at + 1;
    }
    return 0;
}

static bool is_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
        return true;
    }
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_char(text.data[i])) {
            return false;
        }
    }
    return text.len > 0;
}

/* Cuts the next line, without its CR LF, off *rest. */
static struct str next_line(struct str *rest)
{
    const char *lf = memchr(rest->data, '\n', rest->len);
    struct str line = { rest->data, (size_t)(lf - rest->data) - 1 };

    *rest = str_skip(*rest, line.len + 2);
    return line;
}

/* method SP target SP HTTP/1.x, single blanks, visible ASCII. */
static bool request_line_valid(struct str line)
{
    const char *target = memchr(line.data, ' ', line.len);
    const char *version;
    size_t left;

    if (target == NULL || !is_token((struct str) { line.data, (size_t)(target - line.data) })) {
        return false;
    }
    target++;
    left = line.len - (size_t)(target - line.data);
    version = memchr(target, ' ', left);
    if (version == NULL || version == target) {
        return false;
    }
    for (const char *at = target; at < version; at++) {
        if (*at <= ' ' || *at >= 0x7f) {
            return false;
        }
    }
    return left - (size_t)(version - target) == sizeof " HTTP/1.1" - 1;
}

static bool field_line_valid(struct str line)
{
    const char *colon = memchr(line.data, ':', line.len);

    if (colon == NULL || !is_token((struct str) { line.data, (size_t)(colon - line.data) })) {
        return false;
    }
    for (const char *at = colon + 1; at < line.data + line.len; at++) {
        if ((uint8_t)*at < ' ' && *at != '\t') {
            return false;
        }
        if (*at == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Every line ends in CR LF (http_scan() has seen to that). */
static bool lines_valid(struct str head)
{
    struct str line = next_line(&head);

    if (!request_line_valid(line)) {
        return false;
    }
    while (head.len > 2) {
        if (!field_line_valid(next_line(&head))) {
            return false;
        }
    }
    return true;
}

struct parse {
    http_parser parser;
    struct http_head *head;
    unsigned max_fields;
    bool too_many;
};

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct parse *parse = parser->data;

    parse->head->target = (struct str) { at, len };
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
    struct parse *parse = parser->data;
    struct http_head *head = parse->head;

    if (head->count == parse->max_fields || head->count == HTTP_FIELDS_MAX) {
        parse->too_many = true;
        return 1;
    }
    head->fields[head->count++] = (struct http_field) { .name = { at, len }, .value = { at, 0 } };
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct parse *parse = parser->data;

    if (parse->head->count == 0) {
        return 1;
    }
    parse->head->fields[parse->head->count - 1].value = str_trim((struct str) { at, len });
    return 0;
}

/* The body is ours to read. */
static int on_head_complete(http_parser *parser)
{
    struct parse *parse = parser->data;

    parse->head->keep_alive = http_should_keep_alive(parser) != 0;
    http_parser_pause(parser, 1);
    return 0;
}

static unsigned run_parser(struct parse *parse, struct str text)
{
    static const http_parser_settings settings = {
        .on_url = on_url,
        .on_header_field = on_field,
        .on_header_value = on_value,
        .on_headers_complete = on_head_complete,
    };
    enum http_errno error;

    http_parser_set_max_header_size(HEAD_BYTES_HUGE);
    http_parser_init(&parse->parser, HTTP_REQUEST);
    parse->parser.data = parse;
    http_parser_execute(&parse->parser, &settings, text.data, text.len);
    error = HTTP_PARSER_ERRNO(&parse->parser);
    if (parse->too_many) {
        return 431;
    }
    return error == HPE_PAUSED ? 0 : 400;
}

static unsigned check_version(struct str head)
{
    struct str line = next_line(&head);
    const char *version = line.data + line.len - (sizeof "HTTP/1.1" - 1);

    if (memcmp(version, "HTTP/", 5) != 0 || version[6] != '.') {
        return 400;
    }
    return version[5] == '1' && (version[7] == '0' || version[7] == '1') ? 0 : 505;
}

const struct http_field *http_field_find(const struct http_field *fields, size_t count,
                                         struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_nocase(fields[i].name, name)) {
            return &fields[i];
        }
    }
    return NULL;
}

/* The only field of that name; *ret_count says how many there are. */
static struct str only_field(const struct http_head *head, struct str name, unsigned *ret_count)
{
    struct str value = STR_NONE;

    *ret_count = 0;
    for (size_t i = 0; i < head->count; i++) {
        if (str_eq_nocase(head->fields[i].name, name)) {
            value = head->fields[i].value;
            ++*ret_count;
        }
    }
    return value;
}

bool http_list_has(struct str list, struct str token)
{
    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma != NULL ? (size_t)(comma - list.data) : list.len;

        if (str_eq_nocase(str_trim((struct str) { list.data, len }), token)) {
            return true;
        }
        list = str_skip(list, comma != NULL ? len + 1 : len);
    }
    return false;
}

/* In any of the fields of that name. */
static bool head_list_has(const struct http_head *head, struct str name, struct str token)
{
    for (size_t i = 0; i < head->count; i++) {
        if (str_eq_nocase(head->fields[i].name, name) &&
            http_list_has(head->fields[i].value, token)) {
            return true;
        }
    }
    return false;
}

/* Digits only; at most 2^48. */
static bool parse_length(struct str text, uint64_t *ret_length)
{
    uint64_t value = 0;

    if (text.len == 0 || text.len > 15) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    *ret_length = value;
    return true;
}

/* How long the body is must be beyond doubt (RFC 9112, 6.3). */
static unsigned check_framing(struct http_head *head)
{
    unsigned lengths, codings;
    struct str length = only_field(head, STR("Content-Length"), &lengths);
    struct str coding = only_field(head, STR("Transfer-Encoding"), &codings);

    if (lengths > 1 || codings > 1 || lengths + codings > 1) {
        return 400;
    }
    if (lengths == 1 && !parse_length(length, &head->content_length)) {
        return 400;
    }
    if (codings == 1 && (!str_eq_nocase(coding, STR("chunked")) || head->minor == 0)) {
        return 400;
    }
    head->chunked = codings == 1;
    return 0;
}

bool http_port_valid(struct str port)
{
    uint64_t number;

    return parse_length(port, &number) && number <= UINT16_MAX;
}

/* What stands behind the name or the address in brackets: nothing, or a port, which may be empty
 * (RFC 3986, 3.2.3). */
static bool host_end_valid(struct str host)
{
    struct str rest = host;
    const char *colon;

    if (host.len > 0 && host.data[0] == '[') {
        const char *bracket = memchr(host.data, ']', host.len);

        if (bracket == NULL) {
            return false;
        }
        rest = str_skip(host, (size_t)(bracket - host.data) + 1);
        if (rest.len > 0 && rest.data[0] != ':') {
            return false;
        }
    }
    colon = rest.len > 0 ? memchr(rest.data, ':', rest.len) : NULL;
    rest = colon != NULL ? str_skip(rest, (size_t)(colon - rest.data) + 1) : STR_NONE;
    return rest.len == 0 || http_port_valid(rest);
}

static bool host_valid(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];

        if (c <= ' ' || c >= 0x7f || strchr("/?#@\\,\"<>", c) != NULL) {
            return false;
        }
    }
    return host_end_valid(host);
}

static unsigned check_host(const struct http_head *head)
{
    unsigned hosts;
    struct str host = only_field(head, STR("Host"), &hosts);

    if (hosts > 1 || (hosts == 0 && head->minor >= 1)) {
        return 400;
    }
    if (head->authority.data != NULL &&
        (head->authority.len == 0 || !host_valid(head->authority))) {
        return 400;
    }
    return host_valid(host) ? 0 : 400;
}

static unsigned check_expect(struct http_head *head)
{
    unsigned expects;
    struct str expect = only_field(head, STR("Expect"), &expects);

    if (expects == 0) {
        return 0;
    }
    if (expects > 1 || !str_eq_nocase(expect, STR("100-continue"))) {
        return 417;
    }
    head->expect_continue = head->minor >= 1;
    return 0;
}

/* Absolute form, which only proxies are sent and every server has to take (RFC 9112, 3.2.2),
 * without what stands before the path. */
static struct str skip_authority(struct str target, struct str *ret_authority)
{
    static const struct str schemes[] = { STR_INIT("http://"), STR_INIT("https://") };

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        struct str head = { target.data, MIN(target.len, schemes[i].len) };

        if (str_eq_nocase(head, schemes[i])) {
            struct str slash = { target.data + schemes[i].len - 1, 1 }; /* must lie in the head */

            target = str_skip(target, schemes[i].len);
            *ret_authority = (struct str) { target.data, 0 };
            while (target.len > 0 && target.data[0] != '/' && target.data[0] != '?') {
                target = str_skip(target, 1);
                ret_authority->len++;
            }
            return target.len > 0 ? target : slash;
        }
    }
    return target;
}

/* Origin or absolute form, or "*" with OPTIONS. */
static unsigned split_target(struct http_head *head)
{
    struct str target = head->target;
    const char *mark;

    if (str_eq(target, STR("*")) && str_eq(head->method, STR("OPTIONS"))) {
        head->path = target;
        head->query = str_skip(target, 1);
        return 0;
    }
    target = skip_authority(target, &head->authority);
    if (target.len == 0 || target.data[0] != '/' || memchr(target.data, '#', target.len) != NULL) {
        return 400;
    }
    mark = memchr(target.data, '?', target.len);
    if (mark == NULL) {
        head->path = target;
        head->query = str_skip(target, target.len);
        return 0;
    }
    head->path = (struct str) { target.data, (size_t)(mark - target.data) };
    head->query = str_skip(target, head->path.len + 1);
    return 0;
}

unsigned http_head_parse(struct str text, unsigned max_fields, struct http_head *ret_head)
{
    struct parse parse = { .head = ret_head, .max_fields = max_fields };
    unsigned status, upgrades;

    ret_head->count = 0;
    ret_head->authority = STR_NONE;
    ret_head->content_length = 0;
    ret_head->expect_continue = false;
    if (max_fields == 0) {
        parse.max_fields = HTTP_FIELDS_MAX;
    }
    if (!lines_valid(text)) {
        return 400;
    }
    if ((status = check_version(text)) != 0 || (status = run_parser(&parse, text)) != 0) {
        return status;
    }
    ret_head->minor = parse.parser.http_minor;
    ret_head->method =
        (struct str) { text.data, (size_t)((char *)memchr(text.data, ' ', text.len) - text.data) };
    if ((status = split_target(ret_head)) != 0 || (status = check_framing(ret_head)) != 0 ||
        (status = check_host(ret_head)) != 0 || (status = check_expect(ret_head)) != 0) {
        return status;
    }
    /* HTTP/1.0 has no upgrades (RFC 9110, 7.8). */
    ret_head->upgrade = ret_head->minor >= 1 &&
                        head_list_has(ret_head, STR("Connection"), STR("upgrade")) &&
                        http_field_find(ret_head->fields, ret_head->count, STR("Upgrade")) != NULL;
    ret_head->upgrade_websocket =
        ret_head->upgrade &&
        str_eq_nocase(only_field(ret_head, STR("Upgrade"), &upgrades), STR("websocket"));
    return 0;
}

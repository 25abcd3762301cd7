#include "libshared/address.h"

#include <arpa/inet.h>
#include <limits.h>
#include <sys/un.h>

#include "libshared/id.h"

enum { PATH_LEN_MAX = sizeof((struct sockaddr_un *)0)->sun_path - 1, HOST_SIZE = 256 };

static bool parse_number(const char *text, int64_t max, int64_t *ret_number)
{
    *ret_number = 0;
    return strcmp(text, "0") == 0 || (id_parse(str_of(text), ret_number) && *ret_number <= max);
}

/* A name may be anything that is resolved; what looks like a number must be an address. */
static bool is_host(struct str host)
{
    char text[HOST_SIZE];
    unsigned char bytes[sizeof(struct in6_addr)];

    if (host.len >= sizeof text) {
        return false;
    }
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    if (strchr(text, ':') != NULL) {
        text[strcspn(text, "%")] = '\0'; /* the zone, fe80::1%eth0 */
        return inet_pton(AF_INET6, text, bytes) == 1;
    }
    return host.len == 0 || strspn(text, "0123456789.") < host.len ||
           inet_aton(text, (struct in_addr *)(void *)bytes) == 1;
}

static bool parse_tcp(const char *text, struct address *ret)
{
    const char *colon = strrchr(text, ':');
    struct str host;
    int64_t port;

    if (colon == NULL || !parse_number(colon + 1, UINT16_MAX, &port)) {
        return false;
    }
    host = (struct str) { text, (size_t)(colon - text) };
    if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']') {
        host = (struct str) { host.data + 1, host.len - 2 };
    } else if (memchr(host.data, ':', host.len) != NULL) {
        return false;
    }
    *ret = (struct address) { .kind = ADDRESS_TCP, .host = host, .port = colon + 1 };
    return memchr(host.data, '[', host.len) == NULL && memchr(host.data, ']', host.len) == NULL &&
           is_host(host);
}

/* NULL when it is none. */
static const char *unix_path(const char *text)
{
    if (str_starts_with(str_of(text), STR("unix:"))) {
        return text + strlen("unix:");
    }
    return text[0] == '/' ? text : NULL;
}

static bool parse(const char *text, struct address *ret)
{
    const char *path = unix_path(text);
    int64_t fd;

    if (path != NULL) {
        *ret = (struct address) { .kind = ADDRESS_UNIX, .path = path };
        return path[0] != '\0';
    }
    if (strcmp(text, "systemd") == 0) {
        *ret = (struct address) { .kind = ADDRESS_SYSTEMD };
        return true;
    }
    if (str_starts_with(str_of(text), STR("fd:"))) {
        bool good = parse_number(text + strlen("fd:"), INT_MAX, &fd);

        *ret = (struct address) { .kind = ADDRESS_FD, .fd = (int)fd };
        return good;
    }
    return parse_tcp(text, ret);
}

enum err address_parse(const char *text, struct address *ret, struct errmsg *msg)
{
    struct address address;

    if (!parse(text, &address)) {
        return err_set(msg, ERR_INVALID,
                       "%s is not ADDRESS:PORT, [ADDRESS]:PORT, :PORT, unix:PATH or systemd", text);
    }
    if (address.kind == ADDRESS_UNIX && strlen(address.path) > PATH_LEN_MAX) {
        return err_set(msg, ERR_INVALID, "a path of more than %d bytes: %s", PATH_LEN_MAX,
                       address.path);
    }
    *ret = address;
    return OK;
}

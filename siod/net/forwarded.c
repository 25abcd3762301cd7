#include "siod/net/forwarded.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

void trust_finish(struct trust *trust)
{
    free(trust->networks);
    *trust = (struct trust) { NULL, 0, false };
}

/* *ret_v4 tells in which notation it came. */
static bool parse_address(const char *text, uint8_t ret_bytes[16], bool *ret_v4)
{
    *ret_v4 = inet_pton(AF_INET, text, ret_bytes + 12) == 1;
    if (*ret_v4) {
        memcpy(ret_bytes, mapped_prefix, sizeof mapped_prefix);
        return true;
    }
    return inet_pton(AF_INET6, text, ret_bytes) == 1;
}

static void format_address(const uint8_t bytes[16], char ret_address[CLIENT_ADDRESS_SIZE])
{
    if (memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0) {
        inet_ntop(AF_INET, bytes + 12, ret_address, CLIENT_ADDRESS_SIZE);
    } else {
        inet_ntop(AF_INET6, bytes, ret_address, CLIENT_ADDRESS_SIZE);
    }
}

enum err trust_add(struct trust *trust, const char *cidr, struct errmsg *msg)
{
    const char *slash = strchr(cidr, '/');
    autofree char *address = xstrndup(cidr, slash != NULL ? (size_t)(slash - cidr) : strlen(cidr));
    struct network network;
    unsigned long bits;
    bool v4;
    char *end = NULL;

    if (strcmp(cidr, "unix") == 0) {
        trust->unix_peers = true;
        return OK;
    }
    if (!parse_address(address, network.bytes, &v4)) {
        return err_set(msg, ERR_INVALID, "%s: no address, network or \"unix\"", cidr);
    }
    bits = v4 ? 32 : 128;
    if (slash != NULL) {
        unsigned long given =
            slash[1] >= '0' && slash[1] <= '9' ? strtoul(slash + 1, &end, 10) : bits + 1;

        if (given > bits || *end != '\0') {
            return err_set(msg, ERR_INVALID, "%s: the prefix is 0 to %lu bits", cidr, bits);
        }
        bits = given;
    }
    network.bits = (unsigned)bits + (v4 ? 96 : 0);
    trust->networks = xrealloc(trust->networks, (trust->count + 1) * sizeof trust->networks[0]);
    trust->networks[trust->count++] = network;
    return OK;
}

static bool network_has(const struct network *network, const uint8_t bytes[16])
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;

    if (memcmp(network->bytes, bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || (network->bytes[whole] ^ bytes[whole]) >> (8 - rest) == 0;
}

static bool trusted(const struct trust *trust, const uint8_t bytes[16])
{
    for (size_t i = 0; i < trust->count; i++) {
        if (network_has(&trust->networks[i], bytes)) {
            return true;
        }
    }
    return false;
}

/* Cuts "host", "host:port" or "[host]:port" down to the host. */
static bool parse_hop(struct str text, uint8_t ret_bytes[16])
{
    char host[CLIENT_ADDRESS_SIZE];
    const char *end = NULL;
    bool v4;

    if (text.len > 0 && text.data[0] == '[') {
        text = str_skip(text, 1);
        end = memchr(text.data, ']', text.len);
        if (end == NULL) {
            return false;
        }
    } else if (memchr(text.data, '.', text.len) != NULL) {
        const char *colon = memchr(text.data, ':', text.len);

        end = colon == NULL || memchr(colon + 1, ':', text.len - (size_t)(colon + 1 - text.data))
                  ? NULL
                  : colon;
    }
    if (end != NULL) {
        text.len = (size_t)(end - text.data);
    }
    if (text.len >= sizeof host) {
        return false;
    }
    memcpy(host, text.data, text.len);
    host[text.len] = '\0';
    return parse_address(host, ret_bytes, &v4);
}

/* Cuts the last element off the list. */
static struct str last_element(struct str *list)
{
    const char *comma = memrchr(list->data, ',', list->len);
    size_t start = comma != NULL ? (size_t)(comma - list->data) + 1 : 0;
    struct str element = str_skip(*list, start);

    list->len = comma != NULL ? start - 1 : 0;
    while (element.len > 0 && (element.data[0] == ' ' || element.data[0] == '\t')) {
        element = str_skip(element, 1);
    }
    while (element.len > 0 &&
           (element.data[element.len - 1] == ' ' || element.data[element.len - 1] == '\t')) {
        element.len--;
    }
    return element;
}

/* The host of a peer as the transport writes it: "host:port" or "[host]:port". */
static void copy_host(const char *peer, char ret_address[CLIENT_ADDRESS_SIZE])
{
    const char *start = peer[0] == '[' ? peer + 1 : peer;
    size_t len = strcspn(start, peer[0] == '[' ? "]" : ":");

    len = MIN(len, (size_t)CLIENT_ADDRESS_SIZE - 1);
    memcpy(ret_address, start, len);
    ret_address[len] = '\0';
}

bool forwarded_believes(const struct trust *trust, const char *peer)
{
    uint8_t bytes[16];

    return parse_hop(str_of(peer), bytes) ? trusted(trust, bytes) : trust->unix_peers;
}

void forwarded_client(const struct trust *trust, const char *peer, const struct str *lists,
                      size_t count, char ret_address[CLIENT_ADDRESS_SIZE])
{
    uint8_t bytes[16];
    bool known, believed;

    if (trust->count == 0 && !trust->unix_peers) {
        copy_host(peer, ret_address);
        return;
    }
    known = parse_hop(str_of(peer), bytes);
    believed = known ? trusted(trust, bytes) : trust->unix_peers;
    while (believed && count > 0) {
        struct str list = lists[--count];

        while (believed && list.len > 0) {
            uint8_t hop[16];

            if (!parse_hop(last_element(&list), hop)) {
                believed = false;
                break;
            }
            memcpy(bytes, hop, sizeof bytes);
            known = true;
            believed = trusted(trust, bytes);
        }
    }
    if (known) {
        format_address(bytes, ret_address);
    } else {
        memcpy(ret_address, "unix", sizeof "unix");
    }
}

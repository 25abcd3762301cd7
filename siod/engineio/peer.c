/* What one peer may use: sessions of an address, bytes of a session in a second. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/engineio/session.h"

enum { MS_PER_S = 1000 };

static struct eio_address *find(struct eio_server *server, const char *text)
{
    struct eio_address *address;

    HASH_FIND_STR(server->addresses, text, address);
    return address;
}

/* A polling client needs no connection between its requests: without this, a limit of connections
 * would not bound sessions. */
bool eio_server_is_full(struct eio_server *server, const char *from)
{
    static struct log_gate gate;
    unsigned limit = server->config.max_sessions, suppressed;

    if (limit == 0 || HASH_COUNT(server->sessions) < limit) {
        return false;
    }
    server->stats.full++;
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_ENGINEIO, "too many sessions",
                 "from=%s sessions=%u limit=limits.connections suppressed=%u", from,
                 HASH_COUNT(server->sessions), suppressed);
    }
    return true;
}

bool eio_address_is_full(struct eio_server *server, const char *text)
{
    static struct log_gate gate;
    unsigned limit = server->config.sessions_per_address, suppressed;
    const struct eio_address *address;

    if (limit == 0 || (address = find(server, text)) == NULL || address->sessions < limit) {
        return false;
    }
    server->stats.address_full++;
    if (log_gate_pass(&gate, &suppressed)) {
        log_warn(LOG_ENGINEIO, "too many sessions of one address",
                 "from=%s sessions=%u limit=limits.connections_per_address suppressed=%u", text,
                 address->sessions, suppressed);
    }
    return true;
}

struct eio_address *eio_address_enter(struct eio_server *server, const char *text)
{
    struct eio_address *address = find(server, text);
    size_t size = strlen(text) + 1;

    if (address == NULL) {
        address = xcalloc(1, sizeof *address + size);
        memcpy(address->text, text, size);
        HASH_ADD_KEYPTR(hh, server->addresses, address->text, size - 1, address);
    }
    address->sessions++;
    return address;
}

void eio_address_leave(struct eio_server *server, struct eio_address *address)
{
    if (--address->sessions == 0) {
        HASH_DELETE(hh, server->addresses, address);
        free(address);
    }
}

/* A bucket that holds a second's worth, or one message of the largest size. */
bool eio_session_take_bytes(struct eio_session *session, size_t len)
{
    const struct eio_config *config = &session->server->config;
    uint64_t now_ms = loop_now_ms(session->server->loop), full, left;

    if (config->bytes_per_s == 0) {
        return true;
    }
    full = MAX(config->bytes_per_s, config->max_payload);
    left = session->allowance + (now_ms - session->heard_ms) * config->bytes_per_s / MS_PER_S;
    left = MIN(left, full);
    if (session->heard_ms == 0) {
        left = full;
    }
    if (len > left) {
        session->server->stats.rate_exceeded++;
        log_warn(LOG_ENGINEIO, "too many bytes in a second",
                 "from=%s limit=limits.bytes_per_s per_s=%zu", session->from->text,
                 config->bytes_per_s);
        return false;
    }
    session->allowance = (uint32_t)(left - len);
    return true;
}

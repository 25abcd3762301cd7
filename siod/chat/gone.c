#include "siod/chat/gone.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/log.h"
#include "siod/chat/desk_state.h"
#include "siod/metrics/metrics.h"

enum { GONE_MAX = 1024 };

/* A ring: 40 KB, once somebody has left. */
struct desk_gone_list {
    struct gone {
        char id[SID_LEN];
        struct sio_reason reason;
        int64_t at_ms;
    } ring[GONE_MAX];
    unsigned next;
};

static enum metric session_metric(enum eio_reason reason)
{
    switch (reason) {
    case EIO_REASON_TRANSPORT_CLOSE:
        return METRIC_LEFT_TRANSPORT_CLOSE;
    case EIO_REASON_TRANSPORT_ERROR:
        return METRIC_LEFT_TRANSPORT_ERROR;
    case EIO_REASON_PING_TIMEOUT:
        return METRIC_LEFT_PING_TIMEOUT;
    case EIO_REASON_PARSE_ERROR:
        return METRIC_LEFT_PARSE_ERROR;
    case EIO_REASON_FORCED_CLOSE:
        return METRIC_LEFT_FORCED_CLOSE;
    case EIO_REASON_FORCED_SERVER_CLOSE:
        return METRIC_LEFT_FORCED_SERVER_CLOSE;
    case EIO_REASON_SHUTTING_DOWN:
    case EIO_REASON_COUNT:
        break;
    }
    return METRIC_LEFT_SHUTTING_DOWN;
}

static enum metric metric_of(struct sio_reason reason)
{
    switch (reason.kind) {
    case SIO_LEFT_CLIENT:
        return METRIC_LEFT_CLIENT;
    case SIO_LEFT_SERVER:
        return METRIC_LEFT_SERVER;
    case SIO_LEFT_SESSION:
        break;
    }
    return session_metric(reason.session);
}

static void remember(struct desk *desk, const char *id, struct sio_reason reason)
{
    struct desk_gone_list *list = desk->gone;
    struct gone *gone;

    if (list == NULL) {
        list = desk->gone = xnew(struct desk_gone_list);
    }
    gone = &list->ring[list->next++ % GONE_MAX];
    memcpy(gone->id, id, SID_LEN);
    gone->reason = reason;
    gone->at_ms = loop_wall_ms(desk->config.loop);
}

void desk_gone_note(struct desk *desk, const struct sio_socket *socket, struct sio_reason reason)
{
    const struct desk_agent *agent = desk_agent_of(socket);

    log_debug(LOG_CHAT, "agent disconnected", "socket=%s user=%lld business=%lld reason=\"%s\"",
              sio_socket_id(socket), (long long)agent->user_id, (long long)agent->business_id,
              sio_reason_text(reason));
    metric_add(metric_of(reason), 1);
    remember(desk, sio_socket_id(socket), reason);
}

bool desk_gone(const struct desk *desk, struct str id, struct sio_reason *ret_reason,
               int64_t *ret_at_ms)
{
    const struct desk_gone_list *list = desk->gone;

    for (unsigned i = 1;
         list != NULL && id.len == SID_LEN && i <= MIN(list->next, (unsigned)GONE_MAX); i++) {
        const struct gone *gone = &list->ring[(list->next - i) % GONE_MAX];

        if (memcmp(gone->id, id.data, SID_LEN) == 0) {
            *ret_reason = gone->reason;
            *ret_at_ms = gone->at_ms;
            return true;
        }
    }
    return false;
}

void desk_gone_free(struct desk_gone_list *list)
{
    free(list);
}

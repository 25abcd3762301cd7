#include "siod/chat/desk.h"

#include <string.h>

#include <utlist.h>

#include "libshared/alloc.h"
#include "libshared/decimal.h"
#include "libshared/id.h"
#include "siod/chat/assign.h"
#include "siod/chat/desk_state.h"
#include "siod/chat/gone.h"
#include "siod/chat/recovery.h"
#include "siod/chat/roster.h"
#include "siod/chat/session.h"

struct desk *desk_new(const struct desk_config *config)
{
    struct desk *desk = xnew(struct desk);

    desk->config = *config;
    desk->nsp = sio_namespace_add(config->sio, "/", &desk_app, desk);
    sio_namespace_set_log(desk->nsp, &desk_log, desk);
    desk->assigner = assigner_new(desk, config->assign_policy);
    desk->tokens = desk_tokens_new(desk);
    desk->sessions = sessions_new(desk);
    return desk;
}

void desk_reconfigure(struct desk *desk, const struct desk_config *config)
{
    desk->config.connections_per_user = config->connections_per_user;
    desk->config.offline_grace_ms = config->offline_grace_ms;
    desk->config.typing_throttle_ms = config->typing_throttle_ms;
    desk->config.typing_expire_ms = config->typing_expire_ms;
    if (desk->config.assign_policy != config->assign_policy) {
        desk->config.assign_policy = config->assign_policy;
        assigner_set_policy(desk->assigner, config->assign_policy);
    }
}

static void tenants_free(struct desk *desk)
{
    struct tenant *tenant, *next;

    HASH_ITER (hh, desk->tenants, tenant, next) {
        HASH_DEL(desk->tenants, tenant);
        tenant_drop_queue(tenant);
        free(tenant);
    }
}

void desk_free(struct desk *desk)
{
    if (desk == NULL) {
        return;
    }
    typing_free_all(desk);
    roster_free(desk);
    assigner_free(desk->assigner);
    desk_tokens_free(desk->tokens);
    sessions_free(desk->sessions);
    desk_gone_free(desk->gone);
    desk_chats_forget(desk);
    tenants_free(desk);
    free(desk);
}

static struct str numbered_room(struct str prefix, int64_t id, char *room)
{
    memcpy(room, prefix.data, prefix.len);
    return (struct str) { room, prefix.len + decimal_write(room + prefix.len, (uint64_t)id) };
}

struct str chat_room(int64_t chat_id, char room[CHAT_ROOM_SIZE])
{
    return numbered_room(STR("chat_"), chat_id, room);
}

struct str business_room(int64_t business_id, char room[BUSINESS_ROOM_SIZE])
{
    return numbered_room(STR("business_"), business_id, room);
}

/* "chat_012" is another room than "chat_12". */
static bool room_number(struct str room, struct str prefix, int64_t *ret_id)
{
    return str_starts_with(room, prefix) && room.len > prefix.len && room.data[prefix.len] != '0' &&
           id_parse(str_skip(room, prefix.len), ret_id);
}

bool desk_room_chat(struct str room, int64_t *ret_chat_id)
{
    return room_number(room, STR("chat_"), ret_chat_id);
}

bool business_of_room(struct str room, int64_t *ret_business_id)
{
    return room_number(room, STR("business_"), ret_business_id);
}

struct sio_namespace *desk_namespace(struct desk *desk)
{
    return desk->nsp;
}

struct tenant *desk_tenant(struct desk *desk, int64_t business_id)
{
    struct tenant *tenant;

    HASH_FIND(hh, desk->tenants, &business_id, sizeof business_id, tenant);
    if (tenant == NULL) {
        tenant = xnew(struct tenant);
        tenant->desk = desk;
        tenant->business_id = business_id;
        HASH_ADD(hh, desk->tenants, business_id, sizeof business_id, tenant);
    }
    return tenant;
}

int64_t desk_position(struct desk *desk, int64_t business_id)
{
    return desk_tenant(desk, business_id)->position;
}

void desk_set_position(struct desk *desk, int64_t business_id, int64_t position)
{
    struct tenant *tenant = desk_tenant(desk, business_id);

    tenant->position = MAX(tenant->position, position);
}

int64_t desk_chat_business(struct desk *desk, int64_t chat_id)
{
    struct chat_entry *entry;

    HASH_FIND(hh, desk->chats, &chat_id, sizeof chat_id, entry);
    return entry != NULL ? entry->business_id : 0;
}

void desk_chat_learn(struct desk *desk, int64_t chat_id, int64_t business_id)
{
    struct chat_entry *entry;

    if (desk_chat_business(desk, chat_id) != 0) {
        return;
    }
    if (HASH_COUNT(desk->chats) >= CHAT_ENTRIES_MAX) {
        entry = desk->chats; /* the oldest: uthash iterates in order of insertion */
        HASH_DEL(desk->chats, entry);
    } else {
        entry = xmalloc(sizeof *entry);
    }
    entry->chat_id = chat_id;
    entry->business_id = business_id;
    HASH_ADD(hh, desk->chats, chat_id, sizeof chat_id, entry);
}

void desk_chat_forget(struct desk *desk, int64_t chat_id)
{
    struct chat_entry *entry;

    desk->forgets++;
    HASH_FIND(hh, desk->chats, &chat_id, sizeof chat_id, entry);
    if (entry != NULL) {
        HASH_DEL(desk->chats, entry);
        free(entry);
    }
}

void desk_chats_forget(struct desk *desk)
{
    struct chat_entry *entry, *next;

    HASH_ITER (hh, desk->chats, entry, next) {
        HASH_DEL(desk->chats, entry);
        free(entry);
    }
}

void desk_tap_add(struct desk *desk, struct desk_tap *tap)
{
    LL_PREPEND(desk->taps, tap);
}

void desk_tap_remove(struct desk *desk, struct desk_tap *tap)
{
    LL_DELETE(desk->taps, tap);
}

void desk_drain(struct desk *desk)
{
    desk->draining = true;
    typing_stop_all(desk);
}

void desk_agent_was_online(struct desk *desk, const struct store_agent *row)
{
    roster_restore(desk, row);
}

#include "bench/raw/desk.h"

#include <inttypes.h>
#include <stdlib.h>

#include "bench/lib/frame.h"
#include "libshared/alloc.h"
#include "libshared/clock.h"
#include "libshared/map.h"
#include "libshared/token.h"

enum room_kind { ROOM_BUSINESS, ROOM_CHAT };

struct room {
    uint64_t key;
    struct peer **members;
    size_t count, cap;
    UT_hash_handle hh;
};

struct desk {
    struct journal *journal;
    struct room *rooms;
    struct buf text, frame;
    uint64_t connected, messages;
};

struct desk *desk_new(struct journal *journal)
{
    struct desk *desk = xnew(struct desk);

    desk->journal = journal;
    return desk;
}

void desk_free(struct desk *desk)
{
    struct room *room, *next;

    HASH_ITER (hh, desk->rooms, room, next) {
        HASH_DEL(desk->rooms, room);
        free(room->members);
        free(room);
    }
    buf_finish(&desk->text);
    buf_finish(&desk->frame);
    free(desk);
}

static struct room *room_find(struct desk *desk, enum room_kind kind, int64_t id)
{
    uint64_t key = (uint64_t)id << 1 | kind;
    struct room *room;

    HASH_FIND(hh, desk->rooms, &key, sizeof(key), room);
    if (room == NULL) {
        room = xnew(struct room);
        room->key = key;
        HASH_ADD(hh, desk->rooms, key, sizeof(key), room);
    }
    return room;
}

static void room_join(struct room *room, struct peer *peer)
{
    for (unsigned i = 0; i < peer->room_count; i++) {
        if (peer->rooms[i] == room) {
            return;
        }
    }
    if (peer->room_count == ROOMS_MAX) {
        return;
    }
    peer->rooms[peer->room_count++] = room;
    if (room->count == room->cap) {
        room->cap = room->cap * 2 + 4;
        room->members = xrealloc(room->members, room->cap * sizeof(struct peer *));
    }
    room->members[room->count++] = peer;
}

void desk_leave(struct peer *peer)
{
    for (unsigned i = 0; i < peer->room_count; i++) {
        struct room *room = peer->rooms[i];

        for (size_t member = 0; member < room->count; member++) {
            if (room->members[member] == peer) {
                room->members[member] = room->members[--room->count];
            }
        }
    }
    peer->room_count = 0;
}

/* desk->text, framed once and appended to what each member will be sent. */
static void room_send(struct desk *desk, struct room *room, const struct peer *except)
{
    buf_clear(&desk->frame);
    frame_add(&desk->frame, WS_OP_TEXT, buf_str(&desk->text), NULL);
    for (size_t i = 0; i < room->count; i++) {
        if (room->members[i] != except) {
            buf_add_str(conn_out(&room->members[i]->conn), buf_str(&desk->frame));
        }
    }
    buf_clear(&desk->text);
}

static void answer(struct peer *peer)
{
    struct buf *text = &peer->desk->text;

    frame_add(conn_out(&peer->conn), WS_OP_TEXT, buf_str(text), NULL);
    buf_clear(text);
}

/* The integer behind `name` in `text`; 0 when it is not there. */
static int64_t number_behind(struct str text, struct str name)
{
    const char *at = memmem(text.data, text.len, name.data, name.len);

    return at != NULL ? strtoll(at + name.len, NULL, 10) : 0;
}

static void add_timestamp(struct buf *text)
{
    char now[CLOCK_ISO_SIZE];

    clock_iso(clock_wall_ms(), now);
    buf_printf(text, ",\"timestamp\":\"%s\"}]", now);
}

static void on_connect(struct peer *peer, struct str packet)
{
    static const struct str start = STR_INIT("{\"token\":\"");
    struct desk *desk = peer->desk;
    autobuf struct buf header = BUF_INIT, claims = BUF_INIT;
    struct room *room;
    struct str token;

    if (!str_starts_with(packet, start)) {
        return;
    }
    token = str_skip(packet, start.len);
    token.len -= MIN(token.len, STR("\"}").len);
    if (token_decode(token, &header, &claims, NULL) != OK) {
        return;
    }
    peer->user_id = number_behind(buf_str(&claims), STR("\"userId\":"));
    room = room_find(desk, ROOM_BUSINESS, number_behind(buf_str(&claims), STR("\"businessId\":")));
    buf_printf(&desk->text, "42[\"user_online\",{\"userId\":%" PRId64, peer->user_id);
    add_timestamp(&desk->text);
    room_send(desk, room, peer);
    room_join(room, peer);
    buf_printf(&desk->text, "40{\"sid\":\"raw-%016" PRIx64 "\"}", desk->connected++);
    answer(peer);
}

static void on_join(struct peer *peer, int64_t chat_id, int64_t ack)
{
    room_join(room_find(peer->desk, ROOM_CHAT, chat_id), peer);
    buf_printf(&peer->desk->text,
               "43%" PRId64 "[{\"ok\":true,\"chatId\":%" PRId64 ",\"position\":0,\"typing\":[]}]",
               ack, chat_id);
    answer(peer);
}

static void on_typing(struct peer *peer, int64_t chat_id)
{
    struct desk *desk = peer->desk;

    buf_printf(&desk->text, "42[\"user_typing\",{\"userId\":%" PRId64 ",\"chatId\":%" PRId64,
               peer->user_id, chat_id);
    add_timestamp(&desk->text);
    room_send(desk, room_find(desk, ROOM_CHAT, chat_id), peer);
}

void desk_packet(struct peer *peer, struct str packet)
{
    static const struct str join = STR_INIT("[\"join_chat\","),
                            typing = STR_INIT("[\"typing_start\",");
    int64_t ack = 0;

    if (str_starts_with(packet, STR("40"))) {
        on_connect(peer, str_skip(packet, 2));
        return;
    }
    if (!str_starts_with(packet, STR("42"))) {
        return;
    }
    for (packet = str_skip(packet, 2); packet.len > 0 && *packet.data != '[';
         packet = str_skip(packet, 1)) {
        ack = ack * 10 + (*packet.data - '0');
    }
    if (str_starts_with(packet, join)) {
        on_join(peer, number_behind(packet, join), ack);
    } else if (str_starts_with(packet, typing)) {
        on_typing(peer, number_behind(packet, STR("\"chatId\":")));
    }
}

/* The value of a member that is a string: what stands between its quotes. */
static struct str string_behind(struct str text, struct str name)
{
    const char *at = memmem(text.data, text.len, name.data, name.len), *end;

    if (at == NULL) {
        return STR("");
    }
    at += name.len;
    end = memchr(at, '"', (size_t)(text.data + text.len - at));
    return end != NULL ? (struct str) { at, (size_t)(end - at) } : STR("");
}

void desk_webhook(struct desk *desk, struct str body)
{
    const char *message = memmem(body.data, body.len, "\"messages\":", 11);
    struct str from, name = string_behind(body, STR("\"name\":\""));

    if (message == NULL) {
        return;
    }
    if (desk->journal != NULL) {
        journal_append(desk->journal, body);
    }
    body = str_skip(body, (size_t)(message - body.data));
    from = string_behind(body, STR("\"from\":\""));
    buf_printf(&desk->text,
               "42[\"whatsapp_message_received\",{\"chatId\":1,\"message\":{\"id\":%" PRIu64
               ",\"chatId\":1,\"wamid\":\"%.*s\",\"direction\":\"inbound\",\"type\":\"text\","
               "\"text\":\"%.*s\",\"contact\":{\"name\":\"%.*s\",\"waId\":\"%.*s\"}}",
               ++desk->messages, STR_ARG(string_behind(body, STR("\"id\":\""))),
               STR_ARG(string_behind(body, STR("\"body\":\""))), STR_ARG(name), STR_ARG(from));
    add_timestamp(&desk->text);
    room_send(desk, room_find(desk, ROOM_BUSINESS, 1), NULL);
}

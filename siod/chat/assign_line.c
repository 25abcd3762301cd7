#include "siod/chat/assign_line.h"

#include <utlist.h>

static bool is_older(const struct waiting_chat *a, const struct waiting_chat *b)
{
    return a->row.since_ms != b->row.since_ms ? a->row.since_ms < b->row.since_ms
                                              : a->row.chat_id < b->row.chat_id;
}

/* Before those that may be told of later. */
static void fresh_add(struct assign_line *line, struct waiting_chat *chat)
{
    if (line->fresh_later == NULL) {
        DL_APPEND2(line->fresh, chat, fresh_prev, fresh_next);
    } else {
        DL_PREPEND_ELEM2(line->fresh, line->fresh_later, chat, fresh_prev, fresh_next);
    }
}

static void fresh_add_later(struct assign_line *line, struct waiting_chat *chat)
{
    DL_APPEND2(line->fresh, chat, fresh_prev, fresh_next);
    if (line->fresh_later == NULL) {
        line->fresh_later = chat;
    }
}

static void fresh_delete(struct assign_line *line, struct waiting_chat *chat)
{
    if (line->fresh_later == chat) {
        line->fresh_later = chat->fresh_next;
    }
    DL_DELETE2(line->fresh, chat, fresh_prev, fresh_next);
}

void assign_line_list(struct assign_line *line, struct assign_line **list)
{
    if (line->list != NULL) {
        DL_DELETE(*line->list, line);
    }
    line->list = list;
    if (list != NULL) {
        DL_APPEND(*list, line);
    }
}

/* Looks from both ends: nearly always it is the newest arrival, or the oldest that was refused. */
static void line_insert(struct assign_line *line, struct waiting_chat *chat)
{
    struct waiting_chat *before = line->chats, *behind;

    if (before == NULL || is_older(before->prev, chat)) {
        DL_APPEND(line->chats, chat);
        return;
    }
    behind = before->prev;
    while (is_older(before, chat) && !is_older(behind, chat)) {
        before = before->next;
        behind = behind->prev;
    }
    if (is_older(before, chat)) {
        before = behind->next;
    }
    DL_PREPEND_ELEM(line->chats, before, chat);
}

void assign_line_restore(struct assign_line *line, struct waiting_chat *chat)
{
    line_insert(line, chat);
    if (!chat->row.told) {
        fresh_add_later(line, chat);
    }
}

void assign_line_told(struct assign_line *line, struct waiting_chat *chat)
{
    fresh_delete(line, chat);
    chat->row.told = true;
}

void assign_line_not_told(struct assign_line *line, struct waiting_chat *chat)
{
    chat->row.told = false;
    fresh_add_later(line, chat);
}

void assign_line_add(struct assign_line *line, struct waiting_chat *chat)
{
    line_insert(line, chat);
    if (!chat->row.told) {
        fresh_add(line, chat);
    }
}

void assign_line_remove(struct assign_line *line, struct waiting_chat *chat)
{
    DL_DELETE(line->chats, chat);
    if (!chat->row.told) {
        fresh_delete(line, chat);
    }
}

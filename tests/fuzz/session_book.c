#include "tests/fuzz/session_book.h"

#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/base.h"
#include "tests/fuzz/fake_conn.h"

enum {
    ASKED_MAX = 512,
    STREAM = 7,
    /* In a number that is due: it need not be heard any more; it was passing. */
    OPTIONAL = 1 << 30,
    PASSING = 1 << 29,
    NUMBER = PASSING - 1,
};

struct row {
    struct buf room, args;
    char origin[SID_SIZE];
};

struct book {
    struct book_session *sessions;
    uint32_t number;
    struct row *rows; /* of positions 1, 2, … */
    int64_t committed, rows_cap, emitted;
    struct sio_restore *asked[ASKED_MAX];
    unsigned asked_count;
};

struct book *book_new(void)
{
    return xnew(struct book);
}

void book_free(struct book *book)
{
    struct book_session *session;

    REQUIRE(book->asked_count == 0);
    while ((session = book->sessions) != NULL) {
        REQUIRE(!session->is_live);
        book->sessions = session->next;
        buf_finish(&session->row);
        free(session->due);
        for (unsigned i = 0; i < BOOK_ROOMS_MAX; i++) {
            buf_finish(&session->rooms[i]);
        }
        free(session);
    }
    for (int64_t i = 0; i < book->committed; i++) {
        buf_finish(&book->rows[i].room);
        buf_finish(&book->rows[i].args);
    }
    free(book->rows);
    free(book);
}

/* ---- sessions */

struct book_session *book_find(const struct book *book, const char *id)
{
    struct book_session *session = book->sessions;

    while (session != NULL && memcmp(session->id, id, SID_LEN) != 0) {
        session = session->next;
    }
    return session;
}

static struct book_session *find_known(const struct book *book, const char *id)
{
    struct book_session *session = book_find(book, id);

    if (session == NULL) {
        abort();
    }
    return session;
}

struct book_session *book_begin(struct book *book, const struct sio_socket *socket, uint64_t owner)
{
    struct book_session *session = xnew(struct book_session);

    REQUIRE(book_find(book, sio_socket_id(socket)) == NULL);
    memcpy(session->id, sio_socket_id(socket), SID_SIZE);
    session->nsp = sio_socket_namespace(socket);
    session->is_main = strcmp(sio_namespace_name(session->nsp), "/") == 0;
    session->owner = owner;
    session->is_live = true;
    session->joins = 1;
    session->next = book->sessions;
    book->sessions = session;
    return session;
}

static int room_index(const struct book_session *session, struct str room)
{
    for (unsigned i = 0; i < session->room_count; i++) {
        if (str_eq(buf_str(&session->rooms[i]), room)) {
            return (int)i;
        }
    }
    return -1;
}

static bool check_room(void *arg, struct str room)
{
    REQUIRE(room_index(arg, room) >= 0);
    return true;
}

void book_resume(struct book_session *session, const struct sio_socket *socket)
{
    REQUIRE(session != NULL && !session->is_live && !session->is_over);
    REQUIRE(sio_socket_scope(socket) == BOOK_SCOPE);
    REQUIRE(session->nsp == sio_socket_namespace(socket));
    REQUIRE(sio_socket_room_count(socket) == session->room_count);
    sio_socket_rooms_each(socket, check_room, session);
    session->is_live = true;
    session->joins++;
}

void book_leave(struct book_session *session, const struct sio_socket *socket,
                struct sio_reason reason)
{
    REQUIRE(session->is_live && sio_socket_room_count(socket) == session->room_count);
    buf_clear(&session->row);
    session->is_live = false;
    session->is_over = !sio_reason_recoverable(reason);
    session->has_row = !session->is_over && sio_session_export(socket, &session->row);
}

void book_enter_room(struct book_session *session, struct str room)
{
    if (room_index(session, room) < 0) {
        REQUIRE(session->room_count < BOOK_ROOMS_MAX);
        buf_clear(&session->rooms[session->room_count]);
        buf_add_str(&session->rooms[session->room_count++], room);
    }
}

static void release(struct book_session *session, uint32_t of)
{
    for (size_t i = 0; i < session->due_count; i++) {
        session->due[i] |= (session->due[i] & of) == of ? OPTIONAL : 0;
    }
}

/* What was on its way from there is not sent again, even if the room is joined again: whoever joins
 * is given what is there. */
void book_leave_room(struct book_session *session, struct str room)
{
    int index = room_index(session, room);

    if (index >= 0) {
        struct buf gone = session->rooms[index];

        release(session, 0);
        session->rooms[index] = session->rooms[--session->room_count];
        session->rooms[session->room_count] = gone;
    }
}

/* ---- what is due */

static void add_due(struct book_session *session, uint32_t number)
{
    if (session->due_count == session->due_cap) {
        session->due_cap = MAX(session->due_cap * 2, (size_t)16);
        session->due = xrealloc(session->due, session->due_cap * sizeof(uint32_t));
    }
    session->due[session->due_count++] = number;
}

static bool is_for(const struct book_session *session, const struct sio_namespace *nsp,
                   const struct sio_broadcast *broadcast)
{
    if (session->nsp != nsp || session->is_over) {
        return false;
    }
    if (broadcast->except != NULL && strcmp(session->id, sio_socket_id(broadcast->except)) == 0) {
        return false;
    }
    if (broadcast->except_owner != 0 && broadcast->except_owner == session->owner) {
        return false;
    }
    return broadcast->room.data == NULL || room_index(session, broadcast->room) >= 0;
}

static void note(struct book *book, struct sio_namespace *nsp,
                 const struct sio_broadcast *broadcast, uint32_t number)
{
    for (struct book_session *session = book->sessions; session != NULL; session = session->next) {
        if (is_for(session, nsp, broadcast)) {
            add_due(session, number | (broadcast->position == 0 ? PASSING : 0));
        }
    }
}

uint32_t book_note(struct book *book, struct sio_namespace *nsp,
                   const struct sio_broadcast *broadcast)
{
    if (broadcast->is_volatile) {
        return 0;
    }
    note(book, nsp, broadcast, ++book->number);
    return book->number;
}

uint32_t book_note_own(struct book *book, struct book_session *session)
{
    add_due(session, ++book->number | PASSING);
    return book->number;
}

void book_hear(const struct book_session *session, size_t *at, uint32_t number)
{
    while (*at < session->due_count && (session->due[*at] & NUMBER) != number) {
        REQUIRE((session->due[*at] & OPTIONAL) != 0);
        ++*at;
    }
    REQUIRE(*at < session->due_count);
    ++*at;
}

/* ---- the log */

void book_commit(struct book *book, const struct sio_socket *from, struct str room, struct str args)
{
    struct row row = { BUF_INIT, BUF_INIT, "" };

    buf_add_str(&row.room, room);
    buf_printf(&row.args, "%u", ++book->number);
    if (args.len > 0) {
        buf_add_char(&row.args, ',');
        buf_add_str(&row.args, args);
    }
    memcpy(row.origin, sio_socket_id(from), SID_SIZE);
    if (book->committed == book->rows_cap) {
        book->rows_cap = MAX(book->rows_cap * 2, 16);
        book->rows = xrealloc(book->rows, (size_t)book->rows_cap * sizeof(struct row));
    }
    book->rows[book->committed++] = row;
}

static uint32_t number_of(const struct row *row)
{
    return (uint32_t)strtoul(row->args.data, NULL, 10);
}

void book_publish(struct book *book, struct sio_namespace *nsp)
{
    while (book->emitted < book->committed) {
        const struct row *row = &book->rows[book->emitted++];
        struct book_session *origin = find_known(book, row->origin);
        bool was_over = origin->is_over;
        const struct sio_broadcast broadcast = {
            .room = buf_str(&row->room),
            .except = sio_socket_find(nsp, str_of(row->origin)),
            .event = STR("told"),
            .args = buf_str(&row->args),
            .position = book->emitted,
        };

        origin->is_over = true; /* whoever said it, here or gone, does not hear it */
        note(book, nsp, &broadcast, number_of(row));
        origin->is_over = was_over;
        sio_emit(nsp, BOOK_SCOPE, &broadcast);
    }
}

static void log_open(void *arg, uint64_t scope, uint64_t *ret_stream, int64_t *ret_position)
{
    const struct book *book = arg;

    REQUIRE(scope == BOOK_SCOPE);
    *ret_stream = STREAM;
    *ret_position = book->emitted;
}

static void log_read(void *arg, struct sio_restore *restore)
{
    struct book *book = arg;

    REQUIRE(book->asked_count < ASKED_MAX);
    REQUIRE(sio_restore_scope(restore) == BOOK_SCOPE);
    REQUIRE(sio_restore_after(restore) < book->committed);
    book->asked[book->asked_count++] = restore;
}

static void log_forget(void *arg, struct str id)
{
    struct book_session *session = find_known(arg, id.data);

    REQUIRE(id.len == SID_LEN);
    session->is_over = true;
    session->has_row = false;
}

static const struct sio_log book_log = { log_open, log_read, log_forget };

void book_use_log(struct book *book, struct sio_namespace *nsp)
{
    sio_namespace_set_log(nsp, &book_log, book);
}

/* The kinds of answers. */
enum { ANSWER_WHOLE, ANSWER_LATE, ANSWER_PART, ANSWER_NOTHING, ANSWER_FAILED, ANSWERS };

static int64_t give_rows(struct book *book, struct sio_restore *restore, bool part)
{
    int64_t position = sio_restore_after(restore);
    bool more = true;

    while (more && position < book->committed) {
        const struct row *row = &book->rows[position++];

        more = sio_restore_row(restore,
                               &(struct sio_log_row) { position, buf_str(&row->room), STR("told"),
                                                       buf_str(&row->args), str_of(row->origin) });
        more = more && !part;
    }
    return position;
}

bool book_answer(struct book *book, struct sio_namespace *nsp, unsigned how)
{
    struct sio_restore *restore = book->asked[0];
    int64_t reached;

    if (book->asked_count == 0) {
        return false;
    }
    memmove(book->asked, book->asked + 1, --book->asked_count * sizeof(struct sio_restore *));
    how %= ANSWERS;
    reached = how == ANSWER_NOTHING ? sio_restore_after(restore)
                                    : give_rows(book, restore, how == ANSWER_PART);
    if (how == ANSWER_LATE) {
        book_publish(book, nsp);
    }
    sio_restore_read(restore, how == ANSWER_FAILED, reached);
    return true;
}

/* ---- over a restart */

void book_save(struct book *book)
{
    for (struct book_session *session = book->sessions; session != NULL; session = session->next) {
        struct sio_socket *socket =
            session->is_live ? sio_socket_find(session->nsp, str_of(session->id)) : NULL;

        if (socket != NULL) {
            buf_clear(&session->row);
            session->has_row = sio_session_export(socket, &session->row);
        }
        release(session, PASSING);
    }
}

void book_restore(struct book *book, struct sio_namespace *nsp, uint64_t keep_ms)
{
    for (struct book_session *session = book->sessions; session != NULL; session = session->next) {
        const struct sio_session row = { .id = str_of(session->id),
                                         .state = buf_str(&session->row),
                                         .scope = BOOK_SCOPE,
                                         .owner = session->owner,
                                         .keep_ms = keep_ms };

        REQUIRE(!session->is_live);
        session->nsp = session->is_main ? nsp : NULL;
        if (session->is_main && session->has_row && !session->is_over) {
            REQUIRE(sio_session_import(nsp, &row));
        } else {
            session->is_over = true;
        }
    }
}

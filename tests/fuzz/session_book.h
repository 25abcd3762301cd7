/* The book that fuzz_session keeps of its Socket.IO sessions, over restarts: who is in which room,
 * and what each has to hear, in which order. Next to it the log of durable events, which answers
 * when it is told to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/buf.h"
#include "libshared/id.h"
#include "libshared/str.h"
#include "siod/socketio/socketio.h"

struct book;

enum { BOOK_ROOMS_MAX = 2, BOOK_SCOPE = 1 };

struct book_session {
    struct book_session *next;
    struct sio_namespace *nsp; /* of the present process */
    bool is_main;              /* its namespace is "/" */
    char id[SID_SIZE];
    uint64_t owner;
    bool is_live, is_over; /* nobody can come back */
    unsigned joins;
    bool has_row;
    struct buf row; /* what outlives the process */
    struct buf rooms[BOOK_ROOMS_MAX];
    unsigned room_count;
    uint32_t *due; /* the numbers of events, in their order, with marks */
    size_t due_count, due_cap;
    uint64_t echoes;
};

struct book *book_new(void);
void book_free(struct book *book);

struct book_session *book_find(const struct book *book, const char *id);
struct book_session *book_begin(struct book *book, const struct sio_socket *socket, uint64_t owner);
/* It was said to be restored: was that right? */
void book_resume(struct book_session *session, const struct sio_socket *socket);
void book_leave(struct book_session *session, const struct sio_socket *socket,
                struct sio_reason reason);
void book_enter_room(struct book_session *session, struct str room);
void book_leave_room(struct book_session *session, struct str room);

/* The number of an event that is about to be emitted; 0 for a volatile one. */
uint32_t book_note(struct book *book, struct sio_namespace *nsp,
                   const struct sio_broadcast *broadcast);
/* The same for what goes to one session. */
uint32_t book_note_own(struct book *book, struct book_session *session);

/* A client heard event `number`, having heard *at of what was due. */
void book_hear(const struct book_session *session, size_t *at, uint32_t number);

/* ---- the log of "/" */

/* Commits a row; book_publish() emits those that were committed. */
void book_commit(struct book *book, const struct sio_socket *from, struct str room,
                 struct str args);
void book_publish(struct book *book, struct sio_namespace *nsp);
void book_use_log(struct book *book, struct sio_namespace *nsp);
/* One answer to the oldest question, of the kind that `how` says. False: nothing was asked. */
bool book_answer(struct book *book, struct sio_namespace *nsp, unsigned how);

/* ---- a restart: what is kept in memory is lost */

void book_save(struct book *book);
void book_restore(struct book *book, struct sio_namespace *nsp, uint64_t keep_ms);

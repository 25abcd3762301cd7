/* Sessions over a restart: what Socket.IO needs to take up a session again (siod/socketio/
 * recovery.h) is kept in the store, in the background.
 *
 * siod may be killed at any moment, and a row that is then found must be true: a client that is
 * told that it was recovered relies on its rooms. So a row is written when a session's rooms have
 * not changed for a while, and before a client is told of a change the row is removed, durably.
 * Whoever has no row begins anew. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/error.h"
#include "libshared/str.h"
#include "siod/store/store.h"

struct desk;
struct desk_socket;
struct sessions;

/* Returns owned. */
NODISCARD
struct sessions *sessions_new(struct desk *desk);
void sessions_free(struct sessions *sessions);

/* The socket has joined. */
void session_begin(struct desk_socket *socket, bool recovered);
/* Would session_changed() have to be waited for? */
bool session_must_wait(const struct desk_socket *socket);
/* The rooms of the socket have changed. True: its client may be told at once. False: only when
 * `done` is called, which is maybe before this returns; an error means that it must not be told,
 * since a row may still say otherwise. `done` may be NULL. */
bool session_changed(struct desk_socket *socket, void (*done)(void *arg, enum err err), void *arg);
/* The socket goes, and is in its rooms still. */
void session_end(struct desk_socket *socket, bool recoverable);
/* Nobody can come back to it, and that is to be known when desk_kicks_record() says so. */
void session_give_up(struct desk_socket *socket);
/* Nobody can come back to it. */
void session_forget(struct desk *desk, struct str id);
/* In a write job: the room is no more what it was, and nobody comes back to it after a kill. Who is
 * in it now is taken out of it on the loop, and recorded anew. */
NODISCARD
enum err session_forget_room(struct store_tx *tx, int64_t business_id, struct str room);

/* Inside socketio: sessions that wait for their client to come back, and how one is taken up
 * again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/id.h"
#include "libshared/map.h"
#include "libshared/str.h"
#include "siod/net/loop.h"
#include "siod/socketio/recovery.h"
#include "siod/socketio/socketio.h"
#include "siod/socketio/stream.h"

struct sio_connection;
struct sio_partial;

/* A pid is the id of the session and a keyed hash of it, so that nothing has to be remembered of
 * the thousands of connections that are never lost. */
enum { SIO_PID_LEN = SID_LEN + 11 };

/* Of a server. */
struct sio_recovery {
    struct sio_recovery_config config;
    uint64_t key[2];                  /* of pids */
    uint64_t generation;              /* of `passing`: struct sio_offset */
    uint64_t passing;                 /* events that were counted */
    uint64_t beat_ms;                 /* a connection that is dead for longer is known to be dead */
    uint64_t keep_ms;                 /* passing events */
    size_t replay_bytes;              /* the most that one client is sent */
    TAILQ_HEAD(, sio_stream) streams; /* that have passing events */
    size_t event_bytes;
    TAILQ_HEAD(kept_list, sio_kept) kept; /* by time */
    unsigned kept_count;
    size_t kept_bytes;
    struct timer sweep;
    struct sio_claim *claim; /* of the CONNECT that the application is being told of */
    struct sio_recovery_stats stats;
};

/* What a CONNECT says of an earlier session; borrowed. */
struct sio_claim {
    struct sio_socket *socket;
    struct str pid, offset;
};

struct sio_kept_room {
    struct str name;
    struct sio_mark joined; /* the stream's place then: what is older was not for this socket */
};

struct sio_kept {
    UT_hash_handle hh; /* nsp->kept, by id */
    TAILQ_ENTRY(sio_kept) link;
    struct sio_stream *stream;
    struct sio_restore *restore; /* that is under way */
    uint64_t owner;
    struct sio_mark start; /* of the session: what its client may have missed is behind it */
    uint64_t since_ms;     /* whatever was emitted before this was received */
    uint64_t expires_ms;
    unsigned refs; /* being kept, and restores */
    bool is_kept;  /* in nsp->kept and in the list */
    char id[SID_SIZE];
    size_t size; /* of all of it */
    size_t room_count;
    struct sio_kept_room rooms[]; /* by name; behind them their bytes */
};

/* recovery.c */
void sio_recovery_init(struct sio_server *server);
void sio_recovery_finish(struct sio_server *server);
/* How much may wait for one client has changed; 0 = no limit. */
void sio_recovery_fit_queue(struct sio_server *server, size_t queue_bytes);
/* There is something that has to go in time. */
void sio_recovery_watch(struct sio_server *server);
void sio_pid_write(const struct sio_recovery *recovery, const char *id, char ret_pid[SIO_PID_LEN]);
/* The id in it; false if it was not made here. */
bool sio_pid_read(const struct sio_recovery *recovery, struct str pid, char ret_id[SID_SIZE]);

/* kept.c */
/* The socket is about to leave; it is taken down if its client may come back. */
void sio_kept_add(struct sio_socket *socket, struct sio_reason reason);
/* Of an earlier process. */
void sio_kept_import(struct sio_stream *stream, const struct sio_session *session, int64_t start,
                     const struct sio_kept_room *rooms, size_t count);
/* Taken up: not to be found any more. */
void sio_kept_remove(struct sio_kept *kept);
/* Given up, or out of time. */
void sio_kept_forget(struct sio_kept *kept);
void sio_kept_unref(struct sio_kept *kept);
/* Put at the end again, with all of its time before it. */
void sio_kept_renew(struct sio_kept *kept);
struct sio_kept *sio_kept_find(const struct sio_namespace *nsp, const char *id);
/* NULL when the session was not in that room. */
const struct sio_kept_room *sio_kept_room(const struct sio_kept *kept, struct str name);
void sio_kept_expire(struct sio_server *server);

/* restore.c */
/* What the CONNECT's `auth` claims. False: nothing. */
bool sio_claim_read(struct str auth, struct sio_claim *ret_claim);
/* The socket was accepted. */
void sio_restore_begin(struct sio_restore *restore);
/* A whole packet of the client's that came before that; takes it. False: no more are held. */
NODISCARD
bool sio_restore_hold(struct sio_restore *restore, struct sio_partial *packet);
void sio_restore_drop_held(struct sio_restore *restore);
/* Client or server want an end of the session. */
void sio_restore_forget(struct sio_restore *restore);
/* The socket goes before that; its client may come again. */
void sio_restore_abandon(struct sio_restore *restore);

/* replay.c */
/* What the session missed behind `from`: rows of the log as sio_restore_row() gathered them, and
 * passing events, in one order. */
struct sio_replay {
    struct sio_stream *stream;
    const struct sio_kept *kept;
    struct sio_mark from;
    struct str rows;
};
struct sio_frames {
    struct frame **list;
    size_t count, cap, bytes;
    unsigned events;
};
/* False: more than max_bytes. The frames are owned. */
NODISCARD
bool sio_replay_render(const struct sio_replay *replay, size_t max_bytes,
                       struct sio_frames *ret_frames);
void sio_frames_send(const struct sio_frames *frames, struct eio_session *session);
void sio_frames_finish(struct sio_frames *frames);
/* Adds a row to `rows` if the session should have heard it. */
void sio_replay_add_row(const struct sio_kept *kept, const struct sio_log_row *row,
                        struct buf *rows);

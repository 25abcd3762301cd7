/* Rooms from inside: random joining and leaving, compared with a plain table of who is where. */
#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libshared/log.h"
#include "siod/socketio/socketio.h"
#include "tests/unit/eio_rig.h"

enum { SOCKETS = 24, ROOMS = 12, STEPS = 20000, SCOPE = 7 };

struct fixture {
    struct rig *rig;
    struct sio_server *server;
    struct sio_namespace *nsp;
    struct sio_socket *sockets[SOCKETS];
    unsigned count;
    bool in[SOCKETS][ROOMS];
    char names[ROOMS][8];
    struct client clients[SOCKETS];
};

static void on_connect(void *arg, struct sio_socket *socket, struct str auth)
{
    struct fixture *f = arg;

    (void)auth;
    f->sockets[f->count++] = socket;
    sio_socket_accept(socket, SCOPE, NULL);
}

static void on_event(struct sio_socket *socket, const struct sio_event *event)
{
    (void)socket;
    (void)event;
}

static void on_disconnect(struct sio_socket *socket, struct sio_reason reason)
{
    (void)socket;
    (void)reason;
}

static const struct sio_app app = { on_connect, on_event, on_disconnect };

static struct eio_server *start(struct rig *rig, void *arg)
{
    const struct sio_config config = {
        .engine = { .ping_interval_ms = 25000, .ping_timeout_ms = 20000, .max_payload = 1000 }
    };
    struct fixture *f = arg;

    f->server = sio_server_new(rig_loop(rig), &config);
    f->nsp = sio_namespace_add(f->server, "/", &app, f);
    return sio_engine(f->server);
}

static void stop(void *arg)
{
    struct fixture *f = arg;
    struct sio_stats stats;

    sio_server_stats(f->server, &stats);
    assert(stats.sockets == f->count);
    sio_server_free(f->server);
}

static const struct rig_ops rig_ops = { start, stop };

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;

    *f = (struct fixture) { 0 };
    for (int r = 0; r < ROOMS; r++) {
        snprintf(f->names[r], sizeof f->names[r], "chat_%d", r);
    }
    f->rig = rig_start(&rig_ops, f);
    for (int s = 0; s < SOCKETS; s++) {
        autobuf struct buf payload = BUF_INIT;
        unsigned opcode;

        ws_session_open(&f->clients[s], f->rig);
        ws_client_text(&f->clients[s], "40");
        assert_true(ws_client_receive(&f->clients[s], &opcode, &payload));
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    rig_stop(f->rig);
    for (int s = 0; s < SOCKETS; s++) {
        client_close(&f->clients[s]);
    }
    return 0;
}

static bool tick_off(void *arg, struct sio_socket *member)
{
    struct sio_socket **left = arg;

    for (int s = 0; s < SOCKETS; s++) {
        if (left[s] == member) {
            left[s] = NULL;
            return true;
        }
    }
    abort(); /* a member twice, or nobody's */
}

static bool count_one(void *arg, struct str room)
{
    assert(str_starts_with(room, STR("chat_")));
    ++*(unsigned *)arg;
    return true;
}

static bool count_info(void *arg, const struct sio_room_info *info)
{
    assert(info->scope == SCOPE && info->members > 0);
    ++*(unsigned *)arg;
    return true;
}

static void check_room(struct fixture *f, int r)
{
    struct sio_socket *left[SOCKETS] = { 0 };
    struct str name = str_of(f->names[r]);
    unsigned size = 0;

    for (int s = 0; s < SOCKETS; s++) {
        left[s] = f->in[s][r] ? f->sockets[s] : NULL;
        size += f->in[s][r];
        assert(sio_socket_in(f->sockets[s], name) == f->in[s][r]);
    }
    assert(sio_room_size(f->nsp, SCOPE, name) == size);
    assert(sio_room_size(f->nsp, SCOPE + 1, name) == 0);
    sio_room_members_each(f->nsp, SCOPE, name, tick_off, left);
    for (int s = 0; s < SOCKETS; s++) {
        assert(left[s] == NULL);
    }
}

static void check_all(struct fixture *f)
{
    unsigned rooms = 0, expected = 0;
    struct sio_stats stats;

    for (int r = 0; r < ROOMS; r++) {
        check_room(f, r);
        expected += sio_room_size(f->nsp, SCOPE, str_of(f->names[r])) > 0;
    }
    for (int s = 0; s < SOCKETS; s++) {
        unsigned counted = 0, wanted = 0;

        for (int r = 0; r < ROOMS; r++) {
            wanted += f->in[s][r];
        }
        sio_socket_rooms_each(f->sockets[s], count_one, &counted);
        assert(counted == wanted);
    }
    sio_rooms_each(f->nsp, count_info, &rooms);
    sio_server_stats(f->server, &stats);
    assert(rooms == expected && stats.rooms == expected);
}

static void wander(void *arg)
{
    struct fixture *f = arg;

    srand(1);
    for (int step = 0; step < STEPS; step++) {
        int s = rand() % SOCKETS, r = rand() % ROOMS;

        if (rand() % 2 == 0) {
            assert(sio_socket_join(f->sockets[s], str_of(f->names[r])));
            f->in[s][r] = true;
        } else {
            sio_socket_leave(f->sockets[s], str_of(f->names[r]));
            f->in[s][r] = false;
        }
        if (step % 100 == 0) {
            check_all(f);
        }
    }
    check_all(f);
}

static void members_and_memberships_agree_whatever_the_order(void **state)
{
    struct fixture *f = *state;

    rig_call(f->rig, wander, f);
}

static bool make_leave(void *arg, struct sio_socket *member)
{
    sio_socket_leave(member, STR("chat_0"));
    ++*(unsigned *)arg;
    return true;
}

static void everybody_leaves(void *arg)
{
    struct fixture *f = arg;
    unsigned left = 0;

    for (int s = 0; s < SOCKETS; s++) {
        assert(sio_socket_join(f->sockets[s], STR("chat_0")));
    }
    sio_room_members_each(f->nsp, SCOPE, STR("chat_0"), make_leave, &left);
    assert(left == SOCKETS);
    assert(sio_room_size(f->nsp, SCOPE, STR("chat_0")) == 0);
}

static void members_may_leave_while_they_are_walked(void **state)
{
    struct fixture *f = *state;

    rig_call(f->rig, everybody_leaves, f);
}

static void try_names(void *arg)
{
    struct fixture *f = arg;
    char name[SIO_ROOM_NAME_MAX + 1];

    memset(name, 'n', sizeof name);
    assert(sio_socket_join(f->sockets[0], (struct str) { name, SIO_ROOM_NAME_MAX }));
    assert(sio_socket_in(f->sockets[0], (struct str) { name, SIO_ROOM_NAME_MAX }));
    assert(!sio_socket_join(f->sockets[0], (struct str) { name, SIO_ROOM_NAME_MAX + 1 }));
    assert(!sio_socket_in(f->sockets[0], (struct str) { name, SIO_ROOM_NAME_MAX + 1 }));
    assert(sio_socket_join(f->sockets[0], STR("")));
    assert(sio_room_size(f->nsp, SCOPE, STR("")) == 1);
}

static void names_have_up_to_255_bytes(void **state)
{
    struct fixture *f = *state;

    rig_call(f->rig, try_names, f);
}

static bool one_has_left(void *arg)
{
    struct fixture *f = arg;
    struct sio_stats stats;

    sio_server_stats(f->server, &stats);
    f->count = stats.sockets;
    return stats.sockets == SOCKETS - 1;
}

static void fill_one_room(void *arg)
{
    struct fixture *f = arg;

    assert(sio_socket_join(f->sockets[0], STR("lonely")));
    assert(sio_socket_join(f->sockets[0], STR("shared")));
    assert(sio_socket_join(f->sockets[1], STR("shared")));
}

static void count_rooms(void *arg)
{
    struct fixture *f = arg;

    assert(sio_room_size(f->nsp, SCOPE, STR("lonely")) == 0);
    assert(sio_room_size(f->nsp, SCOPE, STR("shared")) == 1);
}

static void a_socket_that_goes_leaves_all_its_rooms(void **state)
{
    struct fixture *f = *state;

    rig_call(f->rig, fill_one_room, f);
    client_close(&f->clients[0]);
    rig_wait(f->rig, one_has_left, f);
    rig_call(f->rig, count_rooms, f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_and_memberships_agree_whatever_the_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(members_may_leave_while_they_are_walked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_have_up_to_255_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_socket_that_goes_leaves_all_its_rooms, set_up, tear_down),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("room", tests, NULL, NULL);
}

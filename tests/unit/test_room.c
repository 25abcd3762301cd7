/* Rooms from inside: random joining and leaving, compared with a plain table of who is where. */
#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static const struct sio_app app = {
    .on_connect = on_connect,
    .on_event = on_event,
    .on_disconnect = on_disconnect,
};

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

    if (f->rig != NULL) {
        rig_stop(f->rig);
    }
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

static unsigned count_rooms_met(struct fixture *f)
{
    struct sio_walk walk;
    struct sio_room_info info;
    unsigned met = 0;

    sio_walk_rooms(&walk, f->nsp);
    while (sio_walk_room(&walk, &info)) {
        assert(info.scope == SCOPE && info.members > 0);
        met++;
    }
    sio_walk_end(&walk);
    return met;
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
    unsigned expected = 0;
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
    sio_server_stats(f->server, &stats);
    assert(count_rooms_met(f) == expected && stats.rooms == expected);
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

/* ---- walks that rest while everything moves */

enum { WALKS = 4, WALK_STEPS = 200000 };

/* Over rooms, or over the members of chat_0; things are numbered as names and sockets are. */
struct watch {
    struct sio_walk walk;
    bool over_rooms, running;
    bool was[SOCKETS], stayed[SOCKETS]; /* there when the walk began, and ever since */
    unsigned met[SOCKETS];
};

static bool is_there(const struct fixture *f, const struct watch *watch, int thing)
{
    if (!watch->over_rooms) {
        return f->in[thing][0];
    }
    return thing < ROOMS && sio_room_size(f->nsp, SCOPE, str_of(f->names[thing])) > 0;
}

static void watch_begin(struct fixture *f, struct watch *watch)
{
    *watch = (struct watch) { .over_rooms = rand() % 2 == 0, .running = true };
    for (int thing = 0; thing < SOCKETS; thing++) {
        watch->was[thing] = watch->stayed[thing] = is_there(f, watch, thing);
    }
    if (watch->over_rooms) {
        sio_walk_rooms(&watch->walk, f->nsp);
    } else {
        sio_walk_members(&watch->walk, f->nsp, SCOPE, STR("chat_0"));
    }
}

static int room_number(const struct fixture *f, struct str name)
{
    int r = 0;

    while (!str_eq(name, str_of(f->names[r]))) {
        r++;
        assert(r < ROOMS);
    }
    return r;
}

/* The number of what is met, -1 at the end. */
static int watch_meet(struct fixture *f, struct watch *watch)
{
    const struct sio_socket *socket;
    struct sio_room_info info;

    if (watch->over_rooms) {
        return sio_walk_room(&watch->walk, &info) ? room_number(f, info.name) : -1;
    }
    socket = sio_walk_socket(&watch->walk);
    for (int s = 0; socket != NULL && s < SOCKETS; s++) {
        if (f->sockets[s] == socket) {
            return s;
        }
    }
    return -1;
}

static void watch_step(struct fixture *f, struct watch *watch)
{
    int thing = watch_meet(f, watch);

    if (thing >= 0) {
        assert(watch->was[thing] && watch->met[thing] == 0 && is_there(f, watch, thing));
        watch->met[thing]++;
        return;
    }
    for (thing = 0; thing < SOCKETS; thing++) {
        assert(!watch->stayed[thing] || watch->met[thing] == 1);
    }
    sio_walk_end(&watch->walk);
    watch->running = false;
}

/* By turns most join and most leave; all rooms but the first are small, and vanish often. */
static void move_someone(struct fixture *f, int step)
{
    int r = rand() % 2 == 0 ? 0 : rand() % ROOMS;
    int s = rand() % (r == 0 ? SOCKETS : 2);

    f->in[s][r] = rand() % 10 < (step / 300 % 2 == 0 ? 8 : 2);
    if (f->in[s][r]) {
        assert(sio_socket_join(f->sockets[s], str_of(f->names[r])));
    } else {
        sio_socket_leave(f->sockets[s], str_of(f->names[r]));
    }
}

static void walk_while_they_wander(void *arg)
{
    struct fixture *f = arg;
    struct watch watches[WALKS] = { 0 };
    unsigned finished = 0;

    srand(2);
    for (int step = 0; step < WALK_STEPS; step++) {
        struct watch *watch = &watches[rand() % WALKS];

        if (rand() % 2 == 0) {
            move_someone(f, step);
            for (int i = 0; i < WALKS * SOCKETS; i++) {
                struct watch *other = &watches[i / SOCKETS];

                other->stayed[i % SOCKETS] &= is_there(f, other, i % SOCKETS);
            }
        } else if (!watch->running) {
            watch_begin(f, watch);
        } else {
            watch_step(f, watch);
            finished += !watch->running;
        }
    }
    assert(finished > 1000);
    for (int i = 0; i < WALKS; i++) {
        sio_walk_end(&watches[i].walk);
    }
    check_all(f);
}

static void a_walk_meets_what_stays_exactly_once_whatever_comes_and_goes(void **state)
{
    struct fixture *f = *state;

    rig_call(f->rig, walk_while_they_wander, f);
}

struct socket_walk {
    struct fixture *f;
    struct sio_walk first, second;
    unsigned met;
};

/* One walk is just behind the sockets that go, the other one ends with the last of them. */
static void walk_a_third_and_kick_a_third(void *arg)
{
    struct socket_walk *w = arg;

    sio_walk_sockets(&w->first, w->f->nsp);
    sio_walk_sockets(&w->second, w->f->nsp);
    for (int s = 0; s < SOCKETS / 3; s++) {
        assert(sio_walk_socket(&w->first) == w->f->sockets[s]);
        sio_socket_disconnect(w->f->sockets[SOCKETS - 1 - s], true);
    }
    sio_socket_disconnect(w->f->sockets[0], true);
    sio_socket_disconnect(w->f->sockets[SOCKETS / 3], true);
}

static bool kicked_are_gone(void *arg)
{
    struct socket_walk *w = arg;
    struct sio_stats stats;

    sio_server_stats(w->f->server, &stats);
    w->f->count = stats.sockets;
    return stats.sockets == SOCKETS - SOCKETS / 3 - 2;
}

static void walk_the_rest(void *arg)
{
    struct socket_walk *w = arg;

    for (int s = SOCKETS / 3 + 1; s < SOCKETS - SOCKETS / 3; s++) {
        assert(sio_walk_socket(&w->first) == w->f->sockets[s]);
    }
    assert(sio_walk_socket(&w->first) == NULL && sio_walk_socket(&w->first) == NULL);
    for (; sio_walk_socket(&w->second) != NULL; w->met++) {
    }
    sio_walk_end(&w->second);
    sio_walk_end(&w->second);
    /* `first` is left to the server. */
}

static void sockets_that_close_are_not_met_any_more(void **state)
{
    struct socket_walk w = { .f = *state };

    rig_call(w.f->rig, walk_a_third_and_kick_a_third, &w);
    rig_wait(w.f->rig, kicked_are_gone, &w);
    rig_call(w.f->rig, walk_the_rest, &w);
    assert_int_equal(w.met, SOCKETS - SOCKETS / 3 - 2);
    rig_stop(w.f->rig);
    w.f->rig = NULL;
    assert_null(sio_walk_socket(&w.first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_and_memberships_agree_whatever_the_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(members_may_leave_while_they_are_walked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_have_up_to_255_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_socket_that_goes_leaves_all_its_rooms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_walk_meets_what_stays_exactly_once_whatever_comes_and_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sockets_that_close_are_not_met_any_more, set_up, tear_down),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("room", tests, NULL, NULL);
}

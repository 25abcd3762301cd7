#include "tests/fuzz/session_echo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "tests/fuzz/fake_conn.h"
#include "tests/fuzz/sio_client.h"

enum { NUMBERS_MAX = 10000 };

struct echo_session {
    uint64_t echoes;
    uint32_t last_number;
};

static void echo_open(void *arg, struct eio_session *session)
{
    unsigned *open = arg;

    ++*open;
    eio_session_set_user(session, xnew(struct echo_session));
}

/* Numbered messages come in order, none of them twice. */
static void check_number(struct echo_session *echo, struct str text)
{
    char digits[9] = { 0 };
    char *end;
    uint32_t number;

    if (text.len != 8) {
        return;
    }
    memcpy(digits, text.data, 8);
    number = (uint32_t)strtoul(digits, &end, 16) * sio_number_inverse;
    if (*end == '\0' && number > 0 && number < NUMBERS_MAX) {
        REQUIRE(number > echo->last_number);
        echo->last_number = number;
    }
}

static void echo_message(struct eio_session *session, bool binary, struct str payload)
{
    struct echo_session *echo = eio_session_user(session);
    char count[24];
    struct frame *frame;

    if (binary) {
        frame = frame_binary(payload);
        eio_session_send(session, frame);
        frame_unref(frame);
    } else {
        check_number(echo, payload);
    }
    snprintf(count, sizeof count, "4%" PRIu64 ":", ++echo->echoes);
    frame = frame_text2(str_of(count), binary ? STR("") : payload);
    eio_session_send(session, frame);
    frame_unref(frame);
}

static void echo_close(struct eio_session *session, enum eio_reason reason)
{
    unsigned *open = eio_session_arg(session);

    REQUIRE(reason<EIO_REASON_COUNT && * open> 0);
    --*open;
    free(eio_session_user(session));
}

const struct eio_ops session_echo = { echo_open, echo_message, echo_close };

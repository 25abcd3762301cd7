/* For tests of the webhook decoder: a delivery, decoded. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libshared/alloc.h"
#include "libshared/json.h"
#include "siod/webhook/payload.h"
#include "tests/unit/vector_file.h"

enum { RECEIVED_S = 1800000000 };

struct decoded {
    json_t *root;
    struct wa_delivery delivery;
};

static void decode_text(struct decoded *decoded, struct str text)
{
    static const struct json_limits limits = { .depth = 1024, .keys = 0 };
    struct errmsg msg;

    decoded->root = json_read(text, &limits, &msg);
    assert_non_null(decoded->root);
    wa_decode(decoded->root, RECEIVED_S, &decoded->delivery);
}

static void decode_vector(struct decoded *decoded, const char *name)
{
    autobuf struct buf text = BUF_INIT;
    char path[128];

    snprintf(path, sizeof path, "webhooks/%s", name);
    decode_text(decoded, vector_read(path, &text));
}

static void decoded_finish(struct decoded *decoded)
{
    wa_delivery_finish(&decoded->delivery);
    json_decref(decoded->root);
}
#define autodecoded CLEANUP(decoded_finish)

static void assert_str(struct str got, const char *want)
{
    if (want == NULL) {
        assert_null(got.data);
        return;
    }
    if (!str_eq(got, str_of(want))) {
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(got), want);
    }
}

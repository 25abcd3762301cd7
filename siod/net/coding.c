#include "siod/net/coding.h"

#include <assert.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include "libshared/alloc.h"

/* ---- which one */

enum { WEIGHT_MAX = 1000, WEIGHT_DIGITS = 3 };

/* One that the client named, or what `*` says of it. */
struct preference {
    unsigned weight; /* thousandths; 0 = not that */
    bool named;
    unsigned place;
};

/* Cuts `*rest` at the first `separator` and returns what stood before it. */
static struct str cut(struct str *rest, char separator)
{
    const char *at = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
    size_t len = at != NULL ? (size_t)(at - rest->data) : rest->len;
    struct str piece = { rest->data, len };

    *rest = at != NULL ? str_skip(*rest, len + 1) : STR_NONE;
    return str_trim(piece);
}

/* "0.25" in thousandths; what is no weight is 0. */
static unsigned parse_weight(struct str text)
{
    unsigned weight = 0, unit = WEIGHT_MAX;

    if (text.len == 0 || text.len > 2 + WEIGHT_DIGITS || (text.len > 1 && text.data[1] != '.')) {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (i != 1) {
            if (text.data[i] < '0' || text.data[i] > '9') {
                return 0;
            }
            weight += (unsigned)(text.data[i] - '0') * unit;
            unit /= 10;
        }
    }
    return MIN(weight, (unsigned)WEIGHT_MAX);
}

static unsigned weight_of(struct str parameters)
{
    while (parameters.data != NULL) {
        struct str parameter = cut(&parameters, ';');
        struct str name = cut(&parameter, '=');

        if (str_eq_nocase(name, STR("q"))) {
            return parse_weight(str_trim(parameter));
        }
    }
    return WEIGHT_MAX;
}

static struct preference preference_for(struct str list, struct str coding)
{
    struct preference best = { 0, false, 0 };

    for (unsigned place = 0; list.data != NULL; place++) {
        struct str parameters = cut(&list, ',');
        struct str name = cut(&parameters, ';');
        bool named = str_eq_nocase(name, coding);

        if (named || (str_eq(name, STR("*")) && !best.named)) {
            best = (struct preference) { weight_of(parameters), named, place };
        }
    }
    return best;
}

static bool is_better(const struct preference *one, const struct preference *other)
{
    if (one->weight != other->weight) {
        return one->weight > other->weight;
    }
    if (one->named != other->named) {
        return one->named;
    }
    return one->place < other->place;
}

struct str coding_name(enum coding coding)
{
    static const struct str names[] = { STR_INIT("identity"), STR_INIT("gzip"),
                                        STR_INIT("deflate") };

    return names[coding];
}

enum coding coding_choose(struct str accept_encoding)
{
    struct preference gzip = preference_for(accept_encoding, coding_name(CODING_GZIP));
    struct preference deflate = preference_for(accept_encoding, coding_name(CODING_DEFLATE));

    if (gzip.weight == 0 && deflate.weight == 0) {
        return CODING_NONE;
    }
    return is_better(&deflate, &gzip) ? CODING_DEFLATE : CODING_GZIP;
}

/* ---- how */

enum { LEVEL = 1, WINDOW_BITS = 15, WINDOW_GZIP = 16 + WINDOW_BITS, MEMORY_LEVEL = 8 };

struct coder {
    z_stream streams[CODING_COUNT];
    bool ready[CODING_COUNT];
};

struct coder *coder_new(void)
{
    return xnew(struct coder);
}

void coder_free(struct coder *coder)
{
    for (int i = 0; coder != NULL && i < CODING_COUNT; i++) {
        if (coder->ready[i]) {
            deflateEnd(&coder->streams[i]);
        }
    }
    free(coder);
}

static z_stream *prepare(struct coder *coder, enum coding coding)
{
    z_stream *stream = &coder->streams[coding];
    int result;

    if (coder->ready[coding]) {
        result = deflateReset(stream);
    } else {
        result = deflateInit2(stream, LEVEL, Z_DEFLATED,
                              coding == CODING_GZIP ? WINDOW_GZIP : WINDOW_BITS, MEMORY_LEVEL,
                              Z_DEFAULT_STRATEGY);
    }
    if (result != Z_OK) {
        abort(); /* it was out of memory, as in xmalloc() */
    }
    coder->ready[coding] = true;
    return stream;
}

void coder_run(struct coder *coder, enum coding coding, struct str body, struct buf *out)
{
    z_stream *stream = prepare(coder, coding);
    size_t room = deflateBound(stream, body.len);
    int result;

    stream->next_in = (const Bytef *)body.data;
    stream->avail_in = (uInt)body.len;
    stream->next_out = (Bytef *)buf_reserve(out, room);
    stream->avail_out = (uInt)room;
    result = deflate(stream, Z_FINISH);
    assert(result == Z_STREAM_END);
    (void)result;
    out->len += room - stream->avail_out;
}

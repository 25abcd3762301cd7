#include "libshared/error.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *code;
    const char *text;
    unsigned status;
} errors[] = {
    [OK] = { "ok", "ok", 200 },
#define ERROR(id, code, status, text) [ERR_##id] = { code, text, status },
#include "libshared/error.def"
#undef ERROR
};

const char *err_code(enum err err)
{
    return errors[err].code;
}

unsigned err_http_status(enum err err)
{
    return errors[err].status;
}

const char *err_text(enum err err)
{
    return errors[err].text;
}

enum err err_set(struct errmsg *msg, enum err err, const char *format, ...)
{
    va_list args;

    if (msg == NULL) {
        return err;
    }
    va_start(args, format);
    vsnprintf(msg->text, sizeof msg->text, format, args);
    va_end(args);
    return err;
}

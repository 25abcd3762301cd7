/* `siod --dev`: a throw-away desk without a configuration file. */
#pragma once

#include <stddef.h>

#include "libshared/base.h"
#include "libshared/error.h"

enum { DEV_SETTINGS = 8 };

/* The settings of a dev desk as `section.key=value` overrides. */
struct dev_settings {
    char *items[DEV_SETTINGS];
    size_t count;
};

/* Makes the state directory and the random secrets in it (jwt.key, app.secret, verify.token, mode
 * 0600) unless they exist, and says which settings use them. */
NODISCARD
enum err dev_prepare(const char *dir, struct dev_settings *ret, struct errmsg *msg);
void dev_settings_finish(struct dev_settings *settings);
/* What to try next, on stderr; `url` is where siod listens. */
void dev_print_hints(const char *dir, const char *url);

/* `siod --dev`: a throw-away desk without a configuration file. */
#pragma once

#include <stdbool.h>
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
struct dev_hints {
    const char *dir, *socket; /* the control socket */
    const char *address;      /* where /readyz is: ADDRESS:PORT, or a path */
    bool is_unix, is_tls;
};
/* What to try next, on stderr: commands that a shell takes as they are. */
void dev_print_hints(const struct dev_hints *hints);

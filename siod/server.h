/* The daemon as a whole: owns every module, starts them in order, stops them in reverse. The only
 * place where modules meet. */
#pragma once

#include "libshared/base.h"
#include "libshared/config.h"
#include "libshared/error.h"

struct siod;

struct siod_options {
    const char *config_path;      /* NULL: none */
    const char *const *overrides; /* as for config_load() */
    size_t override_count;
    const char *dev_dir; /* state directory of --dev, NULL otherwise */
};

/* Reads the files that it names (secrets, keys, verify tokens, certificate) and looks its operators
 * up. */
NODISCARD
enum err siod_check(const struct config *config, struct errmsg *msg);
/* Starts everything that has to work before traffic is taken: opens the store, enters the
 * configured businesses, listens. On failure msg has the one line to print. `config` is taken,
 * `options` borrowed for the life of the daemon. */
NODISCARD
enum err siod_start(struct config *config, const struct siod_options *options, struct siod **ret,
                    struct errmsg *msg);
/* Says that it is ready and runs until a signal ends it. */
void siod_run(struct siod *siod);
void siod_free(struct siod *siod);

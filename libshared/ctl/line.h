/* A command line of sioctl, checked before anything is connected. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/ctl/command.h"
#include "libshared/error.h"

struct ctl_option {
    char letter;
    const char *name;
    const char *argument; /* arguments.def; empty for a flag */
    const char *help;
};
enum {
#define OPT(id, letter, name, argument, help) CTL_OPT_##id,
#include "libshared/ctl/options.def"
#undef OPT
    CTL_OPTION_COUNT
};
/* The rows of options.def, indexed by CTL_OPT_… */
extern const struct ctl_option ctl_options[CTL_OPTION_COUNT];

struct ctl_line {
    const struct ctl_command *command; /* NULL when --help or --version came without one */
    json_t *args;                      /* object, as in a request */
    /* options.def, as given: NULL = not given; a flag is true */
    json_t *options[CTL_OPTION_COUNT];
    bool only_options; /* of options.def, and good: for the shell, an error anywhere else */
};

/* Reads the words after the program's name. Options may stand anywhere, `--` ends them, `-` is an
 * argument. --help behind words that are no whole command makes `help` of them. ERR_UNKNOWN_COMMAND
 * or ERR_INVALID with a sentence; line->command is set as soon as it is known, so that usage can be
 * shown. Release with ctl_line_finish() in either case. */
NODISCARD
enum err ctl_line_parse(const char *const *words, unsigned count, struct ctl_line *ret_line,
                        struct errmsg *msg);
void ctl_line_finish(struct ctl_line *line);

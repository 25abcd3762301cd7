/* The commands of sioctl and of the control protocol: the table commands.def, its grammar, and
 * finding a row. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "libshared/base.h"
#include "libshared/ctl/argument.h"
#include "libshared/error.h"
#include "libshared/str.h"

enum ctl_access { CTL_READ, CTL_OPERATE, CTL_ADMIN };
/* "read", "operate", "admin" */
const char *ctl_access_name(enum ctl_access access);

enum ctl_where { CTL_DAEMON, CTL_LOCAL, CTL_BOTH };

enum ctl_command_id {
#define CTL(id, grammar, access, where, help) CTL_CMD_##id,
#include "libshared/ctl/commands.def"
#undef CTL
    CTL_COMMAND_COUNT
};

struct ctl_command {
    enum ctl_command_id id;
    const char *grammar;
    enum ctl_access access;
    enum ctl_where where;
    const char *help; /* empty: plumbing */
};
/* In the order of commands.def, indexed by id. */
extern const struct ctl_command ctl_commands[CTL_COMMAND_COUNT];

enum {
    CTL_NAME_SIZE = 32,
    CTL_WORDS_MAX = 3,
    CTL_COMMAND_SIZE = CTL_WORDS_MAX * CTL_NAME_SIZE, /* of a command's name */
    CTL_PARAMS_MAX = 16,
};

/* One argument or option of a command. */
struct ctl_param {
    char key[CTL_NAME_SIZE];             /* name in a request's args */
    char option[CTL_NAME_SIZE];          /* without the dashes; empty for a positional argument */
    const struct ctl_argument *argument; /* NULL for a flag */
    bool required, repeats;
};

/* A grammar string, taken apart. */
struct ctl_grammar {
    unsigned word_count, param_count;
    char words[CTL_WORDS_MAX][CTL_NAME_SIZE];
    struct ctl_param params[CTL_PARAMS_MAX];
};

/* False when the string breaks the rules in commands.def: for the test of the table. */
NODISCARD
bool ctl_grammar_read(const char *grammar, struct ctl_grammar *ret_grammar);
/* Of a row, which is known to be good. */
void ctl_grammar_of(const struct ctl_command *command, struct ctl_grammar *ret_grammar);
/* "room show"; into CTL_COMMAND_SIZE bytes */
void ctl_command_name(const struct ctl_command *command, char *ret_name, size_t size);
/* NULL when the command has no such option. */
const struct ctl_param *ctl_option_find(const struct ctl_grammar *grammar, struct str name);
/* "config" for the c of a grammar's -c/--config; .data NULL when no command has it. */
struct str ctl_option_by_letter(char letter);
/* The n-th positional argument, the last one again if it repeats; NULL past the end. */
const struct ctl_param *ctl_positional(const struct ctl_grammar *grammar, unsigned n);
/* Does any command have an option of this name? */
bool ctl_option_exists(struct str name);
/* Does any command have an option of this name that takes a value? (All that have it agree.) */
bool ctl_option_takes_value(struct str name);

/* By its full name, "room list"; NULL if there is none. */
const struct ctl_command *ctl_command_find(struct str name);
/* From the leading words of a command line, each an unambiguous prefix. ERR_UNKNOWN_COMMAND with a
 * sentence that names the candidates; *ret_used is the number of words that name it. */
NODISCARD
enum err ctl_command_resolve(const char *const *words, unsigned count,
                             const struct ctl_command **ret_command, unsigned *ret_used,
                             struct errmsg *msg);
/* What begins with `prefix` and may follow these words of commands (each whole, none yet or some):
 * each once, plumbing left out. */
void ctl_command_candidates(const char *const *words, unsigned count, const char *prefix,
                            void (*fn)(void *arg, const char *word), void *arg);

/* Check a request's args against the command: unknown, missing and mistyped members are
 * ERR_INVALID. Returns owned and normalised (ids as integers, durations in ms, repeatable ones as
 * arrays, switches only when they are on); NULL with msg. `args` may be NULL. */
NODISCARD
json_t *ctl_args_accept(const struct ctl_command *command, json_t *args, struct errmsg *msg);
/* ERR_INVALID with "missing <chat>" or "missing --user" when a required argument is not in args. */
NODISCARD
enum err ctl_args_complete(const struct ctl_grammar *grammar, const json_t *args,
                           struct errmsg *msg);

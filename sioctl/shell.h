/* The parts of `sioctl shell`: the loop, the terminal with its completion, the history. Only these
 * files know readline. */
#pragma once

#include <stdbool.h>

#include "libshared/str.h"
#include "sioctl/sioctl.h"

/* ---- shell.c */

struct shell {
    struct runner runner;
    enum exit_code
        failure;   /* of the last line that was run; of a script, of the last that failed */
    unsigned line; /* of a script */
    bool leaving;
};
/* Words that only the shell knows: exit, quit; NULL past the last. */
const char *shell_word(unsigned n);

/* ---- shell_terminal.c */

void terminal_open(struct shell *shell);
/* One line, owned; NULL at the end of input or of the process. An interrupt makes it empty. */
NODISCARD
char *terminal_read(struct shell *shell);

/* Behind the ^C that the terminal has echoed begins a new line. */
void terminal_after_interrupt(void);

/* ---- shell_history.c */

enum history_place {
    HISTORY_NOWHERE, /* secrets */
    HISTORY_MEMORY,  /* until the shell ends */
    HISTORY_FILE,
};
/* Where the line may be kept. Pure. */
enum history_place shell_history_place(struct str line);
/* Reads what the file has and cuts it to the length that is kept. */
void shell_history_open(void);
void shell_history_keep(const char *entered);

/* `shell`: the commands of sioctl one after the other, over one connection. On a terminal with
 * readline; from a pipe or a file it is a script, read line by line.
 *
 * A script goes on when a line fails and its exit code is that of the last line that did, so that a
 * failure in the middle is not lost. An interrupt ends a command on a terminal, and a script. */
#include "sioctl/shell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/ctl/words.h"

static const char *const leave_words[] = { "exit", "quit", NULL };

const char *shell_word(unsigned n)
{
    return leave_words[n];
}

static bool is_leaving(const struct ctl_words *words)
{
    for (unsigned i = 0; leave_words[i] != NULL; i++) {
        if (strcmp(words->list[0], leave_words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static enum exit_code run_split(struct shell *shell, const struct ctl_words *words)
{
    enum exit_code code;

    if (is_leaving(words) && words->count == 1) {
        shell->leaving = true;
        return EXIT_DONE;
    }
    if (is_leaving(words)) {
        say("'%s' takes no arguments", words->list[0]);
        return EXIT_USAGE;
    }
    code = run_words(&shell->runner, (const char *const *)words->list, words->count);
    shell->leaving = shell->runner.output_lost;
    return code;
}

/* *ret_code is untouched by a line without words. */
static void run_line(struct shell *shell, struct str line, enum exit_code *ret_code)
{
    struct ctl_words words;
    struct errmsg msg = { "" };

    if (ctl_words_split(line, &words, &msg) != OK) {
        say("%s", msg.text);
        *ret_code = EXIT_USAGE;
    } else if (words.count > 0) {
        *ret_code = run_split(shell, &words);
    }
    ctl_words_finish(&words);
}

/* ---- on a terminal */

static void greet(const struct shell *shell)
{
    const char *path = json_string_value(shell->runner.options[CTL_OPT_socket]);

    tell("siod at %s; 'help' lists the commands, Ctrl-D leaves", ctl_socket_path(path));
}

static enum exit_code run_terminal(struct shell *shell)
{
    char *line;

    terminal_open(shell);
    shell_history_open();
    greet(shell);
    while (!shell->leaving && (line = terminal_read(shell)) != NULL) {
        interrupted = 0;
        shell_history_keep(line);
        run_line(shell, str_of(line), &shell->failure);
        free(line);
        if (interrupted == SIGINT) {
            terminal_after_interrupt();
        }
        shell->leaving = shell->leaving || interrupted == SIGTERM;
    }
    return interrupted == SIGTERM ? EXIT_INTERRUPTED : EXIT_DONE;
}

/* ---- a script */

static void run_script_line(struct shell *shell, struct str line)
{
    enum exit_code code = EXIT_DONE;

    shell->line++;
    run_line(shell, line, &code);
    if (code != EXIT_DONE) {
        shell->failure = code;
        say("line %u: exit code %d", shell->line, (int)code);
    }
}

static enum exit_code run_script(struct shell *shell)
{
    autofree char *line = NULL;
    size_t cap = 0;
    ssize_t len = 0;

    input_is_script();
    while (!shell->leaving && !interrupted && (len = getline(&line, &cap, stdin)) >= 0) {
        run_script_line(shell, (struct str) { line, (size_t)len });
    }
    if (!shell->leaving && !interrupted && ferror(stdin)) {
        say("stdin: %s", strerror(errno));
        return EXIT_REFUSED;
    }
    return interrupted ? EXIT_INTERRUPTED : shell->failure;
}

enum exit_code run_shell(struct session *session)
{
    struct shell shell = { .runner = { .in_shell = true } };
    enum exit_code code;

    if (session->runner->in_shell) {
        say("this is the shell already");
        return EXIT_USAGE;
    }
    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        shell.runner.options[i] = json_incref(session->line->options[i]);
    }
    catch_signals(false);
    code = (isatty(STDIN_FILENO) ? run_terminal : run_script)(&shell);
    ctl_client_close(shell.runner.client);
    for (unsigned i = 0; i < CTL_OPTION_COUNT; i++) {
        json_decref(shell.runner.options[i]);
    }
    return code;
}

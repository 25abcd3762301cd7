/* The shell's terminal: a line at a time with readline, completed as `sioctl complete` does.
 *
 * While a line is edited the connection is watched too, so that an operator learns at once that
 * siod went away. Signals are blocked but for the moment of waiting: none gets lost between looking
 * and waiting, and none finds readline in the middle of something. */
#include <errno.h>
#include <poll.h>
#include <readline/readline.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/ctl/words.h"
#include "sioctl/shell.h"

enum { PROMPT_MAX = 32 };

/* readline's hooks have no argument of ours. */
static struct shell *current;
static struct {
    char *line;
    bool done;
} entered;
static volatile sig_atomic_t resized, suspended;

static const char blanks[] = " \t\n";

/* ---- completion */

struct matches {
    char **list; /* as readline wants them: [0] is for what they have in common */
    size_t count;
    const char *before; /* of the word: what readline leaves where it is */
    char quote;
};

static void add_match(void *arg, const char *word)
{
    struct matches *matches = arg;
    size_t len = strlen(matches->before);
    struct buf text = BUF_INIT;

    if (strncmp(word, matches->before, len) != 0) {
        return;
    }
    ctl_words_quote(&text, str_of(word + len), matches->quote);
    matches->list = xrealloc((void *)matches->list, (matches->count + 3) * sizeof(char *));
    matches->list[++matches->count] = buf_take(&text);
}

/* The list with [0] filled in: the only match, or what several begin with. NULL when there is none.
 */
static char **finish_matches(struct matches *matches)
{
    size_t len;

    if (matches->count == 0) {
        return NULL;
    }
    if (matches->count == 1) {
        matches->list[0] = matches->list[1];
        matches->list[1] = NULL;
        return matches->list;
    }
    len = strlen(matches->list[1]);
    for (size_t i = 2; i <= matches->count; i++) {
        size_t same = 0;

        while (same < len && matches->list[i][same] == matches->list[1][same]) {
            same++;
        }
        len = same;
    }
    matches->list[0] = xstrndup(matches->list[1], len);
    matches->list[matches->count + 1] = NULL;
    return matches->list;
}

static void offer_shell_words(struct matches *matches, const char *prefix)
{
    for (unsigned i = 0; shell_word(i) != NULL; i++) {
        if (strncmp(shell_word(i), prefix, strlen(prefix)) == 0) {
            add_match(matches, shell_word(i));
        }
    }
}

/* The words of the line up to the cursor, over the shell's connection. True for file names. */
static bool complete_typed(const struct ctl_words *words, struct matches *matches)
{
    struct runner *runner = &current->runner;
    struct session session = { .runner = runner };
    autofree const char **list = xcalloc(words->count + 1, sizeof(*list));
    unsigned count = words->count;
    bool files;

    for (unsigned i = 0; i < words->count; i++) {
        list[i] = words->list[i];
    }
    if (!words->open) {
        list[count++] = "";
    }
    session.config = client_config((const json_t *const *)runner->options);
    session.client = runner_client(runner);
    files = complete_words(&session, list, count, add_match, matches);
    if (count == 1) {
        offer_shell_words(matches, list[0]);
    }
    runner->client = session.client;
    return files;
}

/* Names that the terminal would obey are not offered. */
static char *next_file(const char *text, int state)
{
    char *name = rl_filename_completion_function(text, state);

    while (name != NULL && !text_is_printable(str_of(name))) {
        free(name);
        name = rl_filename_completion_function(text, 1);
    }
    return name;
}

/* The only match is followed by its closing quote and a blank, unless it is a beginning: agent/ */
static void end_match(char **match, char quote)
{
    size_t len = strlen(*match);
    bool is_beginning = len > 0 && strchr("/=", (*match)[len - 1]) != NULL;

    rl_completion_suppress_append = is_beginning;
    rl_completion_suppress_quote = 1;
    if (quote != '\0' && !is_beginning) {
        *match = xrealloc(*match, len + 2);
        (*match)[len] = quote;
        (*match)[len + 1] = '\0';
    }
}

/* `start` is where readline has found its word: behind an opening quote, and behind the = of an
 * option. What of our word lies before that stays. */
static char **complete_line(const char *text, int start, int end)
{
    struct ctl_words words, before;
    struct matches matches = { 0 };
    char **found = NULL;
    bool files;

    ctl_words_read((struct str) { rl_line_buffer, (size_t)end }, &words);
    ctl_words_read((struct str) { rl_line_buffer, (size_t)start }, &before);
    matches.before = before.open ? before.list[before.count - 1] : "";
    matches.quote = words.quote == '\\' ? '\0' : words.quote;
    files = !words.comment && complete_typed(&words, &matches);
    if (files) {
        found = rl_completion_matches(text, next_file);
    } else {
        rl_attempted_completion_over = 1;
        found = finish_matches(&matches);
    }
    if (found != NULL && found[1] == NULL && !files) {
        end_match(&found[0], matches.quote);
    }
    ctl_words_finish(&words);
    ctl_words_finish(&before);
    return found;
}

/* readline asks about blanks and quotes that a backslash may have made ordinary. */
static int is_quoted(char *line, int index)
{
    struct ctl_words words;
    bool quoted;

    ctl_words_read((struct str) { line, (size_t)index }, &words);
    quoted = words.quote == '\\';
    ctl_words_finish(&words);
    return quoted;
}

static char *quote_file(char *text, int match_type, char *quote)
{
    struct buf quoted = BUF_INIT;

    (void)match_type;
    if (*quote != '\0') {
        buf_add_char(&quoted, *quote);
    }
    ctl_words_quote(&quoted, str_of(text), *quote);
    return buf_take(&quoted);
}

static char *dequote_file(char *text, int quote)
{
    const char opening[] = { (char)quote, '\0' };
    autofree char *whole = xasprintf("%s%s", opening, text);
    struct ctl_words words;
    char *plain;

    ctl_words_read(str_of(whole), &words);
    plain = xstrdup(words.count > 0 ? words.list[0] : "");
    ctl_words_finish(&words);
    return plain;
}

/* Behind --option= begins the value. */
static char *word_breaks(void)
{
    static char plain[] = " \t\n", option[] = " \t\n=";
    struct ctl_words words;
    bool is_option;

    ctl_words_read((struct str) { rl_line_buffer, (size_t)rl_point }, &words);
    is_option = words.open && str_starts_with(str_of(words.list[words.count - 1]), STR("--"));
    ctl_words_finish(&words);
    return is_option ? option : plain;
}

void terminal_open(struct shell *shell)
{
    current = shell;
    rl_readline_name = "sioctl";
    rl_outstream = isatty(STDOUT_FILENO) ? stdout : stderr;
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
    rl_basic_word_break_characters = blanks;
    rl_completion_word_break_hook = word_breaks;
    rl_completer_quote_characters = "\"'";
    rl_char_is_quoted_p = is_quoted;
    rl_filename_quote_characters = " \t\n\\\"'#";
    rl_filename_quoting_function = quote_file;
    rl_filename_dequoting_function = dequote_file;
    rl_attempted_completion_function = complete_line;
}

/* ---- reading a line */

static void on_line(char *line)
{
    entered.line = line;
    entered.done = true;
    rl_callback_handler_remove();
}

static void on_signal(int signal)
{
    *(signal == SIGWINCH ? &resized : &suspended) = 1;
}

/* Leaves the terminal as it was found, stops as any program would, and comes back. */
static void suspend(const struct sigaction *stop)
{
    struct sigaction ours;
    sigset_t signals;

    suspended = 0;
    rl_deprep_terminal();
    sigemptyset(&signals);
    sigaddset(&signals, SIGTSTP);
    sigaction(SIGTSTP, stop, &ours);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &signals, NULL);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    sigaction(SIGTSTP, &ours, NULL);
    rl_prep_terminal(1);
    rl_resize_terminal();
    rl_forced_update_display();
}

/* An interrupt drops what was typed. */
static void drop_line(void)
{
    rl_callback_sigcleanup();
    rl_free_line_state();
    rl_point = rl_end;
    rl_redisplay();
    fputs("^C\n", rl_outstream);
    fflush(rl_outstream);
    rl_callback_handler_remove();
    entered.line = xstrdup("");
    entered.done = true;
}

static void handle_signals(const struct sigaction *stop)
{
    if (interrupted == SIGINT) {
        drop_line();
    } else if (interrupted) {
        on_line(NULL);
    } else if (suspended) {
        suspend(stop);
    } else if (resized) {
        resized = 0;
        rl_resize_terminal();
    }
}

static void note_daemon_gone(void)
{
    ctl_client_close(TAKE(current->runner.client));
    rl_clear_visible_line();
    fflush(rl_outstream);
    say("siod closed the connection; the next command looks for it again");
    rl_on_new_line();
    rl_forced_update_display();
}

static void wait_for_key(const sigset_t *unblocked, const struct sigaction *stop)
{
    static const struct timespec at_once = { 0 };
    const struct ctl_client *client = current->runner.client;
    struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                            { .fd = client != NULL ? ctl_client_fd(client) : -1,
                              .events = POLLIN } };

    if (ppoll(fds, ARRAY_SIZE(fds), NULL, unblocked) < 0 ||
        ppoll(NULL, 0, &at_once, unblocked) < 0) {
        handle_signals(stop); /* before keys that were pressed behind them */
    } else if (fds[0].revents != 0) {
        rl_callback_read_char();
    } else if (fds[1].revents != 0) {
        note_daemon_gone();
    }
}

static void edit(const char *prompt, const sigset_t *unblocked, const struct sigaction *stop)
{
    entered.line = NULL;
    entered.done = false;
    rl_callback_handler_install(prompt, on_line);
    while (!entered.done) {
        wait_for_key(unblocked, stop);
    }
    if (entered.line == NULL) {
        fputs("\n", rl_outstream);
        fflush(rl_outstream);
    }
}

void terminal_after_interrupt(void)
{
    fputs("\n", rl_outstream);
    fflush(rl_outstream);
}

char *terminal_read(struct shell *shell)
{
    const struct sigaction action = { .sa_handler = on_signal };
    struct sigaction stop, winch;
    sigset_t signals, unblocked;
    char prompt[PROMPT_MAX];

    snprintf(prompt, sizeof(prompt), shell->failure != EXIT_DONE ? "sioctl [%d]> " : "sioctl> ",
             (int)shell->failure);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGTSTP);
    sigaddset(&signals, SIGWINCH);
    sigprocmask(SIG_BLOCK, &signals, &unblocked);
    sigaction(SIGTSTP, &action, &stop);
    sigaction(SIGWINCH, &action, &winch);
    edit(prompt, &unblocked, &stop);
    sigaction(SIGTSTP, &stop, NULL);
    sigaction(SIGWINCH, &winch, NULL);
    sigprocmask(SIG_SETMASK, &unblocked, NULL);
    return entered.line;
}

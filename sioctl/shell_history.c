/* What was typed in the shell, in $XDG_STATE_HOME/sioctl/history: each line as soon as it is
 * entered, so that several shells share the file and none loses what another has written.
 *
 * No secret gets there: no line with an argument of the type SECRET, nothing that looks like a
 * token or a URL with a password, wherever in a line it stands. Payloads, and lines that are no
 * command and may be anything, can be called up again to be mended, but are not written. */
#include <errno.h>
#include <fcntl.h>
#include <readline/history.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libshared/alloc.h"
#include "libshared/ctl/words.h"
#include "sioctl/shell.h"

enum { LINES_MAX = 1000, LINE_MAX_KEPT = 4096, TOKEN_START_MIN = 8 };

static char *path; /* NULL = no file */

/* ---- what may be kept */

static bool is_base64url(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* A header is an object, so its base64 begins with ey (or ew, with a line's end behind the brace).
 */
static bool is_token(const char *text)
{
    size_t len = 0;

    if (text[0] != 'e' || (text[1] != 'y' && text[1] != 'w')) {
        return false;
    }
    while (is_base64url(text[len])) {
        len++;
    }
    return len >= TOKEN_START_MIN && text[len] == '.' && is_base64url(text[len + 1]);
}

static bool has_token(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((at == text || !is_base64url(at[-1])) && is_token(at)) {
            return true;
        }
    }
    return false;
}

/* https://user:password@host */
static bool has_password(const char *text)
{
    const char *at = strstr(text, "://");

    return at != NULL && at[3 + strcspn(at + 3, "/@ ")] == '@';
}

static enum history_place place_of_type(enum ctl_type type)
{
    switch (type) {
    case CTL_SECRET:
        return HISTORY_NOWHERE;
    case CTL_JSON:
        return HISTORY_MEMORY;
    case CTL_TEXT:
    case CTL_BODY:
    case CTL_NUMBERED:
    case CTL_ID:
    case CTL_COUNT:
    case CTL_NATURAL:
    case CTL_REAL:
    case CTL_DURATION:
    case CTL_DIGITS:
    case CTL_PATH:
    case CTL_URL:
    case CTL_CLAIM:
    case CTL_WORDS:
    case CTL_CONDITION:
    case CTL_SINCE:
    case CTL_TIME:
        break;
    }
    return HISTORY_FILE;
}

/* The least of its arguments' places. `-` is no secret, but where one is read from; and as soon as
 * something is wrong with the line, any word may be the one that was meant as the secret. */
static enum history_place place_of_command(const struct ctl_line *line, bool good)
{
    enum history_place least = HISTORY_FILE;
    struct ctl_grammar grammar;

    ctl_grammar_of(line->command, &grammar);
    for (unsigned i = 0; i < grammar.param_count; i++) {
        const struct ctl_param *param = &grammar.params[i];
        const char *value = json_string_value(json_object_get(line->args, param->key));
        bool named = !good || json_object_get(line->args, param->key) != NULL;

        if (param->argument != NULL && named && (value == NULL || strcmp(value, "-") != 0)) {
            least = MIN(least, place_of_type(param->argument->type));
        }
    }
    return least;
}

static enum history_place place_of_words(const struct ctl_words *words)
{
    enum history_place place = HISTORY_FILE;
    struct ctl_line line;
    enum err err = ctl_line_parse((const char *const *)words->list, words->count, &line, NULL);

    if (line.command != NULL) {
        place = place_of_command(&line, err == OK);
    } else if (err != OK && !line.only_options) {
        place = HISTORY_MEMORY;
    }
    ctl_line_finish(&line);
    return place;
}

static bool is_shell_word(const char *word)
{
    for (unsigned i = 0; shell_word(i) != NULL; i++) {
        if (strcmp(word, shell_word(i)) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_secret(const struct ctl_words *words)
{
    for (unsigned i = 0; i < words->count; i++) {
        if (has_token(words->list[i]) || has_password(words->list[i])) {
            return true;
        }
    }
    return false;
}

enum history_place shell_history_place(struct str line)
{
    struct ctl_words words;
    enum history_place place = HISTORY_MEMORY;
    bool good = ctl_words_split(line, &words, NULL) == OK;
    bool bare = words.count == 0 || (words.count == 1 && is_shell_word(words.list[0]));

    if (line.len == 0 || line.data[0] == ' ' || bare || has_secret(&words)) {
        place = HISTORY_NOWHERE;
    } else if (words.comment) {
        place = HISTORY_MEMORY;
    } else if (good) {
        place = place_of_words(&words);
    }
    ctl_words_finish(&words);
    return place;
}

/* ---- the file */

/* Every folder above the file, private where it is new. */
static bool make_folders(const char *file)
{
    autofree char *folder = xstrdup(file);

    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
            say("no history: %s: %s", folder, strerror(errno));
            return false;
        }
        *slash = '/';
    }
    return true;
}

static char *choose_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (state != NULL && state[0] == '/') {
        return xasprintf("%s/sioctl/history", state);
    }
    if (home != NULL && home[0] == '/') {
        return xasprintf("%s/.local/state/sioctl/history", home);
    }
    return NULL;
}

/* -1 with errno. A file that others could read is made private before anything is written. */
static int open_file(int flags)
{
    int fd = open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd >= 0 && fchmod(fd, 0600) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void give_up_file(void)
{
    say("no history: %s: %s", path, strerror(errno));
    free(path);
    path = NULL;
}

void shell_history_open(void)
{
    int fd;

    using_history();
    stifle_history(LINES_MAX);
    path = choose_path();
    if (path == NULL || !make_folders(path)) {
        free(TAKE(path));
        return;
    }
    fd = open_file(O_RDWR);
    if (fd < 0) {
        give_up_file();
        return;
    }
    close(fd);
    (void)read_history(path);
    if (history_is_stifled() && history_base > 1) {
        (void)history_truncate_file(path, LINES_MAX);
    }
}

static void append(const char *line)
{
    autofree char *text = xasprintf("%s\n", line);
    size_t len = strlen(text);
    int fd = open_file(O_WRONLY | O_APPEND);

    if (fd < 0 || write(fd, text, len) != (ssize_t)len) {
        give_up_file();
    }
    if (fd >= 0) {
        close(fd);
    }
}

static bool is_repetition(const char *line)
{
    const HIST_ENTRY *last =
        history_length > 0 ? history_get(history_base + history_length - 1) : NULL;

    return last != NULL && strcmp(last->line, line) == 0;
}

static size_t trimmed_len(const char *line)
{
    size_t len = strlen(line);

    while (len > 0 && line[len - 1] == ' ') {
        len--;
    }
    return len;
}

void shell_history_keep(const char *entered)
{
    autofree char *line = xstrndup(entered, trimmed_len(entered));
    enum history_place place = shell_history_place(str_of(line));

    if (place == HISTORY_NOWHERE || strlen(line) > LINE_MAX_KEPT || is_repetition(line)) {
        return;
    }
    add_history(line);
    if (place == HISTORY_FILE && path != NULL) {
        append(line);
    }
}

/* What the files of the config module share: walking sections, and setting one value from text. */
#pragma once

#include "libshared/config.h"

struct config_section {
    const char *name;
    const char *title; /* NULL: the section exists once */
    size_t offset;     /* of its struct, or of the pointer to its structs, in struct config */
    size_t count_offset;
    size_t size; /* of one struct */
};

/* NULL when there is none. */
const struct config_section *config_section_find(const char *name);
const struct config_section *config_section_at(size_t index);
const struct config_setting *config_setting_find(const char *section, const char *key);

/* How many structs the section has: 1, or the number of its titles. */
size_t config_section_count(const struct config *config, const struct config_section *section);
void *config_section_get(const struct config *config, const struct config_section *section,
                         size_t index);
/* The struct for a title (NULL for a section without one), made with defaults when absent. */
void *config_section_open(struct config *config, const struct config_section *section,
                          const char *title);

/* Empties a section that has titles. */
void config_section_clear(struct config *config, const struct config_section *section);

/* Set a member of `target`, a section's struct. ERR_INVALID with a sentence that has no place. */
NODISCARD
enum err config_assign(void *target, const struct config_setting *setting,
                       const char *const *values, size_t count, struct errmsg *msg);
/* The same from one text: a list's members are separated by commas. */
NODISCARD
enum err config_assign_text(void *target, const struct config_setting *setting, const char *text,
                            struct errmsg *msg);

/* The values are copied. */
void config_list_set(struct config_list *list, const char *const *values, size_t count);

/* Where a setting, or a section's opening (key NULL), was written. Lives as long as its config. */
struct config_place;
struct config_source {
    char *file;                  /* NULL: none was read */
    bool is_running;             /* the daemon is: no file may keep it waiting */
    struct config_place *places; /* uthash, in the order of the text */
    struct errmsg *msg;          /* of who loads it */
};
/* The end of the sentence about such a file. */
#define CONFIG_MAY_WAIT " is no regular file, and a running siod does not wait for it"
void config_source_free(struct config_source *source);

/* Remember a place of the file. ERR_INVALID when the same stands there already. */
NODISCARD
enum err config_place_add(struct config_source *source, const char *section, const char *title,
                          const char *key, unsigned line);
/* `text` overrides whatever the file says. */
void config_place_override(struct config_source *source, const char *section, const char *title,
                           const char *key, const char *text);
/* "FILE:LINE" of what the file gives and nothing overrides; NULL for anything else. Returns owned.
 */
char *config_place_text(const struct config_source *source, const char *section, const char *title,
                        const char *key);
/* Fail with the sentence behind the best known place. */
PRINTF(6, 7)
enum err config_fail(const struct config_source *source, enum err err, const char *section,
                     const char *title, const char *key, const char *format, ...);
/* The same at a line of the file; ERR_SYNTAX. */
PRINTF(3, 4)
enum err config_fail_at(const struct config_source *source, unsigned line, const char *format, ...);
/* What a title may consist of: it is part of paths with dots and of the file's unquoted words. */
bool config_title_valid(const char *title);
#define CONFIG_NO_TITLE "\"%s\" is no title: 1 to 64 letters, digits, - and _ are expected"

/* Note the places of the text of source->file. */
NODISCARD
enum err config_scan(struct str text, struct config_source *source);
/* Read source->file into `config` and note the places. */
NODISCARD
enum err config_read_file(struct config *config, struct config_source *source);
/* What concerns several settings, or more than the table says about one; for a running daemon also
 * that no file that a setting names may keep it waiting. */
NODISCARD
enum err config_check(const struct config *config, const struct config_source *source);

#include "libshared/config_place.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/config_table.h"

enum { TITLE_MAX = 64 };

bool config_title_valid(const char *title)
{
    size_t len = strspn(title, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    return len > 0 && len <= TITLE_MAX && title[len] == '\0';
}

static char *join(const char *section, const char *title, const char *key)
{
    return xasprintf("%s%s%s%s%s", section, title != NULL ? "." : "", title != NULL ? title : "",
                     key != NULL ? "." : "", key != NULL ? key : "");
}

static struct config_place *find(const struct config_source *source, const char *section,
                                 const char *title, const char *key)
{
    autofree char *path = join(section, title, key);
    struct config_place *place;

    HASH_FIND_STR(source->places, path, place);
    return place;
}

static char *copy(const char *text)
{
    return text != NULL ? xstrdup(text) : NULL;
}

static struct config_place *add(struct config_source *source, const char *section,
                                const char *title, const char *key)
{
    struct config_place *place = xnew(struct config_place);

    place->path = join(section, title, key);
    place->section = xstrdup(section);
    place->title = copy(title);
    place->key = copy(key);
    HASH_ADD_KEYPTR(hh, source->places, place->path, strlen(place->path), place);
    return place;
}

enum err config_place_add(struct config_source *source, const char *section, const char *title,
                          const char *key, unsigned line)
{
    struct config_place *place = find(source, section, title, key);

    if (place != NULL) {
        return err_set(source->msg, ERR_INVALID, "%s:%u: %s is already in line %u", source->file,
                       line, place->path, place->line);
    }
    add(source, section, title, key)->line = line;
    return OK;
}

void config_place_override(struct config_source *source, const char *section, const char *title,
                           const char *key, const char *text)
{
    struct config_place *place = find(source, section, title, key);

    if (place == NULL) {
        place = add(source, section, title, key);
    }
    free(place->override);
    place->override = xstrdup(text);
}

void config_source_free(struct config_source *source)
{
    struct config_place *place, *next;

    HASH_ITER (hh, source->places, place, next) {
        HASH_DEL(source->places, place);
        free(place->path);
        free(place->section);
        free(place->title);
        free(place->key);
        free(place->override);
        free(place);
    }
    free(source->file);
    free(source);
}

char *config_place_text(const struct config_source *source, const char *section, const char *title,
                        const char *key)
{
    const struct config_place *place = find(source, section, title, key);

    return place != NULL && place->override == NULL ? xasprintf("%s:%u", source->file, place->line)
                                                    : NULL;
}

/* `sentence` behind the best known place. */
static enum err blame(const struct config_source *source, enum err err, const char *section,
                      const char *title, const char *key, const struct errmsg *sentence,
                      struct errmsg *msg)
{
    const struct config_place *place = find(source, section, title, key);
    autofree char *path = join(section, title, key);

    if (place == NULL && key != NULL) {
        place = find(source, section, title, NULL); /* a default, in a section that is written */
    }
    if (place != NULL && place->override != NULL) {
        return err_set(msg, err, "-o %s: %s", place->override, sentence->text);
    }
    if (place != NULL && source->file != NULL) {
        return err_set(msg, err, "%s:%u: %s: %s", source->file, place->line, path, sentence->text);
    }
    return err_set(msg, err, "%s: %s", path, sentence->text);
}

enum err config_fail(const struct config_source *source, enum err err, const char *section,
                     const char *title, const char *key, const char *format, ...)
{
    struct errmsg sentence;
    va_list args;

    va_start(args, format);
    vsnprintf(sentence.text, sizeof sentence.text, format, args);
    va_end(args);
    return blame(source, err, section, title, key, &sentence, source->msg);
}

enum err config_blame(const struct config *config, enum err err, const char *section,
                      const char *title, const char *key, struct errmsg *msg)
{
    const struct errmsg sentence = *msg;

    return blame(config->source, err, section, title, key, &sentence, msg);
}

enum err config_fail_at(const struct config_source *source, unsigned line, const char *format, ...)
{
    struct errmsg sentence;
    va_list args;

    va_start(args, format);
    vsnprintf(sentence.text, sizeof sentence.text, format, args);
    va_end(args);
    return err_set(source->msg, ERR_SYNTAX, "%s:%u: %s", source->file, line, sentence.text);
}

#include "libshared/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/config_table.h"

enum {
    RELOAD = CONFIG_RELOAD,
    SECRET = CONFIG_SECRET,
    ZERO = CONFIG_ZERO,
    REQUIRED = CONFIG_REQUIRED,
};

static const struct config_section sections[] = {
#define SECTION(section, help)                                                                     \
    { #section, NULL, offsetof(struct config, section), 0, sizeof(struct config_##section) },
#define TITLED(section, title_is, help)                                                            \
    { #section, title_is, offsetof(struct config, section),                                        \
      offsetof(struct config, section##_count), sizeof(struct config_##section) },
#define SECTION_END(section)
#define TITLED_END(section)
#define SETTING(section, key, type, initial, min, max, unit, flags, help)
#define CHOICE(section, key, type, words, initial, flags, help)
#include "libshared/config.def"
#undef SECTION
#undef TITLED
#undef SETTING
#undef CHOICE
};

#define SECTION(section, help)          static const char section##_title[] = "";
#define TITLED(section, title_is, help) static const char section##_title[] = title_is;
#define SETTING(section, key, type, initial, min, max, unit, flags, help)
#define CHOICE(section, key, type, words, initial, flags, help)
#include "libshared/config.def"
#undef SECTION
#undef TITLED
#undef SETTING
#undef CHOICE

/* clang-format off */
static const struct config_setting settings[] = {
#define SECTION(section, help)
#define TITLED(section, title_is, help)
#define SETTING(section, key, type, initial, min, max, unit, flags, help)                          \
    { #section, #key, section##_title, CONFIG_##type, initial, min, max, unit, NULL, flags, help,  \
      offsetof(struct config_##section, key) },
#define CHOICE(section, key, type, words, initial, flags, help)                                    \
    { #section, #key, section##_title, CONFIG_CHOICE, initial, 0, 0, "", words, flags, help,       \
      offsetof(struct config_##section, key) },
#include "libshared/config.def"
#undef SECTION
#undef SECTION_END
#undef TITLED
#undef TITLED_END
#undef SETTING
#undef CHOICE
};
/* clang-format on */

const struct config_section *config_section_at(size_t index)
{
    return index < ARRAY_SIZE(sections) ? &sections[index] : NULL;
}

const struct config_section *config_section_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        if (strcmp(sections[i].name, name) == 0) {
            return &sections[i];
        }
    }
    return NULL;
}

const struct config_setting *config_setting_at(size_t index)
{
    return index < ARRAY_SIZE(settings) ? &settings[index] : NULL;
}

const struct config_setting *config_setting_find(const char *section, const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].key, key) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

bool config_names_files(const struct config_setting *setting)
{
    const struct str key = str_of(setting->key);

    return str_ends_with(key, STR("_file")) || str_ends_with(key, STR("_files"));
}

size_t config_section_count(const struct config *config, const struct config_section *section)
{
    size_t count;

    if (section->title == NULL) {
        return 1;
    }
    memcpy(&count, (const char *)config + section->count_offset, sizeof count);
    return count;
}

/* The pointers to the structs have different types: memcpy reads and writes any of them. */
void *config_section_get(const struct config *config, const struct config_section *section,
                         size_t index)
{
    char *base = (char *)(uintptr_t)config + section->offset;
    char *items;

    if (section->title == NULL) {
        return base;
    }
    memcpy(&items, base, sizeof items);
    return items + index * section->size;
}

static const char *title_of(const void *item)
{
    const char *title;

    memcpy(&title, item, sizeof title); /* the first member of a titled section */
    return title;
}

static void set_defaults(void *item, const struct config_section *section)
{
    const struct config_setting *setting;

    for (size_t i = 0; (setting = config_setting_at(i)) != NULL; i++) {
        if (strcmp(setting->section, section->name) == 0) {
            struct errmsg msg;
            enum err err = config_assign_text(item, setting, setting->initial, &msg);

            assert(err == OK || (setting->type == CONFIG_TEXT && *setting->initial == '\0'));
            (void)err;
        }
    }
}

static void *append_item(struct config *config, const struct config_section *section,
                         const char *title)
{
    size_t count = config_section_count(config, section);
    char *base = (char *)config + section->offset, *items, *copy = xstrdup(title);

    memcpy(&items, base, sizeof items);
    items = xrealloc(items, (count + 1) * section->size);
    memcpy(base, &items, sizeof items);
    items += count * section->size;
    count++;
    memcpy((char *)config + section->count_offset, &count, sizeof count);
    memset(items, 0, section->size);
    memcpy(items, &copy, sizeof copy);
    set_defaults(items, section);
    return items;
}

void *config_section_open(struct config *config, const struct config_section *section,
                          const char *title)
{
    size_t count = config_section_count(config, section);

    if (section->title == NULL) {
        return config_section_get(config, section, 0);
    }
    for (size_t i = 0; i < count; i++) {
        void *item = config_section_get(config, section, i);

        if (strcmp(title_of(item), title) == 0) {
            return item;
        }
    }
    return append_item(config, section, title);
}

struct config *config_defaults(void)
{
    struct config *config = xnew(struct config);

    config->source = xnew(struct config_source);
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        if (sections[i].title == NULL) {
            set_defaults(config_section_get(config, &sections[i], 0), &sections[i]);
        }
    }
    return config;
}

static void free_item(void *item, const struct config_section *section)
{
    const struct config_setting *setting;

    for (size_t i = 0; (setting = config_setting_at(i)) != NULL; i++) {
        char *member = (char *)item + setting->offset;

        if (strcmp(setting->section, section->name) != 0) {
            continue;
        }
        if (setting->type == CONFIG_TEXT) {
            free(*(char **)(void *)member);
        } else if (setting->type == CONFIG_LIST) {
            struct config_list *list = (void *)member;

            for (size_t j = 0; j < list->count; j++) {
                free(list->items[j]);
            }
            free(list->items);
        }
    }
}

void config_section_clear(struct config *config, const struct config_section *section)
{
    size_t count = config_section_count(config, section);

    for (size_t i = 0; i < count; i++) {
        void *item = config_section_get(config, section, i);

        free_item(item, section);
        free((void *)(uintptr_t)title_of(item));
    }
    free(config_section_get(config, section, 0));
    memset((char *)config + section->offset, 0, sizeof(void *));
    memset((char *)config + section->count_offset, 0, sizeof(size_t));
}

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        if (sections[i].title != NULL) {
            config_section_clear(config, &sections[i]);
        } else {
            free_item(config_section_get(config, &sections[i], 0), &sections[i]);
        }
    }
    config_source_free(config->source);
    free(config);
}

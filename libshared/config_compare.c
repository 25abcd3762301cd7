/* Two configurations side by side, by the table: what differs, and taking over what may change. */
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/config_table.h"
#include "libshared/json.h"

static const char *title_at(const struct config *config, const struct config_section *section,
                            size_t index)
{
    return section->title != NULL ? *(char *const *)config_section_get(config, section, index)
                                  : NULL;
}

/* The section's struct of that title, or NULL. */
static void *find_item(const struct config *config, const struct config_section *section,
                       const char *title)
{
    size_t count = config_section_count(config, section);

    for (size_t i = 0; i < count; i++) {
        if (title == NULL || strcmp(title_at(config, section, i), title) == 0) {
            return config_section_get(config, section, i);
        }
    }
    return NULL;
}

static const void *member_of(const void *item, const struct config_setting *setting)
{
    return item != NULL ? (const char *)item + setting->offset : NULL;
}

static bool same_list(const struct config_list *a, const struct config_list *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0) {
            return false;
        }
    }
    return a->count == b->count;
}

static bool same_value(const struct config_setting *setting, const void *a, const void *b)
{
    switch (setting->type) {
    case CONFIG_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case CONFIG_COUNT:
        return *(const unsigned *)a == *(const unsigned *)b;
    case CONFIG_BYTES:
        return *(const size_t *)a == *(const size_t *)b;
    case CONFIG_TEXT:
        return strcmp(*(char *const *)a, *(char *const *)b) == 0;
    case CONFIG_LIST:
        return same_list(a, b);
    case CONFIG_CHOICE:
        return *(const int *)a == *(const int *)b;
    }
    return false;
}

/* Can the section's titles come and go in a running daemon? */
static bool all_reload(const struct config_section *section)
{
    const struct config_setting *setting;

    for (size_t i = 0; (setting = config_setting_at(i)) != NULL; i++) {
        if (strcmp(setting->section, section->name) == 0 && (setting->flags & CONFIG_RELOAD) == 0) {
            return false;
        }
    }
    return true;
}

static bool reloads(const struct config_section *section, const struct config_change *change)
{
    return (change->setting->flags & CONFIG_RELOAD) != 0 &&
           ((change->before != NULL && change->after != NULL) || all_reload(section));
}

/* What differs in one struct; either may be absent. */
static void compare_items(const struct config_section *section, const char *title,
                          const void *before, const void *after, config_change_fn *fn, void *arg)
{
    const struct config_setting *setting;

    for (size_t i = 0; (setting = config_setting_at(i)) != NULL; i++) {
        struct config_change change = { .setting = setting,
                                        .title = title,
                                        .before = member_of(before, setting),
                                        .after = member_of(after, setting) };

        if (strcmp(setting->section, section->name) != 0 ||
            (before != NULL && after != NULL && same_value(setting, change.before, change.after))) {
            continue;
        }
        change.reloads = reloads(section, &change);
        fn(arg, &change);
    }
}

void config_compare(const struct config *before, const struct config *after, config_change_fn *fn,
                    void *arg)
{
    const struct config_section *section;

    for (size_t i = 0; (section = config_section_at(i)) != NULL; i++) {
        size_t before_count = config_section_count(before, section);
        size_t after_count = config_section_count(after, section);

        for (size_t j = 0; j < before_count; j++) {
            const char *title = title_at(before, section, j);

            compare_items(section, title, config_section_get(before, section, j),
                          find_item(after, section, title), fn, arg);
        }
        for (size_t j = 0; j < after_count; j++) {
            const char *title = title_at(after, section, j);

            if (find_item(before, section, title) == NULL) {
                compare_items(section, title, NULL, config_section_get(after, section, j), fn, arg);
            }
        }
    }
}

/* ---- taking over */

static void copy_value(const struct config_setting *setting, void *target, const void *from)
{
    switch (setting->type) {
    case CONFIG_BOOL:
        *(bool *)target = *(const bool *)from;
        break;
    case CONFIG_COUNT:
        *(unsigned *)target = *(const unsigned *)from;
        break;
    case CONFIG_BYTES:
        *(size_t *)target = *(const size_t *)from;
        break;
    case CONFIG_TEXT:
        free(*(char **)target);
        *(char **)target = xstrdup(*(char *const *)from);
        break;
    case CONFIG_LIST:
        config_list_set(target, (const char *const *)((const struct config_list *)from)->items,
                        ((const struct config_list *)from)->count);
        break;
    case CONFIG_CHOICE:
        *(int *)target = *(const int *)from;
        break;
    }
}

static void take_item(const struct config_section *section, char *target, const void *from)
{
    const struct config_setting *setting;

    for (size_t i = 0; (setting = config_setting_at(i)) != NULL; i++) {
        const void *member = member_of(from, setting);

        if (strcmp(setting->section, section->name) == 0 && (setting->flags & CONFIG_RELOAD) != 0 &&
            !same_value(setting, target + setting->offset, member)) {
            copy_value(setting, target + setting->offset, member);
        }
    }
}

static void take_section(const struct config_section *section, struct config *config,
                         const struct config *from)
{
    size_t count;

    if (section->title != NULL && all_reload(section)) {
        config_section_clear(config, section);
        count = config_section_count(from, section);
        for (size_t i = 0; i < count; i++) {
            config_section_open(config, section, title_at(from, section, i));
        }
    }
    count = config_section_count(config, section);
    for (size_t i = 0; i < count; i++) {
        const void *item = find_item(from, section, title_at(config, section, i));

        if (item != NULL) {
            take_item(section, config_section_get(config, section, i), item);
        }
    }
}

void config_take(struct config *config, const struct config *from)
{
    const struct config_section *section;

    for (size_t i = 0; (section = config_section_at(i)) != NULL; i++) {
        take_section(section, config, from);
    }
}

/* ---- showing */

void config_change_path(const struct config_change *change, struct buf *buf)
{
    const struct config_setting *setting = change->setting;

    buf_add_cstr(buf, setting->section);
    if (change->title != NULL) {
        buf_printf(buf, ".%s", change->title);
    }
    buf_printf(buf, ".%s", setting->key);
}

static void render_list(const struct config_list *list, struct buf *buf)
{
    buf_add_char(buf, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) {
            buf_add_char(buf, ',');
        }
        json_add_cstr(buf, list->items[i]);
    }
    buf_add_char(buf, ']');
}

static void render_value(const struct config_setting *setting, const void *member, struct buf *buf)
{
    if (member == NULL) {
        buf_add_cstr(buf, "null");
        return;
    }
    switch (setting->type) {
    case CONFIG_BOOL:
    case CONFIG_COUNT:
    case CONFIG_BYTES:
        config_value_print(setting, member, buf);
        break;
    case CONFIG_TEXT:
        json_add_cstr(buf, *(char *const *)member);
        break;
    case CONFIG_LIST:
        render_list(member, buf);
        break;
    case CONFIG_CHOICE:
        buf_add_char(buf, '"');
        config_value_print(setting, member, buf);
        buf_add_char(buf, '"');
        break;
    }
}

void config_change_render(const struct config_change *change, struct buf *buf)
{
    buf_add_cstr(buf, "{\"setting\":\"");
    config_change_path(change, buf);
    buf_add_cstr(buf, "\",\"old\":");
    render_value(change->setting, change->before, buf);
    buf_add_cstr(buf, ",\"new\":");
    render_value(change->setting, change->after, buf);
    buf_printf(buf, ",\"outcome\":\"%s\"}", change->reloads ? "applied" : "needs restart");
}

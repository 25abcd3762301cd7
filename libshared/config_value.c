/* One value: from text into a member, and back. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/config_table.h"
#include "libshared/utf8.h"

static enum err assign_bool(void *member, const char *text, struct errmsg *msg)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = { { "true", true },   { "yes", true }, { "on", true },
                  { "false", false }, { "no", false }, { "off", false } };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(words[i].word, text) == 0) {
            *(bool *)member = words[i].value;
            return OK;
        }
    }
    return err_set(msg, ERR_INVALID, "true or false is expected, not \"%.64s\"", text);
}

static bool parse_digits(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (*text == '\0') {
        return false;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) {
            value = UINT64_MAX; /* out of every range */
        }
    }
    *ret_value = value;
    return *text == '\0';
}

static enum err assign_number(void *member, const struct config_setting *setting, const char *text,
                              struct errmsg *msg)
{
    uint64_t value;

    if (!parse_digits(text, &value)) {
        return err_set(msg, ERR_INVALID, "a whole number is expected, not \"%.64s\"", text);
    }
    if ((value < setting->min || value > setting->max) &&
        !(value == 0 && (setting->flags & CONFIG_ZERO) != 0)) {
        return err_set(msg, ERR_INVALID, "%s is not between %" PRIu64 " and %" PRIu64 "%s%s%s",
                       value == UINT64_MAX ? "the number" : text, setting->min, setting->max,
                       *setting->unit != '\0' ? " " : "", setting->unit,
                       (setting->flags & CONFIG_ZERO) != 0 ? ", nor 0" : "");
    }
    if (setting->type == CONFIG_BYTES) {
        *(size_t *)member = (size_t)value;
    } else {
        *(unsigned *)member = (unsigned)value;
    }
    return OK;
}

static enum err check_length(const struct config_setting *setting, const char *text,
                             struct errmsg *msg)
{
    size_t len = strlen(text);

    if (len < setting->min) {
        return err_set(msg, ERR_INVALID, "must not be empty");
    }
    if (len > setting->max) {
        return err_set(msg, ERR_INVALID, "longer than %" PRIu64 " bytes", setting->max);
    }
    return OK;
}

static enum err assign_text(void *member, const struct config_setting *setting, const char *text,
                            struct errmsg *msg)
{
    enum err err = check_length(setting, text, msg);

    if (err == OK) {
        free(*(char **)member);
        *(char **)member = xstrdup(text);
    }
    return err;
}

void config_list_set(struct config_list *list, const char *const *values, size_t count)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    list->items = xrealloc(list->items, (count + 1) * sizeof *list->items);
    for (size_t i = 0; i < count; i++) {
        list->items[i] = xstrdup(values[i]);
    }
    list->items[count] = NULL;
    list->count = count;
}

static enum err assign_list(struct config_list *list, const struct config_setting *setting,
                            const char *const *values, size_t count, struct errmsg *msg)
{
    for (size_t i = 0; i < count; i++) {
        enum err err = check_length(setting, values[i], msg);

        if (err != OK) {
            return err;
        }
    }
    config_list_set(list, values, count);
    return OK;
}

static enum err assign_choice(void *member, const struct config_setting *setting, const char *text,
                              struct errmsg *msg)
{
    const char *words = setting->words;
    size_t len = strlen(text);

    for (int value = 0;; value++) {
        size_t word_len = strcspn(words, "|");

        if (word_len == len && memcmp(words, text, len) == 0) {
            *(int *)member = value;
            return OK;
        }
        if (words[word_len] == '\0') {
            return err_set(msg, ERR_INVALID, "one of %s is expected, not \"%.64s\"", setting->words,
                           text);
        }
        words += word_len + 1;
    }
}

enum err config_assign(void *target, const struct config_setting *setting,
                       const char *const *values, size_t count, struct errmsg *msg)
{
    void *member = (char *)target + setting->offset;

    if (setting->type != CONFIG_LIST && count != 1) {
        return err_set(msg, ERR_INVALID, "one value is expected");
    }
    switch (setting->type) {
    case CONFIG_BOOL:
        return assign_bool(member, values[0], msg);
    case CONFIG_COUNT:
    case CONFIG_BYTES:
        return assign_number(member, setting, values[0], msg);
    case CONFIG_TEXT:
        return assign_text(member, setting, values[0], msg);
    case CONFIG_LIST:
        return assign_list(member, setting, values, count, msg);
    case CONFIG_CHOICE:
        return assign_choice(member, setting, values[0], msg);
    }
    return err_set(msg, ERR_INTERNAL, "unknown type");
}

enum err config_assign_text(void *target, const struct config_setting *setting, const char *text,
                            struct errmsg *msg)
{
    autofree char *copy = xstrdup(text);
    autofree const char **values = NULL;
    size_t count = 0;
    enum err err;

    if (setting->type != CONFIG_LIST) {
        return config_assign(target, setting, &text, 1, msg);
    }
    for (char *rest = *copy != '\0' ? copy : NULL; rest != NULL; count++) {
        values = xrealloc(values, (count + 1) * sizeof *values);
        values[count] = strsep(&rest, ",");
    }
    err = config_assign(target, setting, values, count, msg);
    return err;
}

/* As the file wants it; without quotes libconfuse would expand, split or drop some bytes. */
static void print_text(struct buf *buf, const char *text)
{
    size_t escaped = 0;

    buf_add_char(buf, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        escaped = escaped > 0 ? escaped : utf8_control_len(text);
        if (escaped > 0) {
            escaped--;
            buf_printf(buf, "\\x%02x", c);
            continue;
        }
        if (c == '"' || c == '\\' || c == '$') {
            buf_add_char(buf, '\\');
        }
        buf_add_char(buf, (char)c);
    }
    buf_add_char(buf, '"');
}

static void print_list(struct buf *buf, const struct config_list *list)
{
    buf_add_char(buf, '{');
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) {
            buf_add_cstr(buf, ", ");
        }
        print_text(buf, list->items[i]);
    }
    buf_add_char(buf, '}');
}

static void print_choice(struct buf *buf, const char *words, int value)
{
    for (; value > 0; value--) {
        words += strcspn(words, "|") + 1;
    }
    buf_add(buf, words, strcspn(words, "|"));
}

void config_value_print(const struct config_setting *setting, const void *member, struct buf *buf)
{
    switch (setting->type) {
    case CONFIG_BOOL:
        buf_add_cstr(buf, *(const bool *)member ? "true" : "false");
        break;
    case CONFIG_COUNT:
        buf_add_u64(buf, *(const unsigned *)member);
        break;
    case CONFIG_BYTES:
        buf_add_u64(buf, *(const size_t *)member);
        break;
    case CONFIG_TEXT:
        print_text(buf, *(char *const *)member);
        break;
    case CONFIG_LIST:
        print_list(buf, member);
        break;
    case CONFIG_CHOICE:
        print_choice(buf, setting->words, *(const int *)member);
        break;
    }
}

static void print_item(struct buf *buf, const struct config_section *section, const char *item)
{
    const struct config_setting *setting;

    buf_add_cstr(buf, section->name);
    if (section->title != NULL) {
        buf_printf(buf, " %s", *(char *const *)(const void *)item);
    }
    buf_add_cstr(buf, " {\n");
    for (size_t i = 0; (setting = config_setting_at(i)) != NULL; i++) {
        if (strcmp(setting->section, section->name) == 0) {
            buf_printf(buf, "    %s = ", setting->key);
            config_value_print(setting, item + setting->offset, buf);
            buf_add_char(buf, '\n');
        }
    }
    buf_add_cstr(buf, "}\n");
}

void config_print(const struct config *config, struct buf *buf)
{
    const struct config_section *section;

    for (size_t i = 0; (section = config_section_at(i)) != NULL; i++) {
        size_t count = config_section_count(config, section);

        for (size_t j = 0; j < count; j++) {
            print_item(buf, section, config_section_get(config, section, j));
        }
    }
}

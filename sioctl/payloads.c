#include "sioctl/payloads.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "libshared/alloc.h"
#include "sioctl/output.h"

static void add(struct payloads *payloads, char *path)
{
    payloads->paths =
        xrealloc((void *)payloads->paths, (payloads->count + 1) * sizeof(*payloads->paths));
    payloads->paths[payloads->count++] = path;
}

static int is_payload(const struct dirent *entry)
{
    const char *end = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && end != NULL &&
           (strcmp(end, ".json") == 0 || strcmp(end, ".siorec") == 0);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool add_directory(struct payloads *payloads, const char *path)
{
    size_t len = strlen(path);
    struct dirent **entries;
    int count = scandir(path, &entries, is_payload, by_name);

    if (count < 0) {
        say("%s: %s", path, strerror(errno));
        return false;
    }
    for (int i = 0; i < count; i++) {
        add(payloads,
            xasprintf("%s%s%s", path, path[len - 1] == '/' ? "" : "/", entries[i]->d_name));
        free(entries[i]);
    }
    free((void *)entries);
    if (count == 0) {
        say("%s: no .json or .siorec files in it", path);
    }
    return count > 0;
}

bool payloads_find(const json_t *paths, struct payloads *ret_payloads)
{
    const json_t *item;
    struct stat info = { 0 };
    size_t i;

    *ret_payloads = (struct payloads) { 0 };
    json_array_foreach(paths, i, item)
    {
        const char *path = json_string_value(item);

        if (strcmp(path, "-") != 0 && stat(path, &info) < 0) {
            say("%s: %s", path, strerror(errno));
            return false;
        }
        if (strcmp(path, "-") == 0 || !S_ISDIR(info.st_mode)) {
            add(ret_payloads, xstrdup(path));
        } else if (!add_directory(ret_payloads, path)) {
            return false;
        }
    }
    return true;
}

void payloads_finish(struct payloads *payloads)
{
    for (size_t i = 0; i < payloads->count; i++) {
        free(payloads->paths[i]);
    }
    free((void *)payloads->paths);
    *payloads = (struct payloads) { 0 };
}

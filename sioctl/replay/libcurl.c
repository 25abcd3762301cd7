#include "sioctl/replay/libcurl.h"

#include <dlfcn.h>
#include <string.h>

#include "sioctl/sioctl.h"

static const char library[] = "libcurl.so.4";

static bool find_all(void *handle, struct libcurl *curl)
{
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
#define LIBCURL_ROW(name) { "curl_" #name, offsetof(struct libcurl, name) },
        LIBCURL_FUNCTIONS(LIBCURL_ROW)
#undef LIBCURL_ROW
    };

    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        void *address = dlsym(handle, functions[i].name);

        if (address == NULL) {
            return false;
        }
        memcpy((char *)curl + functions[i].offset, &address, sizeof address);
    }
    return true;
}

const struct libcurl *libcurl_load(void)
{
    static struct libcurl curl;
    void *handle;

    if (curl.easy_init != NULL) {
        return &curl;
    }
    handle = dlopen(library, RTLD_NOW);
    if (handle == NULL || !find_all(handle, &curl)) {
        say("HTTP needs %s: %s", library, dlerror());
        curl = (struct libcurl) { 0 };
        return NULL;
    }
    return &curl;
}

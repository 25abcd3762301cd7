/* libcurl, for who wants it: it brings thirty libraries of its own, and to load them takes longer
 * than all else that a command does. So the program is not linked with it. */
#pragma once

#include <curl/curl.h>

#include "libshared/base.h"

#define LIBCURL_FUNCTIONS(F)                                                                       \
    F(easy_cleanup)                                                                                \
    F(easy_getinfo)                                                                                \
    F(easy_init)                                                                                   \
    F(easy_setopt)                                                                                 \
    F(easy_strerror)                                                                               \
    F(global_cleanup)                                                                              \
    F(global_init)                                                                                 \
    F(multi_add_handle)                                                                            \
    F(multi_cleanup)                                                                               \
    F(multi_info_read)                                                                             \
    F(multi_init)                                                                                  \
    F(multi_perform)                                                                               \
    F(multi_poll)                                                                                  \
    F(multi_remove_handle)                                                                         \
    F(slist_append)                                                                                \
    F(slist_free_all)

/* curl_easy_init() is `easy_init` here, and so on. */
struct libcurl {
#define LIBCURL_MEMBER(name) __typeof__(curl_##name) *name;
    LIBCURL_FUNCTIONS(LIBCURL_MEMBER)
#undef LIBCURL_MEMBER
};

/* Loaded at the first call, for as long as the program runs. NULL when it cannot be, which is
 * said. */
NODISCARD
const struct libcurl *libcurl_load(void);

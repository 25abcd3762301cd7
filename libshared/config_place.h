/* Where each setting was written; see config_table.h. */
#pragma once

#include "libshared/map.h"

struct config_place {
    char *path; /* "app.main.path"; the map's key */
    char *section;
    char *title, *key; /* or NULL */
    unsigned line;
    char *override; /* the -o that set it; NULL: the file's line counts */
    UT_hash_handle hh;
};

#include "bench/load/options.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum option_type { OPTION_TEXT, OPTION_COUNT, OPTION_REAL };

static const struct option_row {
    const char *name, *preset, *value, *help;
    enum option_type type;
    size_t offset;
} rows[] = {
#define OPTION(id, name, type, preset, value, help)                                                \
    { name, preset, value, help, OPTION_##type, offsetof(struct options, id) },
#include "bench/load/options.def"
#undef OPTION
};

NORETURN static void usage(void)
{
    fputs("usage: siod-load idle|fanout|ack|webhook|rooms [OPTION]...\n", stderr);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        fprintf(stderr, "  --%-10s %-8s %s (%s)\n", rows[i].name, rows[i].value, rows[i].help,
                rows[i].preset);
    }
    exit(2);
}

static bool option_set(const struct option_row *row, const char *text, struct options *options)
{
    char *at = (char *)options + row->offset, *end = NULL;

    switch (row->type) {
    case OPTION_TEXT:
        *(const char **)(void *)at = text;
        return true;
    case OPTION_COUNT:
        *(unsigned *)(void *)at = (unsigned)strtoul(text, &end, 10);
        break;
    case OPTION_REAL:
        *(double *)(void *)at = strtod(text, &end);
        break;
    }
    return *text >= '0' && *text <= '9' && *end == '\0';
}

void options_read(int argc, char **argv, struct options *ret_options)
{
    struct option longs[ARRAY_SIZE(rows) + 1] = { 0 };
    int row;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        longs[i] =
            (struct option) { .name = rows[i].name, .has_arg = required_argument, .val = (int)i };
        (void)option_set(&rows[i], rows[i].preset, ret_options);
    }
    while ((row = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (row == '?') {
            usage();
        }
        if (!option_set(&rows[row], optarg, ret_options)) {
            fprintf(stderr, "siod-load: --%s: %s is no number\n", rows[row].name, optarg);
            exit(2);
        }
    }
    if (optind + 1 != argc) {
        usage();
    }
    ret_options->scenario = argv[optind];
}

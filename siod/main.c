/* siod(8): options, start, run, stop. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libshared/alloc.h"
#include "libshared/buf.h"
#include "libshared/config.h"
#include "libshared/process.h"
#include "siod/dev.h"
#include "siod/server.h"

enum { EXIT_USAGE = 2, OVERRIDES_MAX = 256 };

struct options {
    const char *config_path;
    const char *dev_dir;
    const char *overrides[OVERRIDES_MAX + DEV_SETTINGS + 1]; /* --dev's first, so that -o wins */
    size_t override_count;
    bool dev, check, verbose;
};

static const char usage[] =
    "usage: siod -c FILE [-o section.key=value]... [-n] [-v]\n"
    "       siod --dev [DIR] [-o section.key=value]... [-n] [-v]\n"
    "\n"
    "  -c, --config FILE   read this configuration, see siod.conf(5)\n"
    "  -o, --option K=V    set one setting; may be repeated, wins over the file\n"
    "  -n, --check         check the configuration and exit\n"
    "  -v, --verbose       with -n: print the whole configuration; otherwise: log at level debug\n"
    "      --dev [DIR]     a desk for trying things, state in DIR (./siod-dev)\n"
    "      --version       print the version\n"
    "  -h, --help          print this\n";

/* A line on stderr, whatever is in the names that it quotes. */
static void say(const char *what, const char *word)
{
    autobuf struct buf line = BUF_INIT;

    buf_add_printable(&line, what);
    buf_add_printable(&line, word);
    fprintf(stderr, "siod: %s\n", line.data);
}

/* `wrong` is NULL when getopt_long() has said what is wrong. */
static NORETURN void fail_usage(const char *wrong, const char *word)
{
    if (wrong != NULL) {
        say(wrong, word);
    }
    fputs(usage, stderr);
    exit(EXIT_USAGE);
}

/* Returns the exit status. */
static int print(const char *text)
{
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
        fprintf(stderr, "siod: cannot write: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static void add_override(struct options *options, const char *item)
{
    if (!config_override_valid(item)) {
        fail_usage("-o wants section.key=value, not ", item);
    }
    if (options->override_count == OVERRIDES_MAX) {
        fprintf(stderr, "siod: more than %d options\n", OVERRIDES_MAX);
        exit(EXIT_USAGE);
    }
    options->overrides[options->override_count++] = item;
}

static void parse_options(int argc, char **argv, struct options *options)
{
    enum { OPT_DEV = 256, OPT_VERSION };
    static const struct option long_options[] = {
        { "config", required_argument, NULL, 'c' }, { "option", required_argument, NULL, 'o' },
        { "check", no_argument, NULL, 'n' },        { "verbose", no_argument, NULL, 'v' },
        { "dev", no_argument, NULL, OPT_DEV },      { "version", no_argument, NULL, OPT_VERSION },
        { "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "c:o:nvh", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            options->config_path = optarg;
            break;
        case 'o':
            add_override(options, optarg);
            break;
        case 'n':
            options->check = true;
            break;
        case 'v':
            options->verbose = true;
            break;
        case OPT_DEV:
            options->dev = true;
            break;
        case OPT_VERSION:
            exit(print("siod " SIOD_VERSION "\n"));
        case 'h':
            exit(print(usage));
        default:
            fail_usage(NULL, "");
        }
    }
    if (options->dev) {
        options->dev_dir = optind < argc ? argv[optind++] : "siod-dev";
    }
    if (optind < argc) {
        fail_usage("unexpected argument ", argv[optind]);
    }
    if (options->dev == (options->config_path != NULL)) {
        fail_usage(options->dev ? "--dev goes without -c" : "-c or --dev is needed", "");
    }
}

static int fail(const struct errmsg *msg)
{
    say(msg->text, "");
    return EXIT_FAILURE;
}

/* The settings of --dev go before those of the command line. */
static void put_first(struct options *options, const struct dev_settings *dev)
{
    memmove(options->overrides + dev->count, options->overrides,
            options->override_count * sizeof options->overrides[0]);
    for (size_t i = 0; i < dev->count; i++) {
        options->overrides[i] = dev->items[i];
    }
    options->override_count += dev->count;
}

static int print_checked(const struct config *config, bool verbose)
{
    autobuf struct buf text = BUF_INIT;

    if (verbose) {
        config_print(config, &text);
        return print(text.data);
    }
    fputs("siod: the configuration is fine\n", stderr);
    return EXIT_SUCCESS;
}

static int run(struct config *config, const struct options *options)
{
    const struct siod_options start = {
        .config_path = options->config_path,
        .overrides = options->overrides,
        .override_count = options->override_count,
        .dev_dir = options->dev_dir,
    };
    struct errmsg msg = { "" };
    struct siod *siod;

    if (siod_start(config, &start, &siod, &msg) != OK) {
        return fail(&msg);
    }
    siod_run(siod);
    siod_free(siod);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct options options;
    struct dev_settings dev = { .count = 0 };
    struct config *config;
    struct errmsg msg = { "" };
    int status;

    process_reserve_streams(true);
    alloc_give_back();
    parse_options(argc, argv, &options);
    if (options.dev && dev_prepare(options.dev_dir, &dev, &msg) != OK) {
        return fail(&msg);
    }
    put_first(&options, &dev);
    if (options.verbose && !options.check) {
        options.overrides[options.override_count++] = "log.level=debug";
    }
    if (config_load(options.config_path, options.overrides, options.override_count, &config,
                    &msg) != OK) {
        status = fail(&msg);
    } else if (options.check) {
        status = config_suffices(config, &msg) == OK && siod_check(config, &msg) == OK
                     ? print_checked(config, options.verbose)
                     : fail(&msg);
        config_free(config);
    } else {
        status = run(config, &options);
    }
    dev_settings_finish(&dev);
    return status;
}

/* guard CONFIG CASE: runs one case in the current directory, which has to be empty, and prints by
 * what the counted instructions are to be divided. CONFIG is bench/siod.conf.
 * guard --list: the cases and what each counts.
 *
 * Without callgrind a case only runs: for perf, or to see that it works. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/guard/cases.h"
#include "tests/guard/seam.h"

static void run(struct siod *siod, const struct guard_case *guard_case)
{
    struct guard guard = { .siod = siod };
    unsigned i = 0;

    guard_case->prepare(&guard);
    while (i < guard_case->warm_up) {
        seam_advance_ms(1);
        guard_case->run(&guard, i++);
    }
    seam_measure();
    while (i < guard_case->warm_up + guard_case->measured) {
        seam_advance_ms(1);
        guard_case->run(&guard, i++);
    }
    seam_measure_end();
    if (guard_case->check != NULL) {
        guard_case->check(&guard);
    }
    client_close(&guard.agent);
    for (size_t k = 0; k < ARRAY_SIZE(guard.http); k++) {
        client_close(&guard.http[k]);
    }
    for (size_t k = 0; k < ARRAY_SIZE(guard.members); k++) {
        client_close(&guard.members[k]);
    }
    token_verifier_free(guard.tokens);
    free(guard.token);
    printf("%u\n", guard_case->measured * guard_case->per);
}

static const struct guard_case *find(const char *name)
{
    for (size_t i = 0; i < guard_case_count; i++) {
        if (strcmp(guard_cases[i].name, name) == 0) {
            return &guard_cases[i];
        }
    }
    rig_fail("there is no case %s", name);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < guard_case_count; i++) {
            printf("%-17s %s\n", guard_cases[i].name, guard_cases[i].what);
        }
    } else if (argc == 3) {
        const struct guard_case *guard_case = find(argv[2]);
        struct siod *siod = rig_start(argv[1]);

        run(siod, guard_case);
        rig_stop(siod);
    } else {
        fputs("usage: guard CONFIG CASE | --list\n", stderr);
        return 2;
    }
    return EXIT_SUCCESS;
}

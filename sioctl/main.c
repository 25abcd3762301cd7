#include <locale.h>

#include "libshared/alloc.h"
#include "libshared/process.h"
#include "sioctl/sioctl.h"

volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    interrupted = signal;
}

void catch_signals(bool once)
{
    struct sigaction action = { .sa_handler = on_interrupt,
                                .sa_flags = once ? (int)SA_RESETHAND : 0 };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    unsigned count = argc > 0 ? (unsigned)argc - 1 : 0;
    const char **words = xcalloc(count + 1, sizeof(*words));
    struct runner runner = { 0 };
    enum exit_code code;

    process_reserve_streams(false);
    setlocale(LC_CTYPE, "C.UTF-8");
    catch_signals(true);
    for (unsigned i = 0; i < count; i++) {
        words[i] = argv[i + 1];
    }
    code = run_words(&runner, words, count);
    ctl_client_close(runner.client);
    free((void *)words);
    return (int)code;
}

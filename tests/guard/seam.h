/* What differs between two runs of the same program, held still: the clock, random numbers, and the
 * moments at which other threads run. And the switch that says what callgrind counts.
 *
 * The linker puts the seam under the daemon (--wrap, see CMakeLists.txt); the daemon knows nothing
 * of it. Time stands still but for seam_advance_ms(); who waits until some time is told that it has
 * come. Random bytes are drawn from OpenSSL, so that they cost what they cost, and then replaced by
 * those of a seeded generator. Threads that wait for a condition wait here (and all that the daemon
 * starts begin with that): until seam_hold() they are woken as usual, from then on a signal is only
 * noted and they run, one after the other, when the program says so. */
#pragma once

#include <stdbool.h>

void seam_advance_ms(unsigned ms);

/* Returns when every thread but the caller's waits for a condition. */
void seam_hold(void);
/* Lets the threads that were signalled run until they wait again, and those that they signal.
 * Returns whether there were any. */
bool seam_run_threads(void);
/* Back to threads that run as they like. */
void seam_release(void);

/* From now on instructions are counted: those of other threads whenever they run, the caller's
 * between seam_count(true) and seam_count(false). Without callgrind nothing happens. */
void seam_measure(void);
void seam_count(bool on);
/* Before the end: other threads are no longer counted. */
void seam_measure_end(void);

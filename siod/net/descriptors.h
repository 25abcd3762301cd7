/* How many descriptors the process may have. */
#pragma once

/* Sets the soft limit of descriptors to what so many connections need, and others besides: the
 * store's files, listeners, control and admin connections, and the kernel's table of them to that
 * size. 0 connections = as many as there may be.
 * The hard limit stays as it is and bounds it. To be called before transport_new(), which cannot
 * follow a later change. Returns for how many connections there is room. */
unsigned descriptors_fit(unsigned connections);

/* What transport_new() goes by: descriptors from this number on are not for clients. Nobody who
 * merely connects may keep the operator out, or the store from opening a file. */
int descriptors_for_clients(void);

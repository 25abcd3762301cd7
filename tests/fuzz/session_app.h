/* The application of fuzz_session: what runs above the layers, and checks what they promise it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct book;
struct http_server;
struct loop;
struct session_app;

/* An echo on /engine.io/, and on /socket.io/ the namespaces "/" and "/custom" with events that
 * echo, acknowledge, join, broadcast, ask and disconnect. `book` is borrowed. Returns owned; free()
 * it when it is stopped. */
struct session_app *session_app_new(struct book *book);
/* A process begins; what the last one left on disk is taken up. */
void session_app_start(struct session_app *app, struct loop *loop, struct http_server *http,
                       bool limit_rate);
/* It ends without a warning. */
void session_app_stop(struct session_app *app);
void session_app_drain(struct session_app *app, unsigned per_round);
/* Do the counters fit one another, and what the application was told? */
void session_app_check(const struct session_app *app);
/* The same when no session may be left. */
void session_app_check_empty(const struct session_app *app);
/* The log: emit what was committed; answer the oldest question, in a way that `how` chooses. */
void session_app_publish(struct session_app *app);
bool session_app_answer(struct session_app *app, unsigned how);

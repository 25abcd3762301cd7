/* The whole daemon in this process, with the configuration of the benchmarks, and its clients.
 *
 * The program is the clients and turns the daemon's loop round by round, so that everything happens
 * in one order. Clients come over a Unix socket: what is written there has arrived. Only the rounds
 * and the daemon's own threads are counted. What goes wrong ends the program with a message. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "libshared/base.h"
#include "libshared/buf.h"
#include "libshared/str.h"

enum { GUARD_BUSINESS = 1 };

struct siod;

/* In the current directory, which has to be empty. `config_path` is bench/siod.conf. */
struct siod *rig_start(const char *config_path);
void rig_stop(struct siod *siod);

NORETURN PRINTF(1, 2) void rig_fail(const char *format, ...);

/* A round of the loop, then the threads that it gave something to do. */
void rig_round(struct siod *siod);

struct client {
    struct siod *siod;
    int fd;
    struct buf received;
};

void client_open(struct client *client, struct siod *siod);
/* Drops what the daemon has sent so far. */
void client_forget(struct client *client);
/* Forgets, then turns rounds until `text` has come; fails when it does not. */
void client_await(struct client *client, const char *text);
/* Fails unless `text` has come exactly `times` times since the client forgot. */
void client_expect(struct client *client, const char *text, unsigned times);
void client_send(struct client *client, struct str bytes);
/* Also one that was never opened, if it is all zeros. */
void client_close(struct client *client);

/* An agent of the business. `token` as rig_token() makes them. */
void agent_open(struct client *client, struct siod *siod, const char *token);
/* Appends a text message as a masked frame. */
void agent_frame(struct buf *out, const char *text);
void agent_send(struct client *client, const char *text);
/* Returns owned. Tokens of one user with different serials differ. */
char *rig_token(struct siod *siod, unsigned user_id, unsigned serial);

/* Appends a signed POST of a webhook. */
void webhook_post(struct buf *out, struct str body);
/* Appends bodies as Meta sends them: a text of a customer; one that was written on the business's
 * phone; that this one was delivered. */
void webhook_text(struct buf *body, unsigned customer, unsigned number);
void webhook_echo(struct buf *body, unsigned customer, unsigned number);
void webhook_status(struct buf *body, unsigned customer, unsigned number);

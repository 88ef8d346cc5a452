/*
 * client - one daemon, reached by HTTP on loopback, or wherever --server says.
 *
 * The daemon writes its address and a token into its data folder (cli.address, cli.token), which only its own user and
 * root can read; being able to read them is what makes a user of this machine an administrator here.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct client {
        char address[256];
        char token[128];
};

/* server and token may be NULL: then from the folder, else from EVENKEEL_SERVER and EVENKEEL_TOKEN. */
bool client_init(struct client *client, const char *data, const char *server, const char *token, struct err *err);

/* A request; body NULL: none. ERR_IO when there is no daemon; what the daemon refuses becomes err with its own sentence. */
bool client_ask(const struct client *client, const char *method, const char *path, const json_t *body, struct buf *out_answer,
                struct err *err);
bool client_ask_json(const struct client *client, const char *method, const char *path, const json_t *body,
                     json_t **out_answer, struct err *err);
/* Server-sent events, until the daemon ends them or event gives false. */
bool client_follow(const struct client *client, const char *path,
                   bool (*event)(void *context, struct str name, struct str data), void *context, struct err *err);
/* Appends "name=value", percent-encoded, with ? or & before it; value NULL: nothing. */
void path_add(struct buf *path, const char *name, const char *value);
void path_add_part(struct buf *path, const char *part);

/*
 * serve - the program's HTTP face: ingest, queries, accounts, the console.
 *
 *      serve_start -> (serve_first_admin) -> serve_stop
 *
 * Reading goes straight to logs, series and archive; telemetry goes to intake; what people order goes to the journal by
 * `command`. serve_stop must come before any of these ends: it waits for the requests that they hold.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "register/credential.h"
#include "serve/http.h"

#include <jansson.h>
#include <stdbool.h>

struct archive;
struct intake;
struct journal;
struct log_templates;
struct logs;
struct loop;
struct redactor;
struct registry;
struct rules;
struct series_store;
struct metric_metas;

struct serve_context {
        const struct clock *clock;
        struct intake *intake;
        struct logs *logs;
        struct log_templates *log_templates;
        struct series_store *series;
        struct metric_metas *metas;
        struct registry *registry;      /* may be NULL: then there are no entities */
        struct rules *rules;            /* may be NULL: then there are none */
        struct archive *archive;
        struct journal *journal;
        struct loop *loop;
        /* loop_command of loop/command.h; a test has its own. */
        bool (*command)(struct loop *loop, const char *verb, json_t *arguments, const char *by, json_t **out_result,
                        struct err *err);
        const struct redactor *redactor;
        bool (*backup)(void *context, const char *directory, struct err *err); /* NULL: refused */
        void *backup_context;
        const json_t *webhooks;         /* mappings by name, as the webhook decoder wants them; may be NULL */
        const char *allow_path;         /* the launcher's allow-list, to say in a dry run what it would refuse; NULL: there is none */
        const char *data_directory;     /* cli.token is written there */
        const char *state_path, *vfs;   /* the state database, of which readers are opened; it exists */
        const char *version;
};

struct server;

/* options.listeners[..].port is written back. Beyond loopback a listener must have a certificate. */
bool serve_start(const struct serve_context *context, const struct http_options *options, struct server **out_server,
                 struct err *err);
/* When there is no user yet: makes "admin" and gives the password to print, once. Else *out_is_new is false. */
bool serve_first_admin(struct server *server, bool *out_is_new, char out_password[static PASSWORD_ONCE_BYTES],
                       struct err *err);
void serve_stop(struct server *server); /* NULL is fine */

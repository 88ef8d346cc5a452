/*
 * listen - opens a source beyond loopback, with TLS: `evenkeel listen http|syslog ADDRESS:PORT`.
 *
 * What is opened stands in <data>/listen.json, which the daemon reads beside its configuration. The verb makes a
 * certificate when none is named, tells a running daemon to take the change up, and prints what to paste on the senders.
 */
#pragma once

#include "app/config.h"
#include "base/err.h"

#include <stdbool.h>

int listen_main(int argc, char **argv); /* argv[0] is "listen"; gives the exit status */

/* Adds what listen.json opens to the configuration. No such file is fine. */
bool listen_merge(struct config *config, const char *data, struct err *err);

/* The daemon says where it is: <data>/pid. */
bool listen_write_pid(const char *data, struct err *err);
void listen_remove_pid(const char *data);

/*
 * live - server-sent events: what happens now, to consoles and CLIs that look.
 *
 * One thread serves all streams: it makes each kind of event once a second for those who want it, and asks the log store
 * for new records of each tail four times a second. A reader that is too slow is ended; browsers come again by themselves.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>

#define LIVE_STREAMS_MAX 200

struct live;
struct server;

bool live_create(struct server *server, struct live **out_live, struct err *err);
bool live_start(struct live *live, struct err *err);
void live_end(struct live *live);     /* ends all streams, refuses new ones, stops the thread; NULL is fine */
void live_destroy(struct live *live); /* after http_stop */

/*
 * replay - yesterday through tomorrow's configuration: which pages would have been sent, missed, or gone to another team.
 *
 *      data/journal, data/replay --linked and copied--> work/recorded, work/other --told again--> outcomes --replay_diff--> report
 *
 * What is kept (loop/kept.h) is told twice in folders of their own: once as it is recorded, once with the other configuration in place of each one that
 * was put in force. Both are decided by this very program, so what differs comes from the configuration alone, and the same one gives an
 * empty diff. The data folder is only read; it may be in use. Nothing is sent, nothing is run.
 *
 * What people did about an incident (acknowledged, merged, closed ...) is done to the incident that holds the same alerts in the other
 * run, or left out when there is none. Results of checks, of recording rules and of steps of runbooks are those on record.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct replay_options {
        const char *data;
        const char *work;               /* a folder that is made; left behind */
        const json_t *content;          /* the other configuration (model/content.h); NULL: the recorded one, which only tells what is held */
        int64_t since_ns, until_ns;     /* 0: all that is held */
        int workers;                    /* 0: 1 */
        void (*look)(void *context, const char *what, double share); /* how far it is; NULL: nobody asks */
        void *context;
};

/*
 * { asked_since_ns, held_since_ns, since_ns, until_ns, is_held, entries, commands_left_out,
 *   recorded: { incidents, messages, pages }, other: { ... }, differences: [ as replay_diff gives them ], sums: { KIND: count } }
 *
 * is_held false: the asked time begins before what is held; since_ns is then where it really begins.
 */
bool replay_run(const struct replay_options *options, json_t **out_report, struct err *err);

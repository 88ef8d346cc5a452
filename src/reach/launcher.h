/*
 * launcher - the process that runs everything which is executed: checks, steps of runbooks, ssh.
 *
 *      launcher_fork (before any thread, while still root) -> launcher_open (in the daemon) -> launcher_run ... -> launcher_close
 *
 * The daemon keeps no way to execute anything: it sends an argv, the launcher holds it against the allow-list, which it reads itself, runs it without a
 * shell in a process group of its own with bounds on time, memory, files and output, and answers. When the daemon ends, whatever runs is killed.
 *
 * The allow-list is a text file that belongs to root (or to the user the launcher runs as, when that is not root) and nobody else may write.
 * A line is an absolute program path and patterns for its arguments, # begins a comment:
 *
 *      /usr/bin/systemctl restart *        one argument behind restart, whatever it is
 *      /usr/lib/nagios/plugins/check_* ... any arguments
 *      /usr/bin/ssh -o * deploy@web* ...   patterns as in fnmatch, a word each; ... stands for the rest
 *
 * Programs that others may write, and programs in folders that others may write, are refused.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define LAUNCH_WORDS_MAX 64             /* of an argv */
#define LAUNCH_OUTPUT_MAX ((size_t)64 << 10) /* of standard output and error each; more is cut and told */
#define LAUNCHES_MAX 64                 /* at once; more are refused with ERR_BUSY */
#define LAUNCH_TIMEOUT_MS_MAX ((int64_t)3600 * 1000)

struct launcher;

struct launcher_options {
        const char *allow_path; /* NULL or "": nothing may be executed */
        const char *user;       /* who the commands run as, when the launcher is root; NULL: the user of the daemon's data */
};

/* Forks the launcher; single-threaded callers only. *out_socket is the daemon's end. */
bool launcher_fork(const struct launcher_options *options, int *out_socket, struct err *err);
/* Takes the socket over. */
bool launcher_open(int socket, struct launcher **out_launcher, struct err *err);
void launcher_close(struct launcher *launcher); /* all that runs is killed */

struct launch {
        struct str words[LAUNCH_WORDS_MAX]; /* argv; words[0] is an absolute path */
        size_t word_count;
        struct str input;       /* standard input; at most LAUNCH_OUTPUT_MAX */
        int64_t timeout_ms;     /* 0: 30 s; then TERM, and KILL two seconds later */
};

struct launch_result {
        int status;             /* exit status; -1: ended by a signal */
        int signal;             /* 0: none */
        bool timed_out, output_cut;
        struct str output, errors; /* of the arena; valid UTF-8 */
        int64_t duration_ns;
};

/* Runs it and waits, from any thread. ERR_FORBIDDEN: the allow-list does not have it; ERR_INVALID, ERR_NOT_FOUND, ERR_IO: it could not be started;
 * ERR_BUSY: too many run. A program that ran and failed is no error. */
bool launcher_run(struct launcher *launcher, const struct launch *launch, struct arena *arena, struct launch_result *out_result, struct err *err);
/* Kills everything that runs: "stop all automation". Their callers get a result with the signal. */
void launcher_stop_all(struct launcher *launcher);

/*
 * words - how engage speaks to people: titles that say what is wrong and where, and sentences that say why something is suspected.
 *
 * Pure functions of what they are given, told in words_test as a table. Never in them: a template's blank ("<*>"), a power of ten,
 * an identifier where a name is known.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* "DiskFull", "disk_full", "SSLCertExpiry" -> "Disk full", "Disk full", "SSL cert expiry". */
void words_of_name(struct str name, struct buf *out);
/* Text of another program, made fit for people: blanks are omissions, powers of ten are numbers, breaks are spaces. */
void words_plain(struct str text, struct buf *out);
/* "at once", "12 seconds", "3 minutes", "2 hours", "4 days". */
void words_duration(int64_t duration_ns, struct buf *out);
void words_plural(struct str kind, struct buf *out); /* "hosts", "entities" */

/* What is wrong and where: the summary, or else the name; and the place, unless that says it already. kind empty: nothing is known of where. */
void words_headline(struct str alert_name, struct str summary, struct str kind, struct str name, struct buf *out);
/* The same with the alert's own name before it: "DiskFull: /data is 91 % full on host db1"; without a summary "DiskFull on host db1". */
void words_alert(struct str alert_name, struct str summary, struct str kind, struct str name, struct buf *out);

struct cause_words {
        struct str kind, name;          /* of what is suspected */
        struct str alert;               /* the name of the first alert about it; empty: there is none */
        uint32_t alerts;                /* about it */
        uint32_t parts, parts_troubled; /* of what runs on it or belongs to it */
        uint32_t suffering;             /* things in trouble that depend on it */
        int64_t after_ns;               /* its first alert, after the incident began */
        bool is_first;                  /* no other one suspected had an alert before */
        bool has_change;
        struct str change;              /* its title; may be empty */
        int64_t change_before_ns;       /* before the incident began */
        uint32_t rank, of;              /* 1 is the likeliest */
};
/* What happened there, when, what hangs on it, and why it stands at its place. */
void words_cause(const struct cause_words *cause, struct buf *out);

/*
 * silence - what people said is to be kept quiet: silences, and maintenance that they began.
 *
 *      pending -> active -> expired -> (forgotten after SILENCE_KEPT_NS)
 *
 *      silences_create -> silences_set, silences_expire, silences_match -> silences_destroy
 *
 * Only the pipeline's thread. The two differ in name alone: maintenance says why. Ids are made from the journal's, in the form
 * of UUIDs, as Alertmanager's clients want them. Bounded: at SILENCES_MAX a new one is refused.
 */
#pragma once

#include "engage/matcher_text.h"

#define SILENCES_MAX 10000
#define SILENCE_KEPT_NS ((int64_t)5 * 86400 * 1000000000)
#define SILENCE_ID_BYTES 37

struct silence {
        char id[SILENCE_ID_BYTES];
        struct arena arena;
        struct matchers matchers;
        struct str by, comment;
        int64_t starts_ns, ends_ns, updated_ns;
        bool is_maintenance, is_dirty, is_forgotten;
};

struct silences;
bool silences_create(struct silences **out_silences, struct err *err);
void silences_destroy(struct silences *silences);

/* from: matchers as matcher_json_read takes them. A new one, or in place of the one with that id. starts_ns 0: now. */
struct silence_wish {
        struct str id;                  /* empty: a new one */
        const json_t *matchers;
        struct str by, comment;
        int64_t starts_ns, ends_ns;
        bool is_maintenance;
};
bool silences_set(struct silences *silences, const struct silence_wish *wish, uint64_t new_id, int64_t time_ns, const struct silence **out_silence,
                  struct err *err);
bool silences_expire(struct silences *silences, struct str id, int64_t time_ns, struct err *err); /* ERR_NOT_FOUND; again is no error */
/* The first that keeps an alert with these labels quiet now; NULL: none. */
const struct silence *silences_match(const struct silences *silences, const struct labels *labels, int64_t time_ns);
/* Whether one begins or ends after `after_ns` and not later than `until_ns`. */
bool silences_turn(const struct silences *silences, int64_t after_ns, int64_t until_ns);
void silences_forget(struct silences *silences, int64_t time_ns);
struct silence *silences_next(const struct silences *silences, size_t *at); /* NULL at the end */
bool silences_restore(struct silences *silences, const struct silence *silence, const json_t *matchers, struct err *err); /* copies */
void silences_clean(struct silences *silences); /* rows were written */

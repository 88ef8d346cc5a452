/*
 * receiver - how a message leaves: one kind of receiver is a function that checks its settings and one that sends.
 *
 * Checking is part of the configuration and touches no network; sending runs on a thread of delivery, may wait up to its time
 * limits, and tells by out_outcome whether trying again makes sense. Secrets are put in by `secret`, which alone knows them.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct http_client;

/* A row of the outbox on its way. Owned by delivery. */
struct outgoing {
        uint64_t id;                    /* of the row: the idempotency key */
        struct str receiver, kind, to;  /* kind: of receivers.def; to: an address, may be empty */
        const json_t *settings;         /* of the receiver */
        const json_t *message;          /* see message.h */
        bool is_repeat;
        uint32_t per_minute;
};

struct receiver_context {
        struct http_client *http;       /* of this thread */
        const char *link;               /* where the console is reached, without a slash at the end; "" when nobody said */
        /* The text of a setting; "secret:NAME" is looked up. False: there is no such secret. */
        bool (*secret)(void *context, struct str setting, struct buf *out, struct err *err);
        void *secret_context;
        const char *hostname;           /* for Message-ID */
};

struct receiver_outcome {
        bool may_retry;                 /* after a failure */
        int64_t retry_after_s;          /* as the receiver asks; 0: it does not */
};

typedef bool receiver_check_fn(const json_t *settings, struct err *err);
typedef bool receiver_send_fn(const struct receiver_context *context, const struct outgoing *outgoing, struct receiver_outcome *out_outcome,
                              struct err *err);

struct receiver_kind {
        const char *name;
        receiver_check_fn *check;
        receiver_send_fn *send;
        const char *meaning;
};
extern const struct receiver_kind receiver_kinds[];
extern const size_t receiver_kind_count;
const struct receiver_kind *receiver_kind_find(struct str name);

#define R(name, check, send, meaning) receiver_check_fn check; receiver_send_fn send;
#include "engage/receivers.def"
#undef R

/* A setting that may be "secret:NAME", ended by NUL in out. Missing: out stays empty. */
bool receiver_setting(const struct receiver_context *context, const json_t *settings, const char *key, struct buf *out, struct err *err);
/* Posts JSON and judges the answer: 2xx is good, 408, 425, 429 and 5xx may be tried again. */
bool receiver_post(const struct receiver_context *context, const char *url, const char *const *headers, struct str body,
                   struct receiver_outcome *out_outcome, struct err *err);

/*
 * warnings - what an answer leaves out, said in the answer: Prometheus' field, and the same one in every other shape.
 */
#pragma once

#include "query/promql.h"
#include "serve/server.h"

/* Appends ,"warnings":["..."] to the answer when days that overlap these receive times are damaged; else nothing. */
void warnings_write(struct request *request, int64_t start_ns, int64_t end_ns);

/* The same into an answer that is a tree. */
bool warnings_add(struct request *request, int64_t start_ns, int64_t end_ns, json_t *answer, struct err *err);

/* A source that notes which times were really asked for: an expression looks back further than its range. */
struct warnings_source {
        struct promql_source source; /* what it asks */
        int64_t start_ns, end_ns;    /* none asked yet: start > end */
};
struct promql_source warnings_note(struct warnings_source *noting, struct promql_source source);

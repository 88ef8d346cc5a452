/* otlp_value - what OTLP's logs and metrics share: attribute values as text, the resource they come from, the way to them. */
#pragma once

#include "base/reader.h"
#include "model/batch.h"
#include "wire/protobuf.h"

struct otlp_resource {
        struct labels attributes;                   /* all of them, as sent */
        struct str service, service_namespace, instance, host;
};

/* The text of an AnyValue: strings exactly, scalars as JSON writes them, bytes in base64, arrays and maps as compact JSON.
 * bytes is NULL when memory ran out or the value is damaged (err). */
struct str otlp_value_text(struct arena *arena, struct str any_value, struct err *err);
/* Appends one KeyValue. Beyond a bound of 4 * LABELS_MAX they are left out. */
bool otlp_attribute(struct arena *arena, struct str key_value, struct labels *attributes, struct err *err);
bool otlp_resource_read(struct arena *arena, struct str message, struct otlp_resource *out_resource, struct err *err);
/* Whether the attribute became a label of its own (service.name ...). */
bool otlp_resource_names(struct str attribute);
bool otlp_damaged(struct err *err, const char *what);

/* The walk through an export request, the same for logs and metrics: request > resource > scope > item. */
struct otlp_visitor {
        void *context;
        bool (*begin)(void *context, const struct otlp_resource *resource, struct err *err); /* before its items, wherever it stands */
        bool (*item)(void *context, struct str message, struct err *err);                     /* a LogRecord, a Metric */
        bool (*end)(void *context, const struct otlp_resource *resource, struct err *err);    /* may be NULL */
};
bool otlp_walk(struct arena *arena, struct str request, const struct otlp_visitor *visitor, struct err *err);

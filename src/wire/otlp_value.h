/* otlp_value - what OTLP's logs and metrics share: attribute values as text, and the resource they come from. */
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

/*
 * parameter - the typed places of a runbook, and the values that may stand in them.
 *
 *      runbook's YAML -> parameters_parse ... -> slots_set (one value each, checked) -> slots_fill (text with ${name} in it)
 *
 * A value comes from the register (an entity of the incident, by its id), or from what the runbook or an operator declares; never from the text of
 * telemetry. Wherever it comes from it must fit its type: bounded, one line of UTF-8, not beginning with '-', without "..", and as the pattern says.
 * A value stays inside the word that it was written in: no shell reads it, and where one does (ssh) or another language begins (a URL, PromQL, JSON) it is
 * quoted for that language.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/regex.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

#define PARAMETERS_MAX 16
#define SLOT_BYTES_MAX 256

enum parameter_type { PARAMETER_ENTITY, PARAMETER_TEXT, PARAMETER_NUMBER, PARAMETER_ENUM };

struct parameter {
        struct str name;                /* borrowed from the runbook's tree */
        enum parameter_type type;
        struct str kind;                /* of PARAMETER_ENTITY */
        bool is_here;                   /* of PARAMETER_ENTITY: only the machine that Evenkeel runs on */
        const json_t *value;            /* declared; NULL: none */
        const json_t *values;           /* the only ones; NULL: any that fits */
        double least, most;             /* of PARAMETER_NUMBER */
        struct regex *pattern;          /* owned; NULL for numbers and enums */
};

struct parameters {
        struct parameter items[PARAMETERS_MAX];
        size_t count;
};

/* `tree` is the runbook's mapping `parameters`; NULL: there are none. After a failure too, parameters_done frees what there is. */
bool parameters_parse(const json_t *tree, struct parameters *out_parameters, struct err *err);
void parameters_done(struct parameters *parameters);
const struct parameter *parameters_find(const struct parameters *parameters, struct str name);
/* Whether a value may stand there; err says why not. */
bool parameter_accepts(const struct parameter *parameter, struct str value, struct err *err);

struct slots {
        struct slot { struct str name, value; } items[PARAMETERS_MAX];
        size_t count;
};

/* Checks and copies; a slot that is there is replaced. */
bool slots_set(struct slots *slots, const struct parameter *parameter, struct str value, struct arena *arena, struct err *err);
/* One value each that fits by its looks alone: for checking a runbook's steps before there is an incident. */
void slots_sample(struct slots *out_slots, const struct parameters *parameters);

enum slot_dress {
        SLOT_WORD,      /* a word of an argv, or a sentence: as it is */
        SLOT_URL,       /* percent-encoded */
        SLOT_PROMQL,    /* inside a double-quoted string */
        SLOT_JSON,      /* inside a JSON string */
};

/* Appends the template with each ${name} replaced; $$ is a dollar sign. Refused: a name that is no parameter. */
bool slots_fill(const struct slots *slots, struct str template, enum slot_dress dress, struct buf *out, struct err *err);

/*
 * draft_fuzz - any bytes as what a person recorded, and as the name of an entity: a draft that the reader of runbooks accepts, or an error that is not the
 * reader's. The input is split at zero bytes: an action, an entity's name, an alert's name, a fix.
 */
#include "act/draft.h"

#include "base/json.h"
#include "base/scope.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static struct str cut(struct str *rest)
{
        struct str part = {0};
        str_cut(rest, 0, &part);
        return part.bytes ? part : STR("");
}

/* As the incident's row has it: what is no UTF-8 never comes so far. */
static json_t *text(struct str part)
{
        return str_is_utf8(part) ? json_stringn(part.bytes, part.length) : json_string("?");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str rest = {(const char *)bytes, count};
        struct err err = {0};
        scoped(buf_done) struct buf yaml = {0};
        struct str action = cut(&rest), name = cut(&rest), alert = cut(&rest), fix = cut(&rest);
        scoped_ptr(json_decref) json_t *incident =
                json_pack("{s:i, s:o, s:[{s:s, s:o}, {s:s, s:s}], s:[{s:{s:o}}], s:[{s:s, s:s, s:o}, {s:s, s:s, s:o}]}", "number", 1, "title", text(alert), "entities", "kind",
                          "service", "name", text(name), "kind", "host", "name", "web1", "alerts", "labels", "alertname", text(alert), "timeline", "kind", "action", "by", "ann",
                          "text", text(action), "kind", "fix", "by", "ann", "text", text(fix));
        if (incident && !draft_runbook(incident, &yaml, &err) && err.code != ERR_NOT_FOUND && err.code != ERR_MEMORY)
                abort();
        return 0;
}

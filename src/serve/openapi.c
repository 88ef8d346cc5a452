/*
 * openapi.c - see openapi.h. Routes come from the table of route.c; schemas stand here as JSON Schema texts, one row each,
 * and a test parses them all and finds every name that a route mentions.
 */
#include "serve/openapi.h"

#include "base/json.h"
#include "base/scope.h"
#include "serve/server.h"
#include "serve/status.h"

#include <stdio.h>

#define NS "{\"type\":\"string\",\"description\":\"nanoseconds since 1970 UTC, as decimal text\"}"
#define TEXT "{\"type\":\"string\"}"
#define COUNT "{\"type\":\"integer\"}"
#define SCOPES "{\"type\":\"array\",\"items\":{\"enum\":[\"ingest\",\"read\",\"write\",\"admin\"]}}"
#define ROLE "{\"enum\":[\"viewer\",\"operator\",\"admin\"]}"
#define TEXTS "{\"type\":\"object\",\"additionalProperties\":" TEXT "}"
#define OBJECT(properties) "{\"type\":\"object\",\"properties\":{" properties "}}"
#define WARNINGS "\"warnings\":{\"type\":\"array\",\"items\":" TEXT ",\"description\":\"what is missing; left out when nothing is\"}"
#define LIST(name, item) OBJECT("\"" name "\":{\"type\":\"array\",\"items\":" item "}")

#define INCIDENT_FIELDS                                                                                                \
        "\"id\":" TEXT ",\"number\":" COUNT ",\"state\":" TEXT ",\"severity\":" TEXT ",\"is_held\":{\"type\":\"boolean\"},\"title\":" TEXT \
        ",\"owner\":" TEXT ",\"team\":" TEXT ",\"signature_text\":" TEXT ",\"opened_ns\":" NS ",\"changed_ns\":" NS ",\"acknowledged_ns\":" NS \
        ",\"resolved_ns\":" NS ",\"closed_ns\":" NS ",\"merged_into\":" TEXT ",\"firing\":" COUNT ",\"alert_count\":" COUNT    \
        ",\"told\":{\"type\":\"array\",\"items\":" TEXT "}"                                                                 \
        ",\"entities\":{\"type\":\"array\",\"items\":" OBJECT("\"id\":" TEXT ",\"kind\":" TEXT ",\"name\":" TEXT)           \
        "},\"causes\":{\"type\":\"array\",\"items\":" OBJECT("\"entity\":" TEXT ",\"kind\":" TEXT ",\"name\":" TEXT            \
                                                           ",\"score\":{\"type\":\"number\"},\"reason\":" TEXT) "}"
#define INCIDENT OBJECT(INCIDENT_FIELDS)
#define KNOWN_ALERT                                                                                                    \
        OBJECT("\"id\":" TEXT ",\"name\":" TEXT ",\"incident\":" TEXT ",\"incident_number\":" COUNT ",\"state\":{\"enum\":[\"firing\",\"resolved\",\"expired\"]},\"severity\":" TEXT \
               ",\"origin\":" TEXT ",\"is_held\":{\"type\":\"boolean\"},\"held_why\":" TEXT ",\"times\":" COUNT ",\"starts_ns\":" NS \
               ",\"ends_ns\":" NS ",\"labels\":" TEXTS ",\"annotations\":" TEXTS ",\"evidence\":" TEXT)
#define WHYS                                                                                                           \
        "{\"type\":\"array\",\"items\":" OBJECT("\"time_ns\":" NS ",\"decision\":" TEXT ",\"reasons\":{\"type\":\"array\"}") "}"

#define RUN                                                                                                            \
        OBJECT("\"id\":" TEXT ",\"number\":" COUNT ",\"state\":" TEXT ",\"incident\":" TEXT ",\"incident_number\":" COUNT ",\"target\":" TEXT \
               ",\"is_auto\":{\"type\":\"boolean\"},\"facts\":{\"type\":\"object\"},\"story\":{\"type\":\"object\"},\"steps\":{\"type\":\"array\"},\"permits\":{\"type\":\"array\"}")

static const struct schema {
        const char *name, *content_type, *text;
} schemas[] = {
        {"Error", "application/json", OBJECT("\"status\":{\"const\":\"error\"},\"errorType\":" TEXT ",\"error\":" TEXT)},
        {"Done", "application/json", OBJECT("\"status\":{\"const\":\"success\"}")},
        {"SignIn", "application/json", OBJECT("\"name\":" TEXT ",\"password\":" TEXT)},
        {"PasswordChange", "application/json", OBJECT("\"old\":" TEXT ",\"new\":" TEXT)},
        {"Session", "application/json",
         OBJECT("\"user\":" OBJECT("\"name\":" TEXT ",\"role\":" ROLE ",\"must_change_password\":{\"type\":\"boolean\"},\"scopes\":" SCOPES)
                ",\"csrf\":" TEXT ",\"password_chars_min\":" COUNT)},
        {"Forecasts", "application/json",
         LIST("forecasts", OBJECT("\"labels\":" TEXTS ",\"limit\":" TEXT ",\"what\":" TEXT ",\"value\":{\"type\":\"number\"},\"limit_value\":{\"type\":\"number\"},\"at_ns\":" NS
                                  ",\"earliest_ns\":" NS ",\"latest_ns\":" NS ",\"updated_ns\":" NS ",\"told\":{\"enum\":[\"nobody\",\"warning\",\"critical\"]}"))},
        {"Held", "application/json",
         LIST("held", OBJECT("\"labels\":" TEXTS ",\"id\":" TEXT ",\"time_ns\":" NS ",\"alert\":" TEXT ",\"why\":" TEXT ",\"sentence\":" TEXT ",\"evidence\":" TEXT))},
        {"ShadowDays", "application/json",
         LIST("days", OBJECT("\"from_ns\":" NS ",\"until_ns\":" NS ",\"theirs\":" COUNT ",\"messages\":" COUNT ",\"pages\":" COUNT ",\"both\":" COUNT ",\"only_theirs\":" COUNT
                             ",\"only_ours\":" COUNT ",\"hours_earlier\":{\"type\":\"number\"},\"hours_later\":{\"type\":\"number\"}"
                             ",\"incidents\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}"))},
        {"Moved", "application/json",
         OBJECT("\"sentence\":" TEXT ",\"from_ns\":" NS ",\"until_ns\":" NS ",\"before_ns\":" NS ",\"first_ns\":{\"type\":[\"string\",\"null\"]},\"groups\":" COUNT ",\"entities_left_out\":" COUNT
                ",\"series\":" OBJECT("\"looked_at\":" COUNT ",\"unknown\":" COUNT ",\"earlier\":" COUNT ",\"left_out\":" COUNT ",\"too_many_points\":" COUNT
                                     ",\"buckets\":" COUNT ",\"not_told\":" COUNT)
                ",\"moved\":{\"type\":\"array\",\"items\":"
                OBJECT("\"what\":" TEXT ",\"sentence\":" TEXT ",\"query\":" TEXT ",\"labels\":" TEXTS ",\"entity\":" OBJECT("\"id\":" TEXT ",\"kind\":" TEXT ",\"name\":" TEXT)
                       ",\"way\":{\"enum\":[\"up\",\"down\",\"stopped\"]},\"group\":{\"type\":[\"integer\",\"null\"],\"description\":\"those of one number moved together; in order of time\"}"
                       ",\"is_little\":{\"type\":\"boolean\"},\"onset_ns\":" NS ",\"earliest_ns\":" NS ",\"latest_ns\":" NS ",\"end_ns\":{\"type\":[\"string\",\"null\"]}"
                       ",\"strength\":{\"type\":\"number\"},\"usual\":{\"type\":[\"number\",\"null\"]},\"level\":{\"type\":[\"number\",\"null\"]}"
                       ",\"usual_text\":{\"type\":[\"string\",\"null\"]},\"level_text\":{\"type\":[\"string\",\"null\"]}") "}," WARNINGS)},
        {"Incidents", "application/json", LIST("incidents", INCIDENT)},
        {"IncidentsTally", "application/json",
         OBJECT("\"incidents\":" COUNT ",\"messages\":" OBJECT("\"all\":" COUNT ",\"pages\":" COUNT) ",\"judged\":{\"type\":\"array\",\"items\":"
                OBJECT("\"kind\":{\"enum\":[\"false\",\"true\",\"planned\"]},\"incidents\":" COUNT) "},\"missed\":{\"type\":\"array\",\"items\":"
                OBJECT("\"number\":" COUNT ",\"title\":" TEXT ",\"opened_ns\":" NS) "}")},
        {"Incident", "application/json",
         OBJECT(INCIDENT_FIELDS ",\"alerts\":{\"type\":\"array\",\"items\":" KNOWN_ALERT "},\"timeline\":{\"type\":\"array\",\"items\":"
                OBJECT("\"id\":" TEXT ",\"alert\":" TEXT ",\"time_ns\":" NS ",\"kind\":" TEXT ",\"by\":" TEXT ",\"text\":" TEXT)
                "},\"merged\":{\"type\":\"array\",\"items\":" COUNT "},\"similar\":{\"type\":\"array\",\"items\":"
                OBJECT("\"number\":" COUNT ",\"title\":" TEXT ",\"resolved_ns\":" NS ",\"fix\":" TEXT ",\"cause\":" TEXT) "}")},
        {"IncidentWhy", "application/json", OBJECT("\"why\":" WHYS ",\"alerts\":{\"type\":\"array\",\"items\":"
                OBJECT("\"id\":" TEXT ",\"name\":" TEXT ",\"why\":" WHYS) "}")},
        {"AlertWhy", "application/json", OBJECT("\"alert\":" KNOWN_ALERT ",\"why\":" WHYS)},
        {"KnownAlerts", "application/json", LIST("alerts", KNOWN_ALERT)},
        {"Changes", "application/json",
         LIST("changes", OBJECT("\"id\":" TEXT ",\"time_ns\":" NS ",\"kind\":" TEXT ",\"title\":" TEXT ",\"by\":" TEXT ",\"reference\":" TEXT
                                ",\"url\":" TEXT ",\"labels\":" TEXTS))},
        {"Audit", "application/json",
         LIST("entries", OBJECT("\"sequence\":" TEXT ",\"time_ns\":" NS ",\"by\":" TEXT ",\"verb\":" TEXT ",\"arguments\":{\"type\":\"object\"},\"outcome\":" TEXT))},
        {"AuditCheck", "application/json",
         OBJECT("\"is_whole\":{\"type\":\"boolean\"},\"entries\":" COUNT ",\"head\":" TEXT ",\"says\":" TEXT ",\"broken\":{\"type\":[\"string\",\"null\"]}")},
        {"Ledger", "application/json",
         LIST("entries", OBJECT("\"id\":" TEXT ",\"time_ns\":" NS ",\"model\":" TEXT ",\"by\":" TEXT ",\"what\":" TEXT ",\"reverted_ns\":" NS
                                ",\"reverted_by\":" TEXT ",\"replay\":{\"type\":\"object\"}"))},
        {"NewIncident", "application/json", OBJECT("\"title\":" TEXT ",\"entity\":" TEXT ",\"severity\":{\"enum\":[\"info\",\"warning\",\"critical\"]}")},
        {"IncidentOrder", "application/json",
         OBJECT("\"text\":" TEXT ",\"on\":" TEXT ",\"owner\":" TEXT ",\"team\":" TEXT ",\"severity\":" TEXT ",\"into\":" COUNT ",\"entity\":" TEXT
                ",\"kind\":{\"enum\":[\"false\",\"true\",\"planned\"]},\"alerts\":{\"type\":\"array\",\"items\":" TEXT "}")},
        {"Draft", "application/json", OBJECT("\"yaml\":" TEXT)},
        {"IncidentDone", "application/json", OBJECT("\"status\":{\"const\":\"success\"},\"incident\":" COUNT)},
        {"AlertmanagerList", "application/json", "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}"},
        {"AlertmanagerObject", "application/json", "{\"type\":\"object\"}"},
        {"IncidentNotifications", "application/json",
         OBJECT("\"notifications\":{\"type\":\"array\",\"items\":" OBJECT("\"id\":" TEXT ",\"incident\":" COUNT ",\"state\":" TEXT ",\"is_page\":{\"type\":\"boolean\"}"
                ",\"is_repeat\":{\"type\":\"boolean\"},\"attempts\":" COUNT ",\"created_ns\":" NS ",\"done_ns\":" NS ",\"team\":" TEXT ",\"receiver\":" TEXT
                ",\"to\":" TEXT ",\"person\":" TEXT ",\"occasion\":" TEXT ",\"error\":" TEXT ",\"message\":{\"type\":\"object\"}")
                "},\"decisions\":{\"type\":\"array\",\"items\":" OBJECT("\"time_ns\":" NS ",\"is_sent\":{\"type\":\"boolean\"},\"team\":" TEXT ",\"reason\":" TEXT) "}")},
        {"Maintenance", "application/json",
         LIST("maintenance", OBJECT("\"name\":" TEXT ",\"comment\":" TEXT ",\"matchers\":{\"type\":\"array\"},\"from_ns\":" NS ",\"to_ns\":" NS))},
        {"NewMaintenance", "application/json", OBJECT("\"matchers\":{\"type\":\"array\",\"items\":" TEXT "},\"ends_ns\":" COUNT ",\"starts_ns\":" COUNT ",\"comment\":" TEXT)},
        {"DoneWithId", "application/json", OBJECT("\"status\":{\"const\":\"success\"},\"id\":" TEXT)},
        {"NotificationTest", "application/json", OBJECT("\"receiver\":" TEXT ",\"to\":" TEXT)},
        {"OnCall", "application/json",
         OBJECT("\"schedules\":{\"type\":\"array\",\"items\":" OBJECT("\"name\":" TEXT ",\"now\":" TEXT ",\"next\":" TEXT ",\"next_ns\":" NS ",\"gaps\":{\"type\":\"array\"},\"shifts\":{\"type\":\"array\",\"items\":"
                OBJECT("\"from_ns\":" NS ",\"to_ns\":" NS ",\"person\":" TEXT ",\"is_override\":{\"type\":\"boolean\"}") "}")
                "},\"overrides\":{\"type\":\"array\"},\"teams\":{\"type\":\"array\",\"items\":"
                OBJECT("\"name\":" TEXT ",\"on_call\":" TEXT ",\"people\":{\"type\":\"array\",\"items\":" TEXT "}") "},\"people\":{\"type\":\"array\",\"items\":"
                OBJECT("\"name\":" TEXT ",\"contacts\":{\"type\":\"array\",\"items\":" OBJECT("\"receiver\":" TEXT ",\"to\":" TEXT) "}") "}")},
        {"OnCallOverride", "application/json", OBJECT("\"person\":" TEXT ",\"from_ns\":" COUNT ",\"to_ns\":" COUNT)},
        {"LabelsToRoute", "application/json", OBJECT("\"labels\":" TEXTS)},
        {"Routes", "application/json", OBJECT("\"routes\":{\"type\":\"array\"}")},
        {"Users", "application/json",
         LIST("users", OBJECT("\"name\":" TEXT ",\"role\":" ROLE ",\"disabled\":{\"type\":\"boolean\"},"
                              "\"must_change_password\":{\"type\":\"boolean\"},\"created_ns\":" NS ",\"changed_ns\":" NS
                              ",\"last_sign_in_ns\":" NS))},
        {"NewUser", "application/json",
         OBJECT("\"name\":" TEXT ",\"role\":" ROLE ",\"password\":" TEXT ",\"must_change_password\":{\"type\":\"boolean\",\"default\":true}")},
        {"UserChange", "application/json", OBJECT("\"role\":" ROLE ",\"password\":" TEXT ",\"disabled\":{\"type\":\"boolean\"}")},
        {"Tokens", "application/json",
         LIST("tokens", OBJECT("\"id\":" TEXT ",\"name\":" TEXT ",\"scopes\":" SCOPES ",\"user\":" TEXT ",\"created_ns\":" NS
                               ",\"expires_ns\":" NS ",\"revoked_ns\":" NS ",\"last_used_ns\":" NS))},
        {"NewToken", "application/json",
         OBJECT("\"name\":" TEXT ",\"scopes\":" SCOPES ",\"expires_days\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":3650}")},
        {"Token", "application/json",
         OBJECT("\"id\":" TEXT ",\"name\":" TEXT ",\"scopes\":" SCOPES ",\"user\":" TEXT ",\"token\":" TEXT)},
        {"Kinds", "application/json", LIST("kinds", OBJECT("\"id\":" TEXT ",\"title\":" TEXT ",\"plural\":" TEXT ",\"display\":" TEXT
                ",\"fields\":{\"type\":\"array\"},\"relations\":{\"type\":\"array\"},\"states\":{\"type\":\"array\"},\"permissions\":{\"type\":\"object\"}"))},
        {"KindFiles", "application/json", OBJECT("\"kinds\":" TEXTS)},
        {"KindChanges", "application/json", LIST("changes", TEXT)},
        {"Entities", "application/json", OBJECT("\"entities\":{\"type\":\"array\"},\"total\":" COUNT ",\"after\":" TEXT ",\"after_name\":" TEXT)},
        {"Entity", "application/json",
         OBJECT("\"id\":" TEXT ",\"kind\":" TEXT ",\"name\":" TEXT ",\"title\":" TEXT ",\"state\":" TEXT ",\"version\":" TEXT ",\"within\":" TEXT
                ",\"created_ns\":" NS ",\"changed_ns\":" NS ",\"seen_ns\":" NS ",\"hidden_ns\":" NS ",\"drift\":" COUNT
                ",\"fields\":{\"type\":\"object\"},\"keys\":{\"type\":\"array\"},\"relations\":{\"type\":\"array\"}")},
        {"NewEntity", "application/json", OBJECT("\"kind\":" TEXT ",\"fields\":{\"type\":\"object\"},\"state\":" TEXT ",\"relations\":" TEXTS)},
        {"EntityChange", "application/json", OBJECT("\"fields\":{\"type\":\"object\"},\"state\":" TEXT ",\"version\":" TEXT)},
        {"EntityId", "application/json", OBJECT("\"id\":" TEXT)},
        {"EntityEvents", "application/json", LIST("events", OBJECT("\"event\":" TEXT ",\"time_ns\":" NS ",\"by\":" TEXT ",\"verb\":" TEXT ",\"note\":" TEXT))},
        {"Neighbourhood", "application/json", OBJECT("\"nodes\":{\"type\":\"array\"},\"edges\":{\"type\":\"array\"},\"whole\":{\"type\":\"boolean\"}")},
        {"Relation", "application/json", OBJECT("\"relation\":" TEXT ",\"to\":" TEXT)},
        {"Revert", "application/json", OBJECT("\"event\":" TEXT)},
        {"Csv", "text/csv", TEXT},
        {"Imported", "application/json", OBJECT("\"created\":" COUNT ",\"updated\":" COUNT ",\"same\":" COUNT)},
        {"Sources", "application/json",
         LIST("sources", OBJECT("\"name\":" TEXT ",\"kind\":" TEXT ",\"state\":{\"enum\":[\"ok\",\"silent\",\"failing\",\"new\"]},"
                                "\"state_text\":" TEXT ",\"last_seen_ns\":" NS ",\"newest_event_ns\":" NS ",\"batches\":" COUNT
                                ",\"records\":" COUNT ",\"samples\":" COUNT ",\"bytes\":" COUNT ",\"dropped\":" COUNT
                                ",\"duplicates\":" COUNT ",\"parse_failures\":" COUNT ",\"clock_skew_ns\":" NS
                                ",\"lag\":{\"type\":\"number\"},\"rate_records\":{\"type\":\"number\"},\"rate_samples\":{\"type\":\"number\"}"))},
        {"Status", "application/json", "{}"}, /* status_schema_json: from the table of the counters */
        {"Text", "text/plain", TEXT},
        {"TextToMask", "application/json", OBJECT("\"text\":" TEXT)},
        {"Redacted", "application/json", OBJECT("\"text\":" TEXT ",\"masked\":" COUNT)},
        {"Backup", "application/json", OBJECT("\"directory\":" TEXT)},
        {"LogPage", "application/json",
         OBJECT("\"rows\":{\"type\":\"array\",\"items\":" OBJECT("\"id\":" TEXT ",\"time_ns\":" NS ",\"severity\":" TEXT ",\"stream\":" TEXTS
                ",\"line\":" TEXT ",\"attributes\":" TEXTS) "},\"more\":{\"type\":\"boolean\"},\"stats\":{\"type\":\"object\"}," WARNINGS)},
        {"LogHistogram", "application/json",
         OBJECT("\"start_ns\":" NS ",\"step_ns\":" NS ",\"buckets\":{\"type\":\"array\",\"items\":"
                OBJECT("\"time_ns\":" NS ",\"counts\":{\"type\":\"object\",\"additionalProperties\":" COUNT "}") "},\"stats\":{\"type\":\"object\"}," WARNINGS)},
        {"Runbooks", "application/json",
         LIST("runbooks", OBJECT("\"name\":" TEXT ",\"file\":" TEXT ",\"declared\":{\"type\":\"object\"},\"trust\":{\"type\":\"object\"},\"runs\":{\"type\":\"object\",\"description\":\"how many runs, by state\"}"))},
        {"Run", "application/json", RUN},
        {"Runs", "application/json", LIST("runs", RUN)},
        {"NewRun", "application/json",
         OBJECT("\"runbook\":" TEXT ",\"incident\":" COUNT ",\"target\":" TEXT ",\"values\":{\"type\":\"object\"},\"why\":" TEXT ",\"start\":{\"type\":\"boolean\"}")},
        {"RunOrder", "application/json", OBJECT("\"why\":" TEXT ",\"outcome\":{\"enum\":[\"succeeded\",\"failed\",\"harmful\"]}")},
        {"RunDone", "application/json", OBJECT("\"status\":{\"const\":\"success\"},\"result\":{\"type\":\"object\"}")},
        {"Autonomy", "application/json", OBJECT("\"level\":{\"enum\":[\"suggest\",\"approve\",\"auto\"]},\"why\":" TEXT)},
        {"Automation", "application/json", OBJECT("\"is_stopped\":{\"type\":\"boolean\"},\"stopped\":{\"type\":[\"object\",\"null\"]},\"frozen_by\":{\"type\":[\"string\",\"null\"]},\"freezes\":{\"type\":\"array\"}")},
        {"Templates", "application/json",
         OBJECT("\"templates\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Template\"}},\"matched\":" COUNT ",\"programs\":" COUNT
                ",\"all\":" COUNT ",\"forgotten\":" COUNT ",\"split\":" COUNT ",\"splits_refused\":" COUNT ",\"bytes\":" COUNT)},
        {"Template", "application/json",
         OBJECT("\"id\":" TEXT ",\"service\":" TEXT ",\"sentence\":" TEXT ",\"count\":" COUNT ",\"per_minute\":{\"type\":\"number\"},\"first_seen_ns\":" NS
                ",\"last_seen_ns\":" NS ",\"levels\":{\"type\":\"object\",\"additionalProperties\":" COUNT "},\"split_from\":" TEXT ",\"split_into\":" TEXTS ",\"variables\":{\"type\":\"array\",\"items\":"
                OBJECT("\"type\":" TEXT ",\"unit\":" TEXT ",\"seen\":" COUNT ",\"least\":{\"type\":\"number\"},\"most\":{\"type\":\"number\"},\"p50\":{\"type\":\"number\"},"
                       "\"p90\":{\"type\":\"number\"},\"p99\":{\"type\":\"number\"},\"values\":{\"type\":\"array\",\"items\":"
                       OBJECT("\"value\":" TEXT ",\"count\":" COUNT) "}") "},\"examples\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}")},
        {"LogStreams", "application/json", OBJECT("\"streams\":{\"type\":\"array\",\"items\":" TEXTS "}," WARNINGS)},
        {"Events", "text/event-stream", TEXT},
        {"Form", "application/x-www-form-urlencoded", "{\"type\":\"object\",\"additionalProperties\":true}"},
        {"PrometheusAnswer", "application/json", OBJECT("\"status\":{\"enum\":[\"success\",\"error\"]},\"data\":{}," WARNINGS)},
        {"LokiAnswer", "application/json", OBJECT("\"status\":{\"enum\":[\"success\",\"error\"]},\"data\":{}," WARNINGS)},
        {"OpenApi", "application/json", "{\"type\":\"object\"}"},
        {"Telemetry", "application/octet-stream", "{\"description\":\"as the protocol says; see docs/operators/sources\"}"},
};

static const struct schema *schema_of(const char *name)
{
        for (size_t i = 0; i < countof(schemas); i++)
                if (strcmp(schemas[i].name, name) == 0)
                        return &schemas[i];
        return NULL;
}

static const char *const need_names[] = {
        [NEED_NOTHING] = "nothing", [NEED_INGEST] = "ingest", [NEED_READ] = "read", [NEED_WRITE] = "write",
        [NEED_ADMIN] = "admin", [NEED_SIGN_IN] = "sign-in", [NEED_METRICS] = "read, or a loopback address",
};

/* {"application/json": {"schema": {"$ref": ...}}} */
static json_t *content_of(const char *name)
{
        const struct schema *schema = schema_of(name);
        char reference[80];
        snprintf(reference, sizeof reference, "#/components/schemas/%s", name);
        return schema ? json_pack("{s:{s:{s:s}}}", schema->content_type, "schema", "$ref", reference) : json_object();
}

static void add_parameter(json_t *list, struct str name, const char *in, bool is_required)
{
        json_array_append_new(list, json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", name.bytes, name.length, "in", in, "required",
                                              is_required, "schema", "type", "string"));
}

static json_t *parameters_of(const struct route *route)
{
        json_t *list = json_array();
        struct str path = str_of(route->path), part, words = str_of(route->parameters);
        while (str_cut(&path, '/', &part))
                if (part.length > 2 && part.bytes[0] == '{')
                        add_parameter(list, str_slice(part, 1, part.length - 1), "path", true);
        while (route->parameters[0] && strcmp(route->request, "Form") != 0 && str_cut(&words, ' ', &part)) {
                bool is_required = part.bytes[part.length - 1] == '!';
                add_parameter(list, str_slice(part, 0, part.length - is_required), "query", is_required);
        }
        return list;
}

static json_t *operation_of(const struct route *route)
{
        json_t *operation = json_pack("{s:[s], s:s, s:s, s:o, s:s}", "tags", route->tag, "summary", route->summary, "operationId",
                                      route->handler_name, "parameters", parameters_of(route), "x-needs", need_names[route->need]);
        json_t *good = json_pack("{s:s, s:o}", "description", "done", "content", content_of(route->response));
        json_t *responses = json_pack("{s:o, s:{s:s, s:o}}", "200", good, "default", "description",
                                      "refused; the status says why", "content", content_of("Error"));
        if (!operation || !responses)
                return NULL;
        char id[128];
        snprintf(id, sizeof id, "%s_%s", route->handler_name, http_method_name(route->method));
        json_object_set_new(operation, "operationId", json_string(id));
        json_object_set_new(operation, "responses", responses);
        if (route->request[0])
                json_object_set_new(operation, "requestBody", json_pack("{s:b, s:o}", "required", true, "content", content_of(route->request)));
        if (route->need == NEED_NOTHING)
                json_object_set_new(operation, "security", json_array());
        return operation;
}

static json_t *paths_json(void)
{
        json_t *paths = json_object();
        static const char *const methods[] = {"get", "post", "put", "delete"};
        for (const struct route *route = routes; route < routes + route_count; route++) {
                json_t *path = route->path ? json_object_get(paths, route->path) : NULL;
                if (!route->path || json_object_get(path, methods[route->method]))
                        continue; /* two rows of sources.def may share a path */
                if (!path) {
                        path = json_object();
                        json_object_set_new(paths, route->path, path);
                }
                json_object_set_new(path, methods[route->method], operation_of(route));
        }
        return paths;
}

json_t *openapi_json(const char *version, struct err *err)
{
        scoped_ptr(json_decref) json_t *all = json_object();
        for (size_t i = 0; i < countof(schemas); i++) {
                json_t *schema = json_parse(str_of(schemas[i].text), err);
                if (!schema)
                        return err_within(err, "schema %s", schemas[i].name), NULL;
                json_object_set_new(all, schemas[i].name, schema);
        }
        json_object_set_new(all, "Status", status_schema_json());
        json_t *json = json_pack(
                "{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:O, s:{s:{s:s, s:s}, s:{s:s, s:s}, s:{s:s, s:s, s:s}}}, s:[{s:[]}, {s:[]}, {s:[]}]}",
                "openapi", "3.1.0", "info", "title", "Evenkeel", "version", version, "description",
                "Logs and metrics in, queries out. Errors are {status, errorType, error}; see docs/reference/errors.md.", "paths",
                paths_json(), "components", "schemas", all, "securitySchemes", "token", "type", "http", "scheme", "bearer", "basic",
                "type", "http", "scheme", "basic", "session", "type", "apiKey", "in", "cookie", "name", "evenkeel_session", "security",
                "token", "basic", "session");
        if (!json)
                fail_memory(err, "serve", sizeof(void *));
        return json;
}

bool openapi_show(struct request *request, struct err *err)
{
        const char *version = server_of(request)->context.version;
        scoped_ptr(json_decref) json_t *json = openapi_json(version ? version : "?", err);
        return json && request_answer_json(request, 200, json, err);
}

static void write_route(struct buf *out, const struct route *route)
{
        buf_printf(out, "### %s `%s`\n\n%s\n\nNeeds: %s.", http_method_name(route->method), route->path, route->summary, need_names[route->need]);
        struct str words = str_of(route->parameters), word;
        for (bool is_first = true; route->parameters[0] && str_cut(&words, ' ', &word); is_first = false) {
                bool is_required = word.bytes[word.length - 1] == '!';
                buf_printf(out, "%s`%.*s`%s", is_first ? " Parameters: " : ", ", (int)word.length - is_required, word.bytes,
                           is_required ? " (required)" : "");
        }
        buf_text(out, route->parameters[0] ? "." : "");
        if (route->request[0] && strcmp(route->request, "Form") != 0)
                buf_printf(out, " Body: %s, at most %zu KiB.", route->request, route->body_max >> 10);
        buf_printf(out, "%s%s%s\n\n", route->response[0] ? " Answer: " : "", route->response, route->response[0] ? "." : "");
}

bool openapi_markdown(struct buf *out)
{
        static const char *const tags[] = {"ingest", "accounts", "sources", "incidents", "runbooks", "logs", "register", "prometheus", "loki", "status"};
        buf_text(out, "# The HTTP API\n\nGenerated from the route table by `evenkeel openapi --markdown`; `/openapi.json` has the same for "
                      "programs, with schemas.\n\nSend a token as `Authorization: Bearer evk_...`, or as the password of Basic. Errors are "
                      "`{\"status\":\"error\",\"errorType\":..,\"error\":..}` with the statuses of [errors.md](errors.md). Times in "
                      "nanoseconds are decimal text.\n\n");
        for (size_t i = 0; i < countof(tags); i++) {
                buf_printf(out, "## %s\n\n", tags[i]);
                for (const struct route *route = routes; route < routes + route_count; route++) {
                        bool is_twin = route > routes && route[-1].path && route->path && route[-1].method == route->method && strcmp(route[-1].path, route->path) == 0;
                        if (route->path && strcmp(route->tag, tags[i]) == 0 && !is_twin)
                                write_route(out, route);
                }
        }
        return !out->failed;
}

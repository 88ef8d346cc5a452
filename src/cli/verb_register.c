/*
 * verb_register.c - kinds and entities on the command line. Every column, field and option comes from the kind's declaration,
 * which the daemon tells: a new kind needs no new line here.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_SHOWN 5 /* of fields, beside name, state and when it was seen */

static const char *text_of(const json_t *object, const char *key)
{
        const char *text = json_string_value(json_object_get(object, key));
        return text ? text : "";
}

/* A value in one line; the unit follows. */
static void value_text(const json_t *value, const char *unit, struct buf *out)
{
        size_t i;
        json_t *item;
        buf_clear(out);
        if (json_is_string(value))
                buf_text(out, json_string_value(value));
        else if (json_is_array(value))
                json_array_foreach((json_t *)value, i, item)
                        buf_printf(out, "%s%s", i ? ", " : "", json_string_value(item));
        else if (value && !json_is_null(value))
                json_write(value, out);
        if (out->length && *unit)
                buf_printf(out, " %s", unit);
        buf_byte(out, 0);
}

static bool ask_kinds(struct cli *cli, json_t **out_answer, struct err *err)
{
        return client_ask_json(&cli->client, "GET", "/api/v1/kinds", NULL, out_answer, err);
}

static const json_t *kind_named(const json_t *answer, const char *name)
{
        size_t i;
        json_t *kind;
        json_array_foreach(json_object_get(answer, "kinds"), i, kind)
                if (strcmp(text_of(kind, "id"), name) == 0)
                        return kind;
        return NULL;
}

static bool find_kind(struct cli *cli, const char *name, json_t **out_answer, const json_t **out_kind, struct err *err)
{
        if (!ask_kinds(cli, out_answer, err))
                return false;
        *out_kind = kind_named(*out_answer, name);
        return *out_kind || fail(err, ERR_NOT_FOUND, "cli", "there is no kind \"%s\"; evenkeel kinds lists them", name);
}

bool verb_kinds(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        size_t i, k;
        json_t *kind, *field;
        if (!ask_kinds(cli, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        scoped(table_done) struct table table;
        table_init(&table, "KIND|FIELD|TYPE|UNIT|WRITTEN BY|OBSERVED BY");
        json_array_foreach(json_object_get(answer, "kinds"), i, kind)
                json_array_foreach(json_object_get(kind, "fields"), k, field) {
                        scoped(buf_done) struct buf write = {0}, observe = {0};
                        value_text(json_object_get(field, "write"), "", &write);
                        value_text(json_object_get(field, "observe"), "", &observe);
                        table_cell(&table, COLOR_NONE, "%s", k ? "" : text_of(kind, "id"));
                        table_cell(&table, COLOR_NONE, "%s", text_of(field, "id"));
                        table_cell(&table, COLOR_NONE, "%s", text_of(field, "type"));
                        table_cell(&table, COLOR_NONE, "%s", text_of(field, "unit"));
                        table_cell(&table, COLOR_DIM, "%s", write.bytes);
                        table_cell(&table, COLOR_DIM, "%s", observe.bytes);
                }
        table_print(&table, stdout, cli->has_color);
        return true;
}

static void add_entity_row(struct table *table, const json_t *kind, const json_t *entity)
{
        char seen[CLOCK_RFC3339_BYTES];
        size_t i;
        json_t *field;
        item_time(entity, "seen_ns", seen);
        table_cell(table, COLOR_NONE, "%s", text_of(entity, "id"));
        table_cell(table, COLOR_NONE, "%s", text_of(entity, "title"));
        table_cell(table, COLOR_NONE, "%s", text_of(entity, "state"));
        json_array_foreach(json_object_get(kind, "fields"), i, field) {
                scoped(buf_done) struct buf value = {0};
                const json_t *both = json_object_get(json_object_get(entity, "fields"), text_of(field, "id"));
                if (i > COLUMNS_SHOWN)
                        break;
                value_text(json_object_get(both, "value"), text_of(field, "unit"), &value);
                if (strcmp(text_of(field, "id"), text_of(kind, "display")) != 0)
                        table_cell(table, json_flag(both, "drifts", false) ? COLOR_YELLOW : COLOR_NONE, "%s", value.bytes);
        }
        table_cell(table, COLOR_DIM, "%s", seen);
}

static void entity_heads(const json_t *kind, struct buf *out)
{
        size_t i;
        json_t *field;
        buf_text(out, "ID|NAME|STATE");
        json_array_foreach(json_object_get(kind, "fields"), i, field)
                if (i <= COLUMNS_SHOWN && strcmp(text_of(field, "id"), text_of(kind, "display")) != 0) {
                        buf_byte(out, '|');
                        for (const char *title = text_of(field, "title"); *title; title++)
                                buf_byte(out, *title >= 'a' && *title <= 'z' ? (char)(*title - 32) : *title);
                }
        buf_text(out, "|SEEN");
        buf_byte(out, 0);
}

bool verb_entities(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *kinds = NULL, *answer = NULL;
        scoped(buf_done) struct buf path = {0}, heads = {0};
        const json_t *kind;
        size_t i;
        json_t *entity;
        if (!find_kind(cli, cli->words[0], &kinds, &kind, err))
                return false;
        buf_text(&path, cli_option(cli, "csv") ? "/api/v1/entities.csv" : "/api/v1/entities");
        path_add(&path, "kind", cli->words[0]);
        path_add(&path, "query", cli_option(cli, "search"));
        path_add(&path, "state", cli_option(cli, "state"));
        path_add(&path, "limit", cli_option(cli, "limit"));
        path_add(&path, "drifting", cli_option(cli, "drifting") ? "true" : NULL);
        buf_byte(&path, 0);
        if (cli_option(cli, "csv")) {
                scoped(buf_done) struct buf csv = {0};
                return client_ask(&cli->client, "GET", path.bytes, NULL, &csv, err) && fwrite(csv.bytes, 1, csv.length, stdout) == csv.length;
        }
        if (!client_ask_json(&cli->client, "GET", path.bytes, NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        scoped(table_done) struct table table;
        entity_heads(kind, &heads);
        table_init(&table, heads.bytes);
        json_array_foreach(json_object_get(answer, "entities"), i, entity)
                add_entity_row(&table, kind, entity);
        table_print(&table, stdout, cli->has_color);
        return true;
}

static bool ask_entity(struct cli *cli, const char *method, const char *part, const json_t *body, json_t **out_answer, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/api/v1/entities/");
        path_add_part(&path, cli->words[0]);
        buf_text(&path, part);
        if (strcmp(method, "GET") == 0 && !*part)
                path_add(&path, "at", cli_option(cli, "at"));
        buf_byte(&path, 0);
        return client_ask_json(&cli->client, method, path.bytes, body, out_answer, err);
}

static void print_fields(const struct cli *cli, const json_t *kind, const json_t *entity)
{
        size_t i;
        json_t *field;
        scoped(table_done) struct table table;
        table_init(&table, "FIELD|VALUE|INTENDED BY|OBSERVED|OBSERVED BY");
        json_array_foreach(json_object_get(kind, "fields"), i, field) {
                const json_t *both = json_object_get(json_object_get(entity, "fields"), text_of(field, "id"));
                scoped(buf_done) struct buf value = {0}, observed = {0};
                if (!both)
                        continue;
                value_text(json_object_get(both, "value"), text_of(field, "unit"), &value);
                value_text(json_object_get(both, "observed"), text_of(field, "unit"), &observed);
                table_cell(&table, COLOR_NONE, "%s", text_of(field, "id"));
                table_cell(&table, COLOR_NONE, "%s", value.bytes);
                table_cell(&table, COLOR_DIM, "%s", text_of(both, "intended_by"));
                table_cell(&table, json_flag(both, "drifts", false) ? COLOR_YELLOW : COLOR_DIM, "%s", observed.bytes);
                table_cell(&table, COLOR_DIM, "%s", text_of(both, "observed_by"));
        }
        table_print(&table, stdout, cli->has_color);
}

static void print_relations(const struct cli *cli, const json_t *entity)
{
        size_t i;
        json_t *edge;
        scoped(table_done) struct table table;
        table_init(&table, "RELATION|TO|KNOWN FROM|SEEN");
        json_array_foreach(json_object_get(entity, "relations"), i, edge) {
                char seen[CLOCK_RFC3339_BYTES];
                scoped(buf_done) struct buf sources = {0};
                bool is_out = strcmp(text_of(edge, "from"), text_of(entity, "id")) == 0;
                item_time(edge, "seen_ns", seen);
                value_text(json_object_get(edge, "sources"), "", &sources);
                table_cell(&table, COLOR_NONE, "%s", text_of(edge, is_out ? "title" : "inverse_title"));
                table_cell(&table, COLOR_NONE, "%s", text_of(json_object_get(edge, "other"), "title"));
                table_cell(&table, COLOR_DIM, "%s", sources.bytes);
                table_cell(&table, COLOR_DIM, "%s", seen);
        }
        if (json_array_size(json_object_get(entity, "relations"))) {
                putchar('\n');
                table_print(&table, stdout, cli->has_color);
        }
}

bool verb_entity_show(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *kinds = NULL, *entity = NULL;
        const json_t *kind;
        if (!ask_entity(cli, "GET", "", NULL, &entity, err))
                return false;
        if (cli->json)
                return item_print(entity);
        if (!find_kind(cli, text_of(entity, "kind"), &kinds, &kind, err))
                return false;
        printf("%s  %s, %s\n\n", text_of(entity, "title"), text_of(kind, "title"), text_of(entity, "state"));
        print_fields(cli, kind, entity);
        print_relations(cli, entity);
        return true;
}

/* "name=web1 memory=16" from a word on; the state is set like a field. */
static json_t *read_fields(const struct cli *cli, int first, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = json_pack("{s:{}}", "fields");
        for (int i = first; i < cli->word_count; i++) {
                struct str value = str_of(cli->words[i]), name;
                str_cut(&value, '=', &name);
                if (!value.bytes) {
                        fail(err, ERR_METHOD, "cli", "\"%s\": write FIELD=VALUE; an empty value takes it away", cli->words[i]);
                        return NULL;
                }
                bool is_state = str_is(name, "state");
                json_t *text = json_stringn(value.bytes, value.length);
                if (!text || json_object_setn_new(is_state ? body : json_object_get(body, "fields"), name.bytes, name.length, text)) {
                        fail(err, ERR_METHOD, "cli", "\"%s\" is not UTF-8", cli->words[i]);
                        return NULL;
                }
        }
        return give(body);
}

static bool tell_done(const struct cli *cli, const json_t *answer, const char *done)
{
        return cli->json ? item_print(answer) : printf("%s %s\n", text_of(answer, "id"), done) > 0;
}

bool verb_entity_create(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = read_fields(cli, 1, err), *answer = NULL;
        if (!body)
                return false;
        json_object_set_new(body, "kind", json_string(cli->words[0]));
        return client_ask_json(&cli->client, "POST", "/api/v1/entities", body, &answer, err) && tell_done(cli, answer, "created");
}

bool verb_entity_set(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = read_fields(cli, 1, err), *answer = NULL;
        return body && ask_entity(cli, "POST", "", body, &answer, err) && tell_done(cli, answer, "changed");
}

bool verb_entity_delete(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        return ask_entity(cli, "DELETE", "", NULL, &answer, err) && tell_done(cli, answer, "deleted; entity restore brings it back for 30 days");
}

bool verb_entity_restore(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        return ask_entity(cli, "POST", "/restore", NULL, &answer, err) && tell_done(cli, answer, "restored");
}

static bool relate(struct cli *cli, const char *part, const char *done, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = json_pack("{s:s, s:s}", "relation", cli->words[1], "to", cli->words[2]), *answer = NULL;
        return (body || fail(err, ERR_METHOD, "cli", "what was given is not UTF-8 text")) && ask_entity(cli, "POST", part, body, &answer, err) &&
               tell_done(cli, answer, done);
}

bool verb_entity_relate(struct cli *cli, struct err *err)
{
        return relate(cli, "/relate", "related", err);
}

bool verb_entity_unrelate(struct cli *cli, struct err *err)
{
        return relate(cli, "/unrelate", "no longer related", err);
}

bool verb_entity_revert(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *body = json_pack("{s:s}", "event", cli->words[1]), *answer = NULL;
        return (body || fail(err, ERR_METHOD, "cli", "what was given is not UTF-8 text")) && ask_entity(cli, "POST", "/revert", body, &answer, err) &&
               tell_done(cli, answer, "reverted");
}

bool verb_entity_history(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        size_t i;
        json_t *event;
        if (!ask_entity(cli, "GET", "/history", NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        scoped(table_done) struct table table;
        table_init(&table, "EVENT|TIME|BY|WHAT|CHANGED");
        json_array_foreach(json_object_get(answer, "events"), i, event) {
                char time[CLOCK_RFC3339_BYTES];
                item_time(event, "time_ns", time);
                table_cell(&table, COLOR_NONE, "%s", text_of(event, "event"));
                table_cell(&table, COLOR_NONE, "%s", time);
                table_cell(&table, COLOR_NONE, "%s", text_of(event, "by"));
                table_cell(&table, COLOR_NONE, "%s", text_of(event, "verb"));
                table_cell(&table, COLOR_NONE, "%s", text_of(event, "note"));
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

/*
 * pack_manual.c - see pack_manual.h. The tables are drawn from the YAML that is built in, so that the page cannot say what does not ship. What a file is for is
 * its first comment.
 */
#include "app/pack_manual.h"

#include "base/embedded.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"

extern const struct embedded_file pack_files[];
extern const size_t pack_files_count;

/* A cell of a table: one line, bars escaped. */
static void write_cell(struct buf *out, struct str text)
{
        bool was_space = true;
        for (size_t i = 0; i < text.length; i++) {
                char c = text.bytes[i];
                bool is_space = c == ' ' || c == '\n';
                if (c == '|')
                        buf_byte(out, '\\');
                if (!is_space || (!was_space && i + 1 < text.length))
                        buf_byte(out, is_space ? ' ' : c);
                was_space = is_space;
        }
}

static void write_code(struct buf *out, struct str text)
{
        buf_text(out, "`");
        write_cell(out, text);
        buf_text(out, "`");
}

static void write_rule(struct buf *out, const json_t *rule)
{
        const json_t *labels = json_object_get(rule, "labels"), *annotations = json_object_get(rule, "annotations");
        buf_text(out, "| ");
        write_cell(out, json_str(rule, "alert"));
        buf_text(out, " | ");
        write_cell(out, json_str(labels, "severity"));
        buf_text(out, " | ");
        write_cell(out, json_str(rule, "for"));
        buf_text(out, " | ");
        write_code(out, json_str(rule, "expr"));
        buf_text(out, " | ");
        write_cell(out, json_str(annotations, "summary"));
        buf_text(out, " |\n");
}

static void write_rules(struct buf *out, const json_t *groups)
{
        size_t i, k;
        json_t *group, *rule;
        if (json_array_size(groups))
                buf_text(out, "| alert | severity | for | when | what is said |\n|---|---|---|---|---|\n");
        json_array_foreach ((json_t *)groups, i, group)
                json_array_foreach (json_object_get(group, "rules"), k, rule)
                        write_rule(out, rule);
        if (json_array_size(groups))
                buf_text(out, "\n");
}

static void write_limits(struct buf *out, const json_t *watch)
{
        size_t i;
        json_t *limit;
        if (json_array_size(watch))
                buf_text(out, "| what runs out | warns before | pages before | series | what is said |\n|---|---|---|---|---|\n");
        json_array_foreach ((json_t *)watch, i, limit) {
                buf_text(out, "| ");
                write_cell(out, json_str(limit, "alert"));
                for (const char *const *key = (const char *const[]){"warn", "page", NULL}; *key; key++) {
                        struct str time = json_str(limit, *key);
                        buf_text(out, " | ");
                        write_cell(out, time.length ? time : STR("never"));
                }
                buf_text(out, " | ");
                write_code(out, json_str(limit, "series"));
                buf_text(out, " | ");
                write_cell(out, json_str(limit, "summary"));
                buf_text(out, " |\n");
        }
        if (json_array_size(watch))
                buf_text(out, "\n");
}

static void write_runbooks(struct buf *out, const json_t *runbooks)
{
        size_t i, k;
        json_t *runbook, *alert;
        if (json_array_size(runbooks))
                buf_text(out, "| runbook | what it does | proposed for |\n|---|---|---|\n");
        json_array_foreach ((json_t *)runbooks, i, runbook) {
                buf_text(out, "| ");
                write_cell(out, json_str(runbook, "name"));
                buf_text(out, " | ");
                write_cell(out, json_str(runbook, "sentence"));
                buf_text(out, " | ");
                json_array_foreach (json_object_get(json_object_get(runbook, "applies_to"), "alerts"), k, alert)
                        buf_printf(out, "%s%s", k ? ", " : "", json_string_value(alert));
                buf_text(out, " |\n");
        }
        if (json_array_size(runbooks))
                buf_text(out, "\n");
}

/* The comment that the file begins with. */
static void write_purpose(struct buf *out, struct str text)
{
        struct str line;
        while (text.length && text.bytes[0] == '#') {
                str_cut(&text, '\n', &line);
                buf_printf(out, "%.*s\n", STR_ARGS(str_trim(str_slice(line, 1, line.length))));
        }
        buf_text(out, "\n");
}

bool pack_manual(struct buf *out, struct err *err)
{
        buf_text(out, "# What ships in packs\n\nGenerated from `packs/` (`evenkeel manual packs`). How to switch off or change what stands here: "
                      "[packs](../operators/packs.md). A rule whose metrics nobody sends says nothing.\n\n");
        for (size_t i = 0; i < pack_files_count; i++) {
                scoped_ptr(json_decref) json_t *tree = yaml_parse(pack_files[i].text, pack_files[i].name.bytes, err);
                if (!tree)
                        return false;
                buf_printf(out, "## %.*s\n\n", STR_ARGS(pack_files[i].name));
                write_purpose(out, pack_files[i].text);
                write_rules(out, json_object_get(tree, "groups"));
                write_limits(out, json_object_get(tree, "watch"));
                write_runbooks(out, json_object_get(tree, "runbooks"));
        }
        if (out->length && out->bytes[out->length - 1] == '\n')
                out->length--;
        return !out->failed || fail_memory(err, "packs", out->length);
}

bool pack_print(const char *path, struct buf *out, struct err *err)
{
        scoped(buf_done) struct buf names = {0};
        for (size_t i = 0; i < pack_files_count; i++) {
                if (str_is(pack_files[i].name, path))
                        return buf_append(out, pack_files[i].text.bytes, pack_files[i].text.length) || fail_memory(err, "packs", pack_files[i].text.length);
                buf_printf(&names, "%s%.*s", i ? ", " : "", STR_ARGS(pack_files[i].name));
        }
        return fail(err, ERR_NOT_FOUND, "packs", "no file %s ships; there are %.*s", path, STR_ARGS(buf_str(&names)));
}

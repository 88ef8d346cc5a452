/* config.c - see config.h. */
#include "app/config.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "query/promql.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum config_type { TEXT, COUNT, BYTES, DURATION, LIST, OBJECT };

struct config_row {
        const char *path;
        enum config_type type;
        const char *otherwise;
        const char *meaning;
};

static const struct config_row rows[] = {
#define C(path, type, otherwise, meaning) {path, type, otherwise, meaning},
#include "app/config.def"
#undef C
};

static const struct config_row *row_of(const char *path)
{
        for (size_t i = 0; i < countof(rows); i++)
                if (strcmp(rows[i].path, path) == 0)
                        return &rows[i];
        assert(!"a row of config.def");
        return NULL;
}

static bool read_bytes(struct str text, uint64_t *out_bytes)
{
        static const struct {
                const char *unit;
                uint64_t bytes;
        } units[] = {{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", UINT64_C(1) << 40}, {"KB", 1000},
                     {"MB", 1000000}, {"GB", 1000000000}, {"TB", UINT64_C(1000000000000)}, {"", 1}};
        for (size_t i = 0; i < countof(units); i++) {
                size_t length = strlen(units[i].unit);
                uint64_t count;
                if (text.length > length && str_is(str_slice(text, text.length - length, text.length), units[i].unit) &&
                    str_to_u64(str_trim(str_slice(text, 0, text.length - length)), &count))
                        return !__builtin_mul_overflow(count, units[i].bytes, out_bytes);
        }
        return false;
}

static bool check_value(const struct config_row *row, const json_t *value, struct err *err)
{
        struct str text = {json_string_value(value), json_string_length(value)};
        uint64_t bytes;
        int64_t duration;
        switch (row->type) {
        case TEXT:
                return json_is_string(value) || fail(err, ERR_INVALID, "config", "%s must be a text", row->path);
        case COUNT:
                return (json_is_integer(value) && json_integer_value(value) >= 0) ||
                       fail(err, ERR_INVALID, "config", "%s must be a whole number from 0 on", row->path);
        case BYTES:
                return (json_is_integer(value) && json_integer_value(value) >= 0) || (text.bytes && read_bytes(text, &bytes)) ||
                       fail(err, ERR_INVALID, "config", "%s must be a size such as 10GiB", row->path);
        case DURATION:
                return (text.bytes && promql_duration(text, &duration, NULL) && duration > 0) ||
                       fail(err, ERR_INVALID, "config", "%s must be a duration such as 15s, 2h or 30d", row->path);
        case LIST:
                return json_is_array(value) || fail(err, ERR_INVALID, "config", "%s must be a list", row->path);
        default:
                return json_is_object(value) || json_is_array(value) ||
                       fail(err, ERR_INVALID, "config", "%s must hold keys", row->path);
        }
}

static size_t common_start(const char *a, const char *b)
{
        size_t i = 0;
        while (a[i] && a[i] == b[i])
                i++;
        return i;
}

static bool refuse_key(const char *path, struct err *err)
{
        const struct config_row *nearest = &rows[0];
        for (size_t i = 1; i < countof(rows); i++)
                if (common_start(rows[i].path, path) > common_start(nearest->path, path))
                        nearest = &rows[i];
        return fail(err, ERR_INVALID, "config", "there is no key %s; the nearest is %s", path, nearest->path);
}

/* One of config.def, or keys above such a row. */
static const struct config_row *find_row(const char *path, bool *out_is_above)
{
        const struct config_row *row = NULL;
        size_t length = strlen(path);
        *out_is_above = false;
        for (size_t i = 0; i < countof(rows); i++) {
                if (strcmp(rows[i].path, path) == 0)
                        row = &rows[i];
                *out_is_above |= strncmp(rows[i].path, path, length) == 0 && rows[i].path[length] == '.';
        }
        return row;
}

/* Walks down until a row of the table is reached; all below a row is for whoever it is for. What is wrong is told and taken out. */
static void check_tree(json_t *tree, const char *above, struct faults *faults)
{
        const char *key;
        void *next;
        json_t *value;
        json_object_foreach_safe(tree, next, key, value)
        {
                char path[256];
                bool is_above;
                struct err err = {0};
                snprintf(path, sizeof path, "%s%s%s", above, *above ? "." : "", key);
                const struct config_row *row = find_row(path, &is_above);
                if (!row && is_above && json_is_object(value)) {
                        check_tree(value, path, faults);
                } else if (row ? !check_value(row, value, &err) : !refuse_key(path, &err)) {
                        faults_add(faults, path, &err);
                        json_object_del(tree, key);
                }
        }
}

bool config_read_file(const char *path, struct buf *out, struct err *err)
{
        FILE *file = fopen(path, "rb");
        if (!file)
                return fail_errno(err, errno, "config", "opening %s", path);
        char piece[4096];
        for (size_t count; (count = fread(piece, 1, sizeof piece, file));)
                buf_append(out, piece, count);
        fclose(file);
        return !out->failed || fail(err, ERR_TOO_LARGE, "config", "%s is larger than %zu bytes", path, out->bytes_max);
}

bool config_load(const char *path, struct config *out_config, struct faults *faults, struct err *err)
{
        const char *name = path ? path : "defaults";
        scoped(buf_done) struct buf text = {.bytes_max = YAML_BYTES_MAX};
        struct faults *found = faults ? faults : calloc(1, sizeof *found);
        struct config config = {0};
        bool good = found || fail_memory(err, "config", sizeof *found);
        if (good && (!path || config_read_file(path, &text, err)))
                config.tree = yaml_parse(buf_str(&text), name, err);
        good = good && config.tree && (json_is_object(config.tree) || fail(err, ERR_INVALID, "config", "%s must hold keys, such as data: /var/lib/evenkeel", path));
        if (good)
                check_tree(config.tree, "", found);
        if (good && !faults && found->count) {
                *err = found->items[0].err;
                good = err_within(err, "%s", name);
        }
        if (good)
                *out_config = config;
        else
                config_done(&config);
        if (!faults)
                free(found);
        return good;
}

void config_done(struct config *config)
{
        json_decref(config->tree);
        config->tree = NULL;
}

bool config_set_list(struct config *config, const char *first, const char *second, const char *const *texts, int count)
{
        json_t *above = json_object_get(config->tree, first), *list = json_array();
        bool good = list != NULL;
        for (int i = 0; good && i < count; i++)
                good = json_array_append_new(list, json_string(texts[i])) == 0;
        if (good && !above) {
                above = json_object();
                good = json_object_set_new(config->tree, first, above) == 0;
        }
        good = good && json_object_set(above, second, list) == 0;
        json_decref(list);
        return good;
}

static const json_t *find(const struct config *config, const char *path)
{
        const json_t *at = config->tree;
        struct str rest = str_of(path), key;
        while (at && str_cut(&rest, '.', &key))
                at = json_object_getn(at, key.bytes, key.length);
        return at;
}

const char *config_text(const struct config *config, const char *path)
{
        const json_t *value = find(config, path);
        return value ? json_string_value(value) : row_of(path)->otherwise;
}

uint64_t config_count(const struct config *config, const char *path)
{
        const json_t *value = find(config, path);
        if (json_is_integer(value))
                return (uint64_t)json_integer_value(value);
        uint64_t bytes = 0;
        read_bytes(str_of(value ? json_string_value(value) : row_of(path)->otherwise), &bytes);
        return bytes;
}

bool config_log_level(const struct config *config, enum log_level *out_level, struct err *err)
{
        static const char *const names[] = {"debug", "info", "warning", "error"};
        const char *wanted = config_text(config, "log");
        for (size_t i = 0; i < countof(names); i++)
                if (strcmp(names[i], wanted) == 0) {
                        *out_level = (enum log_level)i;
                        return true;
                }
        return fail(err, ERR_INVALID, "run", "log: %s is none of debug, info, warning, error", wanted);
}

int64_t config_duration_ns(const struct config *config, const char *path)
{
        int64_t duration = 0;
        promql_duration(str_of(config_text(config, path)), &duration, NULL);
        return duration;
}

const json_t *config_tree(const struct config *config, const char *path)
{
        return find(config, path);
}

bool config_manual(struct buf *out)
{
        static const char *const types[] = {"text", "whole number", "size", "duration", "list", "keys"};
        buf_text(out, "# Configuration\n\nEvenkeel needs no configuration file. With `evenkeel run --config evenkeel.yaml` it reads one, checks it whole, "
                      "and refuses to start on a wrong one; `kill -HUP` reads it again, all or nothing. Levels are YAML levels: `http.listen` is "
                      "`listen` below `http`.\n\n| key | type | default | meaning |\n|---|---|---|---|\n");
        for (size_t i = 0; i < countof(rows); i++)
                buf_printf(out, "| `%s` | %s | `%s` | %s |\n", rows[i].path, types[rows[i].type], rows[i].otherwise, rows[i].meaning);
        return !out->failed;
}

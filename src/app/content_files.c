/* content_files.c - see content_files.h. */
#include "app/content_files.h"

#include "app/pack_tree.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/time_zone.h"
#include "base/yaml.h"
#include "model/content.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Beside the name of a time zone its rule, so that what is journaled means the same on every machine. */
static bool add_zone_rules(json_t *items, const char *file, struct err *err)
{
        size_t i;
        json_t *item;
        json_array_foreach(items, i, item) {
                scoped(buf_done) struct buf rule = {0};
                struct time_zone zone;
                const char *name = json_string_value(json_object_get(item, "time_zone"));
                if (!name || time_zone_parse(str_of(name), &zone, NULL))
                        continue;
                if (!time_zone_read_rule(name, &rule, err))
                        return err_within(err, "%s: time_zone of item %zu", file, i + 1);
                if (json_object_set_new(item, "time_zone_rule", json_stringn(rule.bytes, rule.length)) != 0)
                        return fail_memory(err, "content", rule.length);
        }
        return true;
}

/* Takes the tree as a file of the document. */
static bool add_tree(void *into, const char *name, json_t *tree, struct err *err)
{
        json_t *files = into;
        if (!content_check_file(name, tree, err))
                return false;
        if (!add_zone_rules(json_object_get(tree, "on_call"), name, err) || !add_zone_rules(json_object_get(tree, "maintenance"), name, err))
                return false;
        if (json_array_size(files) == CONTENT_FILES_MAX)
                return fail(err, ERR_TOO_LARGE, "content", "%s: there are more than %d content files; put several into one", name, CONTENT_FILES_MAX);
        return json_array_append_new(files, json_pack("{s:s, s:O}", "name", name, "tree", tree)) == 0 || fail_memory(err, "content", sizeof tree);
}

static bool add_text(json_t *files, const char *name, struct str text, struct err *err)
{
        scoped_ptr(json_decref) json_t *tree = yaml_parse(text, name, err);
        return tree && add_tree(files, name, tree, err);
}

typedef bool take_text_fn(json_t *into, const char *name, struct str text, struct err *err);

/* As it is: kinds and dependencies are told with their lines, so the register reads them itself. */
static bool keep_text(json_t *into, const char *name, struct str text, struct err *err)
{
        json_t *kept = json_stringn(text.bytes ? text.bytes : "", text.length);
        return kept ? json_object_set_new(into, name, kept) == 0 || fail_memory(err, "content", text.length) :
                      fail(err, ERR_INVALID, "content", "%s is not UTF-8", name);
}

/* One key of the configuration that lists files. */
struct reading {
        const char *key;
        take_text_fn *take;
        json_t *into;
        struct faults *faults;  /* NULL: the first fault ends it */
        char place[64];         /* of the path under way */
};

static bool add_file(struct reading *reading, const char *path, struct err *err)
{
        struct err fault = {0};
        scoped(buf_done) struct buf text = {.bytes_max = YAML_BYTES_MAX};
        if (config_read_file(path, &text, &fault) && reading->take(reading->into, path, buf_str(&text), &fault))
                return true;
        if (reading->faults)
                faults_add(reading->faults, reading->place, &fault);
        else if (err)
                *err = fault;
        return reading->faults != NULL;
}

static bool add_matches(struct reading *reading, const char *pattern, bool must_exist, struct err *err)
{
        glob_t found = {0};
        int failure = glob(pattern, GLOB_BRACE | GLOB_ERR, NULL, &found);
        bool good = failure == 0 || (failure == GLOB_NOMATCH && !must_exist) ||
                    fail(err, ERR_NOT_FOUND, "content", "nothing can be read at \"%s\"; correct the path in evenkeel.yaml", pattern);
        for (size_t i = 0; good && i < found.gl_pathc; i++)
                good = add_file(reading, found.gl_pathv[i], err);
        globfree(&found);
        return good;
}

static bool add_path(struct reading *reading, const char *path, struct err *err)
{
        struct stat status;
        char pattern[4096 + 16];
        if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
                return add_matches(reading, path, strpbrk(path, "*?[{") == NULL, err);
        snprintf(pattern, sizeof pattern, "%.4096s/*.{yaml,yml}", path);
        return add_matches(reading, pattern, false, err);
}

static bool add_paths(const struct config *config, struct reading reading, struct err *err)
{
        size_t i;
        json_t *path;
        json_array_foreach((json_t *)config_tree(config, reading.key), i, path) {
                struct err fault = {0};
                snprintf(reading.place, sizeof reading.place, "%s.%zu", reading.key, i);
                if (add_path(&reading, json_is_string(path) ? json_string_value(path) : "", &fault))
                        continue;
                if (err)
                        *err = fault;
                if (!reading.faults)
                        return err_within(err, "%s, item %zu", reading.key, i + 1);
                faults_add(reading.faults, reading.place, &fault);
        }
        return true;
}

bool content_files_read(const struct config *config, json_t **out_content, struct faults *faults, struct err *err)
{
        scoped_ptr(json_decref) json_t *files = json_array(), *kinds = json_object(), *dependencies = json_object();
        if (!files || !kinds || !dependencies)
                return fail_memory(err, "content", sizeof files);
        if (!pack_trees_each(config_tree(config, "packs.disable"), add_tree, files, err) ||
            !add_paths(config, (struct reading){"content", add_text, files, faults}, err) ||
            !add_paths(config, (struct reading){"register.kinds", keep_text, kinds, faults}, err) ||
            !add_paths(config, (struct reading){"register.dependencies", keep_text, dependencies, faults}, err))
                return false;
        *out_content = json_pack("{s:O, s:O, s:O}", "files", files, "kinds", kinds, "dependencies", dependencies);
        return *out_content || fail_memory(err, "content", sizeof files);
}

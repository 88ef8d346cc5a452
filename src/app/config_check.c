/*
 * config_check.c - see config_check.h. A start stops at the first fault, since it must not run with a part; whoever corrects a file
 * wants them all. So each part that can be read by itself is read by itself, with the functions that a start uses.
 */
#include "app/config_check.h"

#include "app/content_files.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "model/content.h"
#include "observe/source_kinds.h"
#include "observe/syslog_tls.h"
#include "reach/secrets.h"
#include "wire/redact.h"
#include "wire/webhook.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PLACE_BYTES 256
#define DEPTH_MAX 64 /* of trees that yaml.h reads */

static void check_log(const struct config *config, struct faults *faults)
{
        struct err err = {0};
        enum log_level level;
        if (!config_log_level(config, &level, &err))
                faults_add(faults, "log", &err);
}

static void check_redaction(const struct config *config, struct faults *faults)
{
        struct err err = {0};
        struct redactor *redactor = NULL;
        if (!redactor_create(config_tree(config, "redact.patterns"), config_tree(config, "redact.disable"), &redactor, &err))
                faults_add(faults, "redact", &err);
        redactor_destroy(redactor);
}

/* Parsed as a listener will: a certificate and the key that belongs to it. */
static void check_certificate(const struct config *config, struct faults *faults)
{
        struct err err = {0};
        struct tls_server *tls = NULL;
        const char *certificate = config_text(config, "http.certificate"), *key = config_text(config, "http.key");
        if (!*certificate != !*key)
                faults_note(faults, *key ? "http.key" : "http.certificate", ERR_INVALID, "config", "http.certificate and http.key go together: %s is missing",
                            *key ? "http.certificate" : "http.key");
        else if (*certificate && !tls_server_create(certificate, key, &tls, &err))
                faults_add(faults, "http.certificate", &err);
        tls_server_destroy(tls);
}

static void check_sources(const struct config *config, struct faults *faults)
{
        for (size_t i = 0; i < source_kind_count; i++) {
                char path[64];
                snprintf(path, sizeof path, "sources.%s", source_kinds[i].name);
                if (source_kinds[i].check)
                        source_kinds[i].check(config_tree(config, path), faults);
        }
}

static void check_webhooks(const struct config *config, struct faults *faults)
{
        const char *name;
        json_t *mapping;
        json_object_foreach((json_t *)config_tree(config, "webhooks"), name, mapping) {
                scoped(buf_done) struct buf text = {0};
                struct err err = {0};
                char place[PLACE_BYTES];
                snprintf(place, sizeof place, "webhooks.%.200s", name);
                if (!json_write(mapping, &text) || !webhook_mapping_check(buf_str(&text), &err))
                        faults_add(faults, place, &err);
        }
}

static void check_allow_list(const struct config *config, struct faults *faults)
{
        const char *path = config_text(config, "launcher.allow");
        struct stat status;
        struct err err = {0};
        if (!*path || stat(path, &status) == 0)
                return;
        fail_errno(&err, errno, "config", "looking for the allow-list %s", path);
        faults_add(faults, "launcher.allow", &err);
}

/* --- secrets ------------------------------------------------------------------------------------------------------------- */

static void check_secret_files(const json_t *by_name, struct secrets *secrets, struct faults *faults)
{
        const char *name;
        json_t *secret;
        json_object_foreach((json_t *)by_name, name, secret) {
                scoped(buf_done) struct buf text = {0};
                struct err err = {0};
                char place[PLACE_BYTES];
                snprintf(place, sizeof place, "secrets.%.200s", name);
                if (!json_is_string(secret) && !json_str(secret, "file").bytes)
                        faults_note(faults, place, ERR_INVALID, "config", "a secret is a text, or {file: PATH}");
                else if (!secrets_find(secrets, str_of(name), &text, &err))
                        faults_add(faults, place, &err);
                else if (!text.length)
                        faults_note(faults, place, ERR_INVALID, "config", "the secret is empty");
                if (text.bytes)
                        sodium_memzero(text.bytes, text.length);
        }
}

/* "secret:NAME", whole: a sentence that begins so is none. */
static bool secret_named(struct str text, struct str *out_name)
{
        if (!str_starts_with(text, STR("secret:")) || text.length == strlen("secret:"))
                return false;
        *out_name = str_slice(text, strlen("secret:"), text.length);
        return !memchr(out_name->bytes, ' ', out_name->length);
}

/* place has the path to the node, and is given back as it was. */
static void check_named(const json_t *node, const json_t *by_name, char place[static PLACE_BYTES], int depth, struct faults *faults)
{
        size_t end = strlen(place), i;
        const char *key, *joint = !end ? "" : place[end - 1] == ':' ? " " : ".";
        json_t *child;
        struct str text = {json_string_value(node), json_string_length(node)}, name;
        if (text.bytes && secret_named(text, &name) && !json_object_getn(by_name, name.bytes, name.length))
                faults_note(faults, place, ERR_NOT_FOUND, "config", "there is no secret \"%.*s\"; add it under secrets in evenkeel.yaml", STR_ARGS(str_slice(name, 0, 60)));
        if (depth == DEPTH_MAX)
                return;
        json_object_foreach((json_t *)node, key, child) {
                snprintf(place + end, PLACE_BYTES - end, "%s%s", joint, key);
                check_named(child, by_name, place, depth + 1, faults);
        }
        if (json_is_array(node))
                json_array_foreach((json_t *)node, i, child) {
                        snprintf(place + end, PLACE_BYTES - end, "%s%zu", joint, i);
                        check_named(child, by_name, place, depth + 1, faults);
                }
        place[end] = 0;
}

static void check_secrets(const struct config *config, const json_t *content, struct faults *faults)
{
        const json_t *by_name = config_tree(config, "secrets");
        struct secrets secrets;
        struct err err = {0};
        size_t i;
        json_t *file;
        char place[PLACE_BYTES];
        secrets_init(&secrets);
        if (secrets_set(&secrets, by_name, &err))
                check_secret_files(by_name, &secrets, faults);
        else
                faults_add(faults, "secrets", &err);
        secrets_done(&secrets);
        snprintf(place, sizeof place, "heartbeat");
        scoped_ptr(json_decref) json_t *heartbeat = json_string(config_text(config, "heartbeat"));
        check_named(heartbeat, by_name, place, 0, faults);
        json_array_foreach(json_object_get(content, "files"), i, file) {
                snprintf(place, sizeof place, "%.150s:", json_string_value(json_object_get(file, "name")));
                check_named(json_object_get(file, "tree"), by_name, place, 0, faults);
        }
}

/* --- the whole ------------------------------------------------------------------------------------------------------------ */

void config_check(const struct config *config, struct faults *faults, json_t **out_content)
{
        struct err err = {0};
        json_t *content = NULL;
        check_log(config, faults);
        check_redaction(config, faults);
        check_certificate(config, faults);
        check_sources(config, faults);
        check_webhooks(config, faults);
        check_allow_list(config, faults);
        if (!content_files_read(config, &content, faults, &err))
                faults_add(faults, "content", &err);
        check_secrets(config, content, faults);
        *out_content = content;
}

static bool says(const char *message, const char *file, const char *key, size_t item)
{
        char place[PLACE_BYTES * 2];
        snprintf(place, sizeof place, item ? "%s: %s, item %zu: " : "%s: %s: ", file, key, item);
        return strstr(message, place) != NULL;
}

static bool take_out_of(const char *file, json_t *tree, const char *message)
{
        const char *key;
        json_t *list;
        json_object_foreach(tree, key, list) {
                for (size_t i = 0; i < json_array_size(list); i++)
                        if (says(message, file, key, i + 1)) /* the place stays, and those behind it keep their numbers */
                                return json_array_set_new(list, i, json_null()) == 0;
                if (json_is_object(list) && says(message, file, key, 0))
                        return json_object_del(tree, key) == 0;
        }
        return false;
}

bool config_check_take_out(json_t *content, const char *message)
{
        size_t i;
        json_t *file;
        json_array_foreach(json_object_get(content, "files"), i, file)
                if (take_out_of(json_string_value(json_object_get(file, "name")), json_object_get(file, "tree"), message))
                        return true;
        return false;
}

/* 0: the place is none of the file's. */
static size_t line_of(struct str text, const char *place)
{
        struct str rest = str_of(place), keys[DEPTH_MAX];
        size_t count = 0;
        while (count < DEPTH_MAX && str_cut(&rest, '.', &keys[count]))
                count++;
        return count && text.length ? yaml_line_of(text, keys, count) : 0;
}

void config_check_print(const struct faults *faults, const char *path, FILE *out)
{
        scoped(buf_done) struct buf text = {.bytes_max = YAML_BYTES_MAX};
        if (path)
                config_read_file(path, &text, NULL);
        for (size_t i = 0; i < faults->count; i++) {
                const struct fault_told *fault = &faults->items[i];
                bool is_own = *fault->place && !strchr(fault->place, '/') && !strchr(fault->place, ':');
                size_t line = is_own && path ? line_of(buf_str(&text), fault->place) : 0;
                if (line)
                        fprintf(out, "%s:%zu: ", path, line);
                fprintf(out, "%s%s%s\n", fault->place, *fault->place ? ": " : "", fault->err.message);
        }
        if (faults->more)
                fprintf(out, "and %zu more\n", faults->more);
}

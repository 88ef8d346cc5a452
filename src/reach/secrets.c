/* secrets.c - see secrets.h. The file of a secret is read without the lock: a slow disk must not keep other names waiting. */
#include "reach/secrets.h"

#include "base/json.h"
#include "base/scope.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

void secrets_init(struct secrets *secrets)
{
        *secrets = (struct secrets){0};
        lock_init(&secrets->lock, LOCK_QUEUE);
}

void secrets_done(struct secrets *secrets)
{
        json_decref(secrets->by_name);
        lock_done(&secrets->lock);
}

bool secrets_set(struct secrets *secrets, const json_t *by_name, struct err *err)
{
        json_t *copy = by_name ? json_deep_copy(by_name) : json_object();
        if (!copy)
                return fail_memory(err, "secrets", 64);
        with_lock(&secrets->lock);
        json_decref(secrets->by_name);
        secrets->by_name = copy;
        return true;
}

static bool read_file(const char *path, struct buf *out, struct err *err)
{
        char bytes[4096];
        size_t before = out->length;
        FILE *file = fopen(path, "rbe");
        if (!file)
                return fail_errno(err, errno, "secrets", "reading the file of a secret, %s", path);
        for (size_t count; (count = fread(bytes, 1, sizeof bytes, file)) > 0 && out->length - before < SECRET_BYTES_MAX;)
                buf_append(out, bytes, count);
        fclose(file);
        sodium_memzero(bytes, sizeof bytes);
        while (out->length > before && (out->bytes[out->length - 1] == '\n' || out->bytes[out->length - 1] == '\r'))
                out->length--;
        return !out->failed || fail_memory(err, "secrets", out->length);
}

bool secrets_find(struct secrets *secrets, struct str name, struct buf *out, struct err *err)
{
        char path[4096] = "";
        {
                with_lock(&secrets->lock);
                const json_t *secret = json_object_getn(secrets->by_name, name.bytes, name.length);
                if (json_is_string(secret))
                        return buf_append(out, json_string_value(secret), json_string_length(secret)) || fail_memory(err, "secrets", 64);
                if (!json_str(secret, "file").bytes)
                        return fail(err, ERR_NOT_FOUND, "secrets", "there is no secret \"%.*s\"; add it under secrets in evenkeel.yaml", STR_ARGS(str_slice(name, 0, 60)));
                snprintf(path, sizeof path, "%.*s", STR_ARGS(json_str(secret, "file")));
        }
        return read_file(path, out, err);
}

bool secret_cover(struct str text, struct str secret, struct buf *out)
{
        size_t at;
        while (secret.length && str_find(text, secret, &at)) {
                buf_add(out, str_slice(text, 0, at));
                buf_text(out, "(secret)");
                text = str_slice(text, at + secret.length, text.length);
        }
        return buf_add(out, text);
}

/* client.c - see client.h. libcurl directly, not reach/: reach guards the daemon's own outgoing calls. */
#include "cli/client.h"

#include "base/json.h"
#include "base/scope.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX ((size_t)1 << 30)

static bool read_line(const char *folder, const char *name, char *out_text, size_t bytes, struct err *err)
{
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        FILE *file = fopen(path, "re");
        if (!file && errno == ENOENT)
                return fail(err, ERR_IO, "cli", "there is no %s: no daemon has run with this data folder; start one with "
                            "`evenkeel run --data %s`, or name another with --data", path, folder);
        if (!file)
                return fail_errno(err, errno, "cli", "reading %s (run this as root or as the daemon's user, or give --server and --token)", path);
        bool good = fgets(out_text, (int)bytes, file) && out_text[0];
        fclose(file);
        out_text[good ? strcspn(out_text, "\r\n") : 0] = 0;
        return good || fail(err, ERR_CORRUPT, "cli", "%s is empty; start the daemon again", path);
}

bool client_init(struct client *client, const char *data, const char *server, const char *token, struct err *err)
{
        curl_global_init(CURL_GLOBAL_DEFAULT);
        *client = (struct client){0};
        server = server ? server : getenv("EVENKEEL_SERVER");
        token = token ? token : getenv("EVENKEEL_TOKEN");
        snprintf(client->address, sizeof client->address, "%s", server ? server : "");
        snprintf(client->token, sizeof client->token, "%s", token ? token : "");
        size_t length = strlen(client->address);
        if (length && client->address[length - 1] == '/')
                client->address[length - 1] = 0;
        if (!server && !read_line(data, "cli.address", client->address, sizeof client->address, err))
                return false;
        return server || token || read_line(data, "cli.token", client->token, sizeof client->token, err);
}

void path_add_part(struct buf *path, const char *part)
{
        for (; *part; part++)
                if (isalnum((unsigned char)*part) || strchr("-._~", *part))
                        buf_byte(path, *part);
                else
                        buf_printf(path, "%%%02X", (unsigned char)*part);
}

void path_add(struct buf *path, const char *name, const char *value)
{
        if (!value)
                return;
        buf_byte(path, memchr(path->bytes, '?', path->length) ? '&' : '?');
        path_add_part(path, name);
        buf_byte(path, '=');
        path_add_part(path, value);
}

static size_t collect(char *bytes, size_t size, size_t count, void *out)
{
        return buf_append(out, bytes, size * count) ? size * count : 0;
}

static CURL *prepare(const struct client *client, const char *method, const char *path, struct curl_slist **headers)
{
        CURL *curl = curl_easy_init();
        scoped(buf_done) struct buf url = {0};
        char authorization[200];
        buf_printf(&url, "%s%s", client->address, path);
        buf_byte(&url, 0);
        snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", client->token);
        if (client->token[0])
                *headers = curl_slist_append(*headers, authorization);
        *headers = curl_slist_append(*headers, "Content-Type: application/json");
        if (!curl || !*headers || url.failed)
                return curl;
        curl_easy_setopt(curl, CURLOPT_URL, url.bytes);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        return curl;
}

/* Turns {"status":"error", ...} into the err it came from. */
static bool refused(long status, struct str answer, struct err *err)
{
        scoped_ptr(json_decref) json_t *json = json_parse(answer, NULL);
        struct str why = json_str(json, "error");
        enum err_code code = status == 401 ? ERR_UNAUTHENTICATED : status == 403 ? ERR_FORBIDDEN : status == 404 ? ERR_NOT_FOUND : ERR_REFUSED;
        if (why.bytes)
                return fail(err, code, "cli", "%.*s", STR_ARGS(why));
        return fail(err, code, "cli", "the daemon answered with status %ld", status);
}

static bool unreached(const struct client *client, CURLcode result, struct err *err)
{
        return fail(err, ERR_IO, "cli", "%s does not answer: %s; is the daemon running?", client->address, curl_easy_strerror(result));
}

bool client_ask(const struct client *client, const char *method, const char *path, const json_t *body, struct buf *out_answer,
                struct err *err)
{
        struct curl_slist *headers = NULL;
        scoped(buf_done) struct buf text = {0};
        CURL *curl = prepare(client, method, path, &headers);
        if (!curl || (body && !json_write(body, &text)))
                return fail_memory(err, "cli", text.length);
        out_answer->bytes_max = ANSWER_BYTES_MAX;
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, out_answer);
        curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
        if (body) {
                curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)text.length);
                curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text.bytes);
        }
        CURLcode result = curl_easy_perform(curl);
        long status = 0;
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_cleanup(curl);
        curl_slist_free_all(headers);
        if (result != CURLE_OK)
                return unreached(client, result, err);
        return (status >= 200 && status < 300) || refused(status, buf_str(out_answer), err);
}

/* What the answer leaves out; beside it, so that --json stays as it came. */
static void tell_warnings(const json_t *answer)
{
        size_t i;
        json_t *warning;
        json_array_foreach(json_object_get(answer, "warnings"), i, warning)
                if (json_is_string(warning))
                        fprintf(stderr, "evenkeel: %s\n", json_string_value(warning));
}

bool client_ask_json(const struct client *client, const char *method, const char *path, const json_t *body,
                     json_t **out_answer, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        if (!client_ask(client, method, path, body, &text, err))
                return false;
        *out_answer = json_parse(buf_str(&text), err);
        tell_warnings(*out_answer);
        return *out_answer || err_within(err, "reading the daemon's answer");
}

/* ---- events ---- */

struct follower {
        struct buf waiting;
        bool (*event)(void *context, struct str name, struct str data);
        void *context;
        bool ended;
};

static bool take_event(struct follower *follower, struct str block)
{
        struct str line, name = STR("message"), data = {0};
        while (str_cut(&block, '\n', &line)) {
                if (str_starts_with(line, STR("event: ")))
                        name = str_slice(line, 7, line.length);
                else if (str_starts_with(line, STR("data: ")))
                        data = str_slice(line, 6, line.length);
        }
        return !data.bytes || follower->event(follower->context, name, data);
}

static size_t follow(char *bytes, size_t size, size_t count, void *context)
{
        struct follower *follower = context;
        size_t at;
        if (!buf_append(&follower->waiting, bytes, size * count))
                return 0;
        while (str_find(buf_str(&follower->waiting), STR("\n\n"), &at)) {
                follower->ended |= !take_event(follower, str_slice(buf_str(&follower->waiting), 0, at));
                buf_drop_front(&follower->waiting, at + 2);
        }
        return follower->ended ? 0 : size * count;
}

bool client_follow(const struct client *client, const char *path,
                   bool (*event)(void *context, struct str name, struct str data), void *context, struct err *err)
{
        struct curl_slist *headers = NULL;
        struct follower follower = {.event = event, .context = context, .waiting.bytes_max = 16 << 20};
        CURL *curl = prepare(client, "GET", path, &headers);
        if (!curl)
                return fail_memory(err, "cli", 1);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, follow);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &follower);
        CURLcode result = curl_easy_perform(curl);
        long status = 0;
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_cleanup(curl);
        curl_slist_free_all(headers);
        bool good = result == CURLE_OK || follower.ended;
        if (!good)
                unreached(client, result, err);
        else if (status >= 300)
                good = refused(status, buf_str(&follower.waiting), err);
        buf_done(&follower.waiting);
        return good;
}

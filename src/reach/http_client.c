/*
 * http_client.c - see http_client.h. Easy handles are kept and used again, so connections stay open between scrapes;
 * redirects are taken in our own hand, since libcurl can forbid schemes but not hosts.
 */
#include "reach/http_client.h"

#include "base/clock.h"
#include "base/scope.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#define TIMEOUT_MS 10000
#define BODY_BYTES_MAX ((size_t)16 << 20)
#define IDLE_HANDLES_MAX 64
#define CONNECTIONS_KEPT 256

struct transfer {
        struct transfer *next;           /* in the client's list of waiting, under way or answered by the fake */
        struct http_client *client;
        CURL *easy;
        struct http_request request;
        char *url, *method, *ca_file;
        struct curl_slist *headers;
        struct http_response response;
        http_done_fn *done;
        void *context;
        int64_t started_ns;
        int redirects;
        bool is_too_large;
        bool has_answer;                 /* of the fake */
        struct err answer_err;
        char why[CURL_ERROR_SIZE];
};

struct http_client {
        CURLM *multi;
        http_fake_fn *fake;
        void *fake_context;
        size_t in_flight_max, in_flight, waiting_count;
        struct transfer *running;        /* under way */
        struct transfer *waiting, **waiting_end;
        CURL *idle[IDLE_HANDLES_MAX];
        size_t idle_count;
};

static void start_curl(void)
{
        curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool http_client_create(size_t in_flight_max, http_fake_fn *fake, void *fake_context, struct http_client **out_client,
                        struct err *err)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        pthread_once(&once, start_curl);
        struct http_client *client = calloc(1, sizeof *client);
        if (!client)
                return fail_memory(err, "http", sizeof *client);
        client->waiting_end = &client->waiting;
        client->in_flight_max = in_flight_max ? in_flight_max : 1;
        client->fake = fake;
        client->fake_context = fake_context;
        client->multi = curl_multi_init();
        if (!client->multi) {
                free(client);
                return fail_memory(err, "http", sizeof *client);
        }
        curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
        *out_client = client;
        return true;
}

static void transfer_destroy(struct transfer *transfer)
{
        if (!transfer)
                return;
        struct http_client *client = transfer->client;
        if (transfer->easy && client->idle_count < IDLE_HANDLES_MAX) {
                curl_easy_reset(transfer->easy);
                client->idle[client->idle_count++] = transfer->easy;
        } else if (transfer->easy) {
                curl_easy_cleanup(transfer->easy);
        }
        curl_slist_free_all(transfer->headers);
        buf_done(&transfer->response.body);
        free(transfer->url);
        free(transfer->method);
        free(transfer->ca_file);
        free(transfer);
}

void http_client_destroy(struct http_client *client)
{
        if (!client)
                return;
        struct transfer *lists[] = {client->running, client->waiting};
        for (size_t i = 0; i < countof(lists); i++) {
                for (struct transfer *transfer = lists[i], *next; transfer; transfer = next) {
                        next = transfer->next;
                        if (i == 0 && transfer->easy)
                                curl_multi_remove_handle(client->multi, transfer->easy);
                        transfer_destroy(transfer);
                }
        }
        while (client->idle_count)
                curl_easy_cleanup(client->idle[--client->idle_count]);
        curl_multi_cleanup(client->multi);
        free(client);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
        struct transfer *transfer = context;
        struct buf *body = &transfer->response.body;
        if (size * count > transfer->request.body_bytes_max - body->length) {
                transfer->is_too_large = true;
                return 0;
        }
        return buf_append(body, bytes, size * count) ? size * count : 0;
}

static bool has_prefix(const char *url, const char *scheme)
{
        return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

static bool is_allowed(const char *url)
{
        return has_prefix(url, "http://") || has_prefix(url, "https://");
}

/* Options that a redirect does not change. */
static void set_options(struct transfer *transfer)
{
        CURL *easy = transfer->easy;
        const struct http_request *request = &transfer->request;
        curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "evenkeel");
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->why);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
        if (request->accepts_gzip)
                curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
        if (request->ca_file)
                curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
        if (request->insecure) {
                curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
                curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
        }
        if (request->body.bytes) {
                curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
                curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.bytes);
        }
        if (request->method)
                curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* The time left of the whole, redirects included. */
static long time_left_ms(const struct transfer *transfer)
{
        int64_t spent_ms = (clock_monotonic_ns(&clock_real) - transfer->started_ns) / NS_PER_MS;
        return (long)max_of(transfer->request.timeout_ms - spent_ms, (int64_t)1);
}

static bool begin(struct transfer *transfer, struct err *err)
{
        struct http_client *client = transfer->client;
        transfer->easy = client->idle_count ? client->idle[--client->idle_count] : curl_easy_init();
        if (!transfer->easy)
                return fail_memory(err, "http", 0);
        transfer->started_ns = clock_monotonic_ns(&clock_real);
        set_options(transfer);
        curl_easy_setopt(transfer->easy, CURLOPT_URL, transfer->url);
        curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, time_left_ms(transfer));
        CURLMcode code = curl_multi_add_handle(client->multi, transfer->easy);
        return code == CURLM_OK || fail(err, ERR_INTERNAL, "http", "starting %s: %s", transfer->url,
                                        curl_multi_strerror(code));
}

static bool copy_request(struct transfer *transfer, const struct http_request *request)
{
        transfer->request = *request;
        if (!transfer->request.timeout_ms)
                transfer->request.timeout_ms = TIMEOUT_MS;
        if (!transfer->request.body_bytes_max)
                transfer->request.body_bytes_max = BODY_BYTES_MAX;
        transfer->url = strdup(request->url);
        transfer->method = request->method ? strdup(request->method) : NULL;
        transfer->ca_file = request->ca_file ? strdup(request->ca_file) : NULL;
        bool fine = transfer->url && !transfer->method == !request->method && !transfer->ca_file == !request->ca_file;
        for (size_t i = 0; i < HTTP_HEADERS_MAX && request->headers[i] && fine; i++) {
                struct curl_slist *longer = curl_slist_append(transfer->headers, request->headers[i]);
                fine = longer != NULL;
                transfer->headers = longer ? longer : transfer->headers;
        }
        transfer->request.url = transfer->url;
        transfer->request.method = transfer->method;
        transfer->request.ca_file = transfer->ca_file;
        return fine;
}

static void start_waiting(struct http_client *client);

bool http_client_start(struct http_client *client, const struct http_request *request, http_done_fn *done, void *context,
                       struct err *err)
{
        if (!is_allowed(request->url))
                return fail(err, ERR_INVALID, "http", "%s is neither http:// nor https://", request->url);
        struct transfer *transfer = calloc(1, sizeof *transfer);
        if (!transfer)
                return fail_memory(err, "http", sizeof *transfer);
        transfer->client = client;
        transfer->done = done;
        transfer->context = context;
        if (!copy_request(transfer, request)) {
                transfer_destroy(transfer);
                return fail_memory(err, "http", strlen(request->url));
        }
        *client->waiting_end = transfer;
        client->waiting_end = &transfer->next;
        client->waiting_count++;
        start_waiting(client);
        return true;
}

static void unlink_running(struct transfer *transfer)
{
        struct transfer **at = &transfer->client->running;
        while (*at && *at != transfer)
                at = &(*at)->next;
        if (!*at)
                return;
        *at = transfer->next;
        transfer->client->in_flight--;
}

/* Tells the asker and ends the transfer. */
static void finish(struct transfer *transfer, const struct err *err)
{
        unlink_running(transfer);
        transfer->done(transfer->context, &transfer->response, err);
        transfer_destroy(transfer);
}

/* A transfer that cannot even begin is told from run, as all others. */
static void start_waiting(struct http_client *client)
{
        while (client->waiting && client->in_flight < client->in_flight_max) {
                struct transfer *transfer = client->waiting;
                client->waiting = transfer->next;
                client->waiting_count--;
                if (!client->waiting)
                        client->waiting_end = &client->waiting;
                transfer->next = client->running;
                client->running = transfer;
                client->in_flight++;
                if (client->fake) {
                        transfer->has_answer = true;
                        if (client->fake(client->fake_context, &transfer->request, &transfer->response,
                                         &transfer->answer_err))
                                transfer->answer_err.code = ERR_NONE;
                } else if (!begin(transfer, &transfer->answer_err)) {
                        transfer->has_answer = true;
                }
        }
}

/* Tells of transfers whose answer is there already: a fake's, or a fault at the start. */
static bool answer_made(struct http_client *client)
{
        bool any = false;
        struct transfer *transfer;
        do {
                for (transfer = client->running; transfer && !transfer->has_answer;)
                        transfer = transfer->next;
                if (!transfer)
                        break;
                any = true;
                struct err err = transfer->answer_err;
                if (!err.code && transfer->response.body.length > transfer->request.body_bytes_max)
                        fail(&err, ERR_TOO_LARGE, "http", "the answer of %s is larger than %zu bytes", transfer->url,
                             transfer->request.body_bytes_max);
                finish(transfer, err.code ? &err : NULL);
        } while (transfer);
        start_waiting(client);
        return any;
}

/* Scheme, host and port, for comparing where a redirect leads. */
static bool same_place(const char *from, const char *to)
{
        CURLU *a = curl_url(), *b = curl_url();
        bool same = a && b && curl_url_set(a, CURLUPART_URL, from, 0) == CURLUE_OK &&
                    curl_url_set(b, CURLUPART_URL, to, 0) == CURLUE_OK;
        static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
        for (size_t i = 0; i < countof(parts) && same; i++) {
                char *left = NULL, *right = NULL;
                same = curl_url_get(a, parts[i], &left, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                       curl_url_get(b, parts[i], &right, CURLU_DEFAULT_PORT) == CURLUE_OK && strcasecmp(left, right) == 0;
                curl_free(left);
                curl_free(right);
        }
        curl_url_cleanup(a);
        curl_url_cleanup(b);
        return same;
}

/* True: the transfer goes on elsewhere. False with err->code 0: it is no redirect. */
static bool follow(struct transfer *transfer, struct err *err)
{
        char *to = NULL;
        long status = transfer->response.status;
        curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &to);
        if (status < 300 || status > 399 || !to)
                return false;
        if (++transfer->redirects > HTTP_REDIRECTS_MAX)
                return fail(err, ERR_REFUSED, "http", "%s redirects more than %d times", transfer->url, HTTP_REDIRECTS_MAX);
        bool is_downgrade = has_prefix(transfer->url, "https:") && !has_prefix(to, "https:");
        if (!is_allowed(to) || is_downgrade || (!transfer->request.follows_elsewhere && !same_place(transfer->url, to)))
                return fail(err, ERR_REFUSED, "http", "%s redirects to %s, which is not followed; configure the final address",
                            transfer->url, to);
        char *url = strdup(to);
        if (!url)
                return fail_memory(err, "http", strlen(to));
        free(transfer->url);
        transfer->url = url;
        transfer->request.url = url;
        buf_clear(&transfer->response.body);
        curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
        curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, time_left_ms(transfer));
        return curl_multi_add_handle(transfer->client->multi, transfer->easy) == CURLM_OK ||
               fail(err, ERR_INTERNAL, "http", "going on to %s", url);
}

static bool note_fault(struct transfer *transfer, CURLcode code, struct err *err)
{
        const char *why = transfer->why[0] ? transfer->why : curl_easy_strerror(code);
        if (transfer->is_too_large)
                return fail(err, ERR_TOO_LARGE, "http", "the answer of %s is larger than %zu bytes", transfer->url,
                            transfer->request.body_bytes_max);
        if (code == CURLE_OPERATION_TIMEDOUT)
                return fail(err, ERR_TIMEOUT, "http", "%s did not answer within %lld ms", transfer->url,
                            (long long)transfer->request.timeout_ms);
        return fail(err, ERR_IO, "http", "asking %s: %s", transfer->url, why);
}

static void note_response(struct transfer *transfer)
{
        struct http_response *response = &transfer->response;
        char *type = NULL;
        curl_off_t retry_after_s = 0;
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &response->status);
        curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
        curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
        size_t length = type ? strnlen(type, sizeof response->content_type - 1) : 0;
        if (length)
                memcpy(response->content_type, type, length);
        response->content_type[length] = '\0';
        response->retry_after_s = retry_after_s;
        response->duration_ns = clock_monotonic_ns(&clock_real) - transfer->started_ns;
}

static void conclude(struct transfer *transfer, CURLcode code)
{
        struct err err = {0};
        curl_multi_remove_handle(transfer->client->multi, transfer->easy);
        note_response(transfer);
        if (code != CURLE_OK)
                note_fault(transfer, code, &err);
        else if (follow(transfer, &err))
                return;
        finish(transfer, err.code ? &err : NULL);
}

static bool conclude_all(struct http_client *client)
{
        bool any = false;
        int running = 0, left = 0;
        curl_multi_perform(client->multi, &running);
        for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left)); any = true) {
                struct transfer *transfer = NULL;
                CURLcode code = message->data.result; /* the message is gone when its handle is removed */
                curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
                conclude(transfer, code);
        }
        start_waiting(client);
        return any;
}

void http_client_run(struct http_client *client, int64_t wait_ms)
{
        if (answer_made(client) || conclude_all(client))
                return;
        curl_multi_poll(client->multi, NULL, 0, (int)wait_ms, NULL);
        conclude_all(client);
}

void http_client_wake(struct http_client *client)
{
        curl_multi_wakeup(client->multi);
}

size_t http_client_in_flight(const struct http_client *client)
{
        return client->in_flight + client->waiting_count;
}

struct fetching {
        struct http_response *out_response;
        struct err *err;
        bool is_done, worked;
};

static void fetched(void *context, struct http_response *response, const struct err *err)
{
        struct fetching *fetching = context;
        fetching->is_done = true;
        fetching->worked = !err;
        if (err && fetching->err)
                *fetching->err = *err;
        if (err)
                return;
        *fetching->out_response = *response;
        response->body = (struct buf){0};
}

bool http_fetch(struct http_client *client, const struct http_request *request, struct http_response *out_response,
                struct err *err)
{
        struct fetching fetching = {out_response, err, false, false};
        if (!http_client_start(client, request, fetched, &fetching, err))
                return false;
        while (!fetching.is_done)
                http_client_run(client, 1000);
        return fetching.worked;
}

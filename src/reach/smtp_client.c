/* smtp_client.c - see smtp_client.h. libcurl speaks SMTP, escapes leading dots and knows the ways to sign in. */
#include "reach/smtp_client.h"

#include "base/scope.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 30000

struct reading { struct str left; };

static size_t read_text(char *into, size_t size, size_t count, void *context)
{
        struct reading *reading = context;
        size_t bytes = min_of(size * count, reading->left.length);
        if (bytes)
                memcpy(into, reading->left.bytes, bytes);
        reading->left = str_slice(reading->left, bytes, reading->left.length);
        return bytes;
}

/* Nothing that could end a line of the protocol. */
static bool is_address(const char *text)
{
        for (const char *at = text; *at; at++)
                if ((unsigned char)*at <= ' ' || *at == 127 || *at == '<' || *at == '>')
                        return false;
        return *text && strlen(text) < 320;
}

static bool is_here(const char *host)
{
        return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

static bool check(const struct smtp_mail *mail, struct err *err)
{
        if (!is_address(mail->host) || strpbrk(mail->host, "/@?#"))
                return fail(err, ERR_INVALID, "smtp", "\"%.80s\" is no name of a mail server", mail->host);
        if (!is_address(mail->from))
                return fail(err, ERR_INVALID, "smtp", "the sender \"%.80s\" is no mail address", mail->from);
        for (size_t i = 0; i < mail->to_count; i++)
                if (!is_address(mail->to[i]))
                        return fail(err, ERR_INVALID, "smtp", "\"%.80s\" is no mail address", mail->to[i]);
        if (!mail->to_count || mail->to_count > SMTP_RECIPIENTS_MAX)
                return fail(err, ERR_INVALID, "smtp", "a mail needs 1 to %d recipients, not %zu", SMTP_RECIPIENTS_MAX, mail->to_count);
        if (mail->user && mail->security == SMTP_PLAIN && !is_here(mail->host))
                return fail(err, ERR_REFUSED, "smtp", "%s: a password would cross the network in the clear; use starttls or tls", mail->host);
        return true;
}

static void set_options(CURL *easy, const struct smtp_mail *mail, const char *url, struct curl_slist *to, struct reading *reading, char *why)
{
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(mail->timeout_ms ? mail->timeout_ms : TIMEOUT_MS));
        curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(mail->security == SMTP_STARTTLS ? CURLUSESSL_ALL : CURLUSESSL_NONE));
        curl_easy_setopt(easy, CURLOPT_MAIL_FROM, mail->from);
        curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, to);
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_text);
        curl_easy_setopt(easy, CURLOPT_READDATA, reading);
        if (mail->ca_file)
                curl_easy_setopt(easy, CURLOPT_CAINFO, mail->ca_file);
        if (mail->user) {
                curl_easy_setopt(easy, CURLOPT_USERNAME, mail->user);
                curl_easy_setopt(easy, CURLOPT_PASSWORD, mail->password ? mail->password : "");
        }
}

bool smtp_send(const struct smtp_mail *mail, bool *out_may_retry, struct err *err)
{
        static const uint16_t ports[] = {[SMTP_STARTTLS] = 587, [SMTP_TLS] = 465, [SMTP_PLAIN] = 25};
        char url[420], why[CURL_ERROR_SIZE] = "";
        struct reading reading = {mail->text};
        struct curl_slist *to = NULL;
        *out_may_retry = false;
        if (!check(mail, err))
                return false;
        bool has_colon = strchr(mail->host, ':') != NULL;
        snprintf(url, sizeof url, "%s://%s%s%s:%u", mail->security == SMTP_TLS ? "smtps" : "smtp", has_colon ? "[" : "", mail->host, has_colon ? "]" : "",
                 mail->port ? mail->port : ports[mail->security]);
        CURL *easy = curl_easy_init();
        bool good = easy != NULL;
        for (size_t i = 0; good && i < mail->to_count; i++) {
                struct curl_slist *longer = curl_slist_append(to, mail->to[i]);
                good = longer != NULL;
                to = longer ? longer : to;
        }
        *out_may_retry = true;
        if (!good)
                fail_memory(err, "smtp", mail->text.length);
        CURLcode code = CURLE_OK;
        long answer = 0;
        if (good) {
                set_options(easy, mail, url, to, &reading, why);
                code = curl_easy_perform(easy);
                curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer);
        }
        if (code != CURLE_OK) {
                good = false;
                *out_may_retry = answer < 500;
                fail(err, code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO, "smtp", "mail to %s by %s: %s", mail->to[0], url, why[0] ? why : curl_easy_strerror(code));
        }
        curl_slist_free_all(to);
        curl_easy_cleanup(easy);
        return good;
}

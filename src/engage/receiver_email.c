/*
 * receiver_email.c - mail by SMTP: plain text and the same as simple HTML, in one thread an incident.
 *
 *      email: { server: mail.example.org, port: 587, security: starttls | tls | plain, user: ..., password: secret:NAME, ca_file: ...,
 *               from: evenkeel@example.org, to: [ops@example.org] }
 *
 * Message-ID is made of the outbox's id, so a repeat is the same mail to whoever sorts by it; References names the incident, so
 * that a resolution stands under its page. Bodies are base64: mail servers may then change no byte of a line.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "engage/message.h"
#include "engage/receiver.h"
#include "engage/setting.h"
#include "reach/smtp_client.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES 57 /* 76 letters of base64 */

static bool security_of(const json_t *settings, enum smtp_security *out_security)
{
        static const char *const names[] = {[SMTP_STARTTLS] = "starttls", [SMTP_TLS] = "tls", [SMTP_PLAIN] = "plain"};
        struct str name = json_str(settings, "security");
        for (size_t i = 0; i < countof(names); i++)
                if (str_is(name, names[i]) || (!name.bytes && i == SMTP_STARTTLS)) {
                        *out_security = (enum smtp_security)i;
                        return true;
                }
        return false;
}

bool receiver_email_check(const json_t *settings, struct err *err)
{
        static const char *const keys[] = {"server", "port", "security", "user", "password", "ca_file", "from", "to", NULL};
        scoped(arena_done) struct arena arena;
        struct setting_list to = {0};
        enum smtp_security security;
        struct str password = json_str(settings, "password");
        size_t at;
        arena_init(&arena, 0);
        if (!setting_keys(settings, "email", keys, err) || !setting_names(settings, "to", &arena, &to, err))
                return false;
        if (!json_str(settings, "server").length || !str_find(json_str(settings, "from"), STR("@"), &at))
                return fail(err, ERR_INVALID, "engage", "email needs server, a name, and from, a mail address");
        if (!security_of(settings, &security))
                return fail(err, ERR_INVALID, "engage", "security is starttls, tls or plain");
        if (password.bytes && !str_starts_with(password, STR("secret:")))
                return fail(err, ERR_INVALID, "engage", "password must be secret:NAME; put it under secrets in evenkeel.yaml");
        return to.count <= SMTP_RECIPIENTS_MAX || fail(err, ERR_TOO_LARGE, "engage", "more than %d addresses in to", SMTP_RECIPIENTS_MAX);
}

static bool add_base64(struct buf *out, struct str bytes)
{
        char line[100];
        for (size_t at = 0; at < bytes.length; at += LINE_BYTES) {
                struct str part = str_slice(bytes, at, at + LINE_BYTES);
                sodium_bin2base64(line, sizeof line, (const unsigned char *)part.bytes, part.length, sodium_base64_VARIANT_ORIGINAL);
                buf_printf(out, "%s\r\n", line);
        }
        return !out->failed;
}

/* RFC 2047, in words of at most 75 letters, cut between characters. */
static void add_header_text(struct buf *out, struct str text)
{
        char word[80];
        bool is_plain = true;
        for (size_t i = 0; i < text.length; i++)
                is_plain = is_plain && text.bytes[i] >= ' ' && text.bytes[i] < 127;
        if (is_plain && text.length < 60) {
                buf_add(out, text);
                return;
        }
        for (size_t at = 0, end; at < text.length; at = end) {
                end = min_of(at + 42, text.length);
                while (end < text.length && end > at + 1 && ((unsigned char)text.bytes[end] & 0xc0) == 0x80)
                        end--;
                sodium_bin2base64(word, sizeof word, (const unsigned char *)text.bytes + at, end - at, sodium_base64_VARIANT_ORIGINAL);
                buf_printf(out, "%s=?UTF-8?B?%s?=", at ? "\r\n " : "", word);
        }
}

/* Of a message's time: "Thu, 01 Jan 2026 00:05:00 +0000" */
static void add_date(struct buf *out, int64_t time_ns)
{
        static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
        static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        int64_t seconds = time_ns / NS_PER_S, year;
        unsigned month, day;
        clock_date_of_days(seconds / 86400, &year, &month, &day);
        buf_printf(out, "%s, %02u %s %" PRId64 " %02d:%02d:%02d +0000", days[seconds / 86400 % 7], day, months[month - 1], year, (int)(seconds / 3600 % 24),
                   (int)(seconds / 60 % 60), (int)(seconds % 60));
}

static bool write_mail(const struct receiver_context *context, const struct outgoing *outgoing, const char *from, const struct setting_list *to, struct buf *out)
{
        const json_t *message = outgoing->message;
        scoped(buf_done) struct buf subject = {0}, text = {0}, html = {0};
        int number = (int)json_i64(message, "incident", 0);
        message_subject(message, outgoing->is_repeat, &subject);
        message_text(message, context->link, outgoing->is_repeat, &text);
        message_html(message, context->link, outgoing->is_repeat, &html);
        buf_text(out, "Date: ");
        add_date(out, json_i64(message, "time_ns", 0));
        buf_printf(out, "\r\nFrom: Evenkeel <%s>\r\nTo: ", from);
        for (size_t i = 0; i < to->count; i++)
                buf_printf(out, "%s<%.*s>", i ? ",\r\n " : "", STR_ARGS(to->items[i]));
        buf_text(out, "\r\nSubject: ");
        add_header_text(out, buf_str(&subject));
        buf_printf(out, "\r\nMessage-ID: <evenkeel.%" PRIu64 "@%s>\r\n", outgoing->id, context->hostname);
        if (number)
                buf_printf(out, "References: <evenkeel.incident.%d.%" PRId64 "@%s>\r\nIn-Reply-To: <evenkeel.incident.%d.%" PRId64 "@%s>\r\n", number,
                           json_i64(message, "since_ns", 0), context->hostname, number, json_i64(message, "since_ns", 0), context->hostname);
        buf_printf(out, "Auto-Submitted: auto-generated\r\nX-Evenkeel-Occasion: %.*s\r\nX-Evenkeel-Repeat: %s\r\n%s", STR_ARGS(json_str(message, "occasion")),
                   outgoing->is_repeat ? "yes" : "no", json_flag(message, "is_page", false) ? "Importance: high\r\n" : "");
        buf_text(out, "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"=-evenkeel-part\"\r\n\r\n"
                      "--=-evenkeel-part\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        add_base64(out, buf_str(&text));
        buf_text(out, "--=-evenkeel-part\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        add_base64(out, buf_str(&html));
        buf_text(out, "--=-evenkeel-part--\r\n");
        return !out->failed && !text.failed && !html.failed && !subject.failed;
}

static bool read_addresses(const struct outgoing *outgoing, struct arena *arena, struct setting_list *to, struct err *err)
{
        if (!outgoing->to.length)
                return setting_names(outgoing->settings, "to", arena, to, err);
        struct str *one = arena_push(arena, to);
        if (one)
                *one = arena_str(arena, outgoing->to);
        return (one && one->bytes) || fail_memory(err, "engage", outgoing->to.length);
}

bool receiver_email_send(const struct receiver_context *context, const struct outgoing *outgoing, struct receiver_outcome *out_outcome, struct err *err)
{
        const json_t *settings = outgoing->settings;
        scoped(arena_done) struct arena arena;
        scoped(buf_done) struct buf server = {0}, user = {0}, password = {0}, from = {0}, ca_file = {0}, text = {0};
        struct setting_list to = {0};
        struct smtp_mail mail = {.port = (uint16_t)json_i64(settings, "port", 0)};
        arena_init(&arena, 0);
        *out_outcome = (struct receiver_outcome){0};
        if (!receiver_setting(context, settings, "server", &server, err) || !receiver_setting(context, settings, "user", &user, err) ||
            !receiver_setting(context, settings, "password", &password, err) || !receiver_setting(context, settings, "from", &from, err) ||
            !receiver_setting(context, settings, "ca_file", &ca_file, err) || !security_of(settings, &mail.security) ||
            !read_addresses(outgoing, &arena, &to, err))
                return false;
        if (!to.count)
                return fail(err, ERR_INVALID, "engage", "receiver %.*s has no address to send to; add `to` to it or to the person's contact",
                            STR_ARGS(outgoing->receiver));
        mail.host = server.bytes;
        mail.user = user.length ? user.bytes : NULL;
        mail.password = password.bytes;
        mail.ca_file = ca_file.length ? ca_file.bytes : NULL;
        mail.from = from.bytes;
        for (size_t i = 0; i < to.count && i < SMTP_RECIPIENTS_MAX; i++)
                mail.to[mail.to_count++] = to.items[i].bytes;
        out_outcome->may_retry = true;
        if (!write_mail(context, outgoing, from.bytes, &to, &text))
                return fail_memory(err, "engage", text.length);
        mail.text = buf_str(&text);
        return smtp_send(&mail, &out_outcome->may_retry, err);
}

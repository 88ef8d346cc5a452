/* receiver_test - what leaves: Alertmanager's body for webhooks, Slack's for chats, mails in threads; and which failures may be tried again. */
#include "engage/receiver.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/thread.h"
#include "engage/message.h"
#include "reach/http_client.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define S ((int64_t)1000000000)
#define NOON (1767268800 * S) /* 2026-01-01 12:00 UTC */

SCOPED_PTR(http_client_destroy, struct http_client)

/* --- a message -------------------------------------------------------------------------------------------------------- */

static json_t *message(const char *occasion, bool is_firing)
{
        struct label one[] = {{STR("alertname"), STR("DiskFull")}, {STR("host"), STR("web1")}, {STR("service"), STR("shop")}};
        struct label two[] = {{STR("alertname"), STR("DiskFull")}, {STR("host"), STR("web2")}, {STR("service"), STR("shop")}};
        struct label said[] = {{STR("summary"), STR("the disk of <*> is full & <hot>")}};
        struct incident_alert alerts[] = {
                {.labels = {one, 3, 3}, .annotations = {said, 1, 1}, .is_firing = is_firing, .origin = FINDING_RULE, .source = STR("disk"), .starts_ns = NOON,
                 .resolved_ns = is_firing ? 0 : NOON + 300 * S},
                {.labels = {two, 3, 3}, .is_firing = is_firing, .origin = FINDING_CHECK, .source = STR("df"), .starts_ns = NOON, .value = 97,
                 .resolved_ns = is_firing ? 0 : NOON + 300 * S},
        };
        struct incident_entity entities[] = {{1, STR("host"), STR("web1")}, {2, STR("host"), STR("web2")}};
        struct incident_cause causes[] = {{.entity = 3, .kind = STR("service"), .name = STR("backup"), .score = 1, .reason = STR("it was changed 2 minutes before")}};
        struct incident_view view = {.number = 7, .severity = ALERT_CRITICAL, .state = is_firing ? INCIDENT_OPEN : INCIDENT_RESOLVED, .title = STR("DiskFull on 2 hosts – schnell"),
                                     .opened_ns = NOON, .resolved_ns = is_firing ? 0 : NOON + 300 * S};
        scoped_ptr(json_decref) json_t *told = json_pack("[s]", "ann by mail (ann@example.org)");
        view.alerts.items = alerts;
        view.alerts.count = 2;
        view.entities.items = entities;
        view.entities.count = 2;
        view.causes.items = causes;
        view.causes.count = 1;
        struct message_wish wish = {.incident = &view, .occasion = occasion, .team = STR("web"), .is_page = is_firing, .time_ns = NOON + 10 * S, .told = told,
                                    .helped_text = STR("removed old logs"), .helped_by = STR("bob"), .helped_number = 3};
        json_t *made = message_create(&wish);
        assert_non_null(made);
        return made;
}

/* --- HTTP ------------------------------------------------------------------------------------------------------------- */

struct hook {
        long status;
        int64_t retry_after_s;
        char headers[600];
        json_t *body;
};

static bool take_request(void *context, const struct http_request *request, struct http_response *response, struct err *err)
{
        struct hook *hook = context;
        size_t at = 0;
        for (size_t i = 0; i < HTTP_HEADERS_MAX && request->headers[i]; i++)
                at += (size_t)snprintf(hook->headers + at, sizeof hook->headers - at, "%s\n", request->headers[i]);
        json_decref(hook->body);
        hook->body = json_parse(request->body, err);
        response->status = hook->status;
        response->retry_after_s = hook->retry_after_s;
        return hook->body != NULL;
}

static bool find_secret(void *context, struct str name, struct buf *out, struct err *err)
{
        (void)context;
        if (str_is(name, "hook"))
                return buf_text(out, "s3cret");
        err->code = ERR_NOT_FOUND;
        snprintf(err->message, sizeof err->message, "there is no secret %.*s", STR_ARGS(name));
        return false;
}

static bool post(struct hook *hook, const char *kind, const char *settings, const json_t *said, bool is_repeat, struct receiver_outcome *out_outcome, struct err *err)
{
        scoped_ptr(http_client_destroy) struct http_client *client = NULL;
        scoped_ptr(json_decref) json_t *tree = json_parse(str_of(settings), err);
        assert_true(http_client_create(1, take_request, hook, &client, err));
        struct receiver_context context = {.http = client, .link = "https://ops.example.org", .secret = find_secret, .hostname = "watch"};
        struct outgoing outgoing = {.id = 4711, .receiver = STR("r"), .kind = str_of(kind), .to = STR(""), .settings = tree, .message = said, .is_repeat = is_repeat};
        const struct receiver_kind *found = receiver_kind_find(str_of(kind));
        assert_true(found && found->check(tree, err));
        return found->send(&context, &outgoing, out_outcome, err);
}

static void text_is(const json_t *object, const char *key, const char *wanted)
{
        assert_string_equal(json_string_value(json_object_get(object, key)), wanted);
}

static void a_webhook_gets_alertmanagers_body_version_4(void **state)
{
        (void)state;
        struct hook hook = {.status = 200};
        struct receiver_outcome outcome;
        struct err err = {0};
        scoped_ptr(json_decref) json_t *said = message("fired", true);
        assert_true(post(&hook, "webhook", "{\"url\":\"http://hook/\",\"bearer\":\"secret:hook\"}", said, false, &outcome, &err));
        static const char *const keys[] = {"version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels", "commonAnnotations", "externalURL", "alerts"};
        for (size_t i = 0; i < countof(keys); i++)
                assert_non_null(json_object_get(hook.body, keys[i]));
        text_is(hook.body, "version", "4");
        text_is(hook.body, "status", "firing");
        text_is(hook.body, "receiver", "r");
        text_is(hook.body, "externalURL", "https://ops.example.org");
        text_is(json_object_get(hook.body, "groupLabels"), "incident", "7");
        const json_t *common = json_object_get(hook.body, "commonLabels"), *alert = json_array_get(json_object_get(hook.body, "alerts"), 0);
        text_is(common, "service", "shop");
        assert_null(json_object_get(common, "host")); /* they differ in it */
        static const char *const fields[] = {"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"};
        assert_int_equal(json_object_size(alert), countof(fields));
        for (size_t i = 0; i < countof(fields); i++)
                assert_non_null(json_object_get(alert, fields[i]));
        text_is(alert, "startsAt", "2026-01-01T12:00:00.000Z");
        text_is(alert, "endsAt", "0001-01-01T00:00:00Z");
        assert_non_null(strstr(hook.headers, "Idempotency-Key: 4711\n"));
        assert_non_null(strstr(hook.headers, "Authorization: Bearer s3cret\n"));
        json_decref(hook.body);
}

static void a_webhook_is_told_the_end_and_bounded_alerts_and_repeats_with_the_same_key(void **state)
{
        (void)state;
        struct hook hook = {.status = 204};
        struct receiver_outcome outcome;
        struct err err = {0};
        scoped_ptr(json_decref) json_t *said = message("resolved", false);
        assert_true(post(&hook, "webhook", "{\"url\":\"http://hook/\",\"max_alerts\":1}", said, true, &outcome, &err));
        text_is(hook.body, "status", "resolved");
        text_is(json_array_get(json_object_get(hook.body, "alerts"), 0), "endsAt", "2026-01-01T12:05:00.000Z");
        assert_int_equal(json_array_size(json_object_get(hook.body, "alerts")), 1);
        assert_int_equal(json_i64(hook.body, "truncatedAlerts", 0), 1);
        assert_true(json_flag(json_object_get(hook.body, "evenkeel"), "is_repeat", false));
        assert_non_null(strstr(hook.headers, "Idempotency-Key: 4711\n"));
        json_decref(hook.body);
}

static void a_chat_gets_a_line_and_a_card_with_its_marks_escaped(void **state)
{
        (void)state;
        struct hook hook = {.status = 200};
        struct receiver_outcome outcome;
        struct err err = {0};
        scoped_ptr(json_decref) json_t *said = message("fired", true);
        assert_true(post(&hook, "slack", "{\"url\":\"http://hook/\",\"channel\":\"#ops\"}", said, true, &outcome, &err));
        text_is(hook.body, "channel", "#ops");
        text_is(hook.body, "text", "[repeat] #7 critical: DiskFull on 2 hosts – schnell");
        const json_t *card = json_array_get(json_object_get(hook.body, "attachments"), 0);
        const char *text = json_string_value(json_object_get(card, "text"));
        text_is(card, "color", "danger");
        assert_non_null(strstr(text, "the disk of ... is full &amp; &lt;hot&gt; (rule disk)"));
        assert_non_null(strstr(text, "https://ops.example.org/incidents/7"));
        json_decref(hook.body);
}

static void what_a_receiver_answers_says_whether_to_try_again(void **state)
{
        (void)state;
        static const struct { long status; bool good, may_retry; } answers[] = {{200, true, false}, {404, false, false}, {401, false, false}, {408, false, true},
                                                                               {429, false, true}, {500, false, true},  {503, false, true}};
        for (size_t i = 0; i < countof(answers); i++) {
                struct hook hook = {.status = answers[i].status, .retry_after_s = 90};
                struct receiver_outcome outcome = {0};
                struct err err = {0};
                scoped_ptr(json_decref) json_t *said = message("fired", true);
                assert_int_equal(post(&hook, "webhook", "{\"url\":\"http://hook/\"}", said, false, &outcome, &err), answers[i].good);
                if (!answers[i].good) {
                        assert_int_equal(outcome.may_retry, answers[i].may_retry);
                        assert_int_equal(outcome.retry_after_s, 90);
                }
                json_decref(hook.body);
        }
}

static void a_secret_that_is_not_there_is_no_matter_of_trying_again(void **state)
{
        (void)state;
        struct hook hook = {.status = 200};
        struct receiver_outcome outcome = {.may_retry = true};
        struct err err = {0};
        scoped_ptr(json_decref) json_t *said = message("fired", true);
        assert_false(post(&hook, "webhook", "{\"url\":\"http://hook/\",\"bearer\":\"secret:lost\"}", said, false, &outcome, &err));
        assert_false(outcome.may_retry);
        assert_non_null(strstr(err.message, "lost"));
        assert_null(hook.body);
}

/* --- mail ------------------------------------------------------------------------------------------------------------- */

/* Speaks SMTP with one client, refuses recipients when told so, and keeps what it was given. */
struct post_office {
        int fd, port;
        const char *to_recipient;       /* the answer to RCPT */
        char said[20000];
        struct thread thread;
};

static void serve_mail(void *context)
{
        struct post_office *office = context;
        int fd = accept(office->fd, NULL, NULL);
        FILE *in = fdopen(fd, "r+");
        char line[2000];
        size_t at = 0;
        dprintf(fd, "220 test\r\n");
        while (fgets(line, sizeof line, in)) {
                at += (size_t)snprintf(office->said + at, sizeof office->said - at, "%s", line);
                if (strncmp(line, "RCPT", 4) == 0)
                        dprintf(fd, "%s\r\n", office->to_recipient);
                else if (strncmp(line, "DATA", 4) == 0) {
                        dprintf(fd, "354 go on\r\n");
                        while (fgets(line, sizeof line, in) && strcmp(line, ".\r\n") != 0)
                                at += (size_t)snprintf(office->said + at, sizeof office->said - at, "%s", line);
                        dprintf(fd, "250 taken\r\n");
                } else
                        dprintf(fd, strncmp(line, "QUIT", 4) == 0 ? "221 bye\r\n" : "250 fine\r\n");
        }
        fclose(in);
}

static bool mail(struct post_office *office, const char *to_recipient, const json_t *said, bool is_repeat, uint64_t id, bool *out_may_retry)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t length = sizeof address;
        struct err err = {0};
        struct receiver_outcome outcome = {0};
        *office = (struct post_office){.fd = socket(AF_INET, SOCK_STREAM, 0), .to_recipient = to_recipient};
        assert_int_equal(bind(office->fd, (struct sockaddr *)&address, sizeof address) | listen(office->fd, 1) | getsockname(office->fd, (struct sockaddr *)&address, &length), 0);
        assert_true(thread_start(&office->thread, "mail", serve_mail, office, &err));
        scoped_ptr(json_decref) json_t *settings = json_pack("{s:s, s:i, s:s, s:s}", "server", "127.0.0.1", "port", ntohs(address.sin_port), "security", "plain", "from", "evenkeel@example.org");
        struct receiver_context context = {.link = "https://ops.example.org", .secret = find_secret, .hostname = "watch"};
        struct outgoing outgoing = {.id = id, .receiver = STR("mail"), .kind = STR("email"), .to = STR("ann@example.org"), .settings = settings, .message = said, .is_repeat = is_repeat};
        bool good = receiver_email_send(&context, &outgoing, &outcome, &err);
        thread_join(&office->thread);
        close(office->fd);
        *out_may_retry = outcome.may_retry;
        return good;
}

/* The first part's text. */
static void body_of(const char *mail, char *out, size_t bytes)
{
        const char *part = strstr(mail, "text/plain");
        const char *start = part ? strstr(part, "\r\n\r\n") : NULL;
        size_t length = 0;
        assert_non_null(start);
        assert_int_equal(sodium_base642bin((unsigned char *)out, bytes - 1, start + 4, strcspn(start + 4, "-"), "\r\n", &length, NULL, sodium_base64_VARIANT_ORIGINAL), 0);
        out[length] = 0;
}

static void a_page_and_its_end_are_mails_of_one_thread_that_no_robot_answers(void **state)
{
        (void)state;
        static struct post_office page, end;
        char text[4000];
        bool may_retry;
        scoped_ptr(json_decref) json_t *fired = message("fired", true), *over = message("resolved", false);
        assert_true(mail(&page, "250 fine", fired, false, 4711, &may_retry));
        assert_true(mail(&end, "250 fine", over, true, 4712, &may_retry));
        assert_non_null(strstr(page.said, "MAIL FROM:<evenkeel@example.org>"));
        assert_non_null(strstr(page.said, "RCPT TO:<ann@example.org>"));
        assert_non_null(strstr(page.said, "Date: Thu, 01 Jan 2026 12:00:10 +0000\r\n"));
        assert_non_null(strstr(page.said, "Subject: =?UTF-8?B?")); /* the dash is not ASCII */
        assert_non_null(strstr(page.said, "Message-ID: <evenkeel.4711@watch>\r\n"));
        assert_non_null(strstr(end.said, "Message-ID: <evenkeel.4712@watch>\r\n"));
        assert_non_null(strstr(page.said, "Auto-Submitted: auto-generated\r\n"));
        assert_non_null(strstr(page.said, "X-Evenkeel-Repeat: no\r\n"));
        assert_non_null(strstr(end.said, "X-Evenkeel-Repeat: yes\r\n"));
        assert_non_null(strstr(page.said, "Importance: high\r\n"));
        assert_null(strstr(end.said, "Importance: high\r\n"));
        const char *thread = strstr(page.said, "References: ");
        assert_non_null(thread);
        char line[200];
        snprintf(line, sizeof line, "%.*s", (int)strcspn(thread, "\r"), thread);
        assert_non_null(strstr(end.said, line));
        body_of(page.said, text, sizeof text);
        static const char *const said[] = {"What               DiskFull on 2 hosts", "Where              host web1\n", "Since              2026-01-01 12:00 UTC\n",
                                           "Believed because   DiskFull: the disk of ... is full & <hot> (rule disk)\n", "DiskFull, now 97 (check df)\n",
                                           "May come from      service backup: it was changed 2 minutes before\n",
                                           "Helped last time   removed old logs (incident #3, said bob)\n", "Told               ann by mail (ann@example.org)\n",
                                           "Look and act       https://ops.example.org/incidents/7\n"};
        for (size_t i = 0; i < countof(said); i++)
                assert_non_null(strstr(text, said[i]));
        body_of(end.said, text, sizeof text);
        assert_non_null(strstr(text, "Lasted             5 min\n"));
        assert_non_null(strstr(text, "It was             DiskFull: the disk of"));
}

static void a_mail_server_that_refuses_for_good_is_not_asked_again(void **state)
{
        (void)state;
        static struct post_office office;
        bool may_retry;
        scoped_ptr(json_decref) json_t *said = message("fired", true);
        assert_false(mail(&office, "550 nobody here", said, false, 1, &may_retry));
        assert_false(may_retry);
        assert_false(mail(&office, "451 later", said, false, 1, &may_retry));
        assert_true(may_retry);
}

static void links_in_messages_only_show_and_order_nothing(void **state)
{
        (void)state;
        scoped(buf_done) struct buf text = {0};
        scoped_ptr(json_decref) json_t *said = message("approval", true);
        assert_true(message_html(said, "https://ops.example.org", false, &text));
        size_t at, links = 0;
        for (struct str rest = buf_str(&text); str_find(rest, STR("http"), &at); rest = str_slice(rest, at + 4, rest.length)) {
                links++; /* a page of the console, which asks before it posts: mail scanners follow links */
                assert_true(str_starts_with(str_slice(rest, at, rest.length), STR("https://ops.example.org/incidents/7<")));
        }
        assert_int_equal(links, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_webhook_gets_alertmanagers_body_version_4),
                cmocka_unit_test(a_webhook_is_told_the_end_and_bounded_alerts_and_repeats_with_the_same_key),
                cmocka_unit_test(a_chat_gets_a_line_and_a_card_with_its_marks_escaped),
                cmocka_unit_test(what_a_receiver_answers_says_whether_to_try_again),
                cmocka_unit_test(a_secret_that_is_not_there_is_no_matter_of_trying_again),
                cmocka_unit_test(a_page_and_its_end_are_mails_of_one_thread_that_no_robot_answers),
                cmocka_unit_test(a_mail_server_that_refuses_for_good_is_not_asked_again),
                cmocka_unit_test(links_in_messages_only_show_and_order_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

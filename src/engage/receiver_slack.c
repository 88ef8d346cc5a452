/*
 * receiver_slack.c - an incoming webhook as Slack defined it; Mattermost and Rocket.Chat take the same.
 *
 *      slack: { url: secret:NAME, channel: "#ops", username: Evenkeel }
 */
#include "base/json.h"
#include "base/scope.h"
#include "engage/message.h"
#include "engage/receiver.h"
#include "engage/setting.h"

bool receiver_slack_check(const json_t *settings, struct err *err)
{
        static const char *const keys[] = {"url", "channel", "username", NULL};
        struct str url = json_str(settings, "url");
        if (!setting_keys(settings, "slack", keys, err))
                return false;
        return str_starts_with(url, STR("http://")) || str_starts_with(url, STR("https://")) || str_starts_with(url, STR("secret:")) ||
               fail(err, ERR_INVALID, "engage", "slack needs url, better as secret:NAME since whoever knows it may write");
}

/* Slack's escapes: & < and > alone. */
static void escape(struct buf *out, struct str text)
{
        for (size_t i = 0; i < text.length; i++)
                switch (text.bytes[i]) {
                case '&': buf_text(out, "&amp;"); break;
                case '<': buf_text(out, "&lt;"); break;
                case '>': buf_text(out, "&gt;"); break;
                default: buf_byte(out, text.bytes[i]);
                }
}

static const char *color(const json_t *message)
{
        struct str severity = json_str(message, "severity");
        if (str_is(json_str(message, "occasion"), "resolved"))
                return "good";
        return str_is(severity, "critical") ? "danger" : str_is(severity, "warning") ? "warning" : "#888888";
}

bool receiver_slack_send(const struct receiver_context *context, const struct outgoing *outgoing, struct receiver_outcome *out_outcome, struct err *err)
{
        scoped(buf_done) struct buf url = {0}, subject = {0}, text = {0}, plain = {0}, quoted = {0}, body = {0};
        *out_outcome = (struct receiver_outcome){0};
        if (!receiver_setting(context, outgoing->settings, "url", &url, err))
                return false;
        out_outcome->may_retry = true;
        if (!message_subject(outgoing->message, outgoing->is_repeat, &plain) || !message_text(outgoing->message, context->link, outgoing->is_repeat, &text))
                return fail_memory(err, "engage", text.length);
        escape(&subject, buf_str(&plain));
        escape(&quoted, buf_str(&text));
        scoped_ptr(json_decref) json_t *json =
                json_pack("{s:s%, s:[{s:s, s:s%, s:s%, s:[s]}]}", "text", subject.bytes, subject.length, "attachments", "color", color(outgoing->message), "fallback",
                          subject.bytes, subject.length, "text", quoted.bytes, quoted.length, "mrkdwn_in", "text");
        struct str to = outgoing->to.length ? outgoing->to : json_str(outgoing->settings, "channel"), name = json_str(outgoing->settings, "username");
        if (json && to.length)
                json_object_set_new(json, "channel", json_stringn(to.bytes, to.length));
        if (json && name.length)
                json_object_set_new(json, "username", json_stringn(name.bytes, name.length));
        if (!json || !json_write(json, &body))
                return fail_memory(err, "engage", body.length);
        return receiver_post(context, url.bytes, NULL, buf_str(&body), out_outcome, err);
}

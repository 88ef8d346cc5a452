/*
 * step_ssh.c - a program on another machine. The far side's shell reads what ssh joins with spaces, so each word is quoted for it; keys, users and
 * known hosts are the matter of the system's ssh, for the user that the launcher runs as.
 *
 *      /usr/bin/ssh -o BatchMode=yes -o ConnectTimeout=10 -- USER@HOST 'word' 'word'
 */
#include "act/step.h"

#include "base/json.h"
#include "base/scope.h"

static const char *const front[] = {"/usr/bin/ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "--"};

bool step_ssh_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err);
bool step_ssh_run(const struct step_hands *hands, const json_t *plan, struct arena *arena, struct step_outcome *out_outcome, struct err *err);

static bool is_plain(struct str word)
{
        for (size_t i = 0; i < word.length; i++) {
                char c = word.bytes[i];
                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || memchr("-._/:@=,+", c, 9)))
                        return false;
        }
        return word.length > 0;
}

/* Plain words stay as they are, so that allow-lists read well. */
static bool quote(struct str word, struct buf *out)
{
        if (is_plain(word))
                return buf_add(out, word);
        buf_byte(out, '\'');
        for (size_t i = 0; i < word.length; i++)
                if (word.bytes[i] == '\'')
                        buf_text(out, "'\\''");
                else
                        buf_byte(out, word.bytes[i]);
        return buf_byte(out, '\'');
}

static bool is_host(struct str host)
{
        for (size_t i = 0; i < host.length; i++) {
                char c = host.bytes[i];
                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == ':' || (c == '-' && i > 0)))
                        return false;
        }
        return host.length > 0;
}

static bool plan_place(const json_t *body, const struct slots *slots, json_t *words, struct err *err)
{
        scoped(buf_done) struct buf place = {0};
        struct str user = json_str(body, "user"), host = json_str(body, "on");
        if (user.length && !is_host(user))
                return fail(err, ERR_INVALID, "runbook", "user must be a user's name");
        if (user.length)
                buf_printf(&place, "%.*s@", STR_ARGS(user));
        size_t at = place.length;
        if (!slots_fill(slots, host, SLOT_WORD, &place, err))
                return err_within(err, "on");
        if (!is_host(str_slice(buf_str(&place), at, place.length)))
                return fail(err, ERR_INVALID, "runbook", "on must be a host, such as '${host}'");
        return json_array_append_new(words, json_stringn(place.bytes, place.length)) == 0 || fail_memory(err, "runbook", place.length);
}

bool step_ssh_plan(const json_t *body, const struct slots *slots, json_t *plan, struct err *err)
{
        size_t i;
        json_t *word;
        scoped_ptr(json_decref) json_t *plain = json_array();
        json_t *words = json_array();
        if (!plain || !words || json_object_set_new(plan, "words", words) != 0)
                return fail_memory(err, "runbook", sizeof *words);
        for (i = 0; i < countof(front); i++)
                if (json_array_append_new(words, json_string(front[i])) != 0)
                        return fail_memory(err, "runbook", sizeof *words);
        if (!plan_place(body, slots, words, err) || !step_words(json_object_get(body, "ssh"), slots, "ssh", plain, err))
                return false;
        json_array_foreach(plain, i, word) {
                scoped(buf_done) struct buf quoted = {0};
                if (!quote((struct str){json_string_value(word), json_string_length(word)}, &quoted) ||
                    json_array_append_new(words, json_stringn(quoted.bytes, quoted.length)) != 0)
                        return fail_memory(err, "runbook", quoted.length);
        }
        return true;
}

bool step_exec_run(const struct step_hands *hands, const json_t *plan, struct arena *arena, struct step_outcome *out_outcome, struct err *err);

bool step_ssh_run(const struct step_hands *hands, const json_t *plan, struct arena *arena, struct step_outcome *out_outcome, struct err *err)
{
        return step_exec_run(hands, plan, arena, out_outcome, err);     /* the plan's words are an argv like any other */
}

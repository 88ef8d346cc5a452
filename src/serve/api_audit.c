/*
 * api_audit.c - the audit log of commands, read and verified.
 *
 * Both open a reader of their own: verifying walks the whole log and must not keep the others from theirs. Hashes of secrets
 * stand in the log because the commands carry them; they are not shown.
 */
#include "base/json.h"
#include "base/scope.h"
#include "loop/state_table.h"
#include "serve/server.h"
#include "store/database.h"

#include <stdio.h>

#define ENTRIES_MAX 1000
#define ARGUMENTS_BYTES_MAX 4000        /* a whole configuration may stand there; what is longer is shown by its beginning */

SCOPED_PTR(database_close, struct database)

static bool is_secret(struct str name)
{
        return str_is(name, "hash") || str_is(name, "password_hash");
}

/* Cut between characters of UTF-8. */
static json_t *beginning_json(struct str text)
{
        size_t length = min_of(text.length, (size_t)ARGUMENTS_BYTES_MAX);
        while (length && length < text.length && (text.bytes[length] & 0xC0) == 0x80)
                length--;
        return json_sprintf("%.*s%s", (int)length, text.bytes ? text.bytes : "", length < text.length ? " …" : "");
}

/* What does not parse is shown as it stands: an auditor wants to see it. */
static json_t *arguments_json(struct str text)
{
        const char *name;
        json_t *value, *arguments = text.length <= ARGUMENTS_BYTES_MAX ? json_parse(text, NULL) : NULL;
        void *next;
        if (!arguments)
                return beginning_json(text);
        json_object_foreach_safe (arguments, next, name, value)
                if (is_secret(str_of(name)))
                        json_object_set_new(arguments, name, json_string("(not shown)"));
        return arguments;
}

static bool add_entry(void *context, const struct audit_row *row, struct err *err)
{
        char sequence[24], time_ns[24];
        snprintf(sequence, sizeof sequence, "%llu", (unsigned long long)row->sequence);
        snprintf(time_ns, sizeof time_ns, "%lld", (long long)row->time_ns);
        json_t *entry = json_pack("{s:s, s:s, s:s%, s:s%, s:o, s:s%}", "sequence", sequence, "time_ns", time_ns, "by", row->by.bytes, row->by.length, "verb",
                                  row->verb.bytes, row->verb.length, "arguments", arguments_json(row->arguments), "outcome", row->outcome.bytes,
                                  row->outcome.length);
        return (entry && json_array_append_new(context, entry) == 0) || fail_memory(err, "serve", row->arguments.length);
}

static bool open_reader(const struct request *request, struct database **out_reader, struct err *err)
{
        const struct serve_context *context = &server_of(request)->context;
        return database_open_reader(context->state_path, context->vfs, out_reader, err);
}

bool audit_list(struct request *request, struct err *err)
{
        scoped_ptr(database_close) struct database *reader = NULL;
        int64_t limit, before;
        if (!request_number(request, "limit", 200, 1, ENTRIES_MAX, &limit, err) || !request_number(request, "before", 0, 0, INT64_MAX, &before, err) ||
            !open_reader(request, &reader, err))
                return false;
        struct audit_filter filter = {.before = (uint64_t)before, .by = request_field(request, "by"), .verb = request_field(request, "verb"), .limit = (size_t)limit};
        scoped_ptr(json_decref) json_t *body = json_pack("{s:[]}", "entries");
        return (body || fail_memory(err, "serve", sizeof filter)) && state_visit_audit(reader, &filter, add_entry, json_object_get(body, "entries"), err) &&
               request_answer_json(request, 200, body, err);
}

/* A log that was changed is no error of this request: its answer says so. */
bool audit_verify(struct request *request, struct err *err)
{
        scoped_ptr(database_close) struct database *reader = NULL;
        struct audit_check check;
        struct str noted = request_field(request, "head");
        char broken[24], says[200];
        if (noted.length && noted.length != AUDIT_HEAD_BYTES - 1)
                return fail(err, ERR_INVALID, "serve", "invalid parameter \"head\": it is the %d digits that an earlier verification told", AUDIT_HEAD_BYTES - 1);
        if (!open_reader(request, &reader, err) || !state_check_audit(reader, noted, &check, err))
                return false;
        bool is_whole = check.is_whole && (!noted.length || check.has_noted);
        snprintf(broken, sizeof broken, "%llu", (unsigned long long)check.broken);
        if (!check.is_whole)
                snprintf(says, sizeof says, "entry %s or what stood right before it was changed; compare with a backup", broken);
        else if (!is_whole)
                snprintf(says, sizeof says, "the log does not go through the noted head: its end was cut off, or it was written anew; compare with a backup");
        else
                snprintf(says, sizeof says, "all %llu entries are as they were written", (unsigned long long)check.rows);
        scoped_ptr(json_decref) json_t *body = json_pack("{s:b, s:I, s:s, s:s, s:o}", "is_whole", is_whole, "entries", (json_int_t)check.rows, "head", check.head,
                                                         "says", says, "broken", check.broken ? json_string(broken) : json_null());
        return body ? request_answer_json(request, 200, body, err) : fail_memory(err, "serve", sizeof says);
}

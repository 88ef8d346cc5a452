/*
 * scenario - tells the stories of tests/scenarios/ on a virtual clock, in process, on a disk that forgets what was not synced.
 *
 *      scenario [--workers N] [--seed N] [--dump] FILE.loop...
 *
 * A line is WHEN VERB REST; # begins a comment. WHEN is `at 30s` (once), `by 2m` (true at some time until then) or `never`
 * (at no time); times count from the start, which is 2026-01-01 00:00 UTC.
 *
 *      at T  send log HOST SERVICE TEXT             one syslog message
 *      at T  send logs N LEVEL HOST SERVICE TEXT     N of them at debug, info, warning or err; each # is its number
 *      at T  send metric SERIES V1 V2 ... [every D]  Prometheus text, one value each D (10s when not said)
 *      at T  send alert LABELS [resolved]             another tool's alert, labels as alertname=DiskFull,host=web1; fires until told
 *      at T  use FILE...                             puts content files in force, beside nothing else
 *      at T  order VERB JSON                         a command, as a person gives it; $silence is the last id told, +1h a time in ns
 *      at T  acknowledge | resolve | close | reopen N as WHO ...  the same, about incident N
 *      at T  runbook FILE                            puts a content file in force, with nothing beside it
 *      at T  approve | reject RUNBOOK as WHO [WHY]   what is proposed of it
 *      at T  answer N | nothing                      what a step's programs end with from now on; or nobody answers
 *      by T  expect run N STATE [saying TEXT]        TEXT somewhere in what is kept of the run
 *      by T  expect done N                           so many programs were run since the start, crashes or not
 *      by T  expect logs N QUERY                     the query finds N records
 *      by T  expect templates N TEXT                 so many sentences of programs have TEXT in them; halves N: those split from another
 *      by T  expect query EXPRESSION = VALUE         the instant query gives this one value (or: none)
 *      by T  expect source NAME records N | silent | alive
 *      by T  expect entity KIND "TITLE" [RELATION "TITLE"]  the register has it, and the relation
 *      by T  expect incident N STATE [alerts N] [cause NAME] [owner NAME] [severity NAME] [title TEXT]
 *      by T  expect no incident N                    there is none of that number
 *      by T  expect refused                          the last send or order was refused
 *      by T  expect pages N [team X] [to R]          so many pages left, as the world saw them; also after a crash
 *      by T  expect messages N OCCASION [team X] [to R]   fired, resolved, escalated ...; repeats count apart, as `repeat`
 *      by T  expect no page because TEXT             some not-sending has a stored reason with this text
 *      at T  restart | crash                         in order; or as when the power fails
 *      at T  break disk full | disk readonly | sync SITE ... | receivers (they take messages, and no answer comes)  and  heal
 *      at T  clock -1h                               the wall clock is set back (or forward)
 */
#include "act/act_table.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "engage/incident_table.h"
#include "engage/outbox_table.h"
#include "loop/command.h"
#include "loop/loop.h"
#include "model/batch.h"
#include "observe/intake.h"
#include "observe/observe.h"
#include "observe/source.h"
#include "query/logql.h"
#include "query/promql.h"
#include "register/registry.h"
#include "store/database.h"
#include "store/disk_forgetful.h"
#include "store/logs.h"
#include "store/series.h"
#include "store/vfs.h"
#include "replay/decided.h"
#include "scenarios/sentences.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define START_NS INT64_C(1767225600000000000)
#define TURN_NS (100 * NS_PER_MS)
#define LINES_MAX 4000
#define FOLDER "/data"

enum when { AT, BY, NEVER };

struct line {
        int number;
        enum when when;
        int64_t time_ns; /* from the start */
        struct str verb, rest;
        bool is_done;
};

/* A message as the world outside got it: it remembers through every crash of ours. */
struct seen {
        uint64_t id;
        char team[64], receiver[64], to[64], occasion[32];
        bool is_page, is_repeat, is_answered;
};
#define SEEN_MAX 4096

struct story {
        const char *path;
        struct arena arena;
        struct line lines[LINES_MAX];
        size_t count;
        struct clock clock;
        int64_t shift_ns; /* of the wall clock, by `clock` */
        struct disk *disk;
        struct loop *loop;
        int workers;
        uint64_t seed, sent;
        uint64_t done;                  /* programs run by steps */
        int64_t answer;                 /* what the next ends with; -1: nobody answers */
        bool was_refused, is_deaf;
        struct seen seen[SEEN_MAX];
        size_t seen_count;
        char last_id[64];
        struct err err; /* of the last refusal */
};

static _Noreturn void stop(const struct story *story, const struct line *line, const char *why)
{
        printf("%s:%d: %s\n", story->path, line ? line->number : 0, why);
        exit(1);
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

static struct str word(struct str *rest)
{
        *rest = str_trim(*rest);
        struct str head = {0};
        if (rest->length)
                str_cut(rest, ' ', &head);
        *rest = rest->bytes ? str_trim(*rest) : STR("");
        return head;
}

static int64_t duration(const struct story *story, const struct line *line, struct str text)
{
        bool negative = text.length && text.bytes[0] == '-';
        int64_t ns = 0;
        struct err err = {0};
        if (!str_is(text, "0s") && !promql_duration(negative ? str_slice(text, 1, text.length) : text, &ns, &err))
                stop(story, line, err.message);
        return negative ? -ns : ns;
}

static struct line *add_line(struct story *story, int number)
{
        if (story->count == LINES_MAX)
                stop(story, NULL, "too many lines");
        struct line *line = &story->lines[story->count++];
        *line = (struct line){.number = number};
        return line;
}

/* `send metric S v1 v2 every D` becomes a line for each value. */
static void spread_metric(struct story *story, const struct line *whole)
{
        struct str rest = whole->rest, values[512], every = STR("10s");
        word(&rest); /* "metric" */
        struct str series = word(&rest);
        size_t count = 0;
        while (rest.length && count < countof(values)) {
                struct str one = word(&rest);
                if (str_is(one, "every"))
                        every = word(&rest);
                else
                        values[count++] = one;
        }
        int64_t step_ns = duration(story, whole, every);
        for (size_t i = 0; i < count; i++) {
                struct line *line = add_line(story, whole->number);
                line->when = AT;
                line->time_ns = whole->time_ns + (int64_t)i * step_ns;
                line->verb = STR("send-metric");
                line->rest = arena_printf(&story->arena, "%.*s %.*s", STR_ARGS(series), STR_ARGS(values[i]));
        }
}

static void read_line(struct story *story, int number, struct str text)
{
        text = str_trim(text);
        if (!text.length || text.bytes[0] == '#')
                return;
        struct line line = {.number = number};
        struct str when = word(&text);
        line.when = str_is(when, "by") ? BY : str_is(when, "never") ? NEVER : AT;
        if (line.when == AT && !str_is(when, "at"))
                stop(story, &line, "a line begins with at, by or never");
        if (line.when != NEVER)
                line.time_ns = duration(story, &line, word(&text));
        line.verb = word(&text);
        line.rest = text;
        if (str_is(line.verb, "send") && str_starts_with(line.rest, STR("metric ")))
                spread_metric(story, &line);
        else
                *add_line(story, number) = line;
}

static void read_story(struct story *story)
{
        FILE *file = fopen(story->path, "r");
        if (!file)
                stop(story, NULL, "cannot be opened");
        char text[4096];
        for (int number = 1; fgets(text, sizeof text, file); number++)
                read_line(story, number, arena_str(&story->arena, str_of(text)));
        fclose(file);
}

/* --- doing -------------------------------------------------------------------------------------------------------------- */

/* The outside world of the story: it remembers through every crash of ours. */
static bool launch(void *context, const struct launch *wanted, struct arena *arena, struct launch_result *out_result, struct err *err)
{
        struct story *story = context;
        (void)wanted, (void)arena;
        story->done++;
        if (story->answer < 0)
                return fail(err, ERR_CANCELLED, "scenario", "nobody answers");
        *out_result = (struct launch_result){.status = (int)story->answer, .output = STR("as the story says")};
        return true;
}

static void hear(void *context, const struct outgoing *outgoing)
{
        struct story *story = context;
        struct str team = json_str(outgoing->message, "team"), occasion = json_str(outgoing->message, "occasion");
        for (size_t i = 0; i < story->seen_count; i++)
                if (story->seen[i].id == outgoing->id && !outgoing->is_repeat)
                        stop(story, NULL, "a message left twice and is not marked as a repeat");
        if (story->seen_count == SEEN_MAX)
                stop(story, NULL, "too many messages");
        struct seen *seen = &story->seen[story->seen_count++];
        *seen = (struct seen){.id = outgoing->id, .is_page = json_flag(outgoing->message, "is_page", false), .is_repeat = outgoing->is_repeat};
        snprintf(seen->team, sizeof seen->team, "%.*s", STR_ARGS(team));
        snprintf(seen->receiver, sizeof seen->receiver, "%.*s", STR_ARGS(outgoing->receiver));
        snprintf(seen->to, sizeof seen->to, "%.*s", STR_ARGS(outgoing->to));
        snprintf(seen->occasion, sizeof seen->occasion, "%.*s", STR_ARGS(occasion));
        size_t at;
        if (str_find(json_str(outgoing->message, "title"), STR("<*>"), &at))
                stop(story, NULL, "a title for people has a template's blank in it");
}

/* The receivers say that they took what they got, unless they are broken. */
static void answer(struct story *story)
{
        for (size_t i = 0; i < story->seen_count && !story->is_deaf; i++) {
                char id[24];
                json_t *result = NULL;
                if (story->seen[i].is_answered)
                        continue;
                snprintf(id, sizeof id, "%" PRIu64, story->seen[i].id);
                story->seen[i].is_answered = loop_command(story->loop, "notification_result", json_pack("{s:s, s:s}", "id", id, "outcome", "sent"), "evenkeel",
                                                          &result, &story->err);
                json_decref(result);
        }
}

static void open_loop(struct story *story)
{
        struct loop_options options = {.directory = FOLDER, .disk = story->disk, .vfs = "scenario", .clock = &story->clock,
                                       .workers = story->workers, .hands = {.launch = launch, .context = story}, .steps_in_turn = true,
                                       .delivery = {.fake = hear, .fake_context = story}};
        if (!loop_open(&options, &story->loop, &story->err))
                stop(story, NULL, story->err.message);
}

static void offer(struct story *story, uint16_t format, const char *source, struct str bytes)
{
        struct batch *batch = batch_create(format, str_of(source), &story->err);
        batch->bytes = arena_str(&batch->arena, bytes);
        batch->received_ns = clock_now_ns(&story->clock);
        story->was_refused = !intake_offer(loop_intake(story->loop), batch, NULL, NULL, &story->err);
}

static void send_log(struct story *story, struct str rest)
{
        struct str host = word(&rest), service = word(&rest);
        char time[CLOCK_RFC3339_BYTES];
        clock_rfc3339(clock_now_ns(&story->clock), 3, time);
        offer(story, SOURCE_SYSLOG, "syslog", arena_printf(&story->arena, "<14>1 %s %.*s %.*s - - - %.*s\n", time, STR_ARGS(host),
                                                           STR_ARGS(service), STR_ARGS(rest)));
}

static void send_logs(struct story *story, const struct line *line, struct str rest)
{
        static const struct { struct str name; int priority; } levels[] = {{STR_INIT("debug"), 15}, {STR_INIT("info"), 14}, {STR_INIT("warning"), 12}, {STR_INIT("err"), 11}};
        uint64_t count;
        scoped(buf_done) struct buf all = {0};
        char time[CLOCK_RFC3339_BYTES];
        if (!str_to_u64(word(&rest), &count))
                stop(story, line, "send logs N LEVEL HOST SERVICE TEXT");
        struct str level = word(&rest), host = word(&rest), service = word(&rest);
        int priority = 0;
        for (size_t i = 0; i < countof(levels); i++)
                if (str_equal(level, levels[i].name))
                        priority = levels[i].priority;
        if (!priority)
                stop(story, line, "a level is debug, info, warning or err");
        clock_rfc3339(clock_now_ns(&story->clock), 3, time);
        for (uint64_t i = 0; i < count; i++) {
                buf_printf(&all, "<%d>1 %s %.*s %.*s - - - ", priority, time, STR_ARGS(host), STR_ARGS(service));
                for (size_t at = 0; at < rest.length; at++)
                        rest.bytes[at] == '#' ? buf_printf(&all, "%" PRIu64, i) : buf_byte(&all, rest.bytes[at]);
                buf_byte(&all, '\n');
        }
        offer(story, SOURCE_SYSLOG, "syslog", buf_str(&all));
}

/* {"a": "1", "b": "2"} of a=1,b=2. */
static json_t *labels_json(const struct story *story, const struct line *line, struct str text)
{
        json_t *labels = json_object();
        struct str one, name;
        while (text.length && str_cut(&text, ',', &one)) {
                char key[64];
                str_cut(&one, '=', &name);
                if (!one.bytes || !name.length || name.length >= sizeof key)
                        stop(story, line, "labels are written a=1,b=2");
                snprintf(key, sizeof key, "%.*s", STR_ARGS(name));
                json_object_set_new(labels, key, json_stringn(one.bytes, one.length));
        }
        return labels;
}

static void offer_json(struct story *story, uint16_t format, const char *source, json_t *json)
{
        char *text = json_dumps(json, JSON_COMPACT);
        offer(story, format, source, str_of(text));
        free(text);
        json_decref(json);
}

#define ALERTMANAGER 13 /* its number in sources.def */
static void send_alert(struct story *story, const struct line *line, struct str rest)
{
        char now[CLOCK_RFC3339_BYTES], end[CLOCK_RFC3339_BYTES];
        int64_t now_ns = clock_now_ns(&story->clock);
        json_t *alert = json_pack("{s:o}", "labels", labels_json(story, line, word(&rest)));
        bool is_resolved = str_is(rest, "resolved");
        clock_rfc3339(is_resolved ? now_ns - NS_PER_S : now_ns, 9, now);
        clock_rfc3339(is_resolved ? now_ns : now_ns + 86400 * NS_PER_S, 9, end);
        json_object_set_new(alert, "startsAt", json_string(now));
        json_object_set_new(alert, "endsAt", json_string(end));
        offer_json(story, ALERTMANAGER, "alertmanager", json_pack("[o]", alert));
}

static void do_send(struct story *story, const struct line *line)
{
        struct str rest = line->rest, what = word(&rest);
        if (str_is(what, "log"))
                send_log(story, rest);
        else if (str_is(what, "logs"))
                send_logs(story, line, rest);
        else if (str_is(what, "alert"))
                send_alert(story, line, rest);
        else
                stop(story, line, "send log HOST SERVICE TEXT, send metric SERIES VALUE... or send alert LABELS [resolved]");
}

static void do_send_metric(struct story *story, const struct line *line)
{
        offer(story, SOURCE_SCRAPE, "scrape", arena_printf(&story->arena, "%.*s\n", STR_ARGS(line->rest)));
}

static json_t *read_content_file(struct story *story, const struct line *line, const char *path)
{
        scoped(buf_done) struct buf text = {0};
        FILE *file = fopen(path, "r");
        if (!file)
                stop(story, line, "the file cannot be opened");
        char bytes[4096];
        for (size_t count; (count = fread(bytes, 1, sizeof bytes, file)) > 0;)
                buf_append(&text, bytes, count);
        fclose(file);
        json_t *tree = yaml_parse(buf_str(&text), path, &story->err);
        if (!tree)
                stop(story, line, story->err.message);
        return json_pack("{s:s, s:o}", "name", path, "tree", tree);
}

static void do_use(struct story *story, const struct line *line)
{
        json_t *files = json_array(), *result = NULL;
        for (struct str rest = line->rest, path; (path = word(&rest)).length;) {
                char name[256];
                snprintf(name, sizeof name, "%.*s", STR_ARGS(path));
                json_array_append_new(files, read_content_file(story, line, name));
        }
        if (!loop_command(story->loop, "configure", json_pack("{s:{s:o}}", "content", "files", files), "scenario", &result, &story->err))
                stop(story, line, story->err.message);
        json_decref(result);
}

/* "$silence" is the id that was told last; a text "+1h" is that time from now, in nanoseconds. */
static void fill_in(struct story *story, const struct line *line, json_t *arguments)
{
        const char *key;
        json_t *value;
        json_object_foreach (arguments, key, value) {
                struct str text = {json_string_value(value), json_string_length(value)};
                if (str_is(text, "$silence"))
                        json_object_set_new(arguments, key, json_string(story->last_id));
                else if (text.length && text.bytes[0] == '+')
                        json_object_set_new(arguments, key, json_integer(clock_now_ns(&story->clock) + duration(story, line, str_slice(text, 1, text.length))));
        }
}

static void do_order(struct story *story, const struct line *line)
{
        struct str rest = line->rest, verb = word(&rest);
        json_t *arguments = json_parse(rest.length ? rest : STR("{}"), &story->err), *result = NULL;
        if (arguments)
                fill_in(story, line, arguments);
        if (!arguments)
                stop(story, line, story->err.message);
        char name[64];
        snprintf(name, sizeof name, "%.*s", STR_ARGS(verb));
        story->was_refused = !loop_command(story->loop, name, arguments, "scenario", &result, &story->err);
        if (json_str(result, "id").length)
                snprintf(story->last_id, sizeof story->last_id, "%.*s", STR_ARGS(json_str(result, "id")));
        json_decref(result);
}

/* acknowledge 1 as alice, comment 1 as bob text=looking: the words after the name are arguments. */
static void do_incident(struct story *story, const struct line *line)
{
        struct str rest = line->rest, number = word(&rest), as = word(&rest), who = word(&rest), value = rest, key;
        int64_t incident;
        char verb[64], by[64], name[64];
        if (!str_to_i64(number, &incident) || !str_is(as, "as") || !who.length)
                stop(story, line, "VERB INCIDENT as WHO [NAME=TEXT]");
        json_t *arguments = json_pack("{s:I}", "incident", (json_int_t)incident), *result = NULL;
        snprintf(verb, sizeof verb, "incident_%.*s", STR_ARGS(line->verb));
        snprintf(by, sizeof by, "%.*s", STR_ARGS(who));
        if (rest.length) {
                int64_t into;
                str_cut(&value, '=', &key);
                snprintf(name, sizeof name, "%.*s", STR_ARGS(key));
                json_object_set_new(arguments, name, str_to_i64(value, &into) ? json_integer(into) : json_stringn(value.bytes, value.length));
        }
        story->was_refused = !loop_command(story->loop, verb, arguments, by, &result, &story->err);
        json_decref(result);
}

static void do_runbook(struct story *story, const struct line *line)
{
        char path[512];
        scoped(buf_done) struct buf text = {0};
        snprintf(path, sizeof path, "%.*s", STR_ARGS(line->rest));
        FILE *file = fopen(path, "r");
        if (!file)
                stop(story, line, "there is no such file");
        for (int c; (c = fgetc(file)) != EOF;)
                buf_byte(&text, (char)c);
        fclose(file);
        json_t *tree = yaml_parse(buf_str(&text), path, &story->err);
        scoped_ptr(json_decref) json_t *content = tree ? json_pack("{s:[{s:s, s:o}]}", "files", "name", path, "tree", tree) : NULL;
        if (!content || !loop_configure(story->loop, content, &story->err))
                stop(story, line, story->err.message);
}

static bool take_number(void *context, const struct run_row *row, struct err *err)
{
        (void)err;
        *(int64_t *)context = row->number;
        return true;
}

static void do_decide(struct story *story, const struct line *line)
{
        struct str rest = line->rest, runbook = word(&rest), as = word(&rest), who = word(&rest);
        struct run_filter filter = {.runbook = runbook, .state = STR("proposed"), .limit = 1};
        struct database *reader;
        int64_t number = 0;
        char by[64];
        if (!str_is(as, "as") || !who.length)
                stop(story, line, "approve RUNBOOK as WHO [WHY]");
        if (!loop_open_state(story->loop, &reader, &story->err) || !run_rows_list(reader, &filter, take_number, &number, &story->err))
                stop(story, line, story->err.message);
        database_close(reader);
        snprintf(by, sizeof by, "%.*s", STR_ARGS(who));
        json_t *arguments = json_pack("{s:I, s:s%}", "run", (json_int_t)number, "why", rest.bytes ? rest.bytes : "", rest.length), *result = NULL;
        story->was_refused = !loop_command(story->loop, str_is(line->verb, "approve") ? "run_approve" : "run_reject", arguments, by, &result, &story->err) ||
                             json_object_get(result, "refused");
        json_decref(result);
}

static void do_answer(struct story *story, const struct line *line)
{
        story->answer = -1;
        if (!str_is(line->rest, "nothing") && !str_to_i64(line->rest, &story->answer))
                stop(story, line, "answer STATUS, or answer nothing");
}

static void do_restart(struct story *story, const struct line *line)
{
        (void)line;
        loop_stop(story->loop);
        loop_close(story->loop);
        open_loop(story);
}

static void do_crash(struct story *story, const struct line *line)
{
        (void)line;
        disk_crash(story->disk, story->seed++); /* files that are open fail from here on, so closing writes nothing more */
        loop_close(story->loop);
        open_loop(story);
}

static void do_break(struct story *story, const struct line *line)
{
        struct str rest = line->rest, what = word(&rest);
        if (str_is(what, "disk") && str_is(rest, "full"))
                disk_set_bytes_max(story->disk, 1);
        else if (str_is(what, "disk") && str_is(rest, "readonly"))
                disk_set_read_only(story->disk, true);
        else if (str_is(what, "receivers"))
                story->is_deaf = true;
        else
                stop(story, line, "break disk full, disk readonly, or receivers");
}

static void do_heal(struct story *story, const struct line *line)
{
        (void)line;
        story->is_deaf = false;
        disk_set_bytes_max(story->disk, 0);
        disk_set_read_only(story->disk, false);
}

static void do_clock(struct story *story, const struct line *line)
{
        int64_t by_ns = duration(story, line, line->rest);
        story->shift_ns += by_ns;
        clock_advance(&story->clock, by_ns);
}

/* --- expecting ---------------------------------------------------------------------------------------------------------- */

static bool count_row(void *context, const struct log_row *row)
{
        (void)row;
        ++*(uint64_t *)context;
        return true;
}

static bool expect_logs(struct story *story, const struct line *line, struct str rest)
{
        uint64_t wanted, found = 0;
        if (!str_to_u64(word(&rest), &wanted))
                stop(story, line, "expect logs N QUERY");
        struct log_select select = {0};
        struct log_select_stats stats;
        if (!logql_parse(rest, &story->arena, &select, &story->err))
                stop(story, line, story->err.message);
        select.start_ns = INT64_MIN;
        select.end_ns = INT64_MAX;
        bool good = logs_select(loop_logs(story->loop), &select, count_row, &found, &stats, &story->err);
        logql_done(&select);
        if (!good)
                stop(story, line, story->err.message);
        return found == wanted;
}

static bool expect_templates(struct story *story, const struct line *line, struct str rest, bool only_halves)
{
        uint64_t wanted;
        if (!str_to_u64(word(&rest), &wanted))
                stop(story, line, "expect templates N TEXT, or expect halves N TEXT");
        return sentences_count(observe_log_templates(loop_observe(story->loop)), rest, only_halves) == wanted;
}

static bool expect_query(struct story *story, const struct line *line, struct str rest)
{
        size_t at = rest.length;
        while (at > 0 && rest.bytes[at - 1] != '=')
                at--;
        if (!at)
                stop(story, line, "expect query EXPRESSION = VALUE");
        struct str expression = str_trim(str_slice(rest, 0, at - 1)), value = str_trim(str_slice(rest, at, rest.length));
        struct promql_source source = promql_store_source(loop_series(story->loop));
        int64_t now_ns = clock_now_ns(&story->clock);
        struct promql_options options = {.start_ns = now_ns, .end_ns = now_ns};
        struct promql_result result;
        if (!promql_query(expression, &source, &options, &story->arena, &result, &story->err))
                stop(story, line, story->err.message);
        if (str_is(value, "none"))
                return result.type == PROMQL_VECTOR && result.set.count == 0;
        double wanted, found;
        if (!str_to_double(value, &wanted))
                stop(story, line, "the value is no number");
        if (result.type == PROMQL_VECTOR && result.set.count != 1)
                return false;
        found = result.type == PROMQL_SCALAR ? result.scalar : result.set.items[0].values[0];
        return fabs(found - wanted) <= 1e-9 * fmax(1, fabs(wanted));
}

static bool expect_source(struct story *story, const struct line *line, struct str rest)
{
        static struct source_counters sources[SOURCES_MAX];
        size_t count = intake_list_sources(loop_intake(story->loop), sources, SOURCES_MAX);
        struct str name = word(&rest), what = word(&rest);
        uint64_t wanted = 0;
        for (size_t i = 0; i < count; i++) {
                if (!str_is(name, sources[i].name))
                        continue;
                if (str_is(what, "silent"))
                        return sources[i].silent;
                if (str_is(what, "alive"))
                        return !sources[i].silent;
                if (str_is(what, "records") && str_to_u64(rest, &wanted))
                        return sources[i].records == wanted;
                stop(story, line, "expect source NAME records N, silent or alive");
        }
        return false;
}

/* A text in quotes. */
static struct str quoted(struct str *rest)
{
        struct str text = {0};
        *rest = str_trim(*rest);
        if (rest->length && rest->bytes[0] == '"') {
                *rest = str_slice(*rest, 1, rest->length);
                str_cut(rest, '"', &text);
        }
        return text;
}

struct search {
        struct registry *registry;
        struct str kind, title, relation, other;
        struct graph *graph;
        bool found;
};

static bool is_related(void *context, const struct graph_edge *edge)
{
        struct search *search = context;
        struct graph_node from, to;
        if (graph_node(search->graph, edge->from, &from) && graph_node(search->graph, edge->to, &to) && str_equal(edge->relation, search->relation) &&
            str_equal(from.name, search->title) && str_equal(to.name, search->other))
                search->found = true;
        return !search->found;
}

static bool expect_entity(struct story *story, const struct line *line, struct str rest)
{
        struct search search = {.registry = loop_registry(story->loop), .kind = word(&rest), .title = quoted(&rest), .relation = word(&rest)};
        struct str name = search.title;
        size_t at;
        uint64_t ids[64];
        search.other = quoted(&rest);
        if (!search.kind.length || !search.title.length)
                stop(story, line, "expect entity KIND \"TITLE\" [RELATION \"TITLE\"]");
        if (str_find(name, STR(" on "), &at)) /* "nginx on web1" is called nginx */
                name = str_slice(name, 0, at);
        size_t count = registry_find(search.registry, search.kind, name, ids, countof(ids));
        search.graph = registry_read_begin(search.registry);
        for (size_t i = 0; i < count && !search.found; i++) {
                struct graph_node node;
                if (!graph_node(search.graph, ids[i], &node) || !str_equal(node.name, search.title))
                        continue;
                if (search.relation.length)
                        graph_edges_of(search.graph, ids[i], is_related, &search);
                else
                        search.found = true;
        }
        registry_read_end(search.registry);
        return search.found;
}

static json_t *read_incident(struct story *story, const struct line *line, uint64_t number)
{
        struct database *reader;
        struct err err = {0};
        if (!loop_open_state(story->loop, &reader, &err))
                stop(story, line, err.message);
        json_t *incident = incident_row_read(reader, (uint32_t)number, &err);
        if (!incident && err.code != ERR_NOT_FOUND)
                stop(story, line, err.message);
        database_close(reader);
        return incident;
}

struct looking {
        struct str state, text;
        bool holds;
};

static bool look_at_run(void *context, const struct run_row *row, struct err *err)
{
        struct looking *looking = context;
        size_t at;
        (void)err;
        looking->holds = str_equal(looking->state, row->state) && (!looking->text.length || str_find(row->body, looking->text, &at));
        return true;
}

static bool expect_run(struct story *story, const struct line *line, struct str rest)
{
        int64_t number;
        bool found;
        struct database *reader;
        struct looking looking = {0};
        if (!str_to_i64(word(&rest), &number))
                stop(story, line, "expect run N STATE [saying TEXT]");
        looking.state = word(&rest);
        if (rest.length && !str_is(word(&rest), "saying"))
                stop(story, line, "expect run N STATE [saying TEXT]");
        looking.text = rest;
        if (!loop_open_state(story->loop, &reader, &story->err) || !run_row_get(reader, number, &found, look_at_run, &looking, &story->err))
                stop(story, line, story->err.message);
        database_close(reader);
        return looking.holds;
}

static bool expect_done(struct story *story, const struct line *line, struct str rest)
{
        uint64_t wanted;
        if (!str_to_u64(rest, &wanted))
                stop(story, line, "expect done N");
        return story->done == wanted;
}

static bool expect_incident(struct story *story, const struct line *line, struct str rest)
{
        uint64_t number, alerts;
        if (!str_to_u64(word(&rest), &number))
                stop(story, line, "expect incident NUMBER STATE [alerts N] [cause NAME] [title TEXT]");
        scoped_ptr(json_decref) json_t *incident = read_incident(story, line, number);
        bool good = incident && str_equal(word(&rest), json_str(incident, "state"));
        while (good && rest.length) {
                struct str what = word(&rest);
                if (str_is(what, "alerts"))
                        good = str_to_u64(word(&rest), &alerts) && json_array_size(json_object_get(incident, "alerts")) == alerts;
                else if (str_is(what, "cause"))
                        good = str_equal(word(&rest), json_str(json_array_get(json_object_get(incident, "causes"), 0), "name"));
                else if (str_is(what, "owner"))
                        good = str_equal(word(&rest), json_str(incident, "owner"));
                else if (str_is(what, "severity"))
                        good = str_equal(word(&rest), json_str(incident, "severity"));
                else if (str_is(what, "title"))
                        return str_equal(rest, json_str(incident, "title"));
                else
                        stop(story, line, "after the state: alerts N, cause NAME, owner NAME, severity NAME, title TEXT");
        }
        return good;
}

static bool expect_no_incident(struct story *story, const struct line *line, struct str rest)
{
        uint64_t number;
        if (!str_is(word(&rest), "incident") || !str_to_u64(rest, &number))
                stop(story, line, "expect no incident NUMBER");
        scoped_ptr(json_decref) json_t *incident = read_incident(story, line, number);
        return !incident;
}

/* N [team X] [to R]: of those with this occasion (empty: pages). Repeats count as "repeat" alone. */
static bool expect_messages(struct story *story, const struct line *line, struct str rest, bool are_pages)
{
        uint64_t wanted, found = 0;
        struct str team = {0}, to = {0}, occasion = {0};
        if (!str_to_u64(word(&rest), &wanted))
                stop(story, line, "expect pages N, or expect messages N OCCASION");
        if (!are_pages)
                occasion = word(&rest);
        while (rest.length) {
                struct str key = word(&rest), value = word(&rest);
                if (str_is(key, "team"))
                        team = value;
                else if (str_is(key, "to"))
                        to = value;
                else
                        stop(story, line, "after the number: team X, to R");
        }
        for (size_t i = 0; i < story->seen_count; i++) {
                const struct seen *seen = &story->seen[i];
                bool fits = str_is(occasion, "repeat") ? seen->is_repeat : !seen->is_repeat && (are_pages ? seen->is_page : str_is(occasion, seen->occasion));
                fits = fits && (!team.length || str_is(team, seen->team)) && (!to.length || str_is(to, seen->receiver) || str_is(to, seen->to));
                found += fits;
        }
        return found == wanted;
}

static bool expect_reason(struct story *story, struct str wanted)
{
        struct database *reader;
        bool is_there = false;
        if (!loop_open_state(story->loop, &reader, &story->err))
                return false;
        for (uint32_t number = 1; number < 100 && !is_there; number++) {
                scoped_ptr(json_decref) json_t *reasons = decision_rows_of_number(reader, number, 100, &story->err);
                size_t i, at;
                json_t *row;
                json_array_foreach (reasons, i, row)
                        is_there |= !json_flag(row, "is_sent", true) && str_find(json_str(row, "reason"), wanted, &at);
        }
        database_close(reader);
        return is_there;
}

static bool holds(struct story *story, const struct line *line)
{
        struct str rest = line->rest, what = word(&rest);
        if (str_is(what, "incident"))
                return expect_incident(story, line, rest);
        if (str_is(what, "run"))
                return expect_run(story, line, rest);
        if (str_is(what, "done"))
                return expect_done(story, line, rest);
        if (str_is(what, "no") && str_starts_with(rest, STR("page because ")))
                return expect_reason(story, str_slice(rest, strlen("page because "), rest.length));
        if (str_is(what, "no"))
                return expect_no_incident(story, line, rest);
        if (str_is(what, "logs"))
                return expect_logs(story, line, rest);
        if (str_is(what, "templates") || str_is(what, "halves"))
                return expect_templates(story, line, rest, str_is(what, "halves"));
        if (str_is(what, "query"))
                return expect_query(story, line, rest);
        if (str_is(what, "source"))
                return expect_source(story, line, rest);
        if (str_is(what, "entity"))
                return expect_entity(story, line, rest);
        if (str_is(what, "pages") || str_is(what, "messages"))
                return expect_messages(story, line, rest, str_is(what, "pages"));
        if (str_is(what, "refused"))
                return story->was_refused;
        if (str_is(what, "accepted"))
                return !story->was_refused;
        stop(story, line, "expect logs, templates, halves, query, source, entity, incident, no incident, pages, messages, no page because, refused or accepted");
}

/* --- telling ------------------------------------------------------------------------------------------------------------ */

static const struct {
        const char *verb;
        void (*act)(struct story *story, const struct line *line);
} acts[] = {
        {"send", do_send},   {"send-metric", do_send_metric}, {"order", do_order}, {"restart", do_restart},
        {"crash", do_crash}, {"break", do_break},             {"heal", do_heal},   {"clock", do_clock},
        {"answer", do_answer}, {"approve", do_decide}, {"reject", do_decide}, {"runbook", do_runbook},
        {"acknowledge", do_incident}, {"assign", do_incident}, {"close", do_incident}, {"comment", do_incident}, {"fix", do_incident},
        {"merge", do_incident}, {"noise", do_incident}, {"reopen", do_incident}, {"resolve", do_incident}, {"use", do_use},
};

static void run_act(struct story *story, struct line *line)
{
        line->is_done = true;
        for (size_t i = 0; i < countof(acts); i++)
                if (str_is(line->verb, acts[i].verb)) {
                        acts[i].act(story, line);
                        return;
                }
        stop(story, line, "there is no such verb");
}

static void check(struct story *story, struct line *line, int64_t time_ns)
{
        bool true_now = holds(story, line);
        if (line->when == NEVER && true_now)
                stop(story, line, "this should never be true, and is");
        if (line->when == NEVER)
                return;
        if (true_now)
                line->is_done = true;
        else if (line->when == AT || time_ns >= line->time_ns)
                stop(story, line, "this is not true in time");
}

static void run_story(struct story *story)
{
        int64_t end_ns = 0;
        for (size_t i = 0; i < story->count; i++)
                end_ns = max_of(end_ns, story->lines[i].time_ns);
        for (int64_t time_ns = 0; time_ns <= end_ns; time_ns += TURN_NS) {
                for (size_t i = 0; i < story->count; i++) {
                        struct line *line = &story->lines[i];
                        bool is_expectation = str_is(line->verb, "expect");
                        if (!line->is_done && !is_expectation && line->time_ns <= time_ns)
                                run_act(story, line);
                        else if (!line->is_done && is_expectation && (line->when != AT || line->time_ns <= time_ns))
                                check(story, line, time_ns);
                }
                loop_turn(story->loop);
                answer(story);
                clock_advance(&story->clock, TURN_NS);
        }
}

static bool dump_block(void *context, const struct block *block, struct err *err)
{
        (void)context, (void)err;
        printf("block %d %u %" PRIu64 " %" PRIu64 " items %016" PRIx64 " %016" PRIx64 "\n", block->kind, block->partition, block->first_item,
               block->items, hash64(block->index), hash64(block->body));
        return true;
}

/* Every block's hash and all that was decided, for comparing runs with different numbers of workers byte for byte. */
static void dump(struct story *story)
{
        loop_stop(story->loop);
        for (int kind = BLOCK_LOGS; kind <= BLOCK_METRICS; kind++) {
                struct archive_range range = {.kind = (enum block_kind)kind, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
                if (!archive_visit(loop_archive(story->loop), &range, NULL, dump_block, NULL, &story->err))
                        stop(story, NULL, story->err.message);
        }
        scoped(buf_done) struct buf rows = {0};
        if (!decided_read(FOLDER "/state.db", "scenario", &rows, &story->err))
                stop(story, NULL, story->err.message);
        printf("%.*s", STR_ARGS(buf_str(&rows)));
}

static void tell(const char *path, int workers, uint64_t seed, bool is_dump)
{
        struct story *story = calloc(1, sizeof *story);
        *story = (struct story){.path = path, .workers = workers, .seed = seed};
        arena_init(&story->arena, 0);
        clock_init_virtual(&story->clock, START_NS);
        story->disk = disk_forgetful_create();
        if (!story->disk || !vfs_register("scenario", story->disk, &story->err))
                stop(story, NULL, story->err.message);
        read_story(story);
        open_loop(story);
        run_story(story);
        if (is_dump)
                dump(story);
        loop_close(story->loop);
        vfs_unregister("scenario");
        disk_forgetful_destroy(story->disk);
        printf("%s: as told\n", path);
        arena_done(&story->arena);
        free(story);
}

int main(int argc, char **argv)
{
        uint64_t workers = 1, seed = 1;
        bool is_dump = false;
        log_set_level(LOG_LEVEL_ERROR);
        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--workers") == 0 && i + 1 < argc)
                        str_to_u64(str_of(argv[++i]), &workers);
                else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
                        str_to_u64(str_of(argv[++i]), &seed);
                else if (strcmp(argv[i], "--dump") == 0)
                        is_dump = true;
                else
                        tell(argv[i], (int)workers, seed, is_dump);
        }
        return 0;
}

/*
 * decisions - the same input, told in different ways, must be decided the same, byte for byte (docs/decisions/0006).
 *
 *      decisions [--seed S] [--steps N] [--kills N] [--rows]
 *
 * An hour or two of everything that comes in (lines for the miner, samples for detectors and rules, other tools' alerts, results of checks,
 * changes, configurations, commands, answers of receivers, approvals) goes through the real loop on a virtual clock, and all tables of the state
 * database are compared:
 *
 *      workers     one worker and four: tables, saved folds and blocks
 *      kills       cut off at step boundaries and in the middle of steps, by power and by kill, recovered, gone on: tables and saved folds
 *      journal     the journal alone, replayed in an empty folder by one recovery: tables and saved folds
 *
 * A step is one input and one tick. After a kill in the middle of a step the journal tells how much of it was committed, and the rest is sent,
 * as a sender does that was not answered.
 *
 * What may differ after a kill, and why, is all of this:
 *
 *      recording rules     what they give is fed back from memory and may miss a step, as a scrape may; so the kills are told without them
 *      is_repeat           a message without a result is sent again, and its row says so; decided.c leaves the mark out, here it is counted
 *      a running run       is interrupted, never repeated (tests/scenarios/0021); so no kill comes while a step of a runbook is out
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "decided.h"
#include "loop/command.h"
#include "loop/loop.h"
#include "observe/intake.h"
#include "observe/source.h"
#include "store/database.h"
#include "store/disk_forgetful.h"
#include "store/vfs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define VFS "decisions"
#define FOLDER "/data"
#define START_NS INT64_C(1767225600000000000)
#define STEP_NS (5 * NS_PER_S)
#define CHECKPOINT_NS (20 * 60 * NS_PER_S)
#define ALERTMANAGER 13
#define CHANGES 14
#define APPROVES(step) ((step) % 16 == 7)       /* steps in which runs are let go */
#define RUNS_END 60                             /* so many steps before the end nothing is let go any more */

struct telling {
        uint64_t seed, steps;
        int workers;
        uint64_t kills;                 /* every so many steps on average; 0: never */
        bool has_recording;
        bool keeps_journal;
        struct clock clock;
        struct disk *disk;
        struct loop *loop;
        struct buf rows;                /* all that was decided */
        uint64_t blocks, killed_within, killed_between, messages, repeats, launched;
};

static _Noreturn void stop(const char *what, const struct err *err)
{
        printf("%s: %s\n", what, err ? err->message : "");
        exit(1);
}

/* --- what comes in ------------------------------------------------------------------------------------------------------- */

static const char rules[] =
        "groups:\n"
        "- name: shop\n"
        "  interval: 15s\n"
        "  rules:\n"
        "  - alert: SlowAnswers\n"
        "    expr: answer_seconds > 8\n"
        "    for: 30s\n"
        "    labels: {severity: critical}\n"
        "    annotations: {summary: 'answers of {{ $labels.host }} take {{ $value }} s'}\n"
        "  - alert: QueueGrows\n"
        "    expr: sum by (host) (rate(jobs_total[2m])) > 1\n"
        "    keep_firing_for: 1m\n";

static const char recording[] =
        "- name: sums\n"
        "  interval: 20s\n"
        "  rules:\n"
        "  - record: shop:answer_seconds:max\n"
        "    expr: max(answer_seconds)\n"
        "  - alert: SlowShop\n"
        "    expr: shop:answer_seconds:max > 9\n";

static const char people[] =
        "receivers:\n"
        "  - { name: phone, webhook: { url: \"http://127.0.0.1:9/phone\" } }\n"
        "  - { name: chat, webhook: { url: \"http://127.0.0.1:9/chat\" } }\n"
        "people:\n"
        "  - { name: ann, contacts: [ { receiver: phone, to: ann } ] }\n"
        "  - { name: bob, contacts: [ { receiver: phone, to: bob } ] }\n"
        "on_call:\n"
        "  - name: web\n"
        "    time_zone: UTC\n"
        "    rotations: [ { people: [ ann, bob ], starts: \"2026-01-01T00:00\", every: 1d } ]\n"
        "escalations:\n"
        "  - name: up\n"
        "    levels:\n"
        "      - { after: 0s, tell: [ on_call ] }\n"
        "      - { after: 3m, tell: [ \"receiver:chat\" ] }\n"
        "teams:\n"
        "  - { name: web, on_call: web, escalation: up, receivers: [ chat ] }\n"
        "  - { name: db, receivers: [ chat ] }\n"
        "routes:\n"
        "  - { match: [ \"host=~\\\"host0|host1\\\"\" ], team: web }\n"
        "  - { match: [ \"host=host2\" ], team: db }\n"
        "inhibitions:\n"
        "  - { source: [ \"alertname=PowerSupply\" ], target: [ \"alertname=LinkDown\" ], equal: [ host ] }\n";

static const char runbooks[] =
        "runbooks:\n"
        "  - name: clear\n"
        "    sentence: Clear ${host}\n"
        "    applies_to: {alerts: [DiskFull, SlowWrites, WebCheckFailed, SlowAnswers], kinds: [host]}\n"
        "    target: host\n"
        "    parameters:\n"
        "      host: {type: entity, kind: host}\n"
        "    guards: {target_rate: {runs: 3, within: 30m}}\n"
        "    steps:\n"
        "      - {name: look, exec: [/usr/bin/ctl, look, '${host}']}\n"
        "      - {name: rest, wait: 10s}\n"
        "      - {name: clear, exec: [/usr/bin/ctl, clear, '${host}'], retry: {times: 1, backoff: 5s}}\n"
        "    verify: {after: 10s, within: 2m, stays: 10s}\n";

static json_t *file_of(const char *name, struct str text)
{
        struct err err = {0};
        json_t *tree = yaml_parse(text, name, &err);
        if (!tree)
                stop(name, &err);
        return json_pack("{s:s, s:o}", "name", name, "tree", tree);
}

static json_t *content_of(const struct telling *telling, bool is_second)
{
        scoped(buf_done) struct buf text = {0};
        buf_text(&text, rules);
        if (telling->has_recording)
                buf_text(&text, recording);
        if (is_second)
                buf_text(&text, "- name: later\n  rules:\n  - alert: Absent\n    expr: absent(never_there)\n    for: 1m\n");
        return json_pack("{s:{s:[o, o, o]}}", "content", "files", file_of("shop.yaml", buf_str(&text)), file_of("people.yaml", str_of(people)),
                         file_of("runbooks.yaml", str_of(runbooks)));
}

/* Lines of a few templates, with numbers in them. */
static void put_lines(struct rng *rng, int64_t now_ns, struct buf *out)
{
        static const char *const texts[][2] = {{"GET /basket/", "200 in ms"}, {"user signed in", "from address"}, {"job took", "seconds"},
                                               {"connection refused", "by peer"}, {"payment failed", "with code"}};
        char time[CLOCK_RFC3339_BYTES];
        clock_rfc3339(now_ns, 6, time);
        for (uint64_t left = 1 + rng_below(rng, 20); left > 0; left--) {
                size_t text = rng_below(rng, countof(texts));
                buf_printf(out, "<%u>1 %s host%u app%u - - - %s %u %s %u\n", 8 + (unsigned)rng_below(rng, 7), time, (unsigned)rng_below(rng, 4),
                           (unsigned)rng_below(rng, 3), texts[text][0], (unsigned)rng_below(rng, 90000), texts[text][1], (unsigned)rng_below(rng, 250));
        }
}

/* A few series that swing, and now and then leave their range for minutes. */
static void put_samples(struct rng *rng, uint64_t step, struct buf *out)
{
        for (unsigned host = 0; host < 4; host++) {
                bool is_bad = (step / 40 + host) % 7 == 3;
                buf_printf(out, "answer_seconds{host=\"host%u\"} %.3f\n", host, 3 + sin((double)step / 30 + host) + rng_unit(rng) + (is_bad ? 6 : 0));
                buf_printf(out, "jobs_total{host=\"host%u\",instance=\"host%u:9100\"} %" PRIu64 "\n", host, host, step * (is_bad ? 10 : 2));
                buf_printf(out, "node_filesystem_avail_bytes{instance=\"host%u:9100\",mountpoint=\"/srv\",device=\"/dev/sda\",fstype=\"ext4\"} %" PRIu64 "\n", host,
                           100000000 - step * 20000 * host);
        }
}

static void put_alerts(struct rng *rng, int64_t now_ns, struct buf *out)
{
        static const char *const names[] = {"DiskFull", "SlowWrites", "CertificateExpires", "LinkDown", "PowerSupply"};
        for (uint64_t left = 1 + rng_below(rng, 3); left > 0; left--) {
                char starts[CLOCK_RFC3339_BYTES], ends[CLOCK_RFC3339_BYTES];
                bool is_over = rng_below(rng, 2);
                clock_rfc3339(now_ns - (int64_t)rng_below(rng, 60) * NS_PER_S - NS_PER_S, 3, starts);
                clock_rfc3339(is_over ? now_ns : now_ns + 600 * NS_PER_S, 3, ends);
                buf_printf(out, "%s{\"labels\":{\"alertname\":\"%s\",\"host\":\"host%u\",\"severity\":\"%s\"},\"annotations\":{\"summary\":\"seen\"},"
                           "\"startsAt\":\"%s\",\"endsAt\":\"%s\"}", out->length ? "," : "[", names[rng_below(rng, countof(names))],
                           (unsigned)rng_below(rng, 4), rng_below(rng, 2) ? "critical" : "warning", starts, ends);
        }
        buf_text(out, "]");
}

static void put_checks(struct rng *rng, struct buf *out)
{
        static const char *const states[] = {"ok", "ok", "warning", "critical"};
        buf_printf(out, "[{\"check\":\"web\",\"alert\":\"WebCheckFailed\",\"labels\":{\"check\":\"web\",\"host\":\"host%u\"},\"state\":\"%s\",\"hard\":true,"
                   "\"new\":true,\"duration_s\":0.5,\"text\":\"looked\"}]", (unsigned)rng_below(rng, 4), states[rng_below(rng, countof(states))]);
}

static void put_change(struct rng *rng, struct buf *out)
{
        buf_printf(out, "{\"title\":\"version %u\",\"host\":\"host%u\",\"kind\":\"deployment\"}", (unsigned)rng_below(rng, 1000), (unsigned)rng_below(rng, 4));
}

static bool offer(struct telling *telling, uint16_t format, const char *source, struct str settings, struct str body)
{
        struct err err = {0};
        struct batch *batch = batch_create(format, str_of(source), &err);
        batch->bytes = arena_str(&batch->arena, body);
        batch->settings = arena_str(&batch->arena, settings);
        batch->received_ns = clock_now_ns(&telling->clock);
        return intake_offer(loop_intake(telling->loop), batch, NULL, NULL, &err) || disk_stopped(telling->disk) || (stop("an offer", &err), false);
}

static const char change_mapping[] = "{\"change\":{\"kind\":\"$.kind\",\"title\":\"$.title\",\"labels\":{\"host\":\"$.host\"}}}";

/* What people do: about incidents that may be there, about the register, and a few that are refused. */
static void order(struct telling *telling, struct rng *rng, uint64_t step)
{
        static const char *const verbs[] = {"incident_acknowledge", "incident_comment", "incident_resolve", "incident_reopen", "incident_close",
                                             "incident_reroute", "incident_noise", "incident_fix", "incident_team_approve", "incident_cause", "incident_split",
                                             "incident_severity", "incident_assign"};
        char name[32];
        snprintf(name, sizeof name, "n%" PRIu64, step);
        json_t *arguments = NULL, *result = NULL;
        const char *verb = NULL;
        switch (rng_below(rng, 8)) {
        case 0:
                verb = "entity_create";
                arguments = json_pack("{s:s, s:{s:s}}", "kind", "team", "fields", "name", name);
                break;
        case 1:
                verb = "user_create";
                arguments = json_pack("{s:s, s:s, s:s}", "name", name, "role", "viewer", "password_hash", "$argon2id$x");
                break;
        case 2:
                verb = "no_such_thing";
                break;
        case 3:
                verb = "incident_merge";
                arguments = json_pack("{s:i, s:i}", "incident", 1 + (int)rng_below(rng, 8), "into", 1 + (int)rng_below(rng, 8));
                break;
        default:
                verb = verbs[rng_below(rng, countof(verbs))];
                arguments = json_pack("{s:i, s:s, s:s, s:s}", "incident", 1 + (int)rng_below(rng, 8), "text", name, "team", step % 2 ? "web" : "db", "kind", "true");
        }
        loop_command(telling->loop, verb, arguments, "decisions", &result, &(struct err){0});
        json_decref(result);
}

/* The first number that the state database has for the question, 0: none. */
static int64_t ask_state(struct telling *telling, const char *sql)
{
        struct err err = {0};
        struct database *reader;
        if (!loop_open_state(telling->loop, &reader, &err))
                stop("opening the state", &err);
        struct query query = {0};
        int64_t answer = query_begin(&query, reader, sql, &err) && query_step(&query, &err) ? query_i64(&query, 0) : 0;
        if (err.message[0])
                stop(sql, &err);
        query_done(&query);
        database_close(reader);
        return answer;
}

/* A receiver says what became of the oldest message that waits for it. */
static bool answer_message(struct telling *telling, struct rng *rng)
{
        static const char *const outcomes[] = {"sent", "sent", "sent", "failed", "given_up"};
        int64_t message = ask_state(telling, "SELECT min(id) FROM notify_outbox WHERE state = 0");
        char id[24];
        json_t *result = NULL;
        if (!message)
                return false;
        snprintf(id, sizeof id, "%" PRId64, message);
        loop_command(telling->loop, "notification_result", json_pack("{s:s, s:s}", "id", id, "outcome", outcomes[rng_below(rng, countof(outcomes))]), "evenkeel", &result,
                     &(struct err){0});
        json_decref(result);
        return true;
}

/* A run that waits is let go or refused; or an older one is judged. */
static bool decide_run(struct telling *telling, struct rng *rng, uint64_t step)
{
        uint64_t way = rng_below(rng, 6);
        int64_t run = ask_state(telling, way < 5 ? "SELECT min(number) FROM run WHERE state = 'proposed'" : "SELECT max(number) FROM run WHERE state = 'succeeded'");
        json_t *result = NULL, *arguments = json_pack("{s:I, s:s, s:s}", "run", (json_int_t)run, "why", "it looks right", "outcome", "failed");
        if (!run || step + RUNS_END > telling->steps) {
                json_decref(arguments);
                return false;
        }
        loop_command(telling->loop, way < 4 ? "run_approve" : way < 5 ? "run_reject" : "run_judge", arguments, "decisions", &result, &(struct err){0});
        json_decref(result);
        return true;
}

/* The input of a step, a function of seed and step alone; then its tick, which a command brings with it. */
static void take_step(struct telling *telling, uint64_t step)
{
        struct rng rng = {telling->seed * 1000003 + step};
        scoped(buf_done) struct buf body = {0};
        int64_t now_ns = clock_now_ns(&telling->clock);
        uint64_t what = rng_below(&rng, 32);
        if (step == 0 || step == telling->steps / 2) {
                struct err err = {0};
                if (!loop_command(telling->loop, "configure", content_of(telling, step > 0), "configuration", NULL, &err) && !disk_stopped(telling->disk))
                        stop("the configuration", &err);
                return;
        }
        if ((APPROVES(step) && decide_run(telling, &rng, step)) || (step % 3 == 1 && answer_message(telling, &rng)))
                return;
        if (what < 3) {
                order(telling, &rng, step);
                return;
        }
        if (step % 2) {
                put_samples(&rng, step, &body);
                offer(telling, SOURCE_SCRAPE, "scrape:shop", STR(""), buf_str(&body));
        } else if (what < 20) {
                put_lines(&rng, now_ns, &body);
                offer(telling, SOURCE_SYSLOG, "syslog-tcp", STR(""), buf_str(&body));
        } else if (what < 26) {
                put_alerts(&rng, now_ns, &body);
                offer(telling, ALERTMANAGER, "prometheus", STR(""), buf_str(&body));
        } else if (what < 29) {
                put_checks(&rng, &body);
                offer(telling, SOURCE_CHECK, "check:web", STR(""), buf_str(&body));
        } else {
                put_change(&rng, &body);
                offer(telling, CHANGES, "changes", str_of(change_mapping), buf_str(&body));
        }
        loop_turn(telling->loop);
}

/* --- telling it ----------------------------------------------------------------------------------------------------------- */

static bool give_up(void *context)
{
        struct telling *telling = context;
        return !disk_stopped(telling->disk);
}

static void hear(void *context, const struct outgoing *outgoing)
{
        struct telling *telling = context;
        telling->messages++;
        telling->repeats += outgoing->is_repeat;
}

/* What a host answers: a function of what is asked, and some of it bad. */
static bool launch(void *context, const struct launch *launch, struct arena *arena, struct launch_result *out_result, struct err *err)
{
        (void)arena, (void)err;
        struct telling *telling = context;
        telling->launched++;
        *out_result = (struct launch_result){.status = str_is(launch->words[1], "clear") && str_is(launch->words[2], "host3"), .output = STR("done")};
        return true;
}

static void open_loop(struct telling *telling)
{
        struct err err = {0};
        struct loop_options options = {.directory = FOLDER, .disk = telling->disk, .vfs = VFS, .clock = &telling->clock, .workers = telling->workers,
                                       .checkpoint_ns = CHECKPOINT_NS, .segment_bytes = 65536, .keep_journal = telling->keeps_journal,
                                       .hands = {.launch = launch, .context = telling}, .steps_in_turn = true, .delivery = {.fake = hear, .fake_context = telling},
                                       .stalled = give_up, .stalled_context = telling};
        if (!loop_open(&options, &telling->loop, &err))
                stop("opening", &err);
}

static uint64_t last_committed(struct telling *telling)
{
        struct journal_stats stats;
        journal_read_stats(loop_journal(telling->loop), &stats);
        return stats.last_committed;
}

static void come_back(struct telling *telling, uint64_t seed)
{
        if (seed % 2)
                disk_crash(telling->disk, seed);
        else
                disk_kill(telling->disk);
        loop_close(telling->loop);
        open_loop(telling);
}

/* A step in which the disk stops. What was committed of it is decided by the recovery; the rest is sent again. */
static void take_broken_step(struct telling *telling, uint64_t step, struct rng *rng)
{
        uint64_t before = last_committed(telling);
        disk_stop_nth(telling->disk, 1 + rng_below(rng, 12));
        take_step(telling, step);
        telling->killed_within += disk_stopped(telling->disk);
        come_back(telling, rng_u64(rng));
        uint64_t committed = last_committed(telling) - before;
        if (committed > 2)
                stop("a step has more than an input and a tick", NULL);
        if (committed == 0)
                take_step(telling, step);
        else if (committed == 1)
                loop_turn(telling->loop);
}

static bool add_block(void *context, const struct block *block, struct err *err)
{
        (void)err;
        scoped(buf_done) struct buf text = {0};
        uint64_t *sum = context;
        buf_printf(&text, "%" PRIx64 " %d %u %" PRIu64 " %" PRIu64 " %016" PRIx64 " %016" PRIx64, *sum, block->kind, block->partition, block->first_item,
                   block->items, hash64(block->index), hash64(block->body));
        *sum = hash64(buf_str(&text));
        return true;
}

/* A checkpoint saves the folds; then all is read. */
static void read_all(struct telling *telling)
{
        struct err err = {0};
        if (!loop_checkpoint(telling->loop, 0, &err))
                stop("the last checkpoint", &err);
        if (!decided_read(FOLDER "/state.db", VFS, &telling->rows, &err))
                stop("reading what was decided", &err);
        for (int kind = BLOCK_LOGS; kind <= BLOCK_METRICS; kind++) {
                struct archive_range range = {.kind = (enum block_kind)kind, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
                if (!archive_visit(loop_archive(telling->loop), &range, NULL, add_block, &telling->blocks, &err))
                        stop("reading blocks", &err);
        }
}

static void begin(struct telling *telling)
{
        struct err err = {0};
        if (!(telling->disk = disk_forgetful_create()) || !vfs_register(VFS, telling->disk, &err))
                stop("the disk", &err);
}

static void end(struct telling *telling)
{
        loop_close(telling->loop);
        vfs_unregister(VFS);
        telling->loop = NULL;
}

static bool has_step_out(struct telling *telling)
{
        return ask_state(telling, "SELECT count(*) FROM run WHERE state IN ('approved', 'running')") > 0;
}

static void tell(struct telling *telling)
{
        struct rng rng = {telling->seed * 77 + telling->kills};
        clock_init_virtual(&telling->clock, START_NS);
        begin(telling);
        open_loop(telling);
        for (uint64_t step = 0; step < telling->steps; step++) {
                clock_advance(&telling->clock, STEP_NS);
                uint64_t kind = telling->kills ? rng_below(&rng, 2 * telling->kills) : UINT64_MAX;
                if (kind < 2 && (APPROVES(step) || has_step_out(telling)))
                        kind = UINT64_MAX;
                if (kind == 0) {
                        telling->killed_between++;
                        come_back(telling, rng_u64(&rng));
                }
                if (kind == 1)
                        take_broken_step(telling, step, &rng);
                else
                        take_step(telling, step);
        }
        read_all(telling);
        end(telling);
}

/* --- the journal alone ---------------------------------------------------------------------------------------------------- */

struct copying {
        struct disk *from, *to;
};

static void copy_file(void *context, const char *name)
{
        struct copying *copying = context;
        char path[300];
        uint64_t bytes = 0;
        size_t count = 0;
        struct err err = {0};
        snprintf(path, sizeof path, FOLDER "/journal/%s", name);
        struct disk_file *from = disk_open(copying->from, path, DISK_READ, &err), *to = disk_open(copying->to, path, DISK_CREATE, &err);
        char *whole = from && to && disk_size(from, &bytes, &err) ? malloc(bytes + 1) : NULL;
        if (!whole || !disk_read(from, whole, bytes, 0, &count, &err) || !disk_write(to, whole, count, 0, &err))
                stop("copying the journal", &err);
        free(whole);
        disk_close(from);
        disk_close(to);
}

static void tell_from_journal(struct telling *telling, struct disk *from)
{
        struct err err = {0};
        begin(telling);
        struct copying copying = {from, telling->disk};
        if (!disk_make_directory(telling->disk, FOLDER "/journal", &err) || !disk_list(from, FOLDER "/journal", copy_file, &copying, &err))
                stop("copying the journal", &err);
        clock_init_virtual(&telling->clock, START_NS + (int64_t)telling->steps * STEP_NS);
        open_loop(telling);
        read_all(telling);
        end(telling);
}

/* --- comparing ------------------------------------------------------------------------------------------------------------ */

static void finish(struct telling *telling)
{
        disk_forgetful_destroy(telling->disk);
        buf_done(&telling->rows);
}

static bool is_equal(const char *what, const struct telling *one, const struct telling *other)
{
        char difference[1200];
        if (!decided_differ(buf_str(&one->rows), buf_str(&other->rows), difference))
                return true;
        printf("seed %" PRIu64 ": %s decide differently:%s\n", one->seed, what, difference);
        return false;
}

static size_t count_rows(struct str rows, const char *table)
{
        size_t count = 0;
        struct str line;
        while (rows.length && (str_cut(&rows, '\n', &line), true))
                count += str_starts_with(line, str_of(table));
        return count;
}

static bool compare_workers(uint64_t seed, uint64_t steps)
{
        struct telling one = {.seed = seed, .steps = steps, .workers = 1, .has_recording = true}, four = one;
        four.workers = 4;
        tell(&one);
        tell(&four);
        bool good = is_equal("one worker and four", &one, &four);
        if (good && one.blocks != four.blocks)
                good = !printf("seed %" PRIu64 ": one worker and four store different blocks\n", seed);
        finish(&one);
        finish(&four);
        return good;
}

static bool compare_replayed(uint64_t seed, uint64_t steps, bool is_shown)
{
        struct telling whole = {.seed = seed, .steps = steps, .workers = 1, .keeps_journal = true}, replayed = whole;
        replayed.workers = 4;
        tell(&whole);
        tell_from_journal(&replayed, whole.disk);
        bool good = is_equal("a run and the replay of its journal", &whole, &replayed);
        if (is_shown)
                printf("%.*s", STR_ARGS(buf_str(&whole.rows)));
        finish(&whole);
        finish(&replayed);
        return good;
}

/* Each kind of thing happened often enough for equality to mean something. */
static bool is_eventful(const struct telling *telling)
{
        static const char *const tables[] = {"row audit", "row engage_alert", "row engage_group", "row engage_incident", "row engage_seen", "row entity ", "row fold", "row model_ledger", "row notify_outbox",
                                             "row notify_pursuit", "row notify_decision", "row run ", "row run_step", "row rule_alert"};
        for (size_t i = 0; i < countof(tables); i++)
                if (!count_rows(buf_str(&telling->rows), tables[i]))
                        return !printf("seed %" PRIu64 ": there is no %s\n", telling->seed, tables[i]);
        return true;
}

static bool compare_killed(uint64_t seed, uint64_t steps, uint64_t kills)
{
        struct telling whole = {.seed = seed, .steps = steps, .workers = 1}, cut = whole;
        cut.kills = kills;
        cut.workers = 4;
        tell(&whole);
        tell(&cut);
        bool good = is_equal("a run and the same run with kills", &whole, &cut) && is_eventful(&whole);
        if (good && !(cut.killed_within && cut.repeats && whole.launched))
                good = !printf("seed %" PRIu64 ": no kill in the middle of a step, no message sent again, or no step of a runbook\n", seed);
        if (good && cut.launched != whole.launched)
                good = !printf("seed %" PRIu64 ": steps of runbooks are done %" PRIu64 " times, with kills %" PRIu64 " times\n", seed, whole.launched, cut.launched);
        if (good)
                printf("seed %" PRIu64 ": %zu rows equal; %" PRIu64 " kills in the middle of a step, %" PRIu64 " between steps; %" PRIu64 " messages and %" PRIu64
                       " sent again; %" PRIu64 " steps of runbooks\n", seed, count_rows(buf_str(&whole.rows), "row "), cut.killed_within, cut.killed_between, whole.messages,
                       cut.repeats, whole.launched);
        finish(&whole);
        finish(&cut);
        return good;
}

int main(int argc, char **argv)
{
        uint64_t seed = 1, steps = 900, kills = 6;
        bool is_shown = false;
        log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
        for (int i = 1; i < argc; i++) {
                const char *value = i + 1 < argc ? argv[i + 1] : NULL;
                if (strcmp(argv[i], "--rows") == 0)
                        is_shown = true;
                else if (!(value && strcmp(argv[i], "--seed") == 0 && str_to_u64(str_of(argv[++i]), &seed)) &&
                         !(value && strcmp(argv[i], "--steps") == 0 && str_to_u64(str_of(argv[++i]), &steps)) &&
                         !(value && strcmp(argv[i], "--kills") == 0 && str_to_u64(str_of(argv[++i]), &kills)))
                        return fprintf(stderr, "usage: %s [--seed S] [--steps N] [--kills N] [--rows]\n", argv[0]), 2;
        }
        bool good = compare_workers(seed, steps);
        good = compare_replayed(seed, steps, is_shown) && good;
        return compare_killed(seed, steps, kills) && good ? 0 : 1;
}

/* story_loop.c - stories of what decides: accounts and their audit, the door, and the start after a crash. */
#include "story.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "loop/command.h"
#include "loop/loop.h"
#include "loop/state_table.h"
#include "loop/verbs.h"
#include "model/batch.h"
#include "observe/intake.h"
#include "observe/source.h"
#include "register/account.h"
#include "store/disk_forgetful.h"
#include "store/journal.h"
#include "store/logs.h"

#include <stdlib.h>
#include <string.h>

#define START_NS (INT64_C(1767225600) * NS_PER_S)
#define STATE FOLDER "/state.db"
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* --- accounts: commands, their audit, the copy that requests read ------------------------------------------------------ */

static const struct { const char *verb, *arguments; } orders[] = {
        {"user_create", "{\"name\":\"ann\",\"role\":\"admin\",\"password_hash\":\"$argon2id$x\"}"},
        {"user_create", "{\"name\":\"bob\",\"role\":\"viewer\",\"password_hash\":\"$argon2id$y\"}"},
        {"user_set_role", "{\"name\":\"bob\",\"role\":\"operator\"}"},
        {"session_create", "{\"user\":\"bob\",\"hash\":\"" HASH "\"}"},
        {"token_create", "{\"id\":\"t\",\"name\":\"n\",\"hash\":\"" HASH "\",\"scopes\":2,\"created_by\":\"bob\"}"},
        {"user_disable", "{\"name\":\"bob\"}"},
        {"token_revoke", "{\"id\":\"t\"}"},
};
static json_t *arguments[countof(orders)];
static struct database *state;
static struct accounts *accounts;

void begin_accounts(void)
{
        world_begin();
        for (size_t i = 0; i < countof(orders); i++)
                arguments[i] = json_parse(str_of(orders[i].arguments), NULL);
}

/* As the loop does it: the change and its row of the audit log, both or none. */
static bool apply(size_t number, struct err *err)
{
        json_t *result = NULL;
        struct audit_row row = {number + 1, START_NS, STR("story"), str_of(orders[number].verb), str_of(orders[number].arguments), STR("done")};
        bool good = database_begin(state, err) && verb_find(orders[number].verb)(state, orders[number].verb, arguments[number], START_NS, &result, err) &&
                    state_append_audit(state, &row, err) && database_commit(state, err);
        if (!good)
                database_rollback(state);
        json_decref(result);
        return good;
}

static void expect_accounts(void)
{
        struct asker asker;
        uint64_t rows = 0;
        json_t *users = NULL, *tokens = NULL;
        insist(accounts_load(accounts, state, START_NS, &err));
        insist((json_decref(users), users = accounts_users(accounts)) || (fail_memory(&err, "story", 1), false));
        insist((json_decref(tokens), tokens = accounts_tokens(accounts)) || (fail_memory(&err, "story", 1), false));
        if (json_array_size(users) != 2 || json_array_size(tokens) != 1 || accounts_user_count(accounts) != 2)
                broken("%zu users and %zu tokens after two and one were made", json_array_size(users), json_array_size(tokens));
        if (!json_flag(json_array_get(users, 1), "disabled", false) || !str_is(json_str(json_array_get(users, 1), "role"), "operator"))
                broken("the second user is not as the commands left it");
        if (accounts_by_session(accounts, STR("x"), START_NS, &asker))
                broken("a session nobody has is known");
        insist(state_verify_audit(state, &rows, &err));
        if (rows != countof(orders))
                broken("%llu rows in the audit log", (unsigned long long)rows);
        json_decref(users);
        json_decref(tokens);
}

void live_accounts(void)
{
        insist(state_open(STATE, VFS, &state, &err));
        insist(accounts_create(&accounts, &err));
        for (size_t i = 0; i < countof(orders); i++)
                insist(apply(i, &err));
        expect_accounts();
        insist(database_checkpoint(state, &err));
        database_close(state);
}

void end_accounts(void)
{
        disk_crash(world.memory, world.seed);
        insist(state_open(STATE, VFS, &state, &err));
        expect_accounts();
        database_close(state);
        accounts_destroy(accounts);
        for (size_t i = 0; i < countof(orders); i++)
                json_decref(arguments[i]);
        world_end();
}

/* --- intake: the door ---------------------------------------------------------------------------------------------------- */

#define LOGS_FORMAT 10 /* otlp_logs_json: repeats are recognised */

static struct clock virtual_clock;
static struct intake *intake;
static struct journal *journal;
static size_t delivered;
static int answers; /* +1: committed, -1: not, 0: none yet */

static void deliver(void *context, struct batch *batch, uint64_t sequence, int64_t time_ns)
{
        (void)context, (void)sequence;
        delivered++;
        intake_stored(intake, batch, time_ns);
}

static void note_answer(void *context, const struct batch *batch, const struct err *err)
{
        (void)context, (void)batch;
        if (answers)
                broken("an offer was answered twice");
        if (err)
                step_failed("offering", err);
        answers = err ? -1 : 1;
}

void begin_intake(void)
{
        world_begin();
        clock_init_virtual(&virtual_clock, START_NS);
        delivered = 0;
}

static bool offer(uint16_t format, struct str bytes, struct err *err)
{
        struct batch *batch = batch_create(format, format == LOGS_FORMAT ? STR("shop") : STR("scrape"), err);
        if (!batch)
                return false;
        batch->received_ns = START_NS;
        batch->cursor = STR("place 7");
        batch->bytes = arena_str(&batch->arena, bytes);
        answers = 0;
        if (!batch->bytes.bytes) {
                batch_destroy(batch);
                return fail_memory(err, "story", bytes.length);
        }
        if (!intake_offer(intake, batch, note_answer, NULL, err)) {
                clock_advance(&virtual_clock, 2 * NS_PER_S); /* a journal that failed takes again after a second */
                journal_commit_now(journal);
                return false;
        }
        journal_commit_now(journal);
        if (answers == 0)
                broken("an offer was taken and not answered");
        if (answers < 0) {
                clock_advance(&virtual_clock, 2 * NS_PER_S);
                journal_commit_now(journal);
        }
        return answers > 0 || fail(err, ERR_IO, "story", "it was not committed");
}

static const struct str two_logs = STR_INIT("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"x\"}},"
                                            "{\"body\":{\"stringValue\":\"password=hunter2\"}}]}]}]}");

static void open_intake(void)
{
        struct intake_options options = {.clock = &virtual_clock, .deliver = deliver};
        struct journal_options journal_options = {.segment_bytes = 1 << 16, .reserve_bytes = 4096};
        insist(intake_create(&options, &intake, &err));
        insist(journal_open(world.disk, FOLDER, &virtual_clock, &journal_options, &journal, &err));
        intake_connect(intake, journal);
}

static void expect_intake(void)
{
        static struct source_counters sources[8];
        struct intake_stats stats;
        intake_read_stats(intake, &stats);
        if (stats.bytes_waiting)
                broken("%llu bytes wait, and nothing is on its way", (unsigned long long)stats.bytes_waiting);
        if (intake_list_sources(intake, sources, 8) > 2)
                broken("there are more sources than were named");
}

/* Everything that a restart needs is in what is saved, or nothing is. */
static json_t *saved_intake(void)
{
        json_t *saved = NULL;
        insist((saved = intake_save(intake)) || (fail_memory(&err, "story", 1), false));
        if (json_array_size(json_object_get(saved, "sources")) > 2)
                broken("more sources are saved than there are");
        return saved;
}

void live_intake(void)
{
        open_intake();
        insist(offer(LOGS_FORMAT, two_logs, &err));
        insist(offer(SOURCE_SCRAPE, STR("up 1\nup{x=\"2\"} 3\n"), &err));
        expect_intake();
        if (delivered != 2)
                broken("%zu batches were delivered of two that were acknowledged", delivered);
        intake_tick(intake, START_NS);

        static struct source_counters sources[8];
        size_t known = intake_list_sources(intake, sources, 8), with_cursor = 0;
        for (size_t i = 0; i < known; i++) {
                scoped(arena_done) struct arena arena = {0};
                with_cursor += source_cursor(intake, str_of(sources[i].name), &arena).length > 0;
        }
        json_t *saved = saved_intake();
        size_t i, saved_cursors = 0;
        json_t *one;
        json_array_foreach(json_object_get(saved, "sources"), i, one)
                saved_cursors += json_is_string(json_object_get(one, "cursor"));
        if (i != known || saved_cursors < with_cursor)
                broken("%zu sources are saved of %zu, %zu cursors of %zu", i, known, saved_cursors, with_cursor);
        journal_close(journal);
        intake_destroy(intake);

        open_intake();
        insist(intake_restore(intake, saved, &err));
        json_decref(saved);
        insist(offer(LOGS_FORMAT, two_logs, &err));
        expect_intake();
        struct intake_stats stats;
        intake_read_stats(intake, &stats);
        if (stats.duplicates + (delivered - 2) != 1)
                broken("the batch that was sent again was taken %zu times and recognised %llu times", delivered - 2, (unsigned long long)stats.duplicates);
        journal_close(journal);
        intake_destroy(intake);
}

void end_intake(void)
{
        world_end();
}

/* --- recovery ------------------------------------------------------------------------------------------------------------ */

static struct loop *loop;
static size_t lines_sent, users_made;

static bool go_on(void *context)
{
        (void)context;
        return true;
}

static bool open_loop(struct err *err)
{
        struct loop_options options = {.directory = FOLDER, .disk = world.disk, .vfs = VFS, .clock = &virtual_clock,
                                       .segment_bytes = 1 << 14, .stalled = go_on};
        return loop_open(&options, &loop, err);
}

static void send_line(const char *text)
{
        struct err err = {0};
        struct batch *batch = batch_create(SOURCE_SYSLOG, STR("syslog"), &err);
        batch->received_ns = clock_now_ns(&virtual_clock);
        batch->bytes = arena_str(&batch->arena, str_of(text));
        if (!intake_offer(loop_intake(loop), batch, NULL, NULL, &err))
                broken("%s", err.message);
        lines_sent++;
        loop_turn(loop);
        clock_advance(&virtual_clock, NS_PER_S);
}

static void make_user(const char *name)
{
        struct err err = {0};
        json_t *user = json_pack("{s:s, s:s, s:s}", "name", name, "role", "admin", "password_hash", "$argon2id$x");
        if (!loop_command(loop, "user_create", user, "story", NULL, &err))
                broken("%s", err.message);
        users_made++;
}

/* A checkpoint with some telemetry and a user; more of both after it; then the power fails. */
void begin_recovery(void)
{
        struct err err = {0};
        world_begin();
        clock_init_virtual(&virtual_clock, START_NS);
        lines_sent = users_made = 0;
        if (!open_loop(&err))
                broken("%s", err.message);
        send_line("<13>1 2026-01-01T00:00:00Z web nginx - - - one\n");
        make_user("ann");
        if (!loop_checkpoint(loop, 1000, &err))
                broken("%s", err.message);
        send_line("<13>1 2026-01-01T00:00:01Z web nginx - - - two\n");
        make_user("bob");
        send_line("<13>1 2026-01-01T00:00:02Z db su - - - three\n");
        loop_turn(loop);
        disk_crash(world.memory, world.seed);
        loop_close(loop);
}

static bool count_row(void *context, const struct log_row *row)
{
        (void)row;
        ++*(size_t *)context;
        return true;
}

/* None was refused when it was given, so none may be found refused. */
static bool check_outcome(void *context, const struct audit_row *row, struct err *err)
{
        (void)context, (void)err;
        if (!str_is(row->outcome, "done"))
                broken("%.*s is in the audit log with the outcome: %.*s", STR_ARGS(row->verb), STR_ARGS(row->outcome));
        return true;
}

static void expect_recovered(void)
{
        size_t rows;
        uint64_t audit_rows = 0;
        struct database *reader = NULL;
        struct log_select select = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
        struct log_select_stats stats;
        insist((rows = 0, logs_select(loop_logs(loop), &select, count_row, &rows, &stats, &err)));
        insist(loop_open_state(loop, &reader, &err));
        insist(state_verify_audit(reader, &audit_rows, &err) && state_visit_audit(reader, &(struct audit_filter){.limit = 100}, check_outcome, NULL, &err));
        database_close(reader);
        if (rows != lines_sent || audit_rows != users_made)
                broken("%zu lines and %llu commands of %zu and %zu acknowledged", rows, (unsigned long long)audit_rows, lines_sent, users_made);
}

void live_recovery(void)
{
        insist(open_loop(&err));
        expect_recovered();
        insist(loop_checkpoint(loop, 1000, &err));
        expect_recovered();
        loop_stop(loop);
        loop_close(loop);
}

void end_recovery(void)
{
        disk_crash(world.memory, world.seed + 1);
        insist(open_loop(&err));
        expect_recovered();
        make_user("eve");
        send_line("<13>1 2026-01-01T00:00:03Z db su - - - four\n");
        expect_recovered();
        loop_close(loop);
        world_end();
}

/* state_table.c - see state_table.h. */
#include "loop/state_table.h"

#include "act/act_table.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/scope.h"
#include "engage/engage.h"
#include "engage/learning_table.h"
#include "engage/notify.h"
#include "observe/alert_budget_table.h"
#include "observe/forecast_table.h"
#include "observe/rule_table.h"
#include "register/account.h"
#include "register/entity_table.h"

#include <sodium.h>

#define CHAIN_BYTES 32

/* All of the state database, in the order in which it grew: a new step goes to the end. */
static const char *const migrations[] = {
        "CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL, time_ns INTEGER NOT NULL,"
        " saved TEXT NOT NULL);"
        "CREATE TABLE audit (sequence INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, by TEXT NOT NULL, verb TEXT NOT NULL,"
        " arguments TEXT NOT NULL, outcome TEXT NOT NULL, chain BLOB NOT NULL);",
        account_schema,
        "CREATE TABLE watermark (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL, time_ns INTEGER NOT NULL);"
        "INSERT INTO watermark SELECT 1, coalesce(max(sequence), 0), coalesce(max(time_ns), 0) FROM audit;"
        "CREATE TABLE fold (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE content (id INTEGER PRIMARY KEY CHECK (id = 1), content TEXT NOT NULL);",
        rule_schema,
        entity_schema,
        engage_schema,
        forecast_schema,
        alert_budget_schema,
        act_schema,
        rule_tick_schema,
        notify_schema,
        engage_evidence_schema,
        learning_schema,
        past_schema,
        NULL,
};

bool state_open(const char *path, const char *vfs, struct database **out_state, struct err *err)
{
        return database_open(path, vfs, migrations, out_state, err);
}

bool state_read_checkpoint(struct database *state, uint64_t *out_sequence, int64_t *out_time_ns, json_t **out_saved,
                           struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT sequence, saved, time_ns FROM checkpoint", err))
                return false;
        *out_sequence = 0;
        *out_time_ns = 0;
        *out_saved = NULL;
        if (!query_step(&query, err))
                return query_good(&query);
        json_t *saved = json_parse(query_str(&query, 1), err);
        if (!saved)
                return err_within(err, "reading the checkpoint");
        *out_sequence = (uint64_t)query_i64(&query, 0);
        *out_time_ns = query_i64(&query, 2);
        *out_saved = saved;
        return true;
}

bool state_write_checkpoint(struct database *state, uint64_t sequence, int64_t time_ns, const json_t *saved, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        scoped(query_done) struct query query = {0};
        if (!saved || !json_write(saved, &text))
                return fail_memory(err, "state", text.length);
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO checkpoint (id, sequence, time_ns, saved) VALUES (1, ?1, ?2, ?3)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)sequence);
        query_bind_i64(&query, 2, time_ns);
        query_bind_str(&query, 3, buf_str(&text));
        query_step(&query, err);
        return query_good(&query);
}

bool state_read_watermark(struct database *state, uint64_t *out_sequence, int64_t *out_time_ns, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT sequence, time_ns FROM watermark", err))
                return false;
        bool found = query_step(&query, err);
        *out_sequence = found ? (uint64_t)query_i64(&query, 0) : 0;
        *out_time_ns = found ? query_i64(&query, 1) : 0;
        return query_good(&query);
}

bool state_write_watermark(struct database *state, uint64_t sequence, int64_t time_ns, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "UPDATE watermark SET sequence = ?1, time_ns = ?2", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)sequence);
        query_bind_i64(&query, 2, time_ns);
        query_step(&query, err);
        return query_good(&query);
}

bool state_write_fold(struct database *state, const char *name, struct str bytes, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO fold (name, bytes) VALUES (?1, ?2)", err))
                return false;
        query_bind_str(&query, 1, str_of(name));
        query_bind_blob(&query, 2, bytes);
        query_step(&query, err);
        return query_good(&query);
}

bool state_read_fold(struct database *state, const char *name, struct buf *out, bool *out_found, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT bytes FROM fold WHERE name = ?1", err))
                return false;
        query_bind_str(&query, 1, str_of(name));
        *out_found = query_step(&query, err);
        if (*out_found && !buf_add(out, query_str(&query, 0)))
                return fail_memory(err, "state", query_str(&query, 0).length);
        return query_good(&query);
}

bool state_read_content(struct database *state, json_t **out_content, struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT content FROM content", err))
                return false;
        *out_content = NULL;
        if (!query_step(&query, err))
                return query_good(&query);
        json_t *content = json_parse(query_str(&query, 0), err);
        if (!content)
                return err_within(err, "reading the rules, routes and runbooks in force");
        *out_content = content;
        return true;
}

bool state_write_content(struct database *state, const json_t *content, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        scoped(query_done) struct query query = {0};
        if (!json_write(content, &text))
                return fail_memory(err, "state", text.length);
        if (!query_begin(&query, state, "INSERT OR REPLACE INTO content (id, content) VALUES (1, ?1)", err))
                return false;
        query_bind_str(&query, 1, buf_str(&text));
        query_step(&query, err);
        return query_good(&query);
}

static void hash_number(crypto_generichash_state *hash, uint64_t number)
{
        unsigned char bytes[8];
        for (int i = 0; i < 8; i++)
                bytes[i] = (unsigned char)(number >> (8 * i));
        crypto_generichash_update(hash, bytes, sizeof bytes);
}

static void hash_text(crypto_generichash_state *hash, struct str text)
{
        hash_number(hash, text.length);
        crypto_generichash_update(hash, (const unsigned char *)text.bytes, text.length);
}

static void chain(const unsigned char before[CHAIN_BYTES], const struct audit_row *row, unsigned char out_chain[CHAIN_BYTES])
{
        crypto_generichash_state hash;
        crypto_generichash_init(&hash, NULL, 0, CHAIN_BYTES);
        crypto_generichash_update(&hash, before, CHAIN_BYTES);
        hash_number(&hash, row->sequence);
        hash_number(&hash, (uint64_t)row->time_ns);
        hash_text(&hash, row->by);
        hash_text(&hash, row->verb);
        hash_text(&hash, row->arguments);
        hash_text(&hash, row->outcome);
        crypto_generichash_final(&hash, out_chain, CHAIN_BYTES);
}

static bool last_chain(struct database *state, unsigned char out_chain[CHAIN_BYTES], struct err *err)
{
        scoped(query_done) struct query query = {0};
        memset(out_chain, 0, CHAIN_BYTES);
        if (!query_begin(&query, state, "SELECT chain FROM audit ORDER BY sequence DESC LIMIT 1", err))
                return false;
        if (query_step(&query, err)) {
                struct str bytes = query_str(&query, 0);
                if (bytes.length != CHAIN_BYTES)
                        return fail(err, ERR_CORRUPT, "state", "the audit log's last row has no valid chain; restore state.db from a backup");
                memcpy(out_chain, bytes.bytes, CHAIN_BYTES);
        }
        return query_good(&query);
}

bool state_append_audit(struct database *state, const struct audit_row *row, struct err *err)
{
        unsigned char before[CHAIN_BYTES], now[CHAIN_BYTES];
        if (!last_chain(state, before, err))
                return false;
        chain(before, row, now);
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "INSERT INTO audit (sequence, time_ns, by, verb, arguments, outcome, chain)"
                                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", err))
                return false;
        query_bind_i64(&query, 1, (int64_t)row->sequence);
        query_bind_i64(&query, 2, row->time_ns);
        query_bind_str(&query, 3, row->by);
        query_bind_str(&query, 4, row->verb);
        query_bind_str(&query, 5, row->arguments);
        query_bind_str(&query, 6, row->outcome);
        query_bind_blob(&query, 7, (struct str){(const char *)now, CHAIN_BYTES});
        query_step(&query, err);
        return query_good(&query);
}

static struct audit_row row_of(struct query *query)
{
        return (struct audit_row){(uint64_t)query_i64(query, 0), query_i64(query, 1), query_str(query, 2), query_str(query, 3),
                                  query_str(query, 4), query_str(query, 5)};
}

bool state_visit_audit(struct database *state, const struct audit_filter *filter,
                       bool (*visit)(void *context, const struct audit_row *row, struct err *err), void *context,
                       struct err *err)
{
        scoped(query_done) struct query query = {0};
        if (!query_begin(&query, state, "SELECT sequence, time_ns, by, verb, arguments, outcome FROM audit"
                                        " WHERE sequence < ?1 AND (?3 = '' OR by = ?3) AND (?4 = '' OR verb = ?4) ORDER BY sequence DESC LIMIT ?2", err))
                return false;
        query_bind_i64(&query, 1, filter->before ? (int64_t)filter->before : INT64_MAX);
        query_bind_i64(&query, 2, (int64_t)filter->limit);
        query_bind_str(&query, 3, filter->by.bytes ? filter->by : STR(""));
        query_bind_str(&query, 4, filter->verb.bytes ? filter->verb : STR(""));
        while (query_step(&query, err)) {
                struct audit_row row = row_of(&query);
                if (!visit(context, &row, err))
                        return false;
        }
        return query_good(&query);
}

bool state_check_audit(struct database *state, struct str noted, struct audit_check *out_check, struct err *err)
{
        unsigned char before[CHAIN_BYTES] = {0}, now[CHAIN_BYTES];
        scoped(query_done) struct query query = {0};
        struct audit_check check = {.is_whole = true};
        _Static_assert(AUDIT_HEAD_BYTES == 2 * CHAIN_BYTES + 1, "the head is the chain in hexadecimal");
        if (!query_begin(&query, state, "SELECT sequence, time_ns, by, verb, arguments, outcome, chain FROM audit ORDER BY sequence", err))
                return false;
        sodium_bin2hex(check.head, sizeof check.head, before, CHAIN_BYTES);
        while (check.is_whole && query_step(&query, err)) {
                struct audit_row row = row_of(&query);
                struct str stored = query_str(&query, 6);
                chain(before, &row, now);
                check.is_whole = stored.length == CHAIN_BYTES && memcmp(stored.bytes, now, CHAIN_BYTES) == 0;
                if (!check.is_whole) {
                        check.broken = row.sequence;
                        break;
                }
                check.rows++;
                memcpy(before, now, CHAIN_BYTES);
                sodium_bin2hex(check.head, sizeof check.head, now, CHAIN_BYTES);
                check.has_noted |= str_is(noted, check.head);
        }
        if (!query_good(&query))
                return false;
        *out_check = check;
        return true;
}

bool state_verify_audit(struct database *state, uint64_t *out_rows, struct err *err)
{
        struct audit_check check;
        if (!state_check_audit(state, STR(""), &check, err))
                return false;
        if (!check.is_whole)
                return fail(err, ERR_CORRUPT, "state", "the audit log was changed at entry %llu or right before it; compare with a backup",
                            (unsigned long long)check.broken);
        *out_rows = check.rows;
        return true;
}

/* shadow_table.c - see shadow_table.h. What was merged counts as the incident that it went into. */
#include "engage/shadow_table.h"

#include "base/json.h"
#include "base/scope.h"
#include "engage/alert_table.h"
#include "model/incident.h"
#include "store/database.h"

#define NS_PER_HOUR 3.6e12

static const char shadow_sql[] =
        "WITH theirs AS (SELECT CASE i.state WHEN 6 THEN i.merged_into ELSE i.id END AS incident, count(*) AS told, min(t.time_ns) AS first"
        " FROM engage_timeline t JOIN engage_alert a ON a.id = t.alert JOIN engage_incident i ON i.id = t.incident"
        " WHERE a.origin = ?3 AND t.kind IN ('opened', 'alert_joined', 'alert_fired') AND t.time_ns >= ?1 AND t.time_ns < ?2 GROUP BY 1),"
        " ours AS (SELECT CASE i.state WHEN 6 THEN i.merged_into ELSE i.id END AS incident, count(DISTINCT o.created_ns || o.team || o.occasion) AS told,"
        " count(DISTINCT CASE o.is_page WHEN 1 THEN o.created_ns || o.team || o.occasion END) AS pages, min(o.created_ns) AS first"
        " FROM notify_outbox o JOIN engage_incident i ON i.id = o.incident"
        " WHERE o.occasion IN ('fired', 'worse', 'again', 'update', 'reminder', 'escalated') AND o.created_ns >= ?1 AND o.created_ns < ?2 GROUP BY 1)"
        " SELECT i.number, i.title, i.severity, i.team, coalesce(t.told, 0), coalesce(t.first, 0), coalesce(o.told, 0), coalesce(o.pages, 0), coalesce(o.first, 0),"
        " coalesce((SELECT reason FROM notify_decision d WHERE d.incident = i.id AND d.is_sent = 0 ORDER BY d.id DESC LIMIT 1), '')"
        " FROM engage_incident i LEFT JOIN theirs t ON t.incident = i.id LEFT JOIN ours o ON o.incident = i.id"
        " WHERE t.told > 0 OR o.told > 0 ORDER BY i.number LIMIT ?4";

struct sums {
        int64_t theirs, messages, pages, both, only_theirs, only_ours;
        double hours_earlier, hours_later;
};

static json_t *row_json(struct query *query, struct sums *sums)
{
        int64_t theirs = query_i64(query, 4), theirs_ns = query_i64(query, 5), messages = query_i64(query, 6), ours_ns = query_i64(query, 8);
        bool is_both = theirs && messages;
        double earlier_ns = is_both ? (double)(theirs_ns - ours_ns) : 0;
        sums->theirs += theirs;
        sums->messages += messages;
        sums->pages += query_i64(query, 7);
        sums->both += is_both;
        sums->only_theirs += !messages;
        sums->only_ours += !theirs;
        sums->hours_earlier += earlier_ns > 0 ? earlier_ns / NS_PER_HOUR : 0;
        sums->hours_later += earlier_ns < 0 ? -earlier_ns / NS_PER_HOUR : 0;
        return json_pack("{s:I, s:o, s:s, s:o, s:s, s:I, s:o, s:I, s:I, s:o, s:o, s:o}", "number", (json_int_t)query_i64(query, 0), "title",
                         json_text(query_str(query, 1)), "severity", alert_severity_name(query_i64(query, 2)), "team", json_text(query_str(query, 3)), "kind",
                         is_both ? "both" : messages ? "only_ours" : "only_theirs", "theirs", (json_int_t)theirs, "theirs_first_ns", time_ns_json(theirs_ns),
                         "messages", (json_int_t)messages, "pages", (json_int_t)query_i64(query, 7), "ours_first_ns", time_ns_json(ours_ns), "earlier_s",
                         is_both ? json_real(earlier_ns / 1e9) : json_null(), "reason", json_text(messages ? STR("") : query_str(query, 9)));
}

json_t *shadow_read(struct database *reader, int64_t from_ns, int64_t until_ns, struct err *err)
{
        scoped(query_done) struct query query = {0};
        scoped_ptr(json_decref) json_t *incidents = json_array();
        struct sums sums = {0};
        if (!query_begin(&query, reader, shadow_sql, err))
                return NULL;
        query_bind_i64(&query, 1, from_ns);
        query_bind_i64(&query, 2, until_ns);
        query_bind_i64(&query, 3, FINDING_EXTERNAL);
        query_bind_i64(&query, 4, SHADOW_ROWS_MAX);
        while (query_step(&query, err))
                if (json_array_append_new(incidents, row_json(&query, &sums)) != 0) {
                        fail_memory(err, "engage", 256);
                        return NULL;
                }
        if (!query_good(&query))
                return NULL;
        json_t *report = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:O}", "from_ns", time_ns_json(from_ns), "until_ns", time_ns_json(until_ns),
                                   "theirs", (json_int_t)sums.theirs, "messages", (json_int_t)sums.messages, "pages", (json_int_t)sums.pages, "both",
                                   (json_int_t)sums.both, "only_theirs", (json_int_t)sums.only_theirs, "only_ours", (json_int_t)sums.only_ours, "hours_earlier",
                                   sums.hours_earlier, "hours_later", sums.hours_later, "incidents", incidents);
        if (!report)
                fail_memory(err, "engage", 256);
        return report;
}

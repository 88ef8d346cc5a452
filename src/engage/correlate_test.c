/* correlate_test - which alerts become one incident, and where the trouble is said to be: streams as a file holds them. */
#include "engage/alert_stream.h"
#include "engage/cause.h"
#include "engage/correlate.h"
#include "engage/learned.h"

#include "base/json.h"
#include "base/scope.h"
#include "register/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail

#define HEAD "ts_ms,source,entity,peer,name,kind,count,text\n"

/* shop-1, shop-2 of shop on n1, n2; pay-1 of pay on n1; shop calls pay; cron stands alone on n9. */
static const char topology[] = "source,source_type,relation,target,target_type\n"
                               "shop-1,instance,instance_of,shop,service\nshop-2,instance,instance_of,shop,service\n"
                               "pay-1,instance,instance_of,pay,service\nshop,service,control_flow,pay,service\n"
                               "shop-1,instance,hosted_on,n1,host\npay-1,instance,hosted_on,n1,host\nshop-2,instance,hosted_on,n2,host\n"
                               "cron-1,instance,hosted_on,n9,host\ncron-2,instance,hosted_on,n9,host\n";

struct answer {
        json_t *incidents[64];
        size_t count;
};

static void answer_done(struct answer *answer)
{
        for (size_t i = 0; i < answer->count; i++)
                json_decref(answer->incidents[i]);
}

static struct answer correlate(const char *alerts)
{
        scoped(buf_done) struct buf out = {0};
        struct answer answer = {0};
        struct err err = {0};
        if (!alert_stream_correlate(str_of(alerts), str_of(topology), &out, &err))
                printf("%s\n", err.message);
        struct str rest = buf_str(&out), line;
        while (rest.length && str_cut(&rest, '\n', &line) && line.length)
                assert_non_null(answer.incidents[answer.count++] = json_parse(line, &err));
        return answer;
}

static size_t alerts_of(const struct answer *answer, size_t incident)
{
        return json_array_size(json_object_get(answer->incidents[incident], "alerts"));
}

static const char *cause_of(const struct answer *answer, size_t incident, size_t rank)
{
        return json_string_value(json_array_get(json_object_get(answer->incidents[incident], "causes"), rank));
}

static void alerts_near_one_another_are_one_incident_and_far_ones_another(void **unused)
{
        (void)unused;
        scoped(answer_done) struct answer answer = correlate(HEAD "1000,metric,shop-1,n1,latency,up,1,\n"
                                                                  "2000,metric,pay-1,n1,latency,up,1,\n"
                                                                  "3000,metric,cron-1,n9,memory,up,1,\n"
                                                                  "4000,trace,pay-1,shop-2,Charge,PD,1,\n"
                                                                  "5000,metric,cron-2,n9,threads,up,1,\n");
        assert_int_equal(answer.count, 2);
        assert_int_equal(alerts_of(&answer, 0), 3);
        assert_int_equal(alerts_of(&answer, 1), 2);
}

static void what_comes_long_after_is_another_incident(void **unused)
{
        (void)unused;
        scoped(answer_done) struct answer answer = correlate(HEAD "1000,metric,shop-1,n1,latency,up,1,\n"
                                                                  "900000,metric,shop-1,n1,memory,up,1,\n");
        assert_int_equal(answer.count, 2);
}

static void a_burst_of_alerts_told_again_is_a_new_incident_beside_the_old(void **unused)
{
        (void)unused;
        scoped(answer_done) struct answer answer = correlate(HEAD "1000,metric,shop-1,n1,latency,up,1,\n2000,metric,shop-2,n2,latency,up,1,\n"
                                                                  "3000,metric,pay-1,n1,latency,up,1,\n4000,metric,pay-1,n1,memory,up,1,\n"
                                                                  "80000,metric,shop-1,n1,latency,up,1,\n81000,metric,shop-2,n2,latency,up,1,\n"
                                                                  "82000,metric,pay-1,n1,latency,up,1,\n83000,metric,pay-1,n1,memory,up,1,\n");
        assert_int_equal(answer.count, 2);
        assert_int_equal(alerts_of(&answer, 0), 4);
        assert_int_equal(alerts_of(&answer, 1), 4);
}

static void what_came_in_the_same_moment_goes_to_the_incident_that_one_of_it_shows(void **unused)
{
        (void)unused;
        const char *first = "1000,metric,shop-1,n1,latency,up,1,\n2000,metric,shop-2,n2,latency,up,1,\n3000,metric,pay-1,n1,latency,up,1,\n4000,metric,pay-1,n1,memory,up,1,\n",
                   *again = "81000,metric,shop-2,n2,latency,up,1,\n82000,metric,pay-1,n1,latency,up,1,\n83000,metric,pay-1,n1,memory,up,1,\n";
        for (int apart_ms = 5; apart_ms <= 500; apart_ms *= 100) { /* the call was told nowhere before, what came with it was */
                scoped(buf_done) struct buf alerts = {0};
                buf_printf(&alerts, HEAD "%s%d,trace,pay-1,shop-1,Charge,PD,1,\n80000,metric,shop-1,n1,latency,up,1,\n%s", first, 80000 - apart_ms, again);
                buf_byte(&alerts, 0);
                scoped(answer_done) struct answer answer = correlate(alerts.bytes);
                assert_int_equal(answer.count, 2);
                assert_int_equal(alerts_of(&answer, 0), apart_ms == 5 ? 4 : 5);
                assert_int_equal(alerts_of(&answer, 1), apart_ms == 5 ? 5 : 4);
        }
}

static void one_straggler_told_again_goes_back_to_its_incident(void **unused)
{
        (void)unused;
        scoped(answer_done) struct answer answer = correlate(HEAD "1000,metric,shop-1,n1,latency,up,1,\n2000,metric,shop-2,n2,latency,up,1,\n"
                                                                  "30000,metric,shop-1,n1,latency,up,1,\n60000,metric,pay-1,n1,memory,up,1,\n");
        assert_int_equal(answer.count, 1);
}

static void like_trouble_on_unrelated_things_at_once_is_one_incident(void **unused)
{
        (void)unused;
        scoped(buf_done) struct buf alerts = {0};
        buf_text(&alerts, HEAD);
        for (int i = 0; i < 40; i++)
                buf_printf(&alerts, "%d,metric,site-%d,,certificate_expires,up,1,\n", 1000 + i * 500, i);
        buf_byte(&alerts, 0);
        scoped(answer_done) struct answer answer = correlate(alerts.bytes);
        assert_int_equal(answer.count, 1);
        assert_int_equal(alerts_of(&answer, 0), 40);
}

static void one_bad_instance_is_blamed_itself_and_all_bad_ones_what_they_share(void **unused)
{
        (void)unused;
        scoped(answer_done) struct answer one = correlate(HEAD "1000,metric,shop-1,n1,memory,up,1,\n1500,metric,shop-1,n1,threads,up,1,\n"
                                                               "2000,trace,shop-1,shop-2,Buy,PD,1,\n");
        assert_string_equal(cause_of(&one, 0, 0), "shop-1");
        scoped(answer_done) struct answer all = correlate(HEAD "1000,metric,cron-1,n9,memory,up,1,\n1001,metric,cron-2,n9,memory,up,1,\n");
        assert_string_equal(cause_of(&all, 0, 0), "n9");
}

static void an_alert_of_every_incident_says_less_than_one_never_seen(void **unused)
{
        (void)unused;
        scoped(buf_done) struct buf alerts = {0};
        buf_text(&alerts, HEAD);
        for (int i = 0; i < 6; i++) /* shop-2 is slow whatever happens */
                buf_printf(&alerts, "%d,metric,shop-2,n2,latency,up,1,\n%d,metric,pay-1,n1,latency%d,up,1,\n", i * 2000000, i * 2000000 + 100, i);
        buf_text(&alerts, "12000000,metric,shop-2,n2,latency,up,1,\n12000100,metric,shop-1,n1,disk,up,1,\n");
        buf_byte(&alerts, 0);
        scoped(answer_done) struct answer answer = correlate(alerts.bytes);
        assert_int_equal(answer.count, 7);
        assert_string_equal(cause_of(&answer, 6, 0), "shop-1");
}

static void what_an_entity_says_in_every_incident_does_not_blame_it(void **unused)
{
        (void)unused;
        scoped(buf_done) struct buf alerts = {0};
        buf_text(&alerts, HEAD);
        for (int i = 0; i < 31; i++) /* shop-2 has two new oddities each time, one of them late, whatever else is wrong */
                buf_printf(&alerts, "%d,metric,%s,n1,disk%d,up,1,\n%d,metric,shop-2,n2,odd%d,up,1,\n%d,metric,shop-2,n2,strange%d,up,1,\n", i * 2000000,
                           i == 30 ? "pay-1" : "shop-1", i, i * 2000000 + 100, i, i * 2000000 + 40000, i);
        buf_byte(&alerts, 0);
        scoped(answer_done) struct answer answer = correlate(alerts.bytes);
        assert_int_equal(answer.count, 31);
        for (size_t rank = 0; rank < 2; rank++) /* the service, which is nothing else, comes beside it */
                assert_int_equal(strncmp(cause_of(&answer, 30, rank), "pay", 3), 0);
}

static void a_source_in_another_time_zone_is_set_right(void **unused)
{
        (void)unused;
        scoped(buf_done) struct buf alerts = {0};
        buf_text(&alerts, HEAD);
        for (int i = 0; i < 12; i++)
                buf_printf(&alerts, "%d,metric,shop-1,n1,latency,up,1,\n", i * 600000);
        for (int i = 0; i < 12; i++)
                buf_printf(&alerts, "%d,log,shop-1,,7,log,1,\"failed, again\"\n", i * 600000 + 8 * 3600000 + 1000);
        buf_byte(&alerts, 0);
        scoped(answer_done) struct answer answer = correlate(alerts.bytes);
        assert_int_equal(answer.count, 12);
        assert_int_equal(alerts_of(&answer, 11), 2);
}

static void what_is_no_stream_is_refused_with_the_line(void **unused)
{
        (void)unused;
        scoped(buf_done) struct buf out = {0};
        struct err err = {0};
        assert_false(alert_stream_correlate(STR("ts_ms,source\n1,2\n"), (struct str){0}, &out, &err));
        assert_false(alert_stream_correlate(STR(HEAD "x,metric,a,,n,up,1,\n"), (struct str){0}, &out, &err));
        assert_non_null(strstr(err.message, "line 2"));
        assert_true(alert_stream_correlate(STR(HEAD), (struct str){0}, &out, &err));
        assert_int_equal(out.length, 0);
}

/* --- one correlator --------------------------------------------------------------------------------------------------------- */

static struct clue clue_on(uint64_t alert, const char *name, const char *entity, int64_t second)
{
        struct clue clue = {.alert = alert, .same = alert, .time_ns = second * 1000000000, .name = hash64(str_of(name)), .name_text = str_of(name),
                            .sort = learned_sort(str_of(name), STR("host")), .entity_count = 1};
        clue.entities[0] = (struct topology_entity){topology_id(STR("host"), str_of(entity)), STR("host"), str_of(entity)};
        return clue;
}

static void what_people_split_apart_is_not_joined_again(void **unused)
{
        (void)unused;
        struct topology nothing = {0};
        struct learned *learned;
        struct correlator *correlator;
        struct verdict verdict;
        struct err err;
        assert_true(learned_create(&learned, &err));
        assert_true(correlator_create(&nothing, learned, &correlator, &err));
        struct clue disk = clue_on(1, "DiskFull", "web1", 10), mail = clue_on(2, "MailSlow", "web1", 20);
        assert_true(correlator_place(correlator, &disk, 7, NULL, &err));
        assert_true(correlator_weigh(correlator, &mail, &verdict, &err));
        assert_int_equal(verdict.group, 7);
        assert_int_equal(verdict.reasons[0].kind, REASON_ENTITY);
        for (int i = 0; i < 8; i++)
                assert_true(learned_add(learned, learned_pair(disk.sort, mail.sort), STR("DiskFull on host"), STR("MailSlow on host"), 0, 1, 0, &err));
        assert_true(correlator_weigh(correlator, &mail, &verdict, &err));
        assert_int_equal(verdict.group, 0);
        correlator_destroy(correlator);
        learned_destroy(learned);
}

static void a_change_shortly_before_raises_what_it_touched(void **unused)
{
        (void)unused;
        struct topology nothing = {0};
        struct correlator *correlator;
        struct suspect suspects[4];
        size_t count;
        struct err err;
        assert_true(correlator_create(&nothing, NULL, &correlator, &err));
        struct clue change = clue_on(9, "deployment", "web2", 5), one = clue_on(1, "Slow", "web1", 60), other = clue_on(2, "Slow", "web2", 61);
        change.is_change = true;
        assert_true(correlator_place(correlator, &change, 0, NULL, &err));
        assert_true(correlator_place(correlator, &one, 7, NULL, &err));
        assert_true(correlator_place(correlator, &other, 7, NULL, &err));
        assert_true(correlator_suspects(correlator, 7, suspects, 4, &count, &err));
        assert_int_equal(count, 2);
        assert_true(str_is(suspects[0].name, "web2"));
        assert_int_equal(suspects[0].change, 9);
        correlator_destroy(correlator);
}

static struct graph *lend(void *graph)
{
        return graph;
}

static void what_was_changed_upstream_is_suspected_without_an_alert(void **unused)
{
        (void)unused;
        struct graph *graph;
        struct correlator *correlator;
        struct suspect suspects[4];
        size_t count;
        struct err err;
        assert_true(graph_create(64, 64, &graph, &err));
        struct clue change = clue_on(9, "deployment", "app", 5), aside = clue_on(8, "deployment", "printer", 6), page = clue_on(1, "PageFails", "front", 20);
        const struct clue *all[] = {&change, &aside, &page};
        for (size_t i = 0; i < countof(all); i++)
                assert_true(graph_add(graph, all[i]->entities[0].id, STR("host"), all[i]->entities[0].name, &err));
        assert_true(graph_relate(graph, &(struct graph_edge){.from = page.entities[0].id, .to = change.entities[0].id, .relation = STR("calls"), .impact = IMPACT_TO_FROM, .sources = EDGE_SOCKETS}, &err));
        struct topology lent = {.context = graph, .graph = lend};
        assert_true(correlator_create(&lent, NULL, &correlator, &err));
        change.is_change = aside.is_change = page.is_symptom = true;
        assert_true(correlator_place(correlator, &change, 0, NULL, &err));
        assert_true(correlator_place(correlator, &aside, 0, NULL, &err));
        assert_true(correlator_place(correlator, &page, 7, NULL, &err));
        assert_true(correlator_suspects(correlator, 7, suspects, 4, &count, &err));
        assert_int_equal(count, 2);
        assert_true(str_is(suspects[0].name, "app"));
        assert_int_equal(suspects[0].change, 9);
        assert_true(str_is(suspects[1].name, "front"));
        struct clue disk = clue_on(2, "DiskFull", "front", 21); /* what is wrong there itself comes first */
        assert_true(correlator_place(correlator, &disk, 7, NULL, &err));
        assert_true(correlator_suspects(correlator, 7, suspects, 4, &count, &err));
        assert_true(str_is(suspects[0].name, "front"));
        assert_true(str_is(suspects[1].name, "app"));
        correlator_destroy(correlator);
        graph_destroy(graph);
}

static void ten_oddities_held_back_outweigh_no_alert(void **unused)
{
        (void)unused;
        struct topology nothing = {0};
        struct correlator *correlator;
        struct suspect suspects[4];
        size_t count;
        struct err err;
        assert_true(correlator_create(&nothing, NULL, &correlator, &err));
        struct clue down = clue_on(100, "Down", "web1", 10);
        assert_true(correlator_place(correlator, &down, 7, NULL, &err));
        for (uint64_t i = 1; i <= 10; i++) {
                struct clue odd = clue_on(i, "UnusualLevel", "web2", 10);
                odd.is_held = true;
                assert_true(correlator_place(correlator, &odd, 7, NULL, &err));
        }
        assert_true(correlator_suspects(correlator, 7, suspects, 4, &count, &err));
        assert_true(str_is(suspects[0].name, "web1"));
        correlator_destroy(correlator);
}

static void ten_thousand_alerts_cost_a_bound_each(void **unused)
{
        (void)unused;
        struct topology nothing = {0};
        struct correlator *correlator;
        struct verdict verdict;
        struct err err;
        assert_true(correlator_create(&nothing, NULL, &correlator, &err));
        for (uint64_t i = 1; i <= 10000; i++) {
                char host[16];
                snprintf(host, sizeof host, "h%d", (int)(i % 500));
                struct clue clue = clue_on(i, i % 3 ? "Slow" : "Down", host, (int64_t)(i / 166));
                assert_true(correlator_weigh(correlator, &clue, &verdict, &err));
                assert_true(correlator_place(correlator, &clue, verdict.group ? verdict.group : i, &verdict, &err));
        }
        correlator_forget(correlator, (int64_t)86400 * 1000000000);
        assert_false(correlator_settle(correlator, (int64_t)86400 * 1000000000, &(uint64_t){0}, &(uint64_t){0}));
        correlator_destroy(correlator);
}

#define ROWS_MAX 1024

/* What a state database would hold. */
struct rows {
        struct { struct str bytes; } groups[ROWS_MAX];
        struct { uint64_t same; uint32_t incidents; } seen[ROWS_MAX];
        size_t seen_count;
};

static bool keep_group(void *context, uint32_t serial, struct str bytes, struct err *err)
{
        struct rows *rows = context;
        (void)err;
        assert_true(serial < ROWS_MAX);
        free((char *)rows->groups[serial].bytes.bytes);
        rows->groups[serial].bytes = (struct str){bytes.length ? memcpy(malloc(bytes.length), bytes.bytes, bytes.length) : NULL, bytes.length};
        return true;
}

static bool keep_seen(void *context, uint64_t same, uint32_t incidents, struct err *err)
{
        struct rows *rows = context;
        size_t i = 0;
        (void)err;
        while (i < rows->seen_count && rows->seen[i].same != same)
                i++;
        assert_true(i < ROWS_MAX);
        rows->seen_count = max_of(rows->seen_count, i + 1);
        rows->seen[i].same = same;
        rows->seen[i].incidents = incidents;
        return true;
}

static void store(struct correlator *correlator, struct rows *rows)
{
        struct err err;
        assert_true(correlator_save(correlator, &(struct correlator_rows){rows, keep_group, keep_seen}, &err));
        correlator_clean(correlator);
        assert_false(correlator_is_dirty(correlator));
}

static struct correlator *restored(const struct rows *rows, const struct topology *topology_)
{
        struct correlator *correlator;
        struct err err;
        assert_true(correlator_create(topology_, NULL, &correlator, &err));
        for (size_t i = rows->seen_count; i-- > 0;) /* in any order */
                assert_true(correlator_remember(correlator, rows->seen[i].same, rows->seen[i].incidents, &err));
        for (uint32_t serial = 0; serial < ROWS_MAX; serial++)
                if (rows->groups[serial].bytes.length)
                        assert_true(correlator_restore(correlator, serial, rows->groups[serial].bytes, &err));
        return correlator;
}

static size_t moves;

/* One alert of a stream with repeats, pairs of the same moment, several hosts an alert, groups that end, merge and are settled. */
static uint64_t next_alert(struct correlator *correlator, uint64_t i)
{
        char host[16], other[16];
        struct verdict verdict;
        struct err err;
        uint64_t group, into;
        snprintf(host, sizeof host, "h%u", (unsigned)(i / 2 * 7 % 41));
        snprintf(other, sizeof other, "h%u", (unsigned)(i * 13 % 43));
        struct clue clue = clue_on(i, i % 5 ? "Slow" : "Down", host, (int64_t)(i / 3 + i / 60 * 45)), second = clue_on(i, "x", other, 0);
        if (i % 4 == 0)
                clue.entities[clue.entity_count++] = second.entities[0];
        clue.same = 1 + i % 90;
        clue.is_symptom = i % 3 == 0;
        assert_true(correlator_weigh(correlator, &clue, &verdict, &err));
        group = verdict.group ? verdict.group : i;
        assert_true(correlator_place(correlator, &clue, group, &verdict, &err));
        correlator_hold(correlator, group, i % 2);
        for (size_t m = 0; m < verdict.merge_count; m++)
                correlator_move_group(correlator, verdict.merges[m], group);
        while (correlator_settle(correlator, clue.time_ns, &group, &into))
                correlator_move_group(correlator, group, into);
        correlator_forget(correlator, clue.time_ns);
        moves += verdict.move_count;
        return verdict.group + verdict.merge_count * 1000000 + verdict.move_count * 10000000 + (uint64_t)(verdict.score * 1e6);
}

static void assert_same_suspects(struct correlator *one, struct correlator *other, uint64_t group)
{
        struct suspect mine[CAUSES_MAX], theirs[CAUSES_MAX];
        struct err err;
        size_t count, count_theirs;
        assert_true(correlator_suspects(one, group, mine, CAUSES_MAX, &count, &err) && correlator_suspects(other, group, theirs, CAUSES_MAX, &count_theirs, &err));
        assert_int_equal(count, count_theirs);
        for (size_t i = 0; i < count; i++)
                assert_true(mine[i].entity == theirs[i].entity && mine[i].score == theirs[i].score && mine[i].symptoms == theirs[i].symptoms);
}

static void what_is_restored_decides_like_what_was_never_stored(void **unused)
{
        (void)unused;
        struct topology nothing = {0};
        struct err err;
        struct rows *rows = calloc(1, sizeof *rows), *unbroken = calloc(1, sizeof *unbroken);
        struct correlator *whole, *cut;
        size_t joined = 0;
        assert_true(correlator_create(&nothing, NULL, &whole, &err) && correlator_create(&nothing, NULL, &cut, &err));
        for (uint64_t i = 1; i <= 900; i++) {
                uint64_t decided = next_alert(whole, i);
                assert_int_equal(next_alert(cut, i), decided);
                joined += decided > 0;
                store(cut, rows);
                if (i % 7)
                        continue;
                correlator_destroy(cut);
                cut = restored(rows, &nothing);
                for (uint64_t group = i > 60 ? i - 60 : 1; group <= i; group++)
                        assert_same_suspects(whole, cut, group);
        }
        store(whole, unbroken);
        assert_true(joined > 300 && joined < 900 && moves > 20);
        for (size_t i = 0; i < ROWS_MAX; i++) {
                assert_true(str_equal(rows->groups[i].bytes, unbroken->groups[i].bytes));
                free((char *)rows->groups[i].bytes.bytes);
                free((char *)unbroken->groups[i].bytes.bytes);
        }
        assert_int_equal(rows->seen_count, unbroken->seen_count);
        free(rows);
        free(unbroken);
        correlator_destroy(whole);
        correlator_destroy(cut);
}

static void an_alert_of_two_incidents_that_turn_out_to_be_one_was_seen_once(void **unused)
{
        (void)unused;
        struct topology nothing = {0};
        struct correlator *correlator;
        struct err err;
        struct rows *rows = calloc(1, sizeof *rows);
        size_t found = 0;
        assert_true(correlator_create(&nothing, NULL, &correlator, &err));
        struct clue one = clue_on(1, "Slow", "web1", 60), again = one;
        again.alert = 2;
        assert_true(correlator_place(correlator, &one, 7, NULL, &err) && correlator_place(correlator, &again, 8, NULL, &err));
        correlator_move_group(correlator, 8, 7);
        store(correlator, rows);
        for (size_t i = 0; i < rows->seen_count; i++)
                if (rows->seen[i].same == one.same) {
                        assert_int_equal(rows->seen[i].incidents, 1);
                        found++;
                }
        assert_int_equal(found, 1);
        for (size_t i = 0; i < ROWS_MAX; i++)
                free((char *)rows->groups[i].bytes.bytes);
        free(rows);
        correlator_destroy(correlator);
}

static void evidence_of_the_version_before_is_read(void **unused)
{
        (void)unused;
        static const char before[] = "\2\11\0\0\0\5\0\0\0"; /* nothing of moments yet */
        struct topology nothing = {0};
        struct correlator *correlator;
        struct err err;
        assert_true(correlator_create(&nothing, NULL, &correlator, &err));
        assert_true(correlator_restore(correlator, 0, (struct str){before, sizeof before - 1}, &err));
        correlator_destroy(correlator);
}

static void evidence_that_is_cut_is_refused(void **unused)
{
        (void)unused;
        struct topology nothing = {0};
        struct correlator *correlator, *other;
        struct err err;
        struct rows *rows = calloc(1, sizeof *rows);
        assert_true(correlator_create(&nothing, NULL, &correlator, &err));
        struct clue one = clue_on(1, "Slow", "web1", 60);
        struct verdict verdict;
        assert_true(correlator_weigh(correlator, &one, &verdict, &err) && correlator_place(correlator, &one, 7, &verdict, &err));
        store(correlator, rows);
        for (uint32_t serial = 0; serial < 2; serial++) /* the first is of all groups, with the moment that just was */
                for (size_t length = 0; length < rows->groups[serial].bytes.length; length++) {
                        assert_true(correlator_create(&nothing, NULL, &other, &err));
                        assert_false(correlator_restore(other, serial, str_slice(rows->groups[serial].bytes, 0, length), &err));
                        assert_int_equal(err.code, ERR_CORRUPT);
                        correlator_destroy(other);
                }
        for (size_t i = 0; i < ROWS_MAX; i++)
                free((char *)rows->groups[i].bytes.bytes);
        free(rows);
        correlator_destroy(correlator);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(alerts_near_one_another_are_one_incident_and_far_ones_another),
                cmocka_unit_test(what_comes_long_after_is_another_incident),
                cmocka_unit_test(a_burst_of_alerts_told_again_is_a_new_incident_beside_the_old),
                cmocka_unit_test(what_came_in_the_same_moment_goes_to_the_incident_that_one_of_it_shows),
                cmocka_unit_test(one_straggler_told_again_goes_back_to_its_incident),
                cmocka_unit_test(like_trouble_on_unrelated_things_at_once_is_one_incident),
                cmocka_unit_test(one_bad_instance_is_blamed_itself_and_all_bad_ones_what_they_share),
                cmocka_unit_test(an_alert_of_every_incident_says_less_than_one_never_seen),
                cmocka_unit_test(what_an_entity_says_in_every_incident_does_not_blame_it),
                cmocka_unit_test(a_source_in_another_time_zone_is_set_right),
                cmocka_unit_test(what_is_no_stream_is_refused_with_the_line),
                cmocka_unit_test(what_people_split_apart_is_not_joined_again),
                cmocka_unit_test(a_change_shortly_before_raises_what_it_touched),
                cmocka_unit_test(what_was_changed_upstream_is_suspected_without_an_alert),
                cmocka_unit_test(ten_oddities_held_back_outweigh_no_alert),
                cmocka_unit_test(ten_thousand_alerts_cost_a_bound_each),
                cmocka_unit_test(what_is_restored_decides_like_what_was_never_stored),
                cmocka_unit_test(an_alert_of_two_incidents_that_turn_out_to_be_one_was_seen_once),
                cmocka_unit_test(evidence_of_the_version_before_is_read),
                cmocka_unit_test(evidence_that_is_cut_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

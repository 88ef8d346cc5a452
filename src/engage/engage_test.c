/* engage_test - what becomes of findings: alerts that are told once, incidents that open, end and come back. */
#include "engage/engage.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "engage/alert_table.h"
#include "engage/incident_table.h"
#include "engage/learning_table.h"
#include "store/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail

#define S ((int64_t)1000000000)
#define START (1767225600 * S)

SCOPED_PTR(engage_destroy, struct engage)
SCOPED_PTR(database_close, struct database)

/* An engage on a virtual clock: told findings by labels, one entry each. */
struct house {
        struct engage *engage;
        struct noticed noticed;
        uint64_t sequence;
        int64_t now_ns;
        struct arena arena;
        struct err err;
        char folder[SCRATCH_BYTES]; /* of the state database, when there is one */
};

static void house_done(struct house *house)
{
        engage_destroy(house->engage);
        noticed_done(&house->noticed);
        arena_done(&house->arena);
        if (house->folder[0])
                scratch_remove(house->folder);
}

static void house_init(struct house *house, size_t alerts_max)
{
        *house = (struct house){.now_ns = START};
        noticed_init(&house->noticed);
        arena_init(&house->arena, 0);
        assert_true(engage_create(&(struct engage_options){.alerts_max = alerts_max}, &house->engage, &house->err));
}

/* text: "name=value name=value"; canonical afterwards. */
static struct labels labels_of(struct house *house, const char *text)
{
        struct labels labels = {0};
        struct str rest = str_of(text), one, name;
        while (rest.length && str_cut(&rest, ' ', &one)) {
                str_cut(&one, '=', &name);
                *arena_push(&house->arena, &labels) = (struct label){name, one};
        }
        assert_true(labels_canonical(&labels, &house->err));
        return labels;
}

static void take(struct house *house, struct finding finding)
{
        assert_true(noticed_add_finding(&house->noticed, &finding, &house->err));
        assert_true(engage_take(house->engage, &house->noticed, ++house->sequence, house->now_ns, &house->err));
        noticed_clear(&house->noticed);
}

static void tell(struct house *house, const char *labels, bool is_firing)
{
        take(house, (struct finding){.origin = FINDING_EXTERNAL, .labels = labels_of(house, labels), .is_firing = is_firing});
}

static void fire(struct house *house, const char *labels)
{
        tell(house, labels, true);
}

static void resolve(struct house *house, const char *labels)
{
        tell(house, labels, false);
}

static void later(struct house *house, int64_t seconds)
{
        house->now_ns += seconds * S;
        assert_true(engage_tick(house->engage, ++house->sequence, house->now_ns, &house->err));
}

static struct incident_view view(struct house *house, uint32_t number)
{
        struct incident_view seen;
        assert_true(engage_view(house->engage, engage_incident_id(house->engage, number), &house->arena, &seen, &house->err));
        return seen;
}

static bool exists(struct house *house, uint32_t number)
{
        return engage_incident_id(house->engage, number) != 0;
}

static bool order(struct house *house, const char *verb, const char *arguments)
{
        scoped_ptr(json_decref) json_t *parsed = json_parse(str_of(arguments), &house->err);
        scoped_ptr(json_decref) json_t *result = NULL;
        assert_non_null(parsed);
        return engage_command(house->engage, verb, parsed, "alice", ++house->sequence, house->now_ns, &result, &house->err);
}

static struct engage_counts counts(struct house *house)
{
        struct engage_counts seen;
        engage_count(house->engage, &seen);
        return seen;
}

static void the_same_alert_told_often_is_one_alert_and_one_incident(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        for (int i = 0; i < 5; i++) {
                fire(&house, "alertname=DiskFull host=web1 severity=critical");
                later(&house, 10);
        }
        struct incident_view seen = view(&house, 1);
        assert_int_equal(counts(&house).alerts, 1);
        assert_int_equal(seen.alerts.count, 1);
        assert_int_equal(seen.state, INCIDENT_OPEN);
        assert_int_equal(seen.severity, ALERT_CRITICAL);
        assert_string_equal(seen.title.bytes, "Disk full on host web1");
        assert_string_equal(seen.signature_text.bytes, "DiskFull on host");
        assert_false(exists(&house, 2));
}

static void an_incident_is_resolved_with_its_last_alert_and_closed_half_an_hour_later(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=DiskFull host=web1");
        fire(&house, "alertname=SlowDisk host=web1");
        assert_int_equal(view(&house, 1).alerts.count, 2);
        later(&house, 60);
        resolve(&house, "alertname=DiskFull host=web1");
        assert_int_equal(view(&house, 1).state, INCIDENT_OPEN);
        resolve(&house, "alertname=SlowDisk host=web1");
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
        later(&house, 1799);
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
        later(&house, 1);
        assert_int_equal(view(&house, 1).state, INCIDENT_CLOSED);
}

static void what_fires_again_within_half_an_hour_reopens_and_later_opens_anew(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=DiskFull host=web1");
        resolve(&house, "alertname=DiskFull host=web1");
        later(&house, 1700);
        fire(&house, "alertname=DiskFull host=web1");
        assert_int_equal(view(&house, 1).state, INCIDENT_OPEN);
        assert_false(exists(&house, 2));
        resolve(&house, "alertname=DiskFull host=web1");
        later(&house, 1801);
        fire(&house, "alertname=DiskFull host=web1");
        assert_int_equal(view(&house, 1).state, INCIDENT_CLOSED);
        assert_int_equal(view(&house, 2).state, INCIDENT_OPEN);
}

static void a_resolved_incident_never_swallows_another_signature(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=DiskFull host=web1");
        resolve(&house, "alertname=DiskFull host=web1");
        later(&house, 30);
        fire(&house, "alertname=CertificateExpires host=web1");
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
        assert_int_equal(view(&house, 2).state, INCIDENT_OPEN);
}

static void an_alert_that_is_not_told_again_ends_at_its_time(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        struct finding finding = {.origin = FINDING_EXTERNAL, .labels = labels_of(&house, "alertname=Slow host=web1"), .is_firing = true,
                                  .ends_ns = START + 300 * S};
        take(&house, finding);
        later(&house, 200);
        finding.ends_ns = START + 500 * S;
        take(&house, finding);
        later(&house, 299);
        assert_int_equal(counts(&house).alerts_firing, 1);
        later(&house, 1);
        assert_int_equal(counts(&house).alerts_firing, 0);
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
}

static void a_flapping_alert_is_held_firing_until_it_keeps_still(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=LinkDown host=sw1");
        for (int i = 0; i < 6; i++) {
                later(&house, 20);
                resolve(&house, "alertname=LinkDown host=sw1");
                later(&house, 20);
                fire(&house, "alertname=LinkDown host=sw1");
        }
        later(&house, 20);
        resolve(&house, "alertname=LinkDown host=sw1");
        assert_int_equal(counts(&house).alerts_firing, 1);
        assert_int_equal(counts(&house).flaps_held, 3);
        later(&house, 599);
        assert_int_equal(view(&house, 1).state, INCIDENT_OPEN);
        later(&house, 2);
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
        assert_false(exists(&house, 2));
}

static void when_every_alert_fires_a_new_one_is_shed_and_counted(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 2);
        fire(&house, "alertname=A host=h1");
        fire(&house, "alertname=A host=h2");
        fire(&house, "alertname=A host=h3");
        assert_int_equal(counts(&house).alerts, 2);
        assert_int_equal(counts(&house).shed, 1);
}

static void people_acknowledge_split_and_merge(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=DiskFull host=web1");
        fire(&house, "alertname=SlowDisk host=web1");
        assert_true(order(&house, "incident_acknowledge", "{\"incident\":1}"));
        struct incident_view seen = view(&house, 1);
        assert_int_equal(seen.state, INCIDENT_ACKNOWLEDGED);
        assert_string_equal(seen.owner.bytes, "alice");
        char split[80];
        snprintf(split, sizeof split, "{\"incident\":1,\"alerts\":[\"%llu\"]}", (unsigned long long)seen.alerts.items[1].id);
        assert_true(order(&house, "incident_split", split));
        assert_int_equal(view(&house, 1).alerts.count, 1);
        assert_int_equal(view(&house, 2).alerts.count, 1);
        assert_string_equal(view(&house, 2).title.bytes, "Slow disk on host web1");
        assert_true(order(&house, "incident_merge", "{\"incident\":2,\"into\":1}"));
        assert_int_equal(view(&house, 2).state, INCIDENT_MERGED);
        assert_int_equal(view(&house, 1).alerts.count, 2);
        assert_true(order(&house, "incident_comment", "{\"incident\":2,\"text\":\"goes to the first\"}"));
}

static void what_cannot_be_done_is_refused_and_changes_nothing(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=DiskFull host=web1");
        engage_news_clear(house.engage);
        assert_false(order(&house, "incident_acknowledge", "{\"incident\":7}"));
        assert_int_equal(house.err.code, ERR_NOT_FOUND);
        assert_false(order(&house, "incident_split", "{\"incident\":1,\"alerts\":[]}"));
        assert_false(order(&house, "incident_merge", "{\"incident\":1,\"into\":1}"));
        assert_false(order(&house, "incident_comment", "{\"incident\":1}"));
        assert_false(order(&house, "incident_noise", "{\"incident\":1,\"kind\":\"loud\"}"));
        size_t count;
        engage_news(house.engage, &count);
        assert_int_equal(count, 0);
        assert_int_equal(view(&house, 1).state, INCIDENT_OPEN);
}

static void the_stages_after_engage_are_told_once_an_incident(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        size_t count;
        fire(&house, "alertname=DiskFull host=web1");
        fire(&house, "alertname=SlowDisk host=web1 severity=critical");
        const struct incident_news *news = engage_news(house.engage, &count);
        assert_int_equal(count, 1);
        assert_true(news[0].kinds & NEWS_OPENED);
        assert_true(news[0].kinds & NEWS_SEVERITY);
        engage_news_clear(house.engage);
        fire(&house, "alertname=SlowDisk host=web1 severity=critical");
        engage_news(house.engage, &count);
        assert_int_equal(count, 0);
}

static void change(struct house *house, const char *labels)
{
        struct change_event event = {.time_ns = house->now_ns, .labels = labels_of(house, labels), .kind = STR("deployment"), .title = STR("shop 1.7")};
        assert_true(noticed_add_change(&house->noticed, &event, &house->err));
        assert_true(engage_take(house->engage, &house->noticed, ++house->sequence, house->now_ns, &house->err));
        noticed_clear(&house->noticed);
}

static void a_later_symptom_alone_brings_no_incident_back(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=Down host=web1");
        later(&house, 10);
        fire(&house, "alertname=PageFails host=web1");
        resolve(&house, "alertname=Down host=web1");
        resolve(&house, "alertname=PageFails host=web1");
        later(&house, 300);
        fire(&house, "alertname=PageFails host=web1");
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
        assert_int_equal(view(&house, 2).state, INCIDENT_OPEN);
}

static void what_fires_again_after_a_change_begins_anew(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=PageFails host=web1");
        later(&house, 10);
        resolve(&house, "alertname=PageFails host=web1");
        later(&house, 60);
        change(&house, "host=web1");
        later(&house, 5);
        fire(&house, "alertname=PageFails host=web1");
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
        assert_int_equal(view(&house, 2).state, INCIDENT_OPEN);
}

static void an_alert_goes_to_what_is_open_rather_than_to_where_it_was_before(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=PageFails host=web1");
        later(&house, 10);
        resolve(&house, "alertname=PageFails host=web1");
        later(&house, 400);
        fire(&house, "alertname=Down host=web1");
        assert_int_equal(view(&house, 2).state, INCIDENT_OPEN);
        later(&house, 5);
        fire(&house, "alertname=PageFails host=web1");
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
        assert_int_equal(view(&house, 2).alerts.count, 2);
}

/* How often the incident's timeline says such a thing, and the last one it said. */
static size_t told(struct house *house, struct database *state, uint32_t number, const char *kind, char out_text[200])
{
        size_t at, count = 0;
        json_t *entry;
        assert_true(database_begin(state, &house->err) && engage_write(house->engage, state, &house->err) && database_commit(state, &house->err));
        engage_written(house->engage);
        scoped_ptr(json_decref) json_t *incident = incident_row_read(state, number, &house->err);
        assert_non_null(incident);
        json_array_foreach (json_object_get(incident, "timeline"), at, entry)
                if (str_is(json_str(entry, "kind"), kind)) {
                        count++;
                        snprintf(out_text, 200, "%s", json_string_value(json_object_get(entry, "text")));
                }
        return count;
}

static struct database *state_open(struct house *house);

static void the_severity_follows_the_alerts_that_fire_up_and_down(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        scoped_ptr(database_close) struct database *state = state_open(&house);
        char text[200] = "";
        fire(&house, "alertname=Slow host=web1 severity=warning");
        assert_int_equal(told(&house, state, 1, "severity", text), 0);
        later(&house, 5);
        fire(&house, "alertname=Down host=web1 severity=critical");
        assert_int_equal(view(&house, 1).severity, ALERT_CRITICAL);
        assert_int_equal(told(&house, state, 1, "severity", text), 1);
        assert_string_equal(text, "from warning to critical: Down is critical");
        later(&house, 5);
        resolve(&house, "alertname=Down host=web1 severity=critical");
        assert_int_equal(view(&house, 1).severity, ALERT_WARNING);
        assert_int_equal(told(&house, state, 1, "severity", text), 2);
        assert_string_equal(text, "from critical to warning: Down is over, and the worst that still fires is warning");
        resolve(&house, "alertname=Slow host=web1 severity=warning");
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
        assert_int_equal(view(&house, 1).severity, ALERT_WARNING); /* what it was, not none */
        assert_int_equal(told(&house, state, 1, "severity", text), 2);
}

static void a_persons_severity_stays_until_it_is_given_back(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        scoped_ptr(database_close) struct database *state = state_open(&house);
        char text[200] = "";
        fire(&house, "alertname=Slow host=web1 severity=warning");
        assert_true(order(&house, "incident_severity", "{\"incident\":1,\"severity\":\"info\"}"));
        later(&house, 5);
        fire(&house, "alertname=Down host=web1 severity=critical");
        assert_int_equal(view(&house, 1).severity, ALERT_INFO);
        assert_int_equal(told(&house, state, 1, "severity", text), 1);
        assert_string_equal(text, "from warning to info, set by hand; it does not follow the alerts any more");
        scoped_ptr(json_decref) json_t *row = incident_row_read(state, 1, &house.err);
        assert_true(json_flag(row, "has_person_severity", false));
        assert_true(order(&house, "incident_severity", "{\"incident\":1,\"severity\":\"auto\"}"));
        assert_int_equal(view(&house, 1).severity, ALERT_CRITICAL);
        assert_false(order(&house, "incident_severity", "{\"incident\":1,\"severity\":\"dreadful\"}"));
}

static void a_severity_follows_alerts_that_move_between_incidents(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=Slow host=web1 severity=warning");
        fire(&house, "alertname=Down host=web1 severity=critical");
        char arguments[100];
        snprintf(arguments, sizeof arguments, "{\"incident\":1,\"alerts\":[\"%llu\"]}", (unsigned long long)view(&house, 1).alerts.items[1].id);
        assert_true(order(&house, "incident_split", arguments));
        assert_int_equal(view(&house, 1).severity, ALERT_WARNING);
        assert_int_equal(view(&house, 2).severity, ALERT_CRITICAL);
        assert_true(order(&house, "incident_merge", "{\"incident\":2,\"into\":1}"));
        assert_int_equal(view(&house, 1).severity, ALERT_CRITICAL);
        resolve(&house, "alertname=Down host=web1 severity=critical");
        assert_int_equal(view(&house, 1).severity, ALERT_WARNING);
        assert_int_equal(view(&house, 1).state, INCIDENT_OPEN);
        assert_true(order(&house, "incident_close", "{\"incident\":1}")); /* while one fires */
        resolve(&house, "alertname=Slow host=web1 severity=warning");
        fire(&house, "alertname=Slow host=web1 severity=warning");
        resolve(&house, "alertname=Slow host=web1 severity=warning");
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED); /* re-opened and resolved: nothing was counted twice */
}

static void hold_back(struct house *house, const char *labels)
{
        take(house, (struct finding){.origin = FINDING_ANOMALY, .labels = labels_of(house, labels), .is_firing = true, .is_held = true});
}

static void what_was_held_back_keeps_no_incident_open_and_brings_none_back(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=Down host=web1");
        later(&house, 5);
        hold_back(&house, "alertname=UnusualLevel host=web1 metric=memory");
        later(&house, 20);
        resolve(&house, "alertname=Down host=web1");
        later(&house, 10);
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
        hold_back(&house, "alertname=UnusualLevel host=web1 metric=load");
        later(&house, 10);
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
}

static void trouble_begins_anew_beside_what_was_held_back_long_before(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        hold_back(&house, "alertname=UnusualLevel host=web1 metric=memory");
        later(&house, 600);
        hold_back(&house, "alertname=UnusualLevel host=web1 metric=load");
        fire(&house, "alertname=Down host=web1");
        assert_true(exists(&house, 2));
        assert_true(view(&house, 1).is_held);
        assert_false(view(&house, 2).is_held);
}

static void what_was_held_back_just_before_is_evidence_and_gives_no_title(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        hold_back(&house, "alertname=UnusualLevel host=web1 metric=memory");
        later(&house, 30);
        fire(&house, "alertname=Down host=web1");
        resolve(&house, "alertname=Down host=web1");
        later(&house, 5);
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
        fire(&house, "alertname=Down host=web1");
        assert_int_equal(view(&house, 1).state, INCIDENT_OPEN);
        assert_false(exists(&house, 2));
        assert_false(view(&house, 1).is_held);
        assert_non_null(strstr(view(&house, 1).title.bytes, "Down"));
}

static void a_title_never_shows_a_templates_blank(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        struct label summary = {STR("summary"), STR("new message: user <*> failed <*> times")};
        take(&house, (struct finding){.origin = FINDING_ANOMALY, .labels = labels_of(&house, "alertname=NewTemplate host=web1"),
                                      .annotations = {&summary, 1, 1}, .is_firing = true});
        assert_string_equal(view(&house, 1).title.bytes, "new message: user \u2026 failed \u2026 times on host web1");
}

static void forty_certificates_are_one_incident(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        for (int i = 0; i < 40; i++) {
                char labels[80];
                snprintf(labels, sizeof labels, "alertname=CertificateExpires host=site%d", i);
                fire(&house, labels);
        }
        later(&house, 1);
        struct incident_view seen = view(&house, 1);
        assert_int_equal(seen.alerts.count, 40);
        assert_string_equal(seen.title.bytes, "Certificate expires on 40 hosts");
        assert_false(exists(&house, 2));
}

static void many_alerts_of_one_host_do_not_draw_in_a_stranger(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        for (int i = 0; i < 20; i++) {
                char labels[80];
                snprintf(labels, sizeof labels, "alertname=Check%d host=web1", i);
                fire(&house, labels);
        }
        fire(&house, "alertname=QueueLong host=mail1");
        assert_int_equal(view(&house, 1).alerts.count, 20);
        assert_int_equal(view(&house, 2).alerts.count, 1);
}

static void a_title_counts_no_further_than_the_list_of_entities(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        for (int i = 0; i < 600; i++) {
                char labels[80];
                snprintf(labels, sizeof labels, "alertname=CertificateExpires host=site%d", i);
                fire(&house, labels);
        }
        assert_int_equal(view(&house, 1).alerts.count, 600);
        assert_string_equal(view(&house, 1).title.bytes, "Certificate expires on more than 512 hosts");
}

static void an_incident_names_its_likely_cause_with_a_reason(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        struct change_event change = {.time_ns = START - 120 * S, .labels = labels_of(&house, "host=web1"), .kind = STR("deployment"), .title = STR("shop 1.7")};
        assert_true(noticed_add_change(&house.noticed, &change, &house.err));
        assert_true(engage_take(house.engage, &house.noticed, ++house.sequence, house.now_ns, &house.err));
        noticed_clear(&house.noticed);
        fire(&house, "alertname=Slow host=web1");
        fire(&house, "alertname=DiskFull host=web1");
        later(&house, 1);
        struct incident_view seen = view(&house, 1);
        assert_int_equal(seen.causes.count, 1);
        assert_string_equal(seen.causes.items[0].name.bytes, "web1");
        assert_non_null(strstr(seen.causes.items[0].reason.bytes, "it was changed 2 minutes before the incident began: shop 1.7"));
}

static void what_users_see_is_suspected_less_than_what_is_down_behind_it(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        fire(&house, "alertname=PageFails check=page kind=http service=front host=web1");
        later(&house, 2);
        fire(&house, "alertname=Down service=store host=web1");
        later(&house, 2);
        struct incident_view seen = view(&house, 1);
        assert_string_equal(seen.causes.items[0].name.bytes, "store");
        assert_string_equal(seen.causes.items[1].name.bytes, "front");
}

static uint64_t last_ledger_entry(struct house *house, struct database *state)
{
        uint64_t entry = 0;
        scoped_ptr(json_decref) json_t *rows = ledger_rows_read(state, 0, 1, &house->err);
        str_to_u64(json_str(json_array_get(rows, 0), "id"), &entry);
        return entry;
}

static struct database *state_open(struct house *house);
static void write_down(struct house *house, struct database *state);

static void what_a_split_taught_can_be_taken_back_once(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        scoped_ptr(database_close) struct database *state = state_open(&house);
        char text[100];
        fire(&house, "alertname=DiskFull host=web1");
        fire(&house, "alertname=MailSlow host=web1");
        snprintf(text, sizeof text, "{\"incident\":1,\"alerts\":[\"%llu\"]}", (unsigned long long)view(&house, 1).alerts.items[1].id);
        assert_true(order(&house, "incident_split", text));
        write_down(&house, state);
        uint64_t entry = last_ledger_entry(&house, state);
        assert_int_not_equal(entry, 0);
        snprintf(text, sizeof text, "{\"entry\":\"%llu\"}", (unsigned long long)entry);
        assert_true(order(&house, "model_revert", text));
        assert_false(order(&house, "model_revert", text));
        assert_int_equal(house.err.code, ERR_CONFLICT);
        write_down(&house, state);
        scoped_ptr(json_decref) json_t *rows = ledger_rows_read(state, 0, 10, &house.err);
        assert_int_equal(json_array_size(rows), 1);
        assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "reverted_by")), "alice");
}

static void a_person_opens_an_incident(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        assert_true(order(&house, "incident_open", "{\"title\":\"the shop shows yesterday's prices\",\"entity\":\"shop\",\"severity\":\"critical\"}"));
        struct incident_view seen = view(&house, 1);
        assert_string_equal(seen.title.bytes, "the shop shows yesterday's prices");
        assert_int_equal(seen.severity, ALERT_CRITICAL);
        assert_false(order(&house, "incident_open", "{}"));
}

static struct database *state_open(struct house *house)
{
        static const char *const migrations[] = {engage_schema, engage_evidence_schema, learning_schema, past_schema, NULL};
        struct database *state;
        char file[SCRATCH_BYTES + 16];
        assert_int_equal(scratch_make(house->folder, "engage"), 0);
        snprintf(file, sizeof file, "%s/state.db", house->folder);
        assert_true(database_open(file, NULL, migrations, &state, &house->err));
        return state;
}

static void write_down(struct house *house, struct database *state)
{
        assert_true(database_begin(state, &house->err));
        assert_true(engage_write(house->engage, state, &house->err));
        assert_true(engage_write(house->engage, state, &house->err)); /* twice is once */
        assert_true(database_commit(state, &house->err));
        engage_written(house->engage);
        assert_false(engage_is_dirty(house->engage));
}

static void begin_again(struct house *house, struct database *state)
{
        engage_destroy(house->engage);
        assert_true(engage_create(&(struct engage_options){0}, &house->engage, &house->err));
        assert_true(engage_load(house->engage, state, house->now_ns, &house->err));
}

static void what_was_written_goes_on_after_a_start(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        scoped_ptr(database_close) struct database *state = state_open(&house);
        fire(&house, "alertname=DiskFull host=web1 severity=critical");
        fire(&house, "alertname=SlowDisk host=web1");
        assert_true(order(&house, "incident_acknowledge", "{\"incident\":1}"));
        write_down(&house, state);
        begin_again(&house, state);
        struct incident_view seen = view(&house, 1);
        assert_int_equal(seen.state, INCIDENT_ACKNOWLEDGED);
        assert_int_equal(seen.alerts.count, 2);
        assert_string_equal(seen.title.bytes, "Disk full on host web1, and 1 more alert");
        fire(&house, "alertname=Hot host=web1"); /* the older alerts are evidence again */
        assert_int_equal(view(&house, 1).alerts.count, 3);
        resolve(&house, "alertname=DiskFull host=web1 severity=critical");
        resolve(&house, "alertname=SlowDisk host=web1");
        resolve(&house, "alertname=Hot host=web1");
        assert_int_equal(view(&house, 1).state, INCIDENT_RESOLVED);
}

static void readers_see_an_incident_with_its_alerts_and_its_story(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        scoped_ptr(database_close) struct database *state = state_open(&house);
        fire(&house, "alertname=DiskFull host=web1");
        fire(&house, "alertname=SlowDisk host=web1");
        assert_true(order(&house, "incident_fix", "{\"incident\":1,\"text\":\"emptied the spool\"}"));
        resolve(&house, "alertname=DiskFull host=web1");
        resolve(&house, "alertname=SlowDisk host=web1");
        write_down(&house, state); /* the past is what is written */
        later(&house, 4000);
        fire(&house, "alertname=DiskFull host=web1");
        fire(&house, "alertname=SlowDisk host=web1");
        write_down(&house, state);
        scoped_ptr(json_decref) json_t *one = incident_row_read(state, 2, &house.err);
        assert_non_null(one);
        assert_int_equal(json_array_size(json_object_get(one, "alerts")), 2);
        assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(one, "timeline"), 0), "kind")), "opened");
        const json_t *similar = json_array_get(json_object_get(one, "similar"), 0);
        assert_int_equal(json_i64(similar, "number", 0), 1);
        assert_string_equal(json_string_value(json_object_get(similar, "fix")), "emptied the spool");
        scoped_ptr(json_decref) json_t *open = incident_rows_read(state, &(struct incident_filter){.only_alive = true, .limit = 10}, &house.err);
        assert_int_equal(json_array_size(open), 1);
        scoped_ptr(json_decref) json_t *firing = alert_rows_read(state, &(struct alert_filter){.has_firing = true, .is_firing = true, .limit = 10}, &house.err);
        assert_int_equal(json_array_size(firing), 2);
        uint64_t alert = 0;
        str_to_u64(json_str(json_array_get(firing, 0), "id"), &alert);
        scoped_ptr(json_decref) json_t *why = why_rows_read(state, alert, &house.err);
        assert_true(json_array_size(why) >= 1);
        assert_null(incident_row_read(state, 9, &house.err));
        assert_int_equal(house.err.code, ERR_NOT_FOUND);
}

static void what_came_in_the_same_moment_as_something_told_again_moves_with_it(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        char text[200];
        house_init(&house, 3);
        scoped_ptr(database_close) struct database *state = state_open(&house);
        fire(&house, "alertname=DiskFull host=web1");
        fire(&house, "alertname=SlowDisk host=web1");
        resolve(&house, "alertname=DiskFull host=web1");
        later(&house, 60);
        write_down(&house, state);
        fire(&house, "alertname=NewThing host=web1");
        assert_int_equal(view(&house, 1).alerts.count, 3);
        fire(&house, "alertname=Elsewhere host=db7"); /* what is over is forgotten for it */
        resolve(&house, "alertname=Elsewhere host=db7");
        write_down(&house, state);
        fire(&house, "alertname=DiskFull host=web1");
        assert_int_equal(view(&house, 3).alerts.count, 2);
        assert_int_equal(told(&house, state, 1, "alert_left", text), 1);
        assert_string_equal(text, "NewThing on host web1");
        assert_int_equal(told(&house, state, 3, "alert_joined", text), 1);
}

static size_t listed(struct database *state, struct incident_filter filter)
{
        struct err err;
        filter.limit = 10;
        scoped_ptr(json_decref) json_t *rows = incident_rows_read(state, &filter, &err);
        assert_non_null(rows);
        return json_array_size(rows);
}

static void lists_are_narrowed_by_severity_text_and_whether_somebody_was_told(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        scoped_ptr(database_close) struct database *state = state_open(&house);
        fire(&house, "alertname=DiskFull host=web1 severity=critical");
        fire(&house, "alertname=SlowDisk host=web1 severity=info");
        later(&house, 4000);
        fire(&house, "alertname=PaperOut host=printer9 severity=info");
        write_down(&house, state);
        assert_int_equal(listed(state, (struct incident_filter){.severity = ALERT_CRITICAL}), 1);
        assert_int_equal(listed(state, (struct incident_filter){.severity = ALERT_INFO}), 1);
        assert_int_equal(listed(state, (struct incident_filter){.severity = ALERT_WARNING}), 0);
        assert_int_equal(listed(state, (struct incident_filter){.text = STR("PRINTER9")}), 1);
        assert_int_equal(listed(state, (struct incident_filter){.text = STR("slowdisk")}), 1);
        assert_int_equal(listed(state, (struct incident_filter){.text = STR("nowhere")}), 0);
        assert_int_equal(listed(state, (struct incident_filter){.only_told = true}), 2);
        assert_int_equal(listed(state, (struct incident_filter){.only_held = true}), 0);
        scoped_ptr(json_decref) json_t *first = incident_row_read(state, 1, &house.err);
        assert_int_equal(json_i64(first, "alert_count", 0), 2);
}

static void noise_and_misses_are_counted_by_what_people_said(void **unused)
{
        (void)unused;
        scoped(house_done) struct house house;
        house_init(&house, 0);
        scoped_ptr(database_close) struct database *state = state_open(&house);
        fire(&house, "alertname=DiskFull host=web1");
        later(&house, 4000);
        fire(&house, "alertname=PaperOut host=printer9");
        int64_t since_ns = house.now_ns;
        assert_true(order(&house, "incident_noise", "{\"incident\":2,\"kind\":\"false\"}"));
        assert_true(order(&house, "incident_noise", "{\"incident\":2,\"kind\":\"planned\"}"));
        later(&house, 5);
        assert_true(order(&house, "incident_open", "{\"title\":\"the shop is slow, says a customer\"}"));
        write_down(&house, state);
        scoped_ptr(json_decref) json_t *tally = incident_tally_read(state, 0, &house.err);
        assert_non_null(tally);
        assert_int_equal(json_i64(tally, "incidents", 0), 3);
        const json_t *judged = json_object_get(tally, "judged"), *missed = json_object_get(tally, "missed");
        assert_int_equal(json_array_size(judged), 1);
        assert_string_equal(json_string_value(json_object_get(json_array_get(judged, 0), "kind")), "planned");
        assert_int_equal(json_i64(json_array_get(judged, 0), "incidents", 0), 1);
        assert_int_equal(json_array_size(missed), 1);
        assert_int_equal(json_i64(json_array_get(missed, 0), "number", 0), 3);
        scoped_ptr(json_decref) json_t *later_tally = incident_tally_read(state, since_ns + 1, &house.err);
        assert_int_equal(json_i64(later_tally, "incidents", -1), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_same_alert_told_often_is_one_alert_and_one_incident),
                cmocka_unit_test(an_incident_is_resolved_with_its_last_alert_and_closed_half_an_hour_later),
                cmocka_unit_test(what_fires_again_within_half_an_hour_reopens_and_later_opens_anew),
                cmocka_unit_test(a_resolved_incident_never_swallows_another_signature),
                cmocka_unit_test(an_alert_that_is_not_told_again_ends_at_its_time),
                cmocka_unit_test(a_flapping_alert_is_held_firing_until_it_keeps_still),
                cmocka_unit_test(when_every_alert_fires_a_new_one_is_shed_and_counted),
                cmocka_unit_test(people_acknowledge_split_and_merge),
                cmocka_unit_test(what_cannot_be_done_is_refused_and_changes_nothing),
                cmocka_unit_test(the_stages_after_engage_are_told_once_an_incident),
                cmocka_unit_test(a_later_symptom_alone_brings_no_incident_back),
                cmocka_unit_test(what_fires_again_after_a_change_begins_anew),
                cmocka_unit_test(an_alert_goes_to_what_is_open_rather_than_to_where_it_was_before),
                cmocka_unit_test(the_severity_follows_the_alerts_that_fire_up_and_down),
                cmocka_unit_test(a_persons_severity_stays_until_it_is_given_back),
                cmocka_unit_test(a_severity_follows_alerts_that_move_between_incidents),
                cmocka_unit_test(what_was_held_back_keeps_no_incident_open_and_brings_none_back),
                cmocka_unit_test(trouble_begins_anew_beside_what_was_held_back_long_before),
                cmocka_unit_test(what_was_held_back_just_before_is_evidence_and_gives_no_title),
                cmocka_unit_test(a_title_never_shows_a_templates_blank),
                cmocka_unit_test(forty_certificates_are_one_incident),
                cmocka_unit_test(many_alerts_of_one_host_do_not_draw_in_a_stranger),
                cmocka_unit_test(a_title_counts_no_further_than_the_list_of_entities),
                cmocka_unit_test(an_incident_names_its_likely_cause_with_a_reason),
                cmocka_unit_test(what_users_see_is_suspected_less_than_what_is_down_behind_it),
                cmocka_unit_test(what_a_split_taught_can_be_taken_back_once),
                cmocka_unit_test(a_person_opens_an_incident),
                cmocka_unit_test(what_was_written_goes_on_after_a_start),
                cmocka_unit_test(readers_see_an_incident_with_its_alerts_and_its_story),
                cmocka_unit_test(what_came_in_the_same_moment_as_something_told_again_moves_with_it),
                cmocka_unit_test(lists_are_narrowed_by_severity_text_and_whether_somebody_was_told),
                cmocka_unit_test(noise_and_misses_are_counted_by_what_people_said),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

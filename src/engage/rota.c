/*
 * rota.c - see rota.h. Looking ahead walks in quarters of an hour and halves the last one down to the minute: a shift shorter
 * than a quarter of an hour may be overlooked, and nobody has one.
 */
#include "engage/rota.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "engage/setting.h"

#define DAY_S INT64_C(86400)
#define STEP_NS (900 * NS_PER_S)
#define MINUTE_NS (60 * NS_PER_S)

/* --- reading --------------------------------------------------------------------------------------------------------- */

static bool digits(struct str *text, size_t count, char end, int *out_number)
{
        uint64_t number;
        if (text->length < count || !str_to_u64(str_slice(*text, 0, count), &number))
                return false;
        *text = str_slice(*text, count, text->length);
        if (end && (!text->length || text->bytes[0] != end))
                return false;
        if (end)
                *text = str_slice(*text, 1, text->length);
        *out_number = (int)number;
        return true;
}

static bool read_of_day(struct str text, int64_t *out_s)
{
        int hour, minute;
        if (!digits(&text, 2, ':', &hour) || !digits(&text, 2, 0, &minute) || text.length || hour > 24 || minute > 59)
                return false;
        *out_s = hour * INT64_C(3600) + minute * 60;
        return *out_s <= DAY_S;
}

bool rota_time_read(struct str text, const struct time_zone *zone, int64_t *out_ns, struct err *err)
{
        struct str rest = text;
        int year, month, day, hour, minute, second = 0, ahead_hours = 0, ahead_minutes = 0;
        bool good = digits(&rest, 4, '-', &year) && digits(&rest, 2, '-', &month) && digits(&rest, 2, 0, &day) && rest.length &&
                    (rest.bytes[0] == 'T' || rest.bytes[0] == ' ');
        rest = str_slice(rest, 1, rest.length);
        good = good && digits(&rest, 2, ':', &hour) && digits(&rest, 2, 0, &minute);
        if (good && rest.length && rest.bytes[0] == ':') {
                rest = str_slice(rest, 1, rest.length);
                good = digits(&rest, 2, 0, &second);
        }
        while (good && rest.length && (rest.bytes[0] == '.' || (rest.bytes[0] >= '0' && rest.bytes[0] <= '9')))
                rest = str_slice(rest, 1, rest.length); /* parts of a second decide nothing here */
        if (!good || month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 60)
                return fail(err, ERR_INVALID, "on call", "\"%.*s\" is no time; write 2026-01-05T09:00 or 2026-01-05T09:00:00Z", STR_ARGS(str_slice(text, 0, 40)));
        int64_t local_s = clock_days_of_date(year, (unsigned)month, (unsigned)day) * DAY_S + hour * INT64_C(3600) + minute * 60 + second;
        if (!rest.length) {
                *out_ns = time_zone_utc_s(zone, local_s) * NS_PER_S;
                return true;
        }
        char sign = rest.bytes[0];
        rest = str_slice(rest, 1, rest.length);
        if (sign != 'Z' && ((sign != '+' && sign != '-') || !digits(&rest, 2, ':', &ahead_hours) || !digits(&rest, 2, 0, &ahead_minutes)))
                return fail(err, ERR_INVALID, "on call", "\"%.*s\" has no time zone that is understood; end it with Z or +02:00", STR_ARGS(str_slice(text, 0, 40)));
        int64_t ahead_s = ahead_hours * INT64_C(3600) + ahead_minutes * 60;
        *out_ns = (local_s - (sign == '-' ? -ahead_s : ahead_s)) * NS_PER_S;
        return true;
}

static bool read_days(const json_t *days, unsigned *out_days, struct err *err)
{
        static const char *const names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
        size_t at;
        const json_t *day;
        *out_days = days ? 0 : 0x7f;
        json_array_foreach (days, at, day) {
                size_t i = 0;
                while (i < countof(names) && strcmp(names[i], json_is_string(day) ? json_string_value(day) : "") != 0)
                        i++;
                if (i == countof(names))
                        return fail(err, ERR_INVALID, "on call", "days are mon, tue, wed, thu, fri, sat, sun");
                *out_days |= 1u << i;
        }
        return true;
}

static bool read_hours(const json_t *item, struct rotation *rotation, struct arena *arena, struct err *err)
{
        static const char *const keys[] = {"days", "from", "to", NULL};
        struct rota_hours hours = {.to_s = DAY_S};
        struct str from = json_str(item, "from"), to = json_str(item, "to");
        if (!setting_keys(item, "hours", keys, err) || !read_days(json_object_get(item, "days"), &hours.days, err))
                return false;
        if ((from.bytes && !read_of_day(from, &hours.from_s)) || (to.bytes && !read_of_day(to, &hours.to_s)))
                return fail(err, ERR_INVALID, "on call", "from and to are times of the day such as \"09:00\", in quotes");
        struct rota_hours *kept = arena_push(arena, &rotation->hours);
        if (!kept)
                return fail_memory(err, "on call", sizeof *kept);
        *kept = hours;
        return true;
}

static bool read_rotation(const json_t *item, struct rota *rota, struct arena *arena, struct err *err)
{
        static const char *const keys[] = {"people", "starts", "every", "hours", NULL};
        struct rotation rotation = {0};
        int64_t starts_ns = 0, every_ns = 7 * DAY_S * NS_PER_S;
        size_t at;
        const json_t *part;
        struct str starts = json_str(item, "starts");
        if (!setting_keys(item, "rotations", keys, err) || !setting_texts(item, "people", arena, &rotation.people, err) ||
            !setting_duration(item, "every", &every_ns, err))
                return false;
        if (!rotation.people.count)
                return fail(err, ERR_INVALID, "on call", "a rotation needs people");
        if (!starts.bytes && rotation.people.count > 1)
                return fail(err, ERR_INVALID, "on call", "a rotation of several people needs starts, the first handover, such as \"2026-01-05T09:00\"");
        if (starts.bytes && !rota_time_read(starts, &rota->zone, &starts_ns, err))
                return err_within(err, "starts");
        if (every_ns < 3600 * NS_PER_S)
                return fail(err, ERR_INVALID, "on call", "every is at least 1h");
        rotation.starts_local_s = time_zone_local_s(&rota->zone, starts_ns / NS_PER_S);
        rotation.every_s = every_ns / NS_PER_S;
        json_array_foreach (json_object_get(item, "hours"), at, part)
                if (!read_hours(part, &rotation, arena, err))
                        return false;
        struct rotation *kept = arena_push(arena, &rota->rotations);
        if (!kept)
                return fail_memory(err, "on call", sizeof *kept);
        *kept = rotation;
        return true;
}

static bool read_override(const json_t *item, struct rota *rota, struct arena *arena, struct err *err)
{
        static const char *const keys[] = {"person", "from", "to", NULL};
        struct rota_override override = {.schedule = rota->name};
        if (!setting_keys(item, "overrides", keys, err) || !setting_text(item, "person", true, arena, &override.person, err) ||
            !rota_time_read(json_str(item, "from"), &rota->zone, &override.from_ns, err) ||
            !rota_time_read(json_str(item, "to"), &rota->zone, &override.to_ns, err))
                return false;
        struct rota_override *kept = arena_push(arena, &rota->overrides);
        if (!kept)
                return fail_memory(err, "on call", sizeof *kept);
        *kept = override;
        return true;
}

bool rota_read(const json_t *item, struct arena *arena, struct rota *out_rota, struct err *err)
{
        static const char *const keys[] = {"name", "time_zone", "time_zone_rule", "rotations", "overrides", NULL};
        struct rota rota = {0};
        size_t at;
        const json_t *part;
        struct str rule = json_str(item, "time_zone_rule");
        if (!setting_keys(item, "on_call", keys, err) || !setting_text(item, "name", true, arena, &rota.name, err))
                return false;
        if (!time_zone_parse(rule.bytes ? rule : json_str(item, "time_zone"), &rota.zone, err))
                return err_within(err, "%.*s: time_zone", STR_ARGS(rota.name));
        json_array_foreach (json_object_get(item, "rotations"), at, part)
                if (!read_rotation(part, &rota, arena, err))
                        return err_within(err, "%.*s: rotation %zu", STR_ARGS(rota.name), at + 1);
        json_array_foreach (json_object_get(item, "overrides"), at, part)
                if (!read_override(part, &rota, arena, err))
                        return err_within(err, "%.*s: override %zu", STR_ARGS(rota.name), at + 1);
        if (!rota.rotations.count && !rota.overrides.count)
                return fail(err, ERR_INVALID, "on call", "%.*s has neither rotations nor overrides", STR_ARGS(rota.name));
        *out_rota = rota;
        return true;
}

/* --- asking ---------------------------------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t number, int64_t by)
{
        return number >= 0 ? number / by : -((-number + by - 1) / by);
}

static bool within_hours(const struct rotation *rotation, int64_t local_s)
{
        int64_t day = floor_div(local_s, DAY_S), of_day_s = local_s - day * DAY_S, weekday = ((day + 4) % 7 + 7) % 7;
        each (hours, &rotation->hours) {
                bool today = hours->days >> weekday & 1, yesterday = hours->days >> ((weekday + 6) % 7) & 1;
                if (hours->to_s > hours->from_s ? today && of_day_s >= hours->from_s && of_day_s < hours->to_s :
                                                  (today && of_day_s >= hours->from_s) || (yesterday && of_day_s < hours->to_s))
                        return true;
        }
        return rotation->hours.count == 0;
}

static struct str in_rotation(const struct rotation *rotation, int64_t local_s)
{
        if (!within_hours(rotation, local_s))
                return STR("");
        int64_t people = (int64_t)rotation->people.count, turn = floor_div(local_s - rotation->starts_local_s, rotation->every_s) % people;
        return rotation->people.items[turn < 0 ? turn + people : turn];
}

struct str rota_at(const struct rota *rota, const struct rota_overrides *made, int64_t time_ns)
{
        for (size_t i = made ? made->count : 0; i-- > 0;)
                if (str_equal(made->items[i].schedule, rota->name) && time_ns >= made->items[i].from_ns && time_ns < made->items[i].to_ns)
                        return made->items[i].person;
        for (size_t i = rota->overrides.count; i-- > 0;)
                if (time_ns >= rota->overrides.items[i].from_ns && time_ns < rota->overrides.items[i].to_ns)
                        return rota->overrides.items[i].person;
        int64_t local_s = time_zone_local_s(&rota->zone, floor_div(time_ns, NS_PER_S));
        each (rotation, &rota->rotations) {
                struct str person = in_rotation(rotation, local_s);
                if (person.length)
                        return person;
        }
        return STR("");
}

bool rota_next(const struct rota *rota, const struct rota_overrides *made, int64_t time_ns, int64_t until_ns, int64_t *out_ns)
{
        struct str now = rota_at(rota, made, time_ns);
        int64_t same_ns = time_ns, other_ns = time_ns;
        do {
                same_ns = other_ns;
                if (other_ns >= until_ns)
                        return false;
                other_ns = (floor_div(other_ns, STEP_NS) + 1) * STEP_NS;
        } while (str_equal(rota_at(rota, made, other_ns), now));
        while (other_ns - same_ns > MINUTE_NS) {
                int64_t middle_ns = floor_div(same_ns + (other_ns - same_ns) / 2, MINUTE_NS) * MINUTE_NS;
                if (middle_ns <= same_ns)
                        break;
                if (str_equal(rota_at(rota, made, middle_ns), now))
                        same_ns = middle_ns;
                else
                        other_ns = middle_ns;
        }
        *out_ns = other_ns;
        return true;
}

bool rota_gap(const struct rota *rota, const struct rota_overrides *made, int64_t time_ns, int64_t until_ns, int64_t *out_from_ns, int64_t *out_to_ns)
{
        int64_t from_ns = time_ns, to_ns;
        while (rota_at(rota, made, from_ns).length)
                if (!rota_next(rota, made, from_ns, until_ns, &from_ns) || from_ns >= until_ns)
                        return false;
        *out_from_ns = from_ns;
        *out_to_ns = rota_next(rota, made, from_ns, until_ns, &to_ns) ? to_ns : until_ns;
        return true;
}

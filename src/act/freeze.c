/* freeze.c - see freeze.h. Few and rarely asked, so they are read from the content each time. */
#include "act/freeze.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "model/content.h"

#include <stdio.h>

#define DAY_MINUTES (24 * 60)

struct freeze {
        struct str name;
        int64_t from_ns, to_ns;         /* to_ns 0: daily */
        int from_minute, to_minute;
        unsigned days;                  /* bits, Monday first */
};

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static bool read_time(const json_t *item, const char *key, int64_t *out_ns, struct err *err)
{
        const char *text = json_string_value(json_object_get(item, key));
        int year, month, day, hour, minute, second, end = 0;
        if (!text || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &year, &month, &day, &hour, &minute, &second, &end) != 6 || !end || text[end] || month < 1 ||
            month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 || year < 1970 || year > 2200)
                return fail(err, ERR_INVALID, "freeze", "%s must be a time such as 2026-12-20T00:00:00Z; quote it", key);
        *out_ns = (clock_days_of_date(year, (unsigned)month, (unsigned)day) * 86400 + hour * 3600 + minute * 60 + second) * NS_PER_S;
        return true;
}

static bool read_minute(const json_t *daily, const char *key, int *out_minute, struct err *err)
{
        const char *text = json_string_value(json_object_get(daily, key));
        int hour, minute, end = 0;
        if (!text || sscanf(text, "%2d:%2d%n", &hour, &minute, &end) != 2 || !end || text[end] || hour < 0 || hour > 24 || minute < 0 || minute > 59)
                return fail(err, ERR_INVALID, "freeze", "daily.%s must be a time of day such as \"22:00\", quoted", key);
        *out_minute = hour * 60 + minute;
        return true;
}

static bool read_days(const json_t *days, unsigned *out_days, struct err *err)
{
        size_t i, j;
        json_t *day;
        *out_days = days ? 0 : 0x7F;
        json_array_foreach((json_t *)days, i, day) {
                for (j = 0; j < countof(day_names) && !str_is(str_of(json_string_value(day)), day_names[j]); j++)
                        ;
                if (j == countof(day_names))
                        return fail(err, ERR_INVALID, "freeze", "days are of mon, tue, wed, thu, fri, sat, sun");
                *out_days |= 1U << j;
        }
        return true;
}

static bool read_freeze(const json_t *item, struct freeze *out_freeze, struct err *err)
{
        const json_t *daily = json_object_get(item, "daily");
        *out_freeze = (struct freeze){.name = json_str(item, "name")};
        if (!out_freeze->name.length)
                return fail(err, ERR_INVALID, "freeze", "name is missing");
        if (daily)
                return read_minute(daily, "from", &out_freeze->from_minute, err) && read_minute(daily, "to", &out_freeze->to_minute, err) &&
                       read_days(json_object_get(item, "days"), &out_freeze->days, err);
        if (!read_time(item, "from", &out_freeze->from_ns, err) || !read_time(item, "to", &out_freeze->to_ns, err))
                return false;
        return out_freeze->to_ns > out_freeze->from_ns || fail(err, ERR_INVALID, "freeze", "%.*s: to must be after from", STR_ARGS(out_freeze->name));
}

static bool check_one(void *context, const char *file, const json_t *item, struct err *err)
{
        struct freeze freeze;
        (void)context, (void)file;
        return read_freeze(item, &freeze, err);
}

bool freezes_check(const json_t *content, struct err *err)
{
        return content_visit(content, "freezes", check_one, NULL, err);
}

/* 1970-01-01 was a Thursday. */
static bool is_day(unsigned days, int64_t day)
{
        return days >> ((day + 3) % 7) & 1;
}

static bool holds(const struct freeze *freeze, int64_t time_ns)
{
        if (freeze->to_ns)
                return time_ns >= freeze->from_ns && time_ns < freeze->to_ns;
        int64_t day = time_ns / NS_PER_S / 86400;
        int minute = (int)(time_ns / NS_PER_S / 60 % DAY_MINUTES);
        if (freeze->from_minute < freeze->to_minute)
                return is_day(freeze->days, day) && minute >= freeze->from_minute && minute < freeze->to_minute;
        return (is_day(freeze->days, day) && minute >= freeze->from_minute) || (is_day(freeze->days, day + 6) && minute < freeze->to_minute);
}

struct search {
        int64_t time_ns;
        struct str name;
        bool is_found;
};

static bool look(void *context, const char *file, const json_t *item, struct err *err)
{
        struct search *search = context;
        struct freeze freeze;
        (void)file;
        if (read_freeze(item, &freeze, err) && !search->is_found && holds(&freeze, search->time_ns)) {
                search->name = freeze.name;
                search->is_found = true;
        }
        return true;
}

bool freezes_hold(const json_t *content, int64_t time_ns, struct str *out_name)
{
        struct search search = {.time_ns = time_ns};
        content_visit(content, "freezes", look, &search, NULL);
        if (search.is_found)
                *out_name = search.name;
        return search.is_found;
}

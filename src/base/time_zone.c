/* time_zone.c - see time_zone.h. glibc's own functions know one zone a process, from the environment; on-call needs many. */
#include "base/time_zone.h"

#include "base/clock.h"
#include "base/scope.h"

#include <stdio.h>

#define DAY_S INT64_C(86400)
#define FILE_BYTES_MAX (1 << 16)

/* --- reading --------------------------------------------------------------------------------------------------------- */

static bool is_digit(struct str text)
{
        return text.length && text.bytes[0] >= '0' && text.bytes[0] <= '9';
}

static void skip(struct str *text, size_t count)
{
        *text = str_slice(*text, count, text->length);
}

static bool take(struct str *text, char byte)
{
        bool there = text->length && text->bytes[0] == byte;
        if (there)
                skip(text, 1);
        return there;
}

static bool read_number(struct str *text, int most, int *out_number)
{
        int number = 0;
        if (!is_digit(*text))
                return false;
        for (; is_digit(*text); skip(text, 1)) {
                number = number * 10 + (text->bytes[0] - '0');
                if (number > most)
                        return false;
        }
        *out_number = number;
        return true;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(struct str *text, int64_t *out_s)
{
        int hours, minutes = 0, seconds = 0;
        bool is_negative = take(text, '-');
        if (!is_negative)
                take(text, '+');
        if (!read_number(text, 167, &hours) || (take(text, ':') && !read_number(text, 59, &minutes)) ||
            (minutes >= 0 && take(text, ':') && !read_number(text, 59, &seconds)))
                return false;
        int64_t all_s = hours * INT64_C(3600) + minutes * 60 + seconds;
        *out_s = is_negative ? -all_s : all_s;
        return true;
}

/* Letters, or anything within <>. */
static bool read_name(struct str *text)
{
        size_t length = 0;
        if (take(text, '<')) {
                while (length < text->length && text->bytes[length] != '>')
                        length++;
                bool is_closed = length < text->length && length > 0;
                skip(text, length + 1);
                return is_closed;
        }
        while (length < text->length && ((text->bytes[length] | 32) >= 'a' && (text->bytes[length] | 32) <= 'z'))
                length++;
        skip(text, length);
        return length >= 3;
}

static bool read_turn(struct str *text, struct zone_turn *out_turn)
{
        struct zone_turn turn = {.at_s = 2 * 3600};
        bool good;
        if (take(text, 'M')) {
                good = read_number(text, 12, &turn.month) && take(text, '.') && read_number(text, 5, &turn.week) && take(text, '.') &&
                       read_number(text, 6, &turn.day) && turn.month >= 1 && turn.week >= 1;
        } else {
                turn.how = take(text, 'J') ? ZONE_JULIAN : ZONE_DAY_OF_YEAR;
                good = read_number(text, 365, &turn.day) && (turn.how == ZONE_DAY_OF_YEAR || turn.day >= 1);
        }
        if (!good || (take(text, '/') && !read_time(text, &turn.at_s)))
                return false;
        *out_turn = turn;
        return true;
}

static bool read_summer(struct str *text, struct time_zone *zone)
{
        int64_t behind_s;
        zone->has_summer = true;
        zone->summer_s = zone->standard_s + 3600;
        if (!read_name(text))
                return false;
        if (text->length && text->bytes[0] != ',') {
                if (!read_time(text, &behind_s))
                        return false;
                zone->summer_s = -behind_s;
        }
        return take(text, ',') && read_turn(text, &zone->to_summer) && take(text, ',') && read_turn(text, &zone->to_standard);
}

bool time_zone_parse(struct str rule, struct time_zone *out_zone, struct err *err)
{
        struct time_zone zone = {0};
        struct str text = rule;
        int64_t behind_s = 0;
        if (rule.length && !str_is(rule, "UTC")) {
                if (!read_name(&text) || !read_time(&text, &behind_s))
                        return fail(err, ERR_INVALID, "time zone", "\"%.*s\" is no rule of a time zone; write UTC, a name such as Europe/Berlin, or a POSIX TZ text",
                                    STR_ARGS(str_slice(rule, 0, 60)));
                zone.standard_s = -behind_s;
                if ((text.length && !read_summer(&text, &zone)) || text.length)
                        return fail(err, ERR_INVALID, "time zone", "\"%.*s\" is not understood from \"%.*s\" on", STR_ARGS(str_slice(rule, 0, 60)),
                                    STR_ARGS(str_slice(text, 0, 40)));
        }
        *out_zone = zone;
        return true;
}

static bool is_name(const char *name)
{
        for (const char *at = name; *at; at++)
                if (!((*at >= '0' && *at <= '9') || ((*at | 32) >= 'a' && (*at | 32) <= 'z') || *at == '_' || *at == '-' || *at == '+' || *at == '/'))
                        return false;
        return *name && *name != '/' && strlen(name) < 80;
}

bool time_zone_read_rule(const char *name, struct buf *out_rule, struct err *err)
{
        char path[128], bytes[FILE_BYTES_MAX];
        if (!is_name(name))
                return fail(err, ERR_INVALID, "time zone", "\"%.60s\" is no name of a time zone; write one such as Europe/Berlin", name);
        snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
        FILE *file = fopen(path, "rbe");
        if (!file)
                return fail(err, ERR_NOT_FOUND, "time zone", "there is no time zone %s on this machine; install tzdata, or write its POSIX rule", name);
        size_t length = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        size_t end = length, start;
        if (length < 44 || memcmp(bytes, "TZif", 4) != 0 || bytes[end - 1] != '\n')
                return fail(err, ERR_UNSUPPORTED, "time zone", "%s is no TZif file of version 2 or later", path);
        for (start = --end; start > 0 && bytes[start - 1] != '\n';)
                start--;
        return buf_append(out_rule, bytes + start, end - start) || fail_memory(err, "time zone", end - start);
}

/* --- reckoning ------------------------------------------------------------------------------------------------------- */

static int64_t floor_days(int64_t seconds)
{
        return seconds >= 0 ? seconds / DAY_S : -((-seconds + DAY_S - 1) / DAY_S);
}

static bool is_leap(int64_t year)
{
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The local second at which the clocks turn in that year. */
static int64_t turn_s(const struct zone_turn *turn, int64_t year)
{
        int64_t first = clock_days_of_date(year, turn->how == ZONE_WEEKDAY ? (unsigned)turn->month : 1, 1);
        if (turn->how == ZONE_JULIAN)
                return (first + turn->day - 1 + (is_leap(year) && turn->day >= 60)) * DAY_S + turn->at_s;
        if (turn->how == ZONE_DAY_OF_YEAR)
                return (first + turn->day) * DAY_S + turn->at_s;
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        int64_t day = first + (turn->day - weekday + 7) % 7 + (turn->week - 1) * 7;
        int64_t next = turn->month == 12 ? clock_days_of_date(year + 1, 1, 1) : clock_days_of_date(year, (unsigned)turn->month + 1, 1);
        while (day >= next) /* week 5 is the last one */
                day -= 7;
        return day * DAY_S + turn->at_s;
}

int64_t time_zone_ahead_s(const struct time_zone *zone, int64_t utc_s)
{
        int64_t year;
        unsigned month, day;
        if (!zone->has_summer)
                return zone->standard_s;
        clock_date_of_days(floor_days(utc_s + zone->standard_s), &year, &month, &day);
        int64_t start_s = turn_s(&zone->to_summer, year) - zone->standard_s, end_s = turn_s(&zone->to_standard, year) - zone->summer_s;
        bool is_summer = start_s < end_s ? utc_s >= start_s && utc_s < end_s : utc_s >= start_s || utc_s < end_s;
        return is_summer ? zone->summer_s : zone->standard_s;
}

int64_t time_zone_utc_s(const struct time_zone *zone, int64_t local_s)
{
        int64_t summer_s = local_s - zone->summer_s, standard_s = local_s - zone->standard_s;
        if (zone->has_summer && time_zone_local_s(zone, summer_s) == local_s)
                return summer_s;
        return standard_s;
}

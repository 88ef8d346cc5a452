/*
 * detector.c - see detector.h. Driven for every sample of every series, so it allocates nothing, branches little and leaves
 * what is dear to the hour's change. The constants hold for all series; docs/decisions/metric-detectors.md says how
 * they were chosen and how little most of them matter.
 */
#include "learn/detector.h"

#include <math.h>
#include <string.h>

#define QUICK_PACE (1 / 6.0f)
#define SLOW_PACE (1 / 300.0f)
#define SCATTER_PACE (1 / 336.0f) /* over two weeks of hours */
#define SHIFT_PACE (1 / 12.0f)
#define DAY_S 86400.0f
#define OFFSET_S DAY_S       /* the seasons follow a drifting level within about a day */
#define CLIP_LEVEL 2.5f         /* scatters that one sample may pull */
#define CLIP_SCATTER 4.0f
#define CLIP_SEASON 4.0f        /* the odd value of a week ago must not be what this week is measured by */
#define CLIP_MOVE 3.0f
#define CLIP_SHIFT 10.0f
#define LMS_PACE 0.05f
#define GOOD_EXPERT 1.3f        /* scatters within this factor of the best one's: may explain */
#define SEASON_EXPERT 3.0f      /* the same for seasons an hour sooner or later */
#define EPISODE_WEIGHT 0.2f     /* of learning within an episode */
#define EPISODE_S 86400.0f      /* what happens again within a day is the same trouble, unless it is worse */
#define EPISODE_LEAST 12        /* samples */
#define EPISODE_MOST 144
#define EPISODE_CALM 8
#define EPISODE_DIGITS 2.2f     /* -log10 p that opens one */
#define FLAG_DIGITS 3.9f        /* -log10 p that is told: the default sensitivity */
#define GAP_STEPS 12
#define GAP_SETTLE 6
#define NS_PER_S_FLOAT 1e9f
#define FINE_DIGITS 1024.0f     /* parts that digits are kept in */
#define DIGITS_MAX 60.0f        /* that fit so */
#define WARM 8                  /* samples before anything can be odd */
#define EXCUSED_REST 0.02f      /* of a distance that is usual at this hour: keeps the order */
#define ORDINARY 3.0f           /* scatters that values get off in any hour */
#define LINGER 0.9f             /* of a sample's loudness counts for the next one's score, and less with each */
#define ODD_LOUDNESS 3.0f       /* one in a thousand of a calm series: how long such lasts is counted, */
#define LASTS_LOUDNESS 0.3f       /* while samples are odder than every other is */
#define LASTS_USUALLY 0.7f      /* share that goes on for another sample, believed until there is evidence, */
#define LASTS_BELIEF 2.0f       /* and worth so many */
#define LASTS_KEPT 200          /* then old and new count alike */
#define SILENT_STEPS 10
#define SOUND_MAX 1e30f
#define VALUE_MAX 1e18f        /* beyond it squares overflow; nothing measured is so large */

/* What the experts say about one sample. */
struct opinion {
        float expected[DETECTOR_EXPERTS], scatter[DETECTOR_EXPERTS];
        bool has[DETECTOR_EXPERTS];     /* says something */
        bool counts[DETECTOR_EXPERTS];  /* was tried long enough */
        enum detector_expert best;
        float least;            /* no scatter is below it */
        float off;              /* distance from the best one's expectation, with sign */
        float off_season;       /* from what the season allows, an hour sooner or later too; INFINITY: no season known */
        float near_season;      /* to the nearest that the seasons expect now: a move there is theirs. INFINITY: no season known */
        float excuse;           /* how far off values usually get at this hour of the day */
        float lasting;          /* distance from the best of the experts that are slow to change their mind, in its scatters */
        float odd;              /* off, in scatters, after what explains it */
        float move;             /* distance from what the last samples lead to */
};

static float clamp(float x, float low, float high)
{
        return x < low ? low : x > high ? high : x;
}

void detector_init(struct detector *detector)
{
        memset(detector, 0, sizeof *detector);
        for (int i = 0; i < DETECTOR_VIEWS; i++)
                tail_init(&detector->tails[i], 3);
        detector->taps[0] = 1;
        season_init(&detector->season);
}

static void keep_pace(struct detector *detector, int64_t time_ns)
{
        float gap = (float)(((double)time_ns - (double)detector->last_ns) / NS_PER_S_FLOAT);
        if (detector->seen == 1)
                detector->step_s = gap > 0 ? gap : 1;
        else if (detector->seen > 1 && gap > 0) {
                if (gap < detector->step_s)
                        detector->step_s += gap > detector->step_s / 2 ? 0.2f * (gap - detector->step_s) : -0.1f * detector->step_s;
                else
                        detector->step_s += 0.05f * (smaller_of(gap, 2 * detector->step_s) - detector->step_s);
                if (gap > GAP_STEPS * detector->step_s)
                        detector->settle = GAP_SETTLE;
        }
        detector->last_ns = time_ns;
}

static void begin(struct detector *detector, float value)
{
        detector->level[EXPERT_QUICK] = detector->level[EXPERT_SLOW] = value;
        for (int i = 0; i < DETECTOR_LAGS; i++)
                detector->lags[i] = value;
}

/* The least difference between neighbours tells how finely the series counts: a scatter below half of it means nothing. */
static float least_scatter(struct detector *detector, float value)
{
        float difference = fabsf(value - detector->lags[0]);
        if (difference > 0 && (detector->quantum == 0 || difference < detector->quantum))
                detector->quantum = difference;
        else
                detector->quantum *= 1.001f;
        return larger_of(detector->quantum / 2, larger_of(fabsf(detector->level[EXPERT_SLOW]) * 1e-6f, 1e-30f));
}

/* The range that the seasons allow. */
struct allowance {
        float low, high;
};

static void allow(struct allowance *allowance, const struct season_guess *guess, float offset)
{
        const float places[] = {guess->before + offset, guess->now + offset, guess->after + offset};
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
                allowance->low = smaller_of(places[i], allowance->low);
                allowance->high = larger_of(places[i], allowance->high);
        }
}

static void ask_experts(const struct detector *detector, int64_t time_s, float value, float least, struct opinion *opinion)
{
        struct season_guess daily = {0}, weekly = {0};
        bool has_daily = season_daily(&detector->season, &daily), has_weekly = season_weekly(&detector->season, &weekly);
        *opinion = (struct opinion){.has = {true, true, has_daily, has_weekly}, .least = least, .off_season = INFINITY, .near_season = INFINITY};
        struct allowance allowance = {INFINITY, -INFINITY};
        opinion->expected[EXPERT_QUICK] = detector->level[EXPERT_QUICK];
        opinion->expected[EXPERT_SLOW] = detector->level[EXPERT_SLOW];
        opinion->expected[EXPERT_DAILY] = season_between(&daily, time_s, detector->step_s) + detector->level[EXPERT_DAILY];
        opinion->expected[EXPERT_WEEKLY] = season_between(&weekly, time_s, detector->step_s) + detector->level[EXPERT_WEEKLY];
        opinion->counts[EXPERT_QUICK] = opinion->counts[EXPERT_SLOW] = true;
        float daily_s = detector->season_seen[0] * detector->step_s, weekly_s = detector->season_seen[1] * detector->step_s;
        opinion->counts[EXPERT_DAILY] = has_daily && (daily_s > 43200 || detector->season_seen[0] > 100);
        opinion->counts[EXPERT_WEEKLY] = has_weekly && (weekly_s > 86400 || detector->season_seen[1] > 200);
        for (int i = 0; i < DETECTOR_EXPERTS; i++) {
                opinion->scatter[i] = larger_of(detector->scatter[i], least);
                if (opinion->counts[i] && detector->scatter[i] < detector->scatter[opinion->best])
                        opinion->best = (enum detector_expert)i;
        }
        float limit = SEASON_EXPERT * opinion->scatter[opinion->best];
        const struct season_guess *guesses[] = {&daily, &weekly};
        for (int i = EXPERT_DAILY; i < DETECTOR_EXPERTS; i++)
                if (opinion->counts[i] && detector->scatter[i] < limit) {
                        const struct season_guess *guess = guesses[i - EXPERT_DAILY];
                        float steps = fabsf(value - guess->now - detector->level[i]); /* a season may step at the full hour, too */
                        allow(&allowance, guess, detector->level[i]);
                        opinion->near_season = smaller_of(smaller_of(fabsf(value - opinion->expected[i]), steps), opinion->near_season);
                }
        if (allowance.low <= allowance.high)
                opinion->off_season = value < allowance.low ? value - allowance.low : value > allowance.high ? value - allowance.high : 0;
}

/* What is left of a distance after the largest usual one at this hour of the day; order is kept. */
static float excused(float distance, float excuse)
{
        return larger_of(fabsf(distance) - excuse, EXCUSED_REST * fabsf(distance));
}

static bool knows_habits(const struct detector *detector)
{
        return (float)detector->seen * detector->step_s > DAY_S; /* once is no habit */
}

static void judge(const struct detector *detector, float value, struct opinion *opinion)
{
        float scatter = opinion->scatter[opinion->best];
        opinion->off = value - opinion->expected[opinion->best];
        float odd = opinion->off / scatter;
        for (int i = 0; i < DETECTOR_EXPERTS; i++) {
                float other = (value - opinion->expected[i]) / opinion->scatter[i];
                if (opinion->counts[i] && detector->scatter[i] < GOOD_EXPERT * scatter && fabsf(other) < fabsf(odd))
                        odd = other;
        }
        opinion->lasting = (value - opinion->expected[EXPERT_SLOW]) / opinion->scatter[EXPERT_SLOW];
        float steady = opinion->scatter[EXPERT_SLOW];
        for (int i = EXPERT_DAILY; i < DETECTOR_EXPERTS; i++)
                if (opinion->counts[i] && opinion->scatter[i] < steady) {
                        steady = opinion->scatter[i];
                        opinion->lasting = (value - opinion->expected[i]) / opinion->scatter[i];
                }
        if (fabsf(opinion->off_season / steady) < fabsf(opinion->lasting))
                opinion->lasting = opinion->off_season / steady;
        if (fabsf(opinion->off_season / scatter) < fabsf(odd))
                odd = opinion->off_season / scatter;
        opinion->excuse = knows_habits(detector) ? detector->season.excuse : 0;
        opinion->odd = copysignf(excused(odd, opinion->excuse / scatter), odd);
        opinion->lasting = copysignf(excused(opinion->lasting, larger_of(opinion->excuse / steady - ORDINARY, 0)), opinion->lasting);
}

/* Predicts the sample from the last ones, learns from the error; how odd the error is, in usual errors. */
static float move_oddness(struct detector *detector, float value, struct opinion *opinion)
{
        float slow = detector->level[EXPERT_SLOW], predicted = slow, power = 1e-20f, inputs[DETECTOR_LAGS];
        for (int i = 0; i < DETECTOR_LAGS; i++) {
                inputs[i] = detector->lags[i] - slow;
                predicted += detector->taps[i] * inputs[i];
                power += inputs[i] * inputs[i];
        }
        float error = value - predicted, usual = larger_of(detector->move_scatter, opinion->least);
        float aside = opinion->near_season < INFINITY ? opinion->near_season : fabsf(opinion->off);
        opinion->move = fabsf(error); /* by itself: how far aside a daily step lands differs from day to day */
        float oddness = excused(smaller_of(opinion->move, aside), knows_habits(detector) ? detector->season.excuse_move : 0) / usual;
        float step = detector->seen > DETECTOR_LAGS ? LMS_PACE * clamp(error, -CLIP_MOVE * usual, CLIP_MOVE * usual) / (power + 4 * usual * usual) : 0;
        for (int i = 0; i < DETECTOR_LAGS; i++)
                detector->taps[i] += step * inputs[i];
        float pace = larger_of(1 / (float)(detector->seen + 1), SCATTER_PACE);
        float bounded = detector->seen > 5 ? smaller_of(fabsf(error), 5 * usual) : fabsf(error);
        detector->move_scatter += pace * (bounded - detector->move_scatter);
        memmove(detector->lags + 1, detector->lags, (DETECTOR_LAGS - 1) * sizeof *detector->lags);
        detector->lags[0] = value;
        return oddness;
}

/* How odd a sample is, in digits: -log10 of a share of samples. */
struct oddness {
        float digits;           /* among those of this series: its p-value, which decides what is told */
        float loudness;         /* as if the series had always been calm: its place among all, early and late ones */
        enum detector_view view; /* that says so */
};

/* The views' answers; their tails learn. */
static struct oddness look(struct detector *detector, float odd, float move, float lasting)
{
        static const float least[DETECTOR_VIEWS] = {2, 2, 2, 0.5f};
        /* Off to one side for long, as long as it is: the first usual sample ends it. */
        detector->shift += SHIFT_PACE * (clamp(lasting, -CLIP_SHIFT, CLIP_SHIFT) - detector->shift);
        float shifted = detector->shift * lasting > 0 ? smaller_of(fabsf(detector->shift), fabsf(lasting)) : 0;
        struct oddness oddness = {.view = VIEW_UP};
        struct tail_surprise most = {0};
        float numbers[DETECTOR_VIEWS] = {larger_of(odd, 0), larger_of(-odd, 0), move, shifted};
        bool in_episode = detector->hold && detector->calm < EPISODE_CALM;
        for (int i = 0; i < DETECTOR_VIEWS; i++) {
                struct tail_surprise surprise = tail_surprise(&detector->tails[i], numbers[i]);
                if (surprise.calm > most.calm)
                        most.calm = surprise.calm;
                if (surprise.learnt > most.learnt) {
                        most.learnt = surprise.learnt;
                        oddness.view = (enum detector_view)i;
                }
                tail_learn(&detector->tails[i], numbers[i], in_episode ? EPISODE_WEIGHT : 1, detector->seen, least[i]);
        }
        oddness.digits = smaller_of(most.learnt / logf(10), DIGITS_MAX);
        oddness.loudness = smaller_of(most.calm / logf(10), DIGITS_MAX);
        if (detector->settle) { /* after a gap nobody knows where the series should be */
                oddness.digits = smaller_of(oddness.digits, 1);
                oddness.loudness = smaller_of(oddness.loudness, 1);
                detector->settle--;
        }
        return oddness;
}

static void learn_level(struct detector *detector, float value, const struct opinion *opinion)
{
        float seen_pace = 1 / (float)(detector->seen + 1);
        bool is_new = detector->seen <= 6;
        for (int i = 0; i < DETECTOR_EXPERTS; i++) {
                if (!opinion->has[i])
                        continue;
                bool is_season = i >= EXPERT_DAILY;
                uint16_t *tried = is_season ? &detector->season_seen[i - EXPERT_DAILY] : NULL;
                bool is_first = is_season ? *tried <= 6 : is_new;
                float start_pace = is_season ? 1 / (float)(*tried + 1) : seen_pace;
                float off = value - opinion->expected[i], scatter = opinion->scatter[i];
                float pace = is_season ? clamp(detector->step_s / OFFSET_S, 0, 0.1f) : larger_of(seen_pace, i == EXPERT_QUICK ? QUICK_PACE : SLOW_PACE);
                detector->level[i] += pace * (is_first ? off : clamp(off, -CLIP_LEVEL * scatter, CLIP_LEVEL * scatter));
                float distance = is_first ? fabsf(off) : smaller_of(fabsf(off), CLIP_SCATTER * scatter);
                detector->scatter[i] += larger_of(start_pace, larger_of(seen_pace, SCATTER_PACE)) * (distance - detector->scatter[i]);
                if (is_season && *tried < UINT16_MAX)
                        ++*tried;
        }
        float reach = CLIP_SEASON * opinion->scatter[opinion->best], expected = opinion->expected[opinion->best];
        season_take(&detector->season, opinion->has[EXPERT_WEEKLY] ? clamp(value, expected - reach, expected + reach) : value,
                    detector->seen >= WARM ? fabsf(opinion->off) : 0, detector->seen >= WARM ? opinion->move : 0);
}

static uint16_t hold_of(const struct detector *detector)
{
        return (uint16_t)clamp(EPISODE_S / larger_of(detector->step_s, 1e-3f), EPISODE_LEAST, EPISODE_MOST);
}

/* Opens, prolongs and ends episodes; whether this sample is news. */
static bool is_news(struct detector *detector, float digits)
{
        if (detector->hold) {
                detector->hold--;
                detector->calm = digits < EPISODE_DIGITS / 2 ? (uint8_t)(detector->calm < UINT8_MAX ? detector->calm + 1 : UINT8_MAX) : 0;
        }
        if (digits < EPISODE_DIGITS)
                return false;
        if (detector->hold && digits <= detector->worst / FINE_DIGITS) {
                detector->hold = detector->hold < hold_of(detector) / 2 ? hold_of(detector) / 2 : detector->hold;
                return false;
        }
        detector->worst = (uint16_t)ceilf(digits * FINE_DIGITS);
        detector->hold = hold_of(detector);
        detector->calm = 0;
        return true;
}

/* What is told has its p-value's score. Everything else stays below the flag, in the order of its loudness; what comes right after
 * an oddity shares in its score. */
static float score_of(const struct oddness *oddness, bool is_told, float linger)
{
        const float below = FLAG_DIGITS - 0.5f;
        float digits = is_told ? oddness->digits : larger_of(oddness->loudness, linger);
        if (!is_told && digits > below)
                digits = below + 0.45f * (1 - expf((below - digits) / 5));
        return digits / (digits + FLAG_DIGITS);
}

/* What closely follows an oddity belongs to it, where oddities last; how they do is learnt from each. */
static void linger(struct detector *detector, float loudness)
{
        float lasts = (LASTS_USUALLY * LASTS_BELIEF + (float)detector->lasted) / (LASTS_BELIEF + (float)detector->odd);
        detector->linger = (uint16_t)larger_of(loudness * FINE_DIGITS * LINGER, detector->linger * smaller_of(lasts, LINGER));
        if (detector->was_odd) {
                detector->odd++;
                detector->lasted += loudness >= LASTS_LOUDNESS;
        }
        if (detector->odd > LASTS_KEPT) {
                detector->odd /= 2;
                detector->lasted /= 2;
        }
        detector->was_odd = loudness >= ODD_LOUDNESS;
}

void detector_push(struct detector *detector, int64_t time_ns, double value, struct verdict *out_verdict)
{
        *out_verdict = (struct verdict){.p_value = 1, .is_learning = detector->seen < DETECTOR_LEARNS, .is_open = detector->hold > 0};
        float now = (float)value;
        if (!(fabsf(now) < VALUE_MAX))
                return;
        if (!detector->seen)
                begin(detector, now);
        int64_t time_s = time_ns / 1000000000;
        keep_pace(detector, time_ns);
        float least = least_scatter(detector, now);
        season_enter(&detector->season, time_s, detector->scatter[EXPERT_SLOW]);
        struct opinion opinion;
        ask_experts(detector, time_s, now, least, &opinion);
        judge(detector, now, &opinion);
        float move = move_oddness(detector, now, &opinion);
        if (detector->seen >= WARM) {
                struct oddness oddness = look(detector, opinion.odd, move, opinion.lasting);
                out_verdict->view = oddness.view;
                out_verdict->is_flagged = is_news(detector, oddness.digits) && oddness.digits >= FLAG_DIGITS;
                linger(detector, oddness.loudness);
                out_verdict->p_value = exp2f(-oddness.digits * 3.3219281f);
                out_verdict->score = score_of(&oddness, out_verdict->is_flagged, detector->linger / FINE_DIGITS);
        }
        float reach = opinion.scatter[opinion.best];
        out_verdict->expected = opinion.expected[opinion.best];
        out_verdict->low = out_verdict->expected - reach * detector->tails[VIEW_DOWN].from - opinion.excuse;
        out_verdict->high = out_verdict->expected + reach * detector->tails[VIEW_UP].from + opinion.excuse;
        out_verdict->is_open = detector->hold > 0;
        learn_level(detector, now, &opinion);
        detector->seen++;
}

bool detector_is_silent(const struct detector *detector, int64_t now_ns)
{
        return detector->seen >= DETECTOR_LEARNS && ((double)now_ns - (double)detector->last_ns) / NS_PER_S_FLOAT > SILENT_STEPS * detector->step_s;
}

static bool are_finite(const float *numbers, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (!(fabsf(numbers[i]) < SOUND_MAX))
                        return false;
        return true;
}

static bool are_positive(const float *numbers, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (!(numbers[i] >= 0 && numbers[i] < SOUND_MAX))
                        return false;
        return true;
}

bool detector_is_sound(const struct detector *detector)
{
        bool sound = are_finite(detector->level, DETECTOR_EXPERTS) && are_positive(detector->scatter, DETECTOR_EXPERTS) &&
                     are_finite(detector->taps, DETECTOR_LAGS) && are_finite(detector->lags, DETECTOR_LAGS) &&
                     are_positive((float[]){detector->step_s, detector->quantum, detector->move_scatter}, 3) && are_finite(&detector->shift, 1) &&
                     detector->lasted <= detector->odd && season_is_sound(&detector->season);
        for (int i = 0; i < DETECTOR_VIEWS; i++)
                sound = sound && detector->tails[i].from > 0 && detector->tails[i].from < SOUND_MAX && detector->tails[i].rate && detector->tails[i].shape;
        return sound;
}

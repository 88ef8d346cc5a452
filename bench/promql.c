/*
 * promql - what evaluating range queries costs on one core, the store left out: 1,000 series of 24 h at 15 s in memory,
 * 1,440 steps. Prints milliseconds of processor time for evaluation and for writing the answer, and the memory it took.
 *
 * Usage: bench_promql [SERIES [QUERY]...]
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/scope.h"
#include "query/prom_json.h"
#include "query/promql.h"
#include "query/series_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAMPLES 5760
#define STEP_NS (60 * NS_PER_S)

static const char *const queries[] = {
        "rate(requests_total[5m])",
        "sum by (job) (rate(requests_total[5m]))",
        "requests_total",
        "avg_over_time(requests_total[1h])",
        "max_over_time(requests_total[1h])",
        "quantile_over_time(0.9, requests_total[5m])",
        "rate(requests_total[5m]) / on(job, instance) rate(requests_total[1h])",
        "topk(5, rate(requests_total[5m]))",
        "max_over_time(rate(requests_total[5m])[30m:1m])",
        "histogram_quantile(0.9, sum by (le) (rate(requests_total[5m])))",
};

static double processor_ms(void)
{
        struct timespec now;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static bool make_series(struct arena *arena, size_t count, struct series_list *list)
{
        scoped(buf_done) struct buf text = {0};
        for (size_t i = 0; i < count; i++)
                buf_printf(&text, "requests_total{job=\"job-%zu\",instance=\"host-%04zu\",le=\"%zu\"} 0 0\n", i % 10, i, i % 10);
        if (text.failed || !series_list_read(buf_str(&text), arena, list, NULL))
                return false;
        each (series, &list->set) {
                int64_t *times = arena_alloc(arena, SAMPLES * sizeof *times);
                double *values = arena_alloc(arena, SAMPLES * sizeof *values), value = 0;
                if (!times || !values)
                        return false;
                for (size_t s = 0; s < SAMPLES; s++) {
                        times[s] = (int64_t)s * 15 * NS_PER_S;
                        values[s] = value = s % 2000 == 1999 ? 0 : value + (double)((s * 7919 + (size_t)values) % 100);
                }
                *series = (struct series_data){series->labels, times, values, SAMPLES};
        }
        return true;
}

static bool measure(const char *query, const struct promql_source *source)
{
        scoped(arena_done) struct arena arena = {0};
        scoped(buf_done) struct buf out = {0};
        struct promql_options options = {.end_ns = 1439 * STEP_NS, .step_ns = STEP_NS};
        struct promql_result result;
        struct err err = {0};
        double began = processor_ms();
        if (!promql_query(str_of(query), source, &options, &arena, &result, &err))
                return fprintf(stderr, "%s: %s\n", query, err.message), false;
        double evaluated = processor_ms();
        prom_json_result(&result, &out);
        printf("%8.0f ms %8.0f ms %8.1f MiB %8zu series  %s\n", evaluated - began, processor_ms() - evaluated,
               (double)arena.bytes_held / 1048576, result.set.count, query);
        return true;
}

int main(int argc, char **argv)
{
        scoped(arena_done) struct arena arena = {0};
        struct series_list list;
        size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
        if (!make_series(&arena, count, &list))
                return fprintf(stderr, "no memory for %zu series\n", count), 1;
        struct promql_source source = series_list_source(&list);
        bool good = true;
        printf("%zu series of 24 h at 15 s, 1440 steps\n   evaluation      answer      memory\n", count);
        for (size_t i = 0; argc < 3 && i < countof(queries); i++)
                good = measure(queries[i], &source) && good;
        for (int i = 2; i < argc; i++)
                good = measure(argv[i], &source) && good;
        return good ? 0 : 1;
}

/* cause_metrics_fuzz - any numbers, whatever their kind, and any graph give an order or a clear error. */
#include "engage/cause_metrics.h"

#include "base/reader.h"
#include "base/scope.h"

#include <math.h>
#include <stdlib.h>

#define ROWS 24
#define SERIES 8
#define NAMES 5

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static const struct str names[NAMES] = {STR_INIT("a"), STR_INIT("b"), STR_INIT("c"), STR_INIT("d"), STR_INIT("e")};
static const struct str metrics[] = {STR_INIT("latency"), STR_INIT("requests"), STR_INIT("availability")};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct reader reader = reader_of((struct str){(const char *)bytes, count});
        double values[SERIES][ROWS];
        int64_t times[ROWS];
        struct cause_series series[SERIES];
        struct cause_edge edges[6];
        struct cause_list causes = {0};
        struct err err = {0};
        scoped(arena_done) struct arena arena;
        arena_init(&arena, 1 << 20);
        uint8_t head = reader_u8(&reader);
        for (size_t i = 0; i < countof(edges); i++)
                edges[i] = (struct cause_edge){names[reader_u8(&reader) % NAMES], names[reader_u8(&reader) % NAMES]};
        for (int s = 0; s < SERIES; s++) {
                series[s] = (struct cause_series){names[reader_u8(&reader) % NAMES], metrics[s % 3], STR("x"), values[s]};
                for (int i = 0; i < ROWS; i++) {
                        uint64_t bits = reader_u64(&reader);
                        memcpy(&values[s][i], &bits, sizeof bits);
                }
        }
        for (int i = 0; i < ROWS; i++)
                times[i] = i;
        struct cause_question question = {.times_ns = times, .row_count = ROWS, .series = series, .series_count = SERIES,
                                          .edges = edges, .edge_count = countof(edges), .at_ns = head % (ROWS + 2),
                                          .target = head & 128 ? CAUSE_NO_TARGET : head % SERIES};
        if (!cause_metrics_rank(&question, &arena, &causes, &err) && !err.message[0])
                abort();
        for (size_t i = 0; i < causes.count; i++)
                if (!isfinite(causes.items[i].score) || (i && causes.items[i - 1].score < causes.items[i].score))
                        abort();
        return 0;
}

/*
 * detector_speed - what one sample costs a detector: nanoseconds of the processor, over more series than the caches hold.
 *
 *      detector_speed [SERIES]
 */
#include "learn/detector.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 300
#define START_NS INT64_C(1767225600000000000)

static double processor_s(void)
{
        struct timespec now;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
        long count = argc > 1 ? atol(argv[1]) : 20000;
        struct detector *detectors = count > 0 ? calloc((size_t)count, sizeof *detectors) : NULL;
        if (!detectors)
                return 1;
        uint64_t random = 1;
        double begun = processor_s(), flags = 0;
        for (long i = 0; i < count; i++)
                detector_init(&detectors[i]);
        for (int64_t round = 0; round < ROUNDS; round++)
                for (long i = 0; i < count; i++) {
                        struct verdict verdict;
                        random = random * 6364136223846793005u + 1442695040888963407u;
                        detector_push(&detectors[i], START_NS + round * 10 * INT64_C(1000000000), (double)(random >> 40) / 1e6 + (double)i, &verdict);
                        flags += verdict.is_flagged;
                }
        double spent = processor_s() - begun;
        printf("%ld series, %zu bytes each: %.0f ns a sample; %.3f flags in 1,000\n", count, sizeof *detectors, 1e9 * spent / (double)count / ROUNDS,
               1000 * flags / (double)count / ROUNDS);
        free(detectors);
}

/* metric_detector_fuzz - any bytes restore detectors that may be used and saved again, or give a clear error. */
#include "base/clock.h"
#include "base/scope.h"
#include "observe/metric_detector.h"
#include "observe/observe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

SCOPED_PTR(metric_detectors_destroy, struct metric_detectors)

static void use(struct metric_detectors *detectors)
{
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        struct label items[] = {{LABEL_METRIC_NAME, STR("x")}};
        for (int i = 0; i < 200; i++) {
                struct sample sample = {(int64_t)i * 60 * NS_PER_S + INT64_C(1700000000000000000), i * 1e15};
                struct series_points points = {.labels = {items, 1, 0}, .samples = &sample, .count = 1, .id = {0, 0}};
                struct batch batch = {.received_ns = sample.time_ns, .telemetry.series = {&points, 1, 0}};
                uint32_t pick = 0;
                struct fold fold = {.batch = &batch, .time_ns = sample.time_ns, .series = &pick, .series_count = 1};
                if (!metric_detectors_fold(detectors, &fold, &noticed, NULL) ||
                    !metric_detectors_settle(detectors, &(struct settle){0, sample.time_ns + NS_PER_S, NULL}, &noticed, NULL))
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        struct metric_detectors *made = NULL;
        if (!metric_detectors_create_for(2048, &made, &err))
                abort();
        scoped_ptr(metric_detectors_destroy) struct metric_detectors *detectors = made;
        if (!metric_detectors_restore(detectors, (struct str){(const char *)bytes, count}, &err)) {
                if (!err.message[0])
                        abort();
                return 0;
        }
        use(detectors);
        scoped(buf_done) struct buf saved = {0};
        if (!metric_detectors_save(detectors, &saved, NULL))
                abort();
        return 0;
}

/* limit_forecast_fuzz - any bytes restore forecasts that may be used and saved again, or give a clear error. */
#include "base/clock.h"
#include "base/scope.h"
#include "observe/limit_forecast.h"
#include "observe/observe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

SCOPED_PTR(limit_forecasts_destroy, struct limit_forecasts)

static void use(struct limit_forecasts *forecasts)
{
        scoped(noticed_done) struct noticed noticed;
        noticed_init(&noticed);
        struct label items[] = {{LABEL_METRIC_NAME, STR("disk_used_percent")}};
        for (int i = 0; i < 200; i++) {
                struct sample sample = {(int64_t)i * 60 * NS_PER_S + INT64_C(1700000000000000000), i / 2.0};
                struct series_points points = {.labels = {items, 1, 0}, .samples = &sample, .count = 1, .id = {0, 0}};
                struct batch batch = {.received_ns = sample.time_ns, .telemetry.series = {&points, 1, 0}};
                uint32_t pick = 0;
                struct fold fold = {.batch = &batch, .time_ns = sample.time_ns, .series = &pick, .series_count = 1};
                if (!limit_forecasts_fold(forecasts, &fold, &noticed, NULL))
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        struct limit_forecasts *made = NULL;
        if (!limit_forecasts_create(&made, &err))
                abort();
        scoped_ptr(limit_forecasts_destroy) struct limit_forecasts *forecasts = made;
        if (!limit_forecasts_restore(forecasts, (struct str){(const char *)bytes, count}, &err)) {
                if (!err.message[0])
                        abort();
                return 0;
        }
        use(forecasts);
        scoped(buf_done) struct buf saved = {0};
        if (!limit_forecasts_save(forecasts, &saved, NULL))
                abort();
        return 0;
}

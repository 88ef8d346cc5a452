/* manifest_fuzz - a backup with any manifest is proven or refused with a sentence, and proven only when its state was looked at. */
#include "loop/loop.h"

#include "base/json.h"
#include "base/scratch.h"
#include "loop/state_table.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static char folder[SCRATCH_BYTES], manifest[SCRATCH_BYTES + 20];

static void remove_folder(void)
{
        scratch_remove(folder);
}

/* A backup without telemetry, but for its manifest. */
static void begin(void)
{
        char path[SCRATCH_BYTES + 20];
        struct err err;
        struct database *state;
        if (scratch_make(folder, "manifest") != 0)
                abort();
        atexit(remove_folder);
        snprintf(path, sizeof path, "%s/telemetry", folder);
        snprintf(manifest, sizeof manifest, "%s/manifest.json", folder);
        if (!disk_make_directory(disk_real(), path, &err))
                abort();
        snprintf(path, sizeof path, "%s/state.db", folder);
        if (!state_open(path, NULL, &state, &err))
                abort();
        database_close(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct err err = {0};
        json_t *report = NULL;
        if (!folder[0])
                begin();
        FILE *file = fopen(manifest, "wb");
        if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0)
                abort();
        bool good = loop_verify_backup(folder, &report, &err);
        if (good ? json_i64(report, "files", 0) < 1 : !err.message[0] || report)
                abort();
        json_decref(report);
        return 0;
}

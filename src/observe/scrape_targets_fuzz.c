/* scrape_targets_fuzz - any discovery file, YAML or JSON, and any list of jobs are targets with sound labels or a clear error. */
#include "scrape_targets.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void check(const struct scrape_targets *targets, bool good, const struct err *err)
{
        if (!good && !err->message[0])
                abort();
        for (size_t i = 0; i < targets->count; i++)
                if (targets->items[i].labels.count > LABELS_MAX || !targets->items[i].url.length)
                        abort();
}

static void read_as(struct str text, const char *path)
{
        struct err err = {0};
        struct scrape_job job = {.name = STR("fuzz"), .path = STR("/metrics"), .scheme = STR("http")};
        struct scrape_targets targets = {0};
        scoped(arena_done) struct arena arena;
        arena_init(&arena, (size_t)16 << 20);
        struct listing listing = {&job, &arena, &targets};
        bool good = add_groups(&listing, text, path, &err);
        check(&targets, good, &err);
}

static void read_as_jobs(struct str text)
{
        struct err err = {0};
        struct scrape_jobs jobs = {0};
        struct scrape_targets targets = {0};
        scoped_ptr(json_decref) json_t *config = yaml_parse(text, "fuzz", &err);
        if (!config || !scrape_jobs_parse(config, &jobs, &err)) {
                if (!err.message[0])
                        abort();
                return;
        }
        for (size_t i = 0; i < jobs.count; i++)
                jobs.items[i].files = NULL; /* no files of this machine */
        scoped(arena_done) struct arena arena;
        arena_init(&arena, (size_t)16 << 20);
        bool good = scrape_targets_list(&jobs, &arena, &targets, &err);
        check(&targets, good, &err);
        scrape_jobs_done(&jobs);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
        struct str text = {(const char *)bytes, count};
        read_as(text, "targets.json");
        read_as(text, "targets.yaml");
        read_as_jobs(text);
        return 0;
}

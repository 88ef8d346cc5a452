/*
 * torture - tells stories again and again, failing the nth allocation of our own code, the nth operation on the disk, the nth
 * step of SQLite, until one is told to its end.
 *
 * Each failure must be a clear error, or do no harm; what was done before stays, and works the next time; the sanitizers see
 * leaks and touched memory. A story is a row.
 *
 * Usage: torture [STEP [STORY]]: fails every STEPth only (default 1), of this story only.
 */
#include "story.h"

#include "base/scope.h"
#include "store/disk_forgetful.h"
#include "store/vfs.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct story stories[] = {
        {"syslog", IN_MEMORY, tell_syslog},
        {"otlp logs", IN_MEMORY, tell_otlp_logs},
        {"webhook", IN_MEMORY, tell_webhook},
        {"exposition", IN_MEMORY, tell_exposition},
        {"redaction", IN_MEMORY, tell_redaction},
        {"promql", IN_MEMORY, tell_promql},
        {"logql", IN_MEMORY, tell_logql},
        {"alerts", IN_MEMORY, tell_alerts},
        {"alert stream", IN_MEMORY, tell_alert_stream},
        {"journal", ON_DISK, NULL, begin_journal, live_journal, end_journal},
        {"archive", IN_DATABASE, NULL, begin_archive, live_archive, end_archive},
        {"telemetry", IN_DATABASE, NULL, begin_telemetry, live_telemetry, end_telemetry},
        {"accounts", IN_DATABASE, NULL, begin_accounts, live_accounts, end_accounts},
        {"intake", ON_DISK, NULL, begin_intake, live_intake, end_intake},
        {"recovery", IN_DATABASE, NULL, begin_recovery, live_recovery, end_recovery},
};
static const char *const fault_names[FAULTS] = {"allocations", "disk operations", "SQLite steps"};

struct world world;
static char now_told[128];

void broken(const char *format, ...)
{
        failing_end();
        printf("%s: ", now_told);
        va_list args;
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
        exit(1);
}

void step_failed(const char *step, const struct err *err)
{
        if (!err->message[0])
                broken("%s fails without a word", step);
        world.told++;
}

void world_begin(void)
{
        struct err err = {0};
        world.memory = disk_forgetful_create();
        world.disk = failing_disk_create(world.memory);
        if (!world.memory || !vfs_register(VFS, world.disk, &err) || !disk_make_directory(world.disk, FOLDER, &err))
                broken("%s", err.message);
}

void world_end(void)
{
        vfs_unregister(VFS);
        failing_disk_destroy(world.disk);
        disk_forgetful_destroy(world.memory);
}

/* Tells it once, the nth failing; gives how many there were. */
static size_t tell_once(const struct story *story, enum fault fault, size_t nth, size_t *errors)
{
        struct err err = {0};
        snprintf(now_told, sizeof now_told, "%s, %zu. of the %s fails", story->name, nth, fault_names[fault]);
        world = (struct world){.seed = nth + 1};
        if (story->begin)
                story->begin();
        failing_begin(fault, nth);
        bool good = story->tell ? story->tell(&err) : (story->live(), true);
        size_t counted = failing_end(), logged = failing_logged();
        if (story->end)
                story->end();
        if (!good && !err.message[0])
                broken("it ends without a word");
        if (!good && !nth)
                broken("%s", err.message);
        *errors += !good || world.told || logged;
        return counted;
}

static void tell_all(const struct story *story, enum fault fault, size_t step)
{
        size_t errors = 0, nth = 1;
        tell_once(story, fault, 0, &errors); /* what a thread keeps is made now */
        while (tell_once(story, fault, nth, &errors) >= nth)
                nth += step;
        printf("%-12s %5zu of the %-15s failed, %5zu told of it\n", story->name, (nth - 1) / step, fault_names[fault], errors);
        fflush(stdout);
        if (nth == 1 || !errors)
                broken("nothing was reached");
}

int main(int argc, char **argv)
{
        int step = argc > 1 ? atoi(argv[1]) : 1;
        json_set_alloc_funcs(malloc, free); /* they are wrapped here, so jansson's fail too */
        for (size_t i = 0; i < countof(stories); i++)
                for (int fault = 0; fault < FAULTS; fault++)
                        if ((stories[i].faults & 1u << fault) && (argc < 3 || strcmp(stories[i].name, argv[2]) == 0))
                                tell_all(&stories[i], (enum fault)fault, (size_t)max_of(step, 1));
        return 0;
}

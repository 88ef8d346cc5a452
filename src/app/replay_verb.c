/*
 * replay_verb.c - see replay_verb.h: reads the other configuration as `run` would, lets loop/replay.h work in a folder of its own, and prints the
 * difference. The folder is removed afterwards unless it was named.
 */
#include "app/replay_verb.h"

#include "app/config.h"
#include "app/content_files.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "loop/replay.h"
#include "serve/when.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS_SHOWN 200

static const char usage[] =
        "usage: evenkeel replay --config FILE [--data FOLDER] [--since 24h] [--until TIME] [--work FOLDER] [--threads N] [--json]\n"
        "\n"
        "  --config FILE    the other evenkeel.yaml: its rules, routes, packs, teams and runbooks\n"
        "  --data FOLDER    the data folder, only read (default: what that file says); it may be in use\n"
        "  --since TIME     from when on differences are told: 6h, or 2026-01-31T10:00:00Z (default: all that is held)\n"
        "  --until TIME     until when\n"
        "  --work FOLDER    where both runs are decided; kept (default: a folder in the data folder, removed afterwards)\n"
        "  --threads N      that own partitions; the result does not depend on it\n"
        "  --json           the whole report\n"
        "\n"
        "Nothing is sent and nothing is run. Exit status: 0 no page or incident differs, 1 it failed, 2 used wrongly, 4 something differs.\n";

struct replay_words {
        const char *config, *data, *since, *until, *work;
        uint64_t threads;
        bool is_json;
};

static bool read_words(int argc, char **argv, struct replay_words *words)
{
        static const struct option known[] = {
                {"config", required_argument, NULL, 'c'}, {"data", required_argument, NULL, 'd'},    {"json", no_argument, NULL, 'j'},
                {"since", required_argument, NULL, 's'},  {"threads", required_argument, NULL, 't'}, {"until", required_argument, NULL, 'u'},
                {"work", required_argument, NULL, 'w'},   {NULL, 0, NULL, 0},
        };
        optind = 1;
        for (int letter; (letter = getopt_long(argc, argv, "", known, NULL)) != -1;) {
                switch (letter) {
                case 'c':
                        words->config = optarg;
                        break;
                case 'd':
                        words->data = optarg;
                        break;
                case 'j':
                        words->is_json = true;
                        break;
                case 's':
                        words->since = optarg;
                        break;
                case 't':
                        if (!str_to_u64(str_of(optarg), &words->threads) || words->threads > 64)
                                return false;
                        break;
                case 'u':
                        words->until = optarg;
                        break;
                case 'w':
                        words->work = optarg;
                        break;
                default:
                        return false;
                }
        }
        return optind == argc && words->config;
}

/* "6h" is six hours ago. */
static bool read_time(const char *text, int64_t *out_ns, struct err *err)
{
        scoped(buf_done) struct buf ago = {0};
        int64_t now_ns = clock_now_ns(&clock_real);
        if (!text || when_any(str_of(text), now_ns, out_ns))
                return true;
        buf_printf(&ago, "-%s", text);
        return (!ago.failed && when_any(buf_str(&ago), now_ns, out_ns)) || fail(err, ERR_INVALID, "replay", "%s is no time; write it as 6h or 2026-01-31T10:00:00Z", text);
}

static bool is_terminal(void)
{
        return isatty(STDERR_FILENO);
}

static void show_progress(void *context, const char *what, double share)
{
        (void)context;
        if (strcmp(what, "other") == 0)
                fprintf(stderr, "\r%3.0f %% of the other run", 100 * share);
        else
                fprintf(stderr, "\rtelling the run as recorded ");
}

/* --- printing ---------------------------------------------------------------------------------------------------------- */

static void print_counts(const json_t *report, const char *key, const char *name)
{
        const json_t *counts = json_object_get(report, key);
        printf("  %-28s %6" PRId64 " incidents %6" PRId64 " messages %6" PRId64 " of them pages\n", name, json_i64(counts, "incidents", 0),
               json_i64(counts, "messages", 0), json_i64(counts, "pages", 0));
}

static void print_head(const json_t *report)
{
        char from[CLOCK_RFC3339_BYTES], until[CLOCK_RFC3339_BYTES], asked[CLOCK_RFC3339_BYTES];
        item_time(report, "since_ns", from);
        item_time(report, "until_ns", until);
        item_time(report, "asked_since_ns", asked);
        printf("Replayed %" PRId64 " entries, %s to %s\n", json_i64(report, "entries", 0), from, until);
        if (!json_flag(report, "is_held", true))
                printf("  What was asked, from %s on, is not held: journal.keep and journal.keep_bytes say how much is.\n", asked);
        print_counts(report, "recorded", "as recorded");
        print_counts(report, "other", "with the other configuration");
        if (json_i64(report, "commands_left_out", 0))
                printf("  %" PRId64 " commands were left out: they were about incidents that the other run does not have\n", json_i64(report, "commands_left_out", 0));
}

static void print_differences(const json_t *list, bool has_color)
{
        scoped(table_done) struct table table;
        size_t at;
        json_t *item;
        table_init(&table, "TIME|WHAT|WOULD HAVE BEEN|TEAM|RECORDED TEAM|INCIDENT|REASON");
        json_array_foreach (list, at, item) {
                char time[CLOCK_RFC3339_BYTES];
                bool is_page = strcmp(item_text(item, "what"), "page") == 0;
                if (at == ROWS_SHOWN)
                        break;
                item_time(item, "time_ns", time);
                table_cell(&table, COLOR_DIM, "%s", time);
                table_cell(&table, is_page ? COLOR_RED : COLOR_NONE, "%s", item_text(item, "what"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "kind"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "team"));
                table_cell(&table, COLOR_NONE, "%s", item_text(item, "recorded_team"));
                table_cell(&table, COLOR_NONE, "%.60s", item_text(item, "title"));
                table_cell(&table, COLOR_NONE, "%.160s", item_text(item, "reason"));
        }
        putchar('\n');
        table_print(&table, stdout, has_color);
        if (json_array_size(list) > ROWS_SHOWN)
                printf("and %zu more; --json has them all\n", json_array_size(list) - ROWS_SHOWN);
}

static void print_report(const json_t *report)
{
        const json_t *list = json_object_get(report, "differences"), *count;
        const char *kind;
        print_head(report);
        if (!json_array_size(list)) {
                printf("\nNo page and no incident differs.\n");
                return;
        }
        printf("\n");
        json_object_foreach (json_object_get(report, "sums"), kind, count)
                printf("  %6" JSON_INTEGER_FORMAT "  %s\n", json_integer_value(count), kind);
        print_differences(list, isatty(STDOUT_FILENO));
}

/* --- working ----------------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
        (void)status, (void)type, (void)place;
        return remove(path);
}

static bool make_work(const char *data, char *out_path, size_t bytes, struct err *err)
{
        snprintf(out_path, bytes, "%s/replay-XXXXXX", data);
        return mkdtemp(out_path) || fail_errno(err, errno, "replay", "making a folder in %s; name one with --work", data);
}

static void config_end(struct config *config)
{
        config_done(config);
}

static bool replay(const struct replay_words *words, json_t **out_report, struct err *err)
{
        scoped(config_end) struct config config = {0};
        scoped_ptr(json_decref) json_t *content = NULL;
        char work[4096];
        struct replay_options options = {.workers = (int)words->threads, .look = is_terminal() ? show_progress : NULL};
        if (!read_time(words->since, &options.since_ns, err) || !read_time(words->until, &options.until_ns, err) ||
            !config_load(words->config, &config, NULL, err) || !content_files_read(&config, &content, NULL, err))
                return false;
        options.content = content;
        options.data = words->data ? words->data : config_text(&config, "data");
        options.work = words->work;
        if (!words->work && !make_work(options.data, work, sizeof work, err))
                return false;
        options.work = words->work ? words->work : work;
        bool good = replay_run(&options, out_report, err);
        if (options.look)
                fprintf(stderr, "\r%40s\r", "");
        if (!words->work)
                nftw(work, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        return good;
}

int replay_main(int argc, char **argv)
{
        struct replay_words words = {0};
        struct err err = {0};
        scoped_ptr(json_decref) json_t *report = NULL;
        if (!read_words(argc, argv, &words))
                return fputs(usage, stderr), 2;
        umask(077);
        log_set_level(LOG_LEVEL_ERROR);
        if (!replay(&words, &report, &err)) {
                fprintf(stderr, "evenkeel: %s\n", err.message);
                return 1;
        }
        if (words.is_json) {
                json_dumpf(report, stdout, JSON_INDENT(2));
                putchar('\n');
        } else {
                print_report(report);
        }
        return json_array_size(json_object_get(report, "differences")) ? 4 : 0;
}

/*
 * run.c - the order in which the rooms come to life and go: loop first and last, then the HTTP face, then the sources.
 *
 * Signals: TERM and INT stop in order; HUP reads the configuration again and restarts the sources, all or nothing.
 */
#include "app/run.h"

#include "act/runner.h"
#include "app/config.h"
#include "app/config_check.h"
#include "app/content_files.h"
#include "app/listen.h"
#include "app/privileges.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "loop/command.h"
#include "loop/loop.h"
#include "observe/check_source.h"
#include "observe/intake.h"
#include "observe/observe.h"
#include "observe/source_kinds.h"
#include "reach/launcher.h"
#include "serve/serve.h"
#include "wire/redact.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define LISTENERS_MAX 8
#define HEAP_KEPT_BYTES (32 << 20) /* the largest that mallopt takes as threshold */
#define HEAP_FREE_BYTES (128 << 20)
#define HEAP_STEP_BYTES (1 << 20)

struct run_options {
        const char *config_path, *data, *user;
        const char *http[LISTENERS_MAX];
        int http_count;
        bool skip_damage, no_host_sources, spine_alone, check_only;
        int threads;
};

struct daemon {
        struct run_options options;
        const char *data;
        struct config config;
        struct redactor *redactor;
        struct launcher *launcher;
        int launcher_socket;    /* between fork and the first thread */
        struct loop *loop;
        struct server *server;
        struct http_options http;
        struct http_listener listeners[LISTENERS_MAX];
        char http_addresses[LISTENERS_MAX][64];
        char host[256];         /* this machine's name; empty: not known */
        struct buf certificate, key; /* PEM, ended by NUL */
        struct check_source *checks;
        void *sources[64]; /* by row of the source table; NULL: not running */
};

static const char usage[] =
        "usage: evenkeel run [--data FOLDER] [--config FILE] [--http ADDRESS:PORT]... [--threads N] [--user NAME]\n"
        "                    [--skip-journal-damage] [--no-sources] [--spine-alone] [--check]\n"
        "\n"
        "  --data FOLDER        where everything is kept (default /var/lib/evenkeel)\n"
        "  --config FILE        evenkeel.yaml; without it nothing needs to be configured\n"
        "  --http ADDRESS:PORT  console, API and HTTP sources (default 127.0.0.1:8400; port 0 takes a free one)\n"
        "  --threads N          threads that own partitions of telemetry\n"
        "  --user NAME          when started as root: become this user (default evenkeel, if there is one)\n"
        "  --skip-journal-damage        go on past damaged journal entries instead of stopping; what was lost is told\n"
        "  --no-sources         listen for HTTP only: no syslog, files, journal, scraping or host metrics\n"
        "  --spine-alone        store telemetry and look for nothing in it: to measure what finding costs\n"
        "  --check              read the configuration and all content as a start would, tell every fault in them, and end; touches no data\n";

static bool read_options(int argc, char **argv, struct run_options *out_options)
{
        static const struct option known[] = {
                {"data", required_argument, NULL, 'd'},    {"config", required_argument, NULL, 'c'},
                {"http", required_argument, NULL, 'h'},    {"threads", required_argument, NULL, 't'},
                {"user", required_argument, NULL, 'u'},    {"skip-journal-damage", no_argument, NULL, 's'},
                {"no-sources", no_argument, NULL, 'n'},    {"spine-alone", no_argument, NULL, 'a'},
                {"check", no_argument, NULL, 'k'},         {"help", no_argument, NULL, '?'},
                {NULL, 0, NULL, 0},
        };
        struct run_options options = {0};
        uint64_t threads = 0;
        optind = 1;
        for (int letter; (letter = getopt_long(argc, argv, "", known, NULL)) != -1;) {
                switch (letter) {
                case 'd':
                        options.data = optarg;
                        break;
                case 'c':
                        options.config_path = optarg;
                        break;
                case 'h':
                        if (options.http_count < LISTENERS_MAX)
                                options.http[options.http_count++] = optarg;
                        break;
                case 't':
                        if (!str_to_u64(str_of(optarg), &threads) || threads > 64)
                                return false;
                        break;
                case 'u':
                        options.user = optarg;
                        break;
                case 's':
                        options.skip_damage = true;
                        break;
                case 'n':
                        options.no_host_sources = true;
                        break;
                case 'a':
                        options.spine_alone = true;
                        break;
                case 'k':
                        options.check_only = true;
                        break;
                default:
                        return false;
                }
        }
        options.threads = (int)threads;
        *out_options = options;
        return optind == argc;
}

/* --- sources ------------------------------------------------------------------------------------------------------------ */

static void stop_sources(struct daemon *daemon)
{
        check_source_stop(daemon->checks);
        daemon->checks = NULL;
        for (size_t i = 0; i < source_kind_count; i++) {
                if (daemon->sources[i])
                        source_kinds[i].stop(daemon->sources[i]);
                daemon->sources[i] = NULL;
        }
}

static size_t damaged_days(void *context, int64_t *out_days, size_t days_max)
{
        return archive_damaged_days(context, INT64_MIN, INT64_MAX, out_days, days_max);
}

static void start_checks(struct daemon *daemon)
{
        struct err err = {0};
        struct check_source_options options = {.intake = loop_intake(daemon->loop), .checks = observe_checks(loop_observe(daemon->loop)),
                                               .launcher = daemon->launcher, .data_directory = loop_directory(daemon->loop),
                                               .store = {damaged_days, loop_archive(daemon->loop)}};
        if (!check_source_start(&options, &daemon->checks, &err))
                log_err(LOG_LEVEL_ERROR, &err);
}

/* A source that cannot start does not keep the others from starting: it shows as failing on the sources page. */
static void start_sources(struct daemon *daemon)
{
        start_checks(daemon);
        for (size_t i = 0; i < source_kind_count; i++) {
                char path[64];
                struct err err = {0};
                const struct source_kind *kind = &source_kinds[i];
                snprintf(path, sizeof path, "sources.%s", kind->name);
                if (!kind->start || kind->start(loop_intake(daemon->loop), config_tree(&daemon->config, path), &daemon->sources[i], &err))
                        continue;
                daemon->sources[i] = NULL;
                source_state(loop_intake(daemon->loop), str_of(kind->name), kind->name, true, "%s", err.message);
                log_err(LOG_LEVEL_ERROR, &err);
        }
}

/* --- HTTP --------------------------------------------------------------------------------------------------------------- */

static bool is_loopback(const char *address)
{
        return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 || strcmp(address, "localhost") == 0;
}

/* Once; leaves both empty when none is configured. */
static bool read_certificate(struct daemon *daemon, struct err *err)
{
        const char *certificate = config_text(&daemon->config, "http.certificate"), *key = config_text(&daemon->config, "http.key");
        if (daemon->certificate.length || !*certificate || !*key)
                return true;
        daemon->certificate.bytes_max = daemon->key.bytes_max = 1 << 20;
        return config_read_file(certificate, &daemon->certificate, err) && config_read_file(key, &daemon->key, err) &&
               ((buf_byte(&daemon->certificate, 0) && buf_byte(&daemon->key, 0)) || fail_memory(err, "run", daemon->key.length));
}

/* "127.0.0.1:8400", "[::1]:8400", "localhost:8400". */
static bool add_listener(struct daemon *daemon, const char *text, struct err *err)
{
        struct http_options *http = &daemon->http;
        struct str whole = str_of(text), host, port_text;
        const char *colon = strrchr(text, ':');
        uint64_t port;
        if (!colon)
                return fail(err, ERR_INVALID, "run", "the address %s has no port; write it as 127.0.0.1:8400", text);
        host = str_slice(whole, 0, (size_t)(colon - text));
        port_text = str_slice(whole, host.length + 1, whole.length);
        if (host.length >= 2 && host.bytes[0] == '[' && host.bytes[host.length - 1] == ']')
                host = str_slice(host, 1, host.length - 1);
        if (!str_to_u64(port_text, &port) || port > 65535 || host.length == 0 || host.length >= sizeof daemon->http_addresses[0])
                return fail(err, ERR_INVALID, "run", "the address %s is not understood; write it as 127.0.0.1:8400", text);
        if (http->listener_count == LISTENERS_MAX)
                return fail(err, ERR_TOO_LARGE, "run", "more than %d HTTP addresses", LISTENERS_MAX);
        char *address = daemon->http_addresses[http->listener_count];
        struct in6_addr numeric;
        snprintf(address, sizeof daemon->http_addresses[0], "%.*s", STR_ARGS(str_is(host, "localhost") ? STR("127.0.0.1") : host));
        if (inet_pton(strchr(address, ':') ? AF_INET6 : AF_INET, address, &numeric) != 1)
                return fail(err, ERR_INVALID, "run", "the address %s is not understood: write it in numbers, as 127.0.0.1:8400 or [::1]:8400", text);
        struct http_listener *listener = &daemon->listeners[http->listener_count++];
        *listener = (struct http_listener){.address = address, .port = (uint16_t)port};
        if (!is_loopback(address)) {
                if (!read_certificate(daemon, err))
                        return false;
                listener->certificate = daemon->certificate.bytes;
                listener->key = daemon->key.bytes;
                if (!listener->certificate)
                        return fail(err, ERR_INVALID, "run", "%s is reachable from other machines and needs TLS: set http.certificate and "
                                    "http.key, or let `evenkeel listen http %s` make them", text, text);
        }
        return true;
}

static bool choose_listeners(struct daemon *daemon, struct err *err)
{
        const json_t *listen = config_tree(&daemon->config, "http.listen");
        if (!listen)
                return add_listener(daemon, "127.0.0.1:8400", err);
        size_t i;
        json_t *address;
        json_array_foreach(listen, i, address)
                if (!add_listener(daemon, json_is_string(address) ? json_string_value(address) : "", err))
                        return false;
        return true;
}

static bool make_backup(void *context, const char *directory, struct err *err)
{
        return loop_backup(context, directory, err);
}

static bool start_http(struct daemon *daemon, struct err *err)
{
        static char state_path[4096];
        snprintf(state_path, sizeof state_path, "%s/state.db", loop_directory(daemon->loop));
        struct serve_context context = {
                .allow_path = config_text(&daemon->config, "launcher.allow"),
                .clock = &clock_real, .intake = loop_intake(daemon->loop), .logs = loop_logs(daemon->loop),
                .log_templates = observe_log_templates(loop_observe(daemon->loop)),
                .series = loop_series(daemon->loop), .metas = loop_metas(daemon->loop), .rules = observe_rules(loop_observe(daemon->loop)), .archive = loop_archive(daemon->loop), .journal = loop_journal(daemon->loop),
                .registry = loop_registry(daemon->loop),
                .loop = daemon->loop, .command = loop_command, .redactor = daemon->redactor, .backup = make_backup,
                .backup_context = daemon->loop, .webhooks = config_tree(&daemon->config, "webhooks"),
                .data_directory = loop_directory(daemon->loop), .state_path = state_path, .version = EVENKEEL_VERSION,
        };
        daemon->http.listeners = daemon->listeners;
        return choose_listeners(daemon, err) && serve_start(&context, &daemon->http, &daemon->server, err);
}

static bool print_welcome(struct daemon *daemon, struct err *err)
{
        bool is_new;
        char password[PASSWORD_ONCE_BYTES];
        if (!serve_first_admin(daemon->server, &is_new, password, err))
                return false;
        const struct http_listener *first = &daemon->http.listeners[0];
        bool is_v6 = strchr(first->address, ':') != NULL;
        char folder[PATH_MAX];
        if (!realpath(loop_directory(daemon->loop), folder))
                snprintf(folder, sizeof folder, "%s", loop_directory(daemon->loop));
        printf("\n  Evenkeel %s keeps its data in %s\n", EVENKEEL_VERSION, folder);
        printf("  Console: %s://%s%s%s:%u/\n", first->certificate ? "https" : "http", is_v6 ? "[" : "", first->address, is_v6 ? "]" : "",
               first->port);
        if (is_new)
                printf("  First sign-in: admin / %s   (shown once; you will be asked for a new password)\n", password);
        printf("  Stop it with Ctrl-C.\n\n");
        fflush(stdout);
        sodium_memzero(password, sizeof password);
        return true;
}

/* --- life --------------------------------------------------------------------------------------------------------------- */

static int thread_count(const struct daemon *daemon)
{
        int wanted = daemon->options.threads ? daemon->options.threads : (int)config_count(&daemon->config, "threads");
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        return wanted ? wanted : processors > 2 ? (int)min_of(processors / 2, 8L) : 1;
}

static void hear_nothing(void *context, const struct outgoing *outgoing)
{
        (void)context, (void)outgoing;
}

static bool open_loop(struct daemon *daemon, const char *data, struct err *err)
{
        const struct config *config = &daemon->config;
        if (gethostname(daemon->host, sizeof daemon->host - 1) != 0)
                daemon->host[0] = 0;
        struct loop_options options = {
                .directory = data,
                .redactor = daemon->redactor,
                .workers = thread_count(daemon),
                .series_max = config_count(config, "limits.series"),
                .intake_bytes_max = config_count(config, "limits.intake"),
                .checkpoint_ns = config_duration_ns(config, "checkpoint.every"),
                .checkpoint_bytes = config_count(config, "checkpoint.bytes"),
                .retention_days = (int64_t)config_count(config, "retention.days"),
                .retention_bytes = config_count(config, "retention.bytes"),
                .keep_ns = config_duration_ns(config, "journal.keep"),
                .keep_bytes = config_count(config, "journal.keep_bytes"),
                .skip_damage = daemon->options.skip_damage, .spine_alone = daemon->options.spine_alone,
                .hands = step_hands_real(daemon->launcher),
                .own_host = daemon->host,
                .delivery = {.link = config_text(config, "http.link"), .heartbeat = config_text(config, "heartbeat")},
        };
        if (daemon->options.check_only) {
                options.delivery = (struct delivery_options){.fake = hear_nothing};
                options.steps_in_turn = true;
        }
        if (!loop_open(&options, &daemon->loop, err) || !loop_set_secrets(daemon->loop, config_tree(config, "secrets"), err))
                return false;
        struct loop_stats stats;
        loop_read_stats(daemon->loop, &stats);
        if (stats.replayed_entries)
                log_info("run", "recovered %llu journal entries in %.2f s", (unsigned long long)stats.replayed_entries,
                         (double)stats.recovery_ns / 1e9);
        return daemon->options.check_only || loop_start(daemon->loop, err);
}

static bool put_content_in_force(struct daemon *daemon, const struct config *config, struct err *err)
{
        scoped_ptr(json_decref) json_t *content = NULL;
        return content_files_read(config, &content, NULL, err) && loop_configure(daemon->loop, content, err) &&
               loop_set_secrets(daemon->loop, config_tree(config, "secrets"), err);
}

static bool set_log_level(const struct config *config, struct err *err)
{
        enum log_level level;
        if (!config_log_level(config, &level, err))
                return false;
        log_set_level(level);
        return true;
}

/* The file, then --http in place of its http.listen, then what `evenkeel listen` has opened beside either. */
static bool load_config(struct daemon *daemon, struct config *out_config, struct faults *faults, struct err *err)
{
        const struct run_options *options = &daemon->options;
        struct config config = {0};
        if (!config_load(options->config_path, &config, faults, err))
                return false;
        if (options->http_count && !config_set_list(&config, "http", "listen", options->http, options->http_count)) {
                config_done(&config);
                return fail_memory(err, "run", sizeof options->http);
        }
        if (!daemon->data)
                daemon->data = options->data ? options->data : strdup(config_text(&config, "data"));
        if (!daemon->data || !listen_merge(&config, daemon->data, err)) {
                config_done(&config);
                return daemon->data ? false : fail_memory(err, "run", sizeof *daemon);
        }
        *out_config = config;
        return true;
}

/* Batches are made on one thread and freed on another, a megabyte at a time. One heap that keeps what was freed costs
 * fewer page faults than a heap a thread that gives it back each time; checkpoints give back what a burst left. */
static void set_heap(void)
{
        mallopt(M_ARENA_MAX, 1);
        mallopt(M_MMAP_THRESHOLD, HEAP_KEPT_BYTES);
        mallopt(M_TRIM_THRESHOLD, HEAP_FREE_BYTES);
        mallopt(M_TOP_PAD, HEAP_STEP_BYTES);
}

/* Before the first thread and while still root: docs/decisions/0006. */
static bool fork_launcher(struct daemon *daemon, struct err *err)
{
        const char *own = config_text(&daemon->config, "launcher.user");
        struct launcher_options options = {
                .allow_path = config_text(&daemon->config, "launcher.allow"),
                .user = *own ? own : daemon->options.user ? daemon->options.user : config_text(&daemon->config, "user"),
        };
        return launcher_fork(&options, &daemon->launcher_socket, err);
}

static bool start(struct daemon *daemon, struct err *err)
{
        const struct run_options *options = &daemon->options;
        set_heap();
        if (!load_config(daemon, &daemon->config, NULL, err) || !set_log_level(&daemon->config, err) ||
            !redactor_create(config_tree(&daemon->config, "redact.patterns"), config_tree(&daemon->config, "redact.disable"),
                             &daemon->redactor, err))
                return false;
        const char *user = options->user ? options->user : config_text(&daemon->config, "user");
        if (!fork_launcher(daemon, err) || !privileges_drop(user, options->user != NULL, daemon->data, err) ||
            !launcher_open(daemon->launcher_socket, &daemon->launcher, err) || !open_loop(daemon, daemon->data, err) ||
            !put_content_in_force(daemon, &daemon->config, err) ||
            !listen_write_pid(daemon->data, err) || !start_http(daemon, err))
                return false;
        if (!options->no_host_sources)
                start_sources(daemon);
        return print_welcome(daemon, err);
}

/* Each address by itself: one that is wrong does not hide the next. */
static void check_listeners(struct daemon *daemon, struct faults *faults)
{
        const json_t *listen = config_tree(&daemon->config, "http.listen");
        size_t i;
        json_t *address;
        json_array_foreach((json_t *)listen, i, address) {
                char place[64];
                struct err err = {0};
                snprintf(place, sizeof place, "http.listen.%zu", i);
                if (!add_listener(daemon, json_is_string(address) ? json_string_value(address) : "", &err))
                        faults_add(faults, place, &err);
        }
}

/* Puts the content in force in an empty folder, where nothing is received, sent or run. What refuses it is taken out and it is tried again, so that
 * all of it is heard of. */
static void check_content(struct daemon *daemon, const char *folder, json_t *content, struct faults *faults)
{
        struct err err = {0};
        if (!open_loop(daemon, folder, &err)) {
                faults_add(faults, NULL, &err);
                return;
        }
        while (!faults->more && !loop_configure(daemon->loop, content, &err)) {
                faults_add(faults, NULL, &err);
                if (!config_check_take_out(content, err.message))
                        return;
                err = (struct err){0};
        }
}

static void check_all(struct daemon *daemon, const char *folder, struct faults *faults)
{
        struct err err = {0};
        scoped_ptr(json_decref) json_t *content = NULL;
        if (!load_config(daemon, &daemon->config, faults, &err)) {
                faults_add(faults, NULL, &err);
                return;
        }
        if (daemon->data != daemon->options.data)
                free((char *)daemon->data);
        daemon->data = folder; /* from here on nothing knows of the real one */
        log_set_level(LOG_LEVEL_ERROR);
        check_listeners(daemon, faults);
        config_check(&daemon->config, faults, &content);
        if (content)
                check_content(daemon, folder, content, faults);
}

static void stop(struct daemon *daemon)
{
        stop_sources(daemon);
        if (daemon->loop)
                intake_stop(loop_intake(daemon->loop));
        serve_stop(daemon->server);
        if (daemon->loop)
                loop_stop(daemon->loop);
        if (daemon->loop)
                listen_remove_pid(daemon->data);
        loop_close(daemon->loop);
        launcher_close(daemon->launcher);
        redactor_destroy(daemon->redactor);
        buf_done(&daemon->certificate);
        if (daemon->key.bytes)
                sodium_memzero(daemon->key.bytes, daemon->key.length);
        buf_done(&daemon->key);
        config_done(&daemon->config);
}

static void stop_http(struct daemon *daemon)
{
        serve_stop(daemon->server);
        daemon->server = NULL;
        daemon->http.listener_count = 0;
        buf_clear(&daemon->certificate);
        buf_clear(&daemon->key);
}

static bool begin_service(struct daemon *daemon, struct err *err)
{
        if (!start_http(daemon, err))
                return false;
        if (!daemon->options.no_host_sources)
                start_sources(daemon);
        return true;
}

/* All or nothing: when the new configuration is wrong, or its addresses cannot be opened, the old one goes on. */
static void reload(struct daemon *daemon)
{
        struct config fresh = {0}, old = daemon->config;
        struct err err = {0};
        if (!load_config(daemon, &fresh, NULL, &err) || !put_content_in_force(daemon, &fresh, &err)) {
                config_done(&fresh);
                err_within(&err, "the configuration stays as it was");
                log_err(LOG_LEVEL_ERROR, &err);
                return;
        }
        stop_sources(daemon);
        stop_http(daemon);
        daemon->config = fresh;
        if (begin_service(daemon, &err)) {
                config_done(&old);
                log_info("run", "content, sources and HTTP addresses follow the new configuration; all else keeps its settings until a restart");
                return;
        }
        err_within(&err, "the configuration stays as it was");
        log_err(LOG_LEVEL_ERROR, &err);
        stop_http(daemon);
        daemon->config = old;
        config_done(&fresh);
        if (!begin_service(daemon, &err))
                log_err(LOG_LEVEL_ERROR, &err);
}

static int check_main(struct daemon *daemon)
{
        char folder[SCRATCH_BYTES];
        struct faults *faults = calloc(1, sizeof *faults);
        if (!faults || sodium_init() < 0 || scratch_make(folder, "check") != 0) {
                fprintf(stderr, "evenkeel: no folder can be made in /tmp, or there is no memory; make room there\n");
                free(faults);
                return 1;
        }
        check_all(daemon, folder, faults);
        const char *path = daemon->options.config_path;
        stop(daemon);
        scratch_remove(folder);
        size_t count = faults->count + faults->more;
        if (!count)
                printf("good: %s\n", path ? path : "what holds without a configuration file");
        else
                config_check_print(faults, path, stderr);
        if (count)
                fprintf(stderr, "%zu fault%s\n", count, count == 1 ? "" : "s");
        free(faults);
        return count ? 1 : 0;
}

static void wait_for_signals(struct daemon *daemon, int signals)
{
        for (struct signalfd_siginfo signal; read(signals, &signal, sizeof signal) == sizeof signal || errno == EINTR;) {
                if (signal.ssi_signo != SIGHUP) {
                        log_info("run", "stopping: what was accepted is being stored");
                        return;
                }
                reload(daemon);
        }
}

int run_main(int argc, char **argv)
{
        struct daemon *daemon = calloc(1, sizeof *daemon);
        struct err err = {0};
        if (!daemon || !read_options(argc, argv, &daemon->options)) {
                fputs(usage, stderr);
                free(daemon);
                return 2;
        }
        if (daemon->options.check_only) {
                int code = check_main(daemon);
                free(daemon);
                return code;
        }
        umask(077); /* what it keeps is for its own user */
        sigset_t wanted;
        sigemptyset(&wanted);
        sigaddset(&wanted, SIGTERM);
        sigaddset(&wanted, SIGINT);
        sigaddset(&wanted, SIGHUP);
        sigprocmask(SIG_BLOCK, &wanted, NULL);
        signal(SIGPIPE, SIG_IGN);
        int signals = signalfd(-1, &wanted, SFD_CLOEXEC);
        bool good = (sodium_init() >= 0 || fail(&err, ERR_INTERNAL, "run", "libsodium cannot start")) && start(daemon, &err);
        if (good) {
                sd_notify(0, "READY=1");
                wait_for_signals(daemon, signals);
                sd_notify(0, "STOPPING=1");
        } else {
                log_err(LOG_LEVEL_ERROR, &err);
        }
        stop(daemon);
        close(signals);
        free(daemon);
        return good ? 0 : 1;
}

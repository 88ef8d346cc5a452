/* listen.c - see listen.h. */
#include "app/listen.h"

#include "app/certificate.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
        "usage: evenkeel listen                                       what is open beyond loopback\n"
        "       evenkeel listen http|syslog ADDRESS:PORT [options]     open it, with TLS\n"
        "       evenkeel listen close ADDRESS:PORT                     close it\n"
        "\n"
        "  --data FOLDER         the daemon's data folder (default /var/lib/evenkeel)\n"
        "  --certificate FILE    PEM, with --key FILE; without them one is made in FOLDER/tls\n"
        "  --name HOST           the name that senders use for this machine (default: its host name)\n";

struct listen_options {
        const char *what, *address, *data, *certificate, *key, *name;
};

static void path_in(const char *data, const char *name, char out_path[static 4096])
{
        snprintf(out_path, 4096, "%s/%s", data, name);
}

static json_t *read_list(const char *data, struct err *err)
{
        char path[4096];
        path_in(data, "listen.json", path);
        if (access(path, F_OK) != 0)
                return json_array();
        scoped(buf_done) struct buf text = {.bytes_max = 1 << 20};
        if (!config_read_file(path, &text, err))
                return NULL;
        json_t *list = json_parse(buf_str(&text), err);
        if (list && !json_is_array(list)) {
                json_decref(list);
                list = NULL;
                fail(err, ERR_INVALID, "listen", "the top is no list");
        }
        if (!list)
                err_within(err, "reading %s", path);
        return list;
}

/* Whole or not at all: written beside, synced, renamed. */
static bool write_list(const char *data, const json_t *list, struct err *err)
{
        char path[4096], fresh[4096];
        path_in(data, "listen.json", path);
        path_in(data, "listen.json.new", fresh);
        scoped(buf_done) struct buf text = {0};
        if (!json_write(list, &text) || !buf_byte(&text, '\n'))
                return fail_memory(err, "listen", text.length);
        int file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (file < 0)
                return fail_errno(err, errno, "listen", "making %s", fresh);
        bool good = write(file, text.bytes, text.length) == (ssize_t)text.length && fsync(file) == 0;
        int error_number = errno;
        close(file);
        if (!good || rename(fresh, path) != 0)
                return fail_errno(err, good ? errno : error_number, "listen", "writing %s", path);
        return true;
}

static bool remove_address(json_t *list, const char *address)
{
        size_t i;
        json_t *one;
        json_array_foreach(list, i, one)
                if (str_is(json_str(one, "address"), address))
                        return json_array_remove(list, i) == 0;
        return false;
}

/* --- the daemon's side ---------------------------------------------------------------------------------------------------- */

/* The list at path in the tree, made when missing. */
static json_t *list_at(json_t *tree, const char *first, const char *second, const char *third)
{
        const char *const names[] = {first, second, third};
        json_t *at = tree;
        for (int i = 0; i < 3 && names[i]; i++) {
                json_t *next = json_object_get(at, names[i]);
                bool is_last = i == 2 || !names[i + 1];
                if (!next) {
                        next = is_last ? json_array() : json_object();
                        json_object_set_new(at, names[i], next);
                }
                at = next;
        }
        return at;
}

static bool merge_one(struct config *config, const json_t *one, struct err *err)
{
        const char *what = json_string_value(json_object_get(one, "what")), *address = json_string_value(json_object_get(one, "address"));
        const char *certificate = json_string_value(json_object_get(one, "certificate")), *key = json_string_value(json_object_get(one, "key"));
        if (!what || !address || !certificate || !key)
                return fail(err, ERR_INVALID, "listen", "a row of listen.json lacks what, address, certificate or key");
        if (strcmp(what, "syslog") == 0) {
                json_t *list = list_at(config->tree, "sources", "syslog", "listen");
                if (json_array_size(list) == 0) { /* what holds when nothing is configured stays */
                        json_array_append_new(list, json_pack("{s:s}", "udp", "127.0.0.1:5514"));
                        json_array_append_new(list, json_pack("{s:s}", "tcp", "127.0.0.1:5514"));
                }
                json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "tls", address, "certificate", certificate, "key", key));
                return true;
        }
        json_t *list = list_at(config->tree, "http", "listen", NULL), *http = json_object_get(config->tree, "http");
        if (json_array_size(list) == 0)
                json_array_append_new(list, json_string("127.0.0.1:8400"));
        json_array_append_new(list, json_string(address));
        json_object_set_new(http, "certificate", json_string(certificate));
        json_object_set_new(http, "key", json_string(key));
        return true;
}

bool listen_merge(struct config *config, const char *data, struct err *err)
{
        scoped_ptr(json_decref) json_t *list = read_list(data, err);
        if (!list)
                return false;
        size_t i;
        json_t *one;
        json_array_foreach(list, i, one)
                if (!merge_one(config, one, err))
                        return false;
        return true;
}

bool listen_write_pid(const char *data, struct err *err)
{
        char path[4096];
        path_in(data, "pid", path);
        FILE *file = fopen(path, "w");
        if (!file)
                return fail_errno(err, errno, "listen", "making %s", path);
        fprintf(file, "%d\n", (int)getpid());
        return fclose(file) == 0 || fail_errno(err, errno, "listen", "writing %s", path);
}

void listen_remove_pid(const char *data)
{
        char path[4096];
        path_in(data, "pid", path);
        unlink(path);
}

/* --- the verb's side ------------------------------------------------------------------------------------------------------ */

/* Tells a running daemon; gives whether there is one. */
static bool tell_daemon(const char *data)
{
        char path[4096];
        int pid = 0;
        path_in(data, "pid", path);
        FILE *file = fopen(path, "r");
        if (!file)
                return false;
        bool good = fscanf(file, "%d", &pid) == 1 && pid > 1 && kill(pid, SIGHUP) == 0;
        fclose(file);
        return good;
}

static void print_senders(const struct listen_options *options, const char *certificate)
{
        char fingerprint[FINGERPRINT_BYTES];
        const char *port = strrchr(options->address, ':') + 1;
        printf("Copy %s to the senders as /etc/ssl/evenkeel.pem", certificate);
        if (certificate_fingerprint(certificate, fingerprint, NULL))
                printf(" (SHA-256 %s)", fingerprint);
        printf("\n\n");
        if (strcmp(options->what, "syslog") == 0) {
                printf("rsyslog, in /etc/rsyslog.d/evenkeel.conf (package rsyslog-gnutls):\n\n"
                       "  global(DefaultNetstreamDriverCAFile=\"/etc/ssl/evenkeel.pem\")\n"
                       "  action(type=\"omfwd\" target=\"%s\" port=\"%s\" protocol=\"tcp\" TCP_Framing=\"octet-counted\"\n"
                       "         template=\"RSYSLOG_SyslogProtocol23Format\"\n"
                       "         StreamDriver=\"gtls\" StreamDriverMode=\"1\" StreamDriverAuthMode=\"x509/name\"\n"
                       "         StreamDriverPermittedPeers=\"%s\" queue.type=\"LinkedList\" action.resumeRetryCount=\"-1\")\n\n"
                       "syslog-ng:\n\n"
                       "  destination evenkeel { network(\"%s\" port(%s) transport(\"tls\") tls(ca-file(\"/etc/ssl/evenkeel.pem\"))); };\n",
                       options->name, port, options->name, options->name, port);
                return;
        }
        printf("Make a token first:  evenkeel token add senders --scopes ingest\n\n"
               "Prometheus:\n\n"
               "  remote_write:\n"
               "    - url: https://%s:%s/api/v1/write\n"
               "      authorization: {credentials: TOKEN}\n"
               "      tls_config: {ca_file: /etc/ssl/evenkeel.pem}\n\n"
               "OpenTelemetry:\n\n"
               "  OTEL_EXPORTER_OTLP_ENDPOINT=https://%s:%s OTEL_EXPORTER_OTLP_HEADERS=\"Authorization=Bearer TOKEN\"\n"
               "  OTEL_EXPORTER_OTLP_CERTIFICATE=/etc/ssl/evenkeel.pem\n",
               options->name, port, options->name, port);
}

static bool open_address(const struct listen_options *options, struct err *err)
{
        static char certificate[4096], key[4096], folder[4096];
        const char *colon = strrchr(options->address, ':');
        uint64_t port;
        if (!colon || !str_to_u64(str_of(colon + 1), &port) || port == 0 || port > 65535)
                return fail(err, ERR_INVALID, "listen", "%s is no address; write it as 0.0.0.0:6514", options->address);
        if ((options->certificate != NULL) != (options->key != NULL))
                return fail(err, ERR_INVALID, "listen", "--certificate and --key belong together; give both or none");
        path_in(options->data, "tls", folder);
        path_in(options->data, "tls/server.pem", certificate);
        path_in(options->data, "tls/server.key", key);
        if (options->certificate) {
                snprintf(certificate, sizeof certificate, "%s", options->certificate);
                snprintf(key, sizeof key, "%s", options->key);
        } else if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
                return fail_errno(err, errno, "listen", "making %s", folder);
        } else if (!certificate_ensure(certificate, key, options->name, err)) {
                return false;
        }
        scoped_ptr(json_decref) json_t *list = read_list(options->data, err);
        if (!list)
                return false;
        remove_address(list, options->address);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "what", options->what, "address", options->address, "certificate",
                                              certificate, "key", key));
        if (!write_list(options->data, list, err))
                return false;
        printf("%s listens on %s with TLS%s.\n", options->what, options->address,
               tell_daemon(options->data) ? "" : " from the next start on (no program runs on this data folder now)");
        print_senders(options, certificate);
        return true;
}

static bool close_address(const struct listen_options *options, struct err *err)
{
        scoped_ptr(json_decref) json_t *list = read_list(options->data, err);
        if (!list)
                return false;
        if (!remove_address(list, options->address))
                return fail(err, ERR_NOT_FOUND, "listen", "%s is not open; `evenkeel listen` shows what is", options->address);
        if (!write_list(options->data, list, err))
                return false;
        tell_daemon(options->data);
        printf("%s is closed.\n", options->address);
        return true;
}

static bool show(const struct listen_options *options, struct err *err)
{
        scoped_ptr(json_decref) json_t *list = read_list(options->data, err);
        if (!list)
                return false;
        size_t i;
        json_t *one;
        json_array_foreach(list, i, one)
                printf("%-8s %-28s %s\n", json_string_value(json_object_get(one, "what")), json_string_value(json_object_get(one, "address")),
                       json_string_value(json_object_get(one, "certificate")));
        if (json_array_size(list) == 0)
                printf("Nothing is open beyond loopback.\n");
        return true;
}

static bool read_options(int argc, char **argv, struct listen_options *options)
{
        static const struct option known[] = {
                {"data", required_argument, NULL, 'd'}, {"certificate", required_argument, NULL, 'c'}, {"key", required_argument, NULL, 'k'},
                {"name", required_argument, NULL, 'n'}, {NULL, 0, NULL, 0},
        };
        optind = 1;
        for (int letter; (letter = getopt_long(argc, argv, "", known, NULL)) != -1;) {
                switch (letter) {
                case 'd':
                        options->data = optarg;
                        break;
                case 'c':
                        options->certificate = optarg;
                        break;
                case 'k':
                        options->key = optarg;
                        break;
                case 'n':
                        options->name = optarg;
                        break;
                default:
                        return false;
                }
        }
        options->what = optind < argc ? argv[optind++] : NULL;
        options->address = optind < argc ? argv[optind++] : NULL;
        return optind == argc && (!options->what || options->address);
}

int listen_main(int argc, char **argv)
{
        static char host[256];
        gethostname(host, sizeof host - 1);
        struct listen_options options = {.data = "/var/lib/evenkeel", .name = host};
        struct err err = {0};
        bool good;
        if (!read_options(argc, argv, &options))
                return fputs(usage, stderr), 2;
        if (!options.what)
                good = show(&options, &err);
        else if (strcmp(options.what, "close") == 0)
                good = close_address(&options, &err);
        else if (strcmp(options.what, "http") == 0 || strcmp(options.what, "syslog") == 0)
                good = open_address(&options, &err);
        else
                return fputs(usage, stderr), 2;
        if (!good)
                fprintf(stderr, "evenkeel: %s\n", err.message);
        return good ? 0 : 1;
}

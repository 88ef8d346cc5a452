/* syslog_source_test - real sockets: framing, back-pressure, drops, slow and many senders, TLS. */
#include "observe/intake_fake.c"

#include "base/json.h"
#include "base/scratch.h"
#include "observe/source.h"
#include "observe/syslog_source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
        struct intake intake;
        void *source;
};

static void start(struct fixture *fixture, const char *config)
{
        struct err err = {0};
        fake_init(&fixture->intake);
        scoped_ptr(json_decref) json_t *json = json_parse(str_of(config), &err);
        assert_non_null(json);
        if (!syslog_source_start(&fixture->intake, json, &fixture->source, &err))
                fail_msg("%s", err.message);
}

static void stop(struct fixture *fixture)
{
        syslog_source_stop(fixture->source);
        fake_done(&fixture->intake);
}

static int connect_to(const struct fixture *fixture, size_t listener, int type)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                      .sin_port = htons(syslog_source_port(fixture->source, listener))};
        int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        return fd;
}

static void send_text(int fd, const char *text)
{
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void assert_bytes(struct fixture *fixture, const char *source, const char *expected)
{
        scoped(buf_done) struct buf bytes = {0};
        assert_true(fake_wait_bytes(&fixture->intake, source, strlen(expected)));
        fake_bytes(&fixture->intake, source, &bytes);
        buf_byte(&bytes, '\0');
        assert_string_equal(bytes.bytes, expected);
}

static void lines_over_tcp_arrive_whole_however_they_are_cut(void **state)
{
        (void)state;
        struct fixture fixture;
        start(&fixture, "{\"listen\":[{\"tcp\":\"127.0.0.1:0\"}]}");
        int fd = connect_to(&fixture, 0, SOCK_STREAM);
        send_text(fd, "<13>one\n<13>tw");
        assert_bytes(&fixture, "syslog-tcp", "<13>one\n");
        send_text(fd, "o\n");
        assert_bytes(&fixture, "syslog-tcp", "<13>one\n<13>two\n");
        const struct batch *batch = fixture.intake.batches[0];
        assert_int_equal(batch->format, SOURCE_SYSLOG);
        char hostname[256];
        gethostname(hostname, sizeof hostname);
        assert_true(str_is(labels_value(&batch->labels, STR("host")), hostname));
        assert_true(batch->received_ns > 0);
        close(fd);
        stop(&fixture);
}

static void counted_messages_and_the_last_without_an_end_arrive(void **state)
{
        (void)state;
        struct fixture fixture;
        start(&fixture, "{\"listen\":[{\"tcp\":\"127.0.0.1:0\"}]}");
        int fd = connect_to(&fixture, 0, SOCK_STREAM);
        send_text(fd, "7 <13>one7 <13>two<13>three");
        close(fd);
        assert_bytes(&fixture, "syslog-tcp", "<13>one\n<13>two\n<13>three");
        stop(&fixture);
}

static void each_datagram_is_a_message_and_they_are_gathered(void **state)
{
        (void)state;
        struct fixture fixture;
        start(&fixture, "{\"listen\":[{\"udp\":\"127.0.0.1:0\"}]}");
        int fd = connect_to(&fixture, 0, SOCK_DGRAM);
        send_text(fd, "<13>one\n");
        send_text(fd, "<13>two");
        send_text(fd, "<13>a\nb");
        assert_bytes(&fixture, "syslog-udp", "<13>one\n<13>two\n<13>a\nb\n");
        assert_true(fixture.intake.batches[fixture.intake.batches_count - 1]->settings.length > 0);
        close(fd);
        stop(&fixture);
}

static void a_unix_socket_takes_datagrams_and_goes_away_at_the_end(void **state)
{
        (void)state;
        struct fixture fixture;
        char directory[SCRATCH_BYTES], config[256];
        assert_int_equal(scratch_make(directory, "syslog"), 0);
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s/log", directory);
        snprintf(config, sizeof config, "{\"listen\":[{\"unix\":\"%s\"}]}", address.sun_path);
        start(&fixture, config);
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        assert_int_equal(sendto(fd, "<13>x", 5, 0, (struct sockaddr *)&address, sizeof address), 5);
        assert_bytes(&fixture, "syslog-unix", "<13>x\n");
        close(fd);
        stop(&fixture);
        assert_int_equal(access(address.sun_path, F_OK), -1);
        scratch_remove(directory);
}

static bool was_refused(struct intake *fake, void *context)
{
        (void)context;
        return fake->refused > 0;
}

/* Sends lines from a thread of its own, since it must block while intake is full. */
struct sending {
        int fd;
        size_t lines;
};

static void send_lines(void *context)
{
        struct sending *sending = context;
        char line[32];
        for (size_t i = 0; i < sending->lines; i++) {
                snprintf(line, sizeof line, "<13>line %08zu\n", i);
                send_text(sending->fd, line);
        }
        close(sending->fd);
}

static void a_full_intake_holds_tcp_back_and_nothing_is_lost(void **state)
{
        (void)state;
        struct fixture fixture;
        start(&fixture, "{\"listen\":[{\"tcp\":\"127.0.0.1:0\"}]}");
        fake_set(&fixture.intake, &fixture.intake.full, true);
        struct sending sending = {connect_to(&fixture, 0, SOCK_STREAM), 100000};
        struct thread sender = {0};
        struct err err;
        assert_true(thread_start(&sender, "sender", send_lines, &sending, &err));
        assert_true(fake_wait(&fixture.intake, was_refused, NULL));
        fake_set(&fixture.intake, &fixture.intake.full, false);
        assert_true(fake_wait_bytes(&fixture.intake, "syslog-tcp", sending.lines * 18));
        thread_join(&sender);
        scoped(buf_done) struct buf bytes = {0};
        fake_bytes(&fixture.intake, "syslog-tcp", &bytes);
        assert_int_equal(bytes.length, sending.lines * 18);
        for (size_t i = 0; i < sending.lines; i++) {
                char line[32];
                snprintf(line, sizeof line, "<13>line %08zu\n", i);
                assert_memory_equal(bytes.bytes + i * 18, line, 18);
        }
        assert_int_equal(fake_source(&fixture.intake, "syslog-tcp").dropped, 0);
        stop(&fixture);
}

static void a_full_intake_keeps_what_datagrams_brought(void **state)
{
        (void)state;
        struct fixture fixture;
        start(&fixture, "{\"listen\":[{\"udp\":\"127.0.0.1:0\"}]}");
        fake_set(&fixture.intake, &fixture.intake.full, true);
        int fd = connect_to(&fixture, 0, SOCK_DGRAM);
        send_text(fd, "<13>first");
        assert_true(fake_wait(&fixture.intake, was_refused, NULL));
        send_text(fd, "<13>second");
        fake_set(&fixture.intake, &fixture.intake.full, false);
        assert_bytes(&fixture, "syslog-udp", "<13>first\n<13>second\n");
        close(fd);
        stop(&fixture);
}

static bool has_dropped(struct intake *fake, void *context)
{
        (void)context;
        for (size_t i = 0; i < fake->sources_count; i++)
                if (fake->sources[i].dropped)
                        return true;
        return false;
}

static void what_the_kernel_drops_is_counted(void **state)
{
        (void)state;
        struct fixture fixture;
        start(&fixture, "{\"listen\":[{\"udp\":\"127.0.0.1:0\"}]}");
        fake_set(&fixture.intake, &fixture.intake.full, true);
        int fd = connect_to(&fixture, 0, SOCK_DGRAM);
        send_text(fd, "<13>first");
        assert_true(fake_wait(&fixture.intake, was_refused, NULL));
        static char large[60000];
        memset(large, 'x', sizeof large);
        for (size_t i = 0; i < 2000; i++) /* 120 MB: more than any socket buffer holds */
                assert_int_equal(send(fd, large, sizeof large, 0), sizeof large);
        fake_set(&fixture.intake, &fixture.intake.full, false);
        assert_true(fake_wait_bytes(&fixture.intake, "syslog-udp", 100));
        assert_true(fake_wait(&fixture.intake, has_dropped, NULL)); /* though no further datagram comes */
        assert_true(fake_source(&fixture.intake, "syslog-udp").dropped > 100);
        close(fd);
        stop(&fixture);
}

static void a_journal_that_cannot_write_is_told(void **state)
{
        (void)state;
        struct fixture fixture;
        start(&fixture, "{\"listen\":[{\"tcp\":\"127.0.0.1:0\"}]}");
        fake_set(&fixture.intake, &fixture.intake.disk_fails, true);
        int fd = connect_to(&fixture, 0, SOCK_STREAM);
        send_text(fd, "<13>one\n<13>two\n");
        assert_true(fake_wait(&fixture.intake, has_dropped, NULL));
        assert_int_equal(fake_source(&fixture.intake, "syslog-tcp").dropped, 2);
        close(fd);
        stop(&fixture);
}

static void connections_beyond_the_bound_are_refused_and_said(void **state)
{
        (void)state;
        struct fixture fixture;
        start(&fixture, "{\"listen\":[{\"tcp\":\"127.0.0.1:0\"}],\"connections_max\":2}");
        int fds[3];
        for (size_t i = 0; i < 3; i++)
                fds[i] = connect_to(&fixture, 0, SOCK_STREAM);
        char byte;
        assert_true(recv(fds[2], &byte, 1, 0) <= 0);
        send_text(fds[0], "<13>still open\n");
        assert_bytes(&fixture, "syslog-tcp", "<13>still open\n");
        assert_true(fake_source(&fixture.intake, "syslog-tcp").failing);
        for (size_t i = 0; i < 3; i++)
                close(fds[i]);
        stop(&fixture);
}

static void a_thousand_connections_are_served_side_by_side(void **state)
{
        (void)state;
        struct fixture fixture;
        static int fds[1000];
        start(&fixture, "{\"listen\":[{\"tcp\":\"127.0.0.1:0\"}]}");
        for (size_t i = 0; i < countof(fds); i++)
                fds[i] = connect_to(&fixture, 0, SOCK_STREAM);
        for (size_t i = 0; i < countof(fds); i++)
                send_text(fds[i], "<13>x\n");
        assert_true(fake_wait_bytes(&fixture.intake, "syslog-tcp", 6 * countof(fds)));
        for (size_t i = 0; i < countof(fds); i++)
                close(fds[i]);
        stop(&fixture);
}

static void a_message_beyond_the_bound_is_cut_and_counted(void **state)
{
        (void)state;
        struct fixture fixture;
        start(&fixture, "{\"listen\":[{\"tcp\":\"127.0.0.1:0\"}]}");
        int fd = connect_to(&fixture, 0, SOCK_STREAM);
        static char large[200001];
        memset(large, 'x', sizeof large - 1);
        large[sizeof large - 2] = '\n';
        send_text(fd, large);
        send_text(fd, "<13>next\n");
        assert_true(fake_wait_bytes(&fixture.intake, "syslog-tcp", (64 << 10) + 10));
        assert_int_equal(fake_source(&fixture.intake, "syslog-tcp").parse_failures, 1);
        close(fd);
        stop(&fixture);
}

static void a_taken_port_and_a_senseless_listener_are_refused_with_a_way_out(void **state)
{
        (void)state;
        struct fixture fixture;
        start(&fixture, "{\"listen\":[{\"tcp\":\"127.0.0.1:0\"}]}");
        void *second = NULL;
        struct err err;
        char address[32];
        snprintf(address, sizeof address, "127.0.0.1:%u", syslog_source_port(fixture.source, 0));
        scoped_ptr(json_decref) json_t *taken = json_pack("{s:[{s:s}]}", "listen", "tcp", address);
        assert_false(syslog_source_start(&fixture.intake, taken, &second, &err));
        assert_non_null(strstr(err.message, "another address"));
        scoped_ptr(json_decref) json_t *wrong = json_pack("{s:[{s:s}]}", "listen", "tcp", "localhost");
        assert_false(syslog_source_start(&fixture.intake, wrong, &second, &err));
        assert_int_equal(err.code, ERR_INVALID);
        scoped_ptr(json_decref) json_t *no_key = json_pack("{s:[{s:s}]}", "listen", "tls", "127.0.0.1:0");
        assert_false(syslog_source_start(&fixture.intake, no_key, &second, &err));
        assert_non_null(strstr(err.message, "certificate"));
        assert_null(second);
        stop(&fixture);
}

static void write_pem(const char *path, const gnutls_datum_t *pem)
{
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(pem->data, 1, pem->size, file), pem->size);
        fclose(file);
}

static void make_certificate(const char *certificate_path, const char *key_path)
{
        gnutls_x509_privkey_t key;
        gnutls_x509_crt_t certificate;
        gnutls_datum_t pem;
        gnutls_x509_privkey_init(&key);
        gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
        gnutls_x509_crt_init(&certificate);
        gnutls_x509_crt_set_version(certificate, 3);
        gnutls_x509_crt_set_serial(certificate, "\1", 1);
        gnutls_x509_crt_set_activation_time(certificate, 1);
        gnutls_x509_crt_set_expiration_time(certificate, 4000000000);
        gnutls_x509_crt_set_dn(certificate, "CN=evenkeel", NULL);
        gnutls_x509_crt_set_key(certificate, key);
        assert_int_equal(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), 0);
        gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem);
        write_pem(certificate_path, &pem);
        gnutls_free(pem.data);
        gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
        write_pem(key_path, &pem);
        gnutls_free(pem.data);
        gnutls_x509_crt_deinit(certificate);
        gnutls_x509_privkey_deinit(key);
}

static void send_over_tls(int fd, const char *bytes, size_t count)
{
        gnutls_session_t session;
        gnutls_certificate_credentials_t credentials;
        gnutls_certificate_allocate_credentials(&credentials);
        gnutls_init(&session, GNUTLS_CLIENT);
        gnutls_set_default_priority(session);
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
        gnutls_transport_set_int(session, fd);
        assert_int_equal(gnutls_handshake(session), 0);
        for (size_t sent = 0; sent < count;) {
                ssize_t here = gnutls_record_send(session, bytes + sent, count - sent);
                assert_true(here > 0);
                sent += (size_t)here;
        }
        gnutls_bye(session, GNUTLS_SHUT_WR);
        gnutls_deinit(session);
        gnutls_certificate_free_credentials(credentials);
}

static void tls_senders_are_read_to_their_last_record(void **state)
{
        (void)state;
        struct fixture fixture;
        char directory[SCRATCH_BYTES], certificate[SCRATCH_BYTES + 16], key[SCRATCH_BYTES + 16], config[512];
        assert_int_equal(scratch_make(directory, "syslog"), 0);
        snprintf(certificate, sizeof certificate, "%s/cert.pem", directory);
        snprintf(key, sizeof key, "%s/key.pem", directory);
        make_certificate(certificate, key);
        snprintf(config, sizeof config, "{\"listen\":[{\"tls\":\"127.0.0.1:0\",\"certificate\":\"%s\",\"key\":\"%s\"}]}",
                 certificate, key);
        start(&fixture, config);
        scoped(buf_done) struct buf sent = {0};
        for (size_t i = 0; i < 20000; i++)
                buf_printf(&sent, "18 <13>message %06zu", i);
        int fd = connect_to(&fixture, 0, SOCK_STREAM);
        send_over_tls(fd, sent.bytes, sent.length);
        assert_true(fake_wait_bytes(&fixture.intake, "syslog-tls", 20000 * 19));
        scoped(buf_done) struct buf bytes = {0};
        fake_bytes(&fixture.intake, "syslog-tls", &bytes);
        assert_int_equal(bytes.length, 20000 * 19);
        assert_memory_equal(bytes.bytes + 19999 * 19, "<13>message 019999\n", 19);
        close(fd);
        fd = connect_to(&fixture, 0, SOCK_STREAM); /* no TLS: closed, and the others are not disturbed */
        send_text(fd, "<13>plain text that is no handshake at all, long enough to be a record\n");
        char byte;
        while (recv(fd, &byte, 1, 0) > 0)
                ;
        close(fd);
        assert_int_equal(fake_source(&fixture.intake, "syslog-tls").parse_failures, 1);
        stop(&fixture);
        unlink(certificate);
        unlink(key);
        scratch_remove(directory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_over_tcp_arrive_whole_however_they_are_cut),
                cmocka_unit_test(counted_messages_and_the_last_without_an_end_arrive),
                cmocka_unit_test(each_datagram_is_a_message_and_they_are_gathered),
                cmocka_unit_test(a_unix_socket_takes_datagrams_and_goes_away_at_the_end),
                cmocka_unit_test(a_full_intake_holds_tcp_back_and_nothing_is_lost),
                cmocka_unit_test(a_full_intake_keeps_what_datagrams_brought),
                cmocka_unit_test(what_the_kernel_drops_is_counted),
                cmocka_unit_test(a_journal_that_cannot_write_is_told),
                cmocka_unit_test(connections_beyond_the_bound_are_refused_and_said),
                cmocka_unit_test(a_thousand_connections_are_served_side_by_side),
                cmocka_unit_test(a_message_beyond_the_bound_is_cut_and_counted),
                cmocka_unit_test(a_taken_port_and_a_senseless_listener_are_refused_with_a_way_out),
                cmocka_unit_test(tls_senders_are_read_to_their_last_record),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

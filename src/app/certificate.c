/* certificate.c - see certificate.h. GnuTLS does the work. */
#include "app/certificate.h"

#include "app/config.h"
#include "base/buf.h"
#include "base/scope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LIFE_DAYS 825

static bool fail_gnutls(int code, const char *doing, struct err *err)
{
        return fail(err, ERR_INTERNAL, "certificate", "%s: %s", doing, gnutls_strerror(code));
}

static int add_addresses(gnutls_x509_crt_t certificate)
{
        struct ifaddrs *all = NULL;
        if (getifaddrs(&all) != 0)
                return 0;
        int code = 0;
        for (struct ifaddrs *one = all; one && code >= 0; one = one->ifa_next) {
                if (!one->ifa_addr)
                        continue;
                if (one->ifa_addr->sa_family == AF_INET)
                        code = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, &((struct sockaddr_in *)one->ifa_addr)->sin_addr,
                                                                    4, GNUTLS_FSAN_APPEND);
                else if (one->ifa_addr->sa_family == AF_INET6)
                        code = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, &((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr,
                                                                    16, GNUTLS_FSAN_APPEND);
        }
        freeifaddrs(all);
        return code;
}

static int fill(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key, const char *host)
{
        unsigned char serial[16];
        time_t now = time(NULL);
        int code = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
        serial[0] &= 0x7F;
        if (code >= 0)
                code = gnutls_x509_crt_set_version(certificate, 3);
        if (code >= 0)
                code = gnutls_x509_crt_set_serial(certificate, serial, sizeof serial);
        if (code >= 0)
                code = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, host, (unsigned)strlen(host));
        if (code >= 0)
                code = gnutls_x509_crt_set_activation_time(certificate, now - 3600);
        if (code >= 0)
                code = gnutls_x509_crt_set_expiration_time(certificate, now + LIFE_DAYS * 86400);
        if (code >= 0)
                code = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host), GNUTLS_FSAN_SET);
        if (code >= 0)
                code = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_APPEND);
        if (code >= 0)
                code = add_addresses(certificate);
        if (code >= 0)
                code = gnutls_x509_crt_set_basic_constraints(certificate, 1, 0);
        if (code >= 0)
                code = gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_CERT_SIGN);
        if (code >= 0)
                code = gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0);
        if (code >= 0)
                code = gnutls_x509_crt_set_key(certificate, key);
        if (code >= 0)
                code = gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0);
        return code;
}

static bool write_pem(const char *path, mode_t mode, const gnutls_datum_t *pem, struct err *err)
{
        int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (file < 0)
                return fail_errno(err, errno, "certificate", "making %s", path);
        bool good = write(file, pem->data, pem->size) == (ssize_t)pem->size && fsync(file) == 0;
        int error_number = errno;
        close(file);
        return good || fail_errno(err, error_number, "certificate", "writing %s", path);
}

static bool make(const char *certificate_path, const char *key_path, const char *host, struct err *err)
{
        gnutls_x509_privkey_t key = NULL;
        gnutls_x509_crt_t certificate = NULL;
        gnutls_datum_t key_pem = {0}, certificate_pem = {0};
        int code = gnutls_x509_privkey_init(&key);
        if (code >= 0)
                code = gnutls_x509_crt_init(&certificate);
        if (code >= 0)
                code = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
        if (code >= 0)
                code = fill(certificate, key, host);
        if (code >= 0)
                code = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_pem);
        if (code >= 0)
                code = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &certificate_pem);
        bool good = code >= 0 ? write_pem(key_path, 0600, &key_pem, err) && write_pem(certificate_path, 0644, &certificate_pem, err)
                              : fail_gnutls(code, "making a certificate", err);
        gnutls_free(certificate_pem.data);
        if (key_pem.data)
                gnutls_memset(key_pem.data, 0, key_pem.size);
        gnutls_free(key_pem.data);
        gnutls_x509_crt_deinit(certificate);
        gnutls_x509_privkey_deinit(key);
        return good;
}

bool certificate_ensure(const char *certificate_path, const char *key_path, const char *host, struct err *err)
{
        bool has_certificate = access(certificate_path, F_OK) == 0, has_key = access(key_path, F_OK) == 0;
        if (has_certificate && has_key)
                return true;
        if (has_certificate || has_key)
                return fail(err, ERR_CONFLICT, "certificate", "of %s and %s only one is there; remove it, or put the other beside it",
                            certificate_path, key_path);
        return make(certificate_path, key_path, host, err);
}

bool certificate_fingerprint(const char *certificate_path, char out_text[static FINGERPRINT_BYTES], struct err *err)
{
        scoped(buf_done) struct buf pem = {.bytes_max = 1 << 20};
        gnutls_x509_crt_t certificate;
        if (!config_read_file(certificate_path, &pem, err))
                return false;
        unsigned char hash[32];
        size_t hash_bytes = sizeof hash;
        gnutls_datum_t data = {(unsigned char *)pem.bytes, (unsigned)pem.length};
        int code = gnutls_x509_crt_init(&certificate);
        if (code < 0)
                return fail_gnutls(code, "reading a certificate", err);
        code = gnutls_x509_crt_import(certificate, &data, GNUTLS_X509_FMT_PEM);
        if (code >= 0)
                code = gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, hash, &hash_bytes);
        gnutls_x509_crt_deinit(certificate);
        if (code < 0)
                return fail_gnutls(code, "reading a certificate", err);
        for (size_t i = 0; i < hash_bytes; i++)
                snprintf(out_text + 3 * i, 4, "%02X%s", hash[i], i + 1 < hash_bytes ? ":" : "");
        return true;
}

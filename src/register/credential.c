/* credential.c - see credential.h. All of it is libsodium's; here stand only the choices. */
#include "register/credential.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ARGON_PASSES 2
#define ARGON_BYTES ((size_t)19 << 20)
#define PASSWORD_BYTES_MAX 1024

_Static_assert(PASSWORD_HASH_BYTES >= crypto_pwhash_STRBYTES, "libsodium's text fits");

bool credential_start(struct err *err)
{
        return sodium_init() >= 0 || fail(err, ERR_INTERNAL, "register", "libsodium cannot start: no source of random numbers");
}

void secret_create(const char *prefix, char out_secret[static SECRET_BYTES])
{
        unsigned char bits[32];
        char text[sodium_base64_ENCODED_LEN(sizeof bits, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
        randombytes_buf(bits, sizeof bits);
        sodium_bin2base64(text, sizeof text, bits, sizeof bits, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        snprintf(out_secret, SECRET_BYTES, "%.16s%s", prefix, text);
        sodium_memzero(bits, sizeof bits);
        sodium_memzero(text, sizeof text);
}

void secret_hash(struct str secret, char out_hash[static SECRET_HASH_BYTES])
{
        unsigned char hash[32];
        crypto_generichash(hash, sizeof hash, (const unsigned char *)secret.bytes, secret.length, NULL, 0);
        sodium_bin2hex(out_hash, SECRET_HASH_BYTES, hash, sizeof hash);
}

void secret_derive(struct str secret, const char *purpose, char out_value[static SECRET_HASH_BYTES])
{
        unsigned char key[32], hash[32];
        crypto_generichash(key, sizeof key, (const unsigned char *)secret.bytes, secret.length, NULL, 0);
        crypto_generichash(hash, sizeof hash, (const unsigned char *)purpose, strlen(purpose), key, sizeof key);
        sodium_bin2hex(out_value, SECRET_HASH_BYTES, hash, sizeof hash);
}

bool secret_equal(struct str a, struct str b)
{
        return a.length == b.length && sodium_memcmp(a.bytes, b.bytes, a.length) == 0;
}

void password_create(char out_password[static PASSWORD_ONCE_BYTES])
{
        static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789"; /* 31: 99 bits in 20 places */
        for (int i = 0; i < PASSWORD_ONCE_BYTES - 1; i++)
                out_password[i] = i % 6 == 5 ? '-' : alphabet[randombytes_uniform(sizeof alphabet - 1)];
        out_password[PASSWORD_ONCE_BYTES - 1] = 0;
}

/* Characters of UTF-8: every byte but those that go on with one. */
static size_t count_chars(struct str text)
{
        size_t count = 0;
        for (size_t i = 0; i < text.length; i++)
                count += ((unsigned char)text.bytes[i] & 0xc0) != 0x80;
        return count;
}

bool password_check(struct str password, struct err *err)
{
        if (password.length > PASSWORD_BYTES_MAX)
                return fail(err, ERR_INVALID, "register", "a password has at most %d bytes", PASSWORD_BYTES_MAX);
        return count_chars(password) >= PASSWORD_CHARS_MIN ||
               fail(err, ERR_INVALID, "register", "a password has at least %d characters; several words make a good one",
                    PASSWORD_CHARS_MIN);
}

bool password_hash(struct str password, char out_hash[static PASSWORD_HASH_BYTES], struct err *err)
{
        if (!password_check(password, err))
                return false;
        return crypto_pwhash_str_alg(out_hash, password.bytes, password.length, ARGON_PASSES, ARGON_BYTES,
                                     crypto_pwhash_ALG_ARGON2ID13) == 0 ||
               fail_memory(err, "register", ARGON_BYTES);
}

bool password_matches(const char *hash, struct str password)
{
        unsigned char bin[32], salt[crypto_pwhash_SALTBYTES] = {0};
        if (password.length > PASSWORD_BYTES_MAX)
                return false;
        if (hash)
                return crypto_pwhash_str_verify(hash, password.bytes, password.length) == 0;
        if (crypto_pwhash(bin, sizeof bin, password.bytes ? password.bytes : "", password.length, salt, ARGON_PASSES,
                          ARGON_BYTES, crypto_pwhash_ALG_ARGON2ID13) != 0)
                return false;
        return false;
}

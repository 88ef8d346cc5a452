/* credential_test - which passwords are good enough. */
#include "register/credential.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void a_password_is_measured_in_characters_not_bytes(void **unused)
{
        (void)unused;
        struct err err;
        assert_false(password_check(STR("eleven char"), &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_non_null(strstr(err.message, "at least 12 characters"));
        assert_true(password_check(STR("twelve chars"), &err));
        assert_false(password_check(STR("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa9\xc3\xa8"), &err)); /* 6 characters in 12 bytes */
}

static void a_very_long_password_is_refused_before_it_is_hashed(void **unused)
{
        (void)unused;
        char text[2000], hash[PASSWORD_HASH_BYTES];
        struct err err;
        memset(text, 'x', sizeof text);
        assert_true(credential_start(&err));
        assert_false(password_hash((struct str){text, sizeof text}, hash, &err));
        assert_true(password_hash(STR("a harbour with four boats"), hash, &err));
        assert_true(password_matches(hash, STR("a harbour with four boats")));
        assert_false(password_matches(hash, STR("a harbour with five boats")));
}

static void a_password_made_for_once_passes_its_own_rule(void **unused)
{
        (void)unused;
        char once[PASSWORD_ONCE_BYTES];
        struct err err;
        assert_true(credential_start(&err));
        password_create(once);
        assert_true(password_check(str_of(once), &err));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_password_is_measured_in_characters_not_bytes),
                cmocka_unit_test(a_very_long_password_is_refused_before_it_is_hashed),
                cmocka_unit_test(a_password_made_for_once_passes_its_own_rule),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* account_test - who gets in, who does not, and who stays out after what. */
#include "register/account.h"

#include "base/json.h"
#include "base/scope.h"
#include "base/scratch.h"
#include "store/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#undef fail

static const char *const migrations[] = {account_schema, NULL};
static char directory[SCRATCH_BYTES];
static struct database *state;
static struct accounts *accounts;
#define NOW ((int64_t)1000000)

static int open_state(void **unused)
{
        (void)unused;
        char path[96];
        struct err err;
        if (scratch_make(directory, "account") != 0)
                return -1;
        snprintf(path, sizeof path, "%s/state.db", directory);
        return database_open(path, NULL, migrations, &state, &err) && accounts_create(&accounts, &err) ? 0 : (puts(err.message), -1);
}

static int close_state(void **unused)
{
        (void)unused;
        database_close(state);
        accounts_destroy(accounts);
        return scratch_remove(directory);
}

/* Applies as the loop does: all or nothing. Takes the arguments. */
static bool order(const char *verb, json_t *arguments, int64_t time_ns, struct err *err)
{
        scoped_ptr(json_decref) json_t *kept = arguments;
        scoped_ptr(json_decref) json_t *result = NULL;
        assert_non_null(kept);
        assert_true(database_begin(state, err));
        bool good = account_apply(state, verb, kept, time_ns, &result, err);
        if (!good)
                database_rollback(state);
        else
                assert_true(database_commit(state, err));
        struct err load_err;
        assert_true(accounts_load(accounts, state, time_ns, &load_err));
        return good;
}

static void add_user(const char *name, const char *role, const char *password)
{
        char hash[PASSWORD_HASH_BYTES];
        struct err err;
        assert_true(password_hash(str_of(password), hash, &err));
        assert_true(order("user_create", json_pack("{s:s, s:s, s:s}", "name", name, "role", role, "password_hash", hash), NOW, &err));
}

static void a_user_signs_in_with_the_right_password_only(void **unused)
{
        (void)unused;
        add_user("alice", "operator", "correct horse");
        struct asker asker;
        assert_true(accounts_by_password(accounts, STR("alice"), STR("correct horse"), &asker));
        assert_string_equal(asker.name, "alice");
        assert_int_equal(asker.scopes, SCOPE_READ | SCOPE_WRITE);
        assert_false(accounts_by_password(accounts, STR("alice"), STR("correct hors"), &asker));
        assert_false(accounts_by_password(accounts, STR("bob"), STR("correct horse"), &asker));
        struct err err;
        char hash[PASSWORD_HASH_BYTES];
        assert_false(password_hash(STR("short"), hash, &err));
        scoped_ptr(json_decref) json_t *users = accounts_users(accounts);
        assert_int_equal(json_array_size(users), 1);
        assert_null(json_object_get(json_array_get(users, 0), "password_hash"));
}

static void a_name_is_taken_once_and_a_command_must_make_sense(void **unused)
{
        (void)unused;
        add_user("alice", "viewer", "correct horse");
        struct err err;
        assert_false(order("user_create", json_pack("{s:s, s:s, s:s}", "name", "alice", "role", "viewer", "password_hash", "$argon2id$x"), NOW, &err));
        assert_int_equal(err.code, ERR_CONFLICT);
        assert_false(order("user_create", json_pack("{s:s, s:s, s:s}", "name", "bob", "role", "king", "password_hash", "$argon2id$x"), NOW, &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_false(order("user_create", json_pack("{s:s, s:s, s:s}", "name", "bob", "role", "admin", "password_hash", "clear text"), NOW, &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_false(order("user_create", json_pack("{s:s, s:s, s:s}", "name", "a b\n", "role", "admin", "password_hash", "$argon2id$x"), NOW, &err));
        assert_false(order("user_set_role", json_pack("{s:s, s:s}", "name", "nobody", "role", "admin"), NOW, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
        assert_false(order("user_fly", json_object(), NOW, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void a_session_ends_when_idle_when_old_when_signed_out_and_with_its_user(void **unused)
{
        (void)unused;
        struct err err;
        struct asker asker;
        add_user("root", "admin", "correct horse");
        add_user("alice", "viewer", "correct horse");
        for (int round = 0; round < 5; round++) {
                char secret[SECRET_BYTES], hash[SECRET_HASH_BYTES];
                secret_create("", secret);
                secret_hash(str_of(secret), hash);
                assert_true(order("session_create", json_pack("{s:s, s:s, s:I}", "hash", hash, "user", "alice", "expires_ns",
                                                              (json_int_t)(NOW + SESSION_LIFE_NS)), NOW, &err));
                assert_true(accounts_by_session(accounts, str_of(secret), NOW + SESSION_IDLE_NS - 1, &asker));
                assert_string_equal(asker.role, "viewer");
                assert_false(accounts_by_session(accounts, STR("wrong"), NOW, &asker));
                int64_t later_ns = NOW + SESSION_IDLE_NS;
                if (round == 0)
                        later_ns += SESSION_IDLE_NS;
                if (round == 1)
                        for (later_ns = NOW; later_ns < NOW + SESSION_LIFE_NS; later_ns += SESSION_IDLE_NS / 2)
                                assert_true(accounts_by_session(accounts, str_of(secret), later_ns, &asker));
                if (round == 2)
                        assert_true(order("session_end", json_pack("{s:s}", "hash", hash), NOW, &err));
                if (round == 3)
                        assert_true(order("user_set_password", json_pack("{s:s, s:s}", "name", "alice", "password_hash", "$argon2id$x"), NOW, &err));
                if (round == 4)
                        assert_true(order("user_disable", json_pack("{s:s}", "name", "alice"), NOW, &err));
                assert_false(accounts_by_session(accounts, str_of(secret), later_ns, &asker));
        }
        char hash[SECRET_HASH_BYTES];
        secret_hash(STR("x"), hash);
        assert_false(order("session_create", json_pack("{s:s, s:s}", "hash", hash, "user", "alice"), NOW, &err));
        assert_int_equal(err.code, ERR_FORBIDDEN);
}

static void the_last_administrator_stays(void **unused)
{
        (void)unused;
        struct err err;
        add_user("root", "admin", "correct horse");
        assert_false(order("user_disable", json_pack("{s:s}", "name", "root"), NOW, &err));
        assert_int_equal(err.code, ERR_REFUSED);
        assert_false(order("user_set_role", json_pack("{s:s, s:s}", "name", "root", "role", "viewer"), NOW, &err));
        struct asker asker;
        assert_true(accounts_by_password(accounts, STR("root"), STR("correct horse"), &asker));
        assert_int_equal(asker.scopes, SCOPES_ALL);
        add_user("second", "admin", "correct horse");
        assert_true(order("user_disable", json_pack("{s:s}", "name", "root"), NOW, &err));
        assert_false(accounts_by_password(accounts, STR("root"), STR("correct horse"), &asker));
}

static void a_token_has_its_scopes_until_it_expires_or_is_revoked(void **unused)
{
        (void)unused;
        struct err err;
        struct asker asker;
        char secret[SECRET_BYTES], hash[SECRET_HASH_BYTES];
        secret_create("evk_", secret);
        assert_int_equal(strlen(secret), 47);
        secret_hash(str_of(secret), hash);
        assert_true(order("token_create", json_pack("{s:s, s:s, s:s, s:i, s:I}", "id", "t1", "name", "grafana", "hash", hash,
                                                    "scopes", SCOPE_READ, "expires_ns", (json_int_t)(NOW + 100)), NOW, &err));
        assert_true(accounts_by_token(accounts, str_of(secret), NOW + 50, &asker));
        assert_int_equal(asker.scopes, SCOPE_READ);
        assert_false(accounts_by_token(accounts, str_of(secret), NOW + 100, &asker));
        assert_true(order("token_revoke", json_pack("{s:s}", "id", "t1"), NOW + 1, &err));
        assert_false(accounts_by_token(accounts, str_of(secret), NOW + 50, &asker));
        assert_false(order("token_revoke", json_pack("{s:s}", "id", "t1"), NOW + 1, &err));
        scoped_ptr(json_decref) json_t *tokens = accounts_tokens(accounts);
        assert_true(str_is(json_str(json_array_get(tokens, 0), "last_used_ns"), "1000050"));
        assert_null(json_object_get(json_array_get(tokens, 0), "hash"));
}

static void the_first_administrator_must_change_the_printed_password(void **unused)
{
        (void)unused;
        struct err err;
        json_t *arguments;
        char password[PASSWORD_ONCE_BYTES];
        struct asker asker;
        assert_true(account_first_admin(&arguments, password, &err));
        assert_true(order("user_create", arguments, NOW, &err));
        assert_true(accounts_by_password(accounts, STR("admin"), str_of(password), &asker));
        assert_true(asker.must_change);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_user_signs_in_with_the_right_password_only, open_state, close_state),
                cmocka_unit_test_setup_teardown(a_name_is_taken_once_and_a_command_must_make_sense, open_state, close_state),
                cmocka_unit_test_setup_teardown(a_session_ends_when_idle_when_old_when_signed_out_and_with_its_user, open_state, close_state),
                cmocka_unit_test_setup_teardown(the_last_administrator_stays, open_state, close_state),
                cmocka_unit_test_setup_teardown(a_token_has_its_scopes_until_it_expires_or_is_revoked, open_state, close_state),
                cmocka_unit_test_setup_teardown(the_first_administrator_must_change_the_printed_password, open_state, close_state),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

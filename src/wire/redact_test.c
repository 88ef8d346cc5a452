/* redact_test - secrets become stars of the same length; everything else stays as it is. */
#include "wire/redact.h"

#include "base/json.h"
#include "wire/decode_try.h"

#include <stdlib.h>

SCOPED_PTR(redactor_destroy, struct redactor)

static struct redactor *built_in(void)
{
        struct redactor *redactor = NULL;
        struct err err = {0};
        if (!redactor_create(NULL, NULL, &redactor, &err))
                fail_msg("%s", err.message);
        return redactor;
}

static void assert_masked(const struct redactor *redactor, const char *before, const char *after)
{
        for (size_t pad = 0; pad < 70; pad += 3) { /* at every place within the 32 bytes looked at in one go */
                scoped(buf_done) struct buf text = {0}, wanted = {0};
                for (size_t i = 0; i < pad; i++)
                        buf_byte(&text, i % 9 ? 'x' : ' ');
                buf_byte(&text, ' ');
                buf_add(&wanted, buf_str(&text));
                buf_text(&text, before);
                buf_text(&wanted, after);
                uint64_t masked = redact_text(redactor, text.bytes, text.length);
                buf_byte(&wanted, 0);
                assert_str(buf_str(&text), wanted.bytes);
                assert_int_equal(masked > 0, strcmp(before, after) != 0);
                assert_int_equal(redact_text(redactor, text.bytes, text.length), 0); /* masked once, and for good */
        }
}

static void each_kind_of_secret_is_masked(void **state)
{
        (void)state;
        static const char *const cases[][2] = {
                {"password=hunter2 user=bob", "password=******* user=bob"},
                {"Passwd: hunter2, next", "Passwd: *******, next"},
                {"db_pwd => 'a b c'", "db_pwd => '*****'"},
                {"{\"api_key\": \"k\\\"1\", \"b\":2}", "{\"api_key\": \"*\\\"*\", \"b\":2}"},
                {"{\\\"secret\\\":\\\"abc\\\"}", "{\\\"secret\\\":\\\"***\\\"}"},
                {"GET /x?access_token=abc&user=b HTTP", "GET /x?access_token=***&user=b HTTP"},
                {"Authorization: Bearer abc.def-1", "Authorization: Bearer *********"},
                {"authorization: Basic dXNlcjpwYXNz", "authorization: Basic ************"},
                {"sent bearer abcdefgh12", "sent bearer **********"},
                {"postgres://bob:hunter2@db:5432/x", "postgres://bob:*******@db:5432/x"},
                {"redis://:hunter2@cache", "redis://:*******@cache"},
                {"key AKIAIOSFODNN7EXAMPLE used", "key ******************** used"},
                {"ghp_abcdefghijklmnopqrstuvwxyz0123456789", "****************************************"},
                {"jwt eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJ end", "jwt ****************************************** end"},
                {"card 4111 1111 1111 1111 ok", "card **** **** **** **** ok"},
                {"card 4111-1111-1111-1111.", "card ****-****-****-****."},
                {"amex 378282246310005", "amex ***************"},
                {"2026-01-31 4111111111111111 12", "2026-01-31 **************** 12"},
                {"order 12345 5555555555554444", "order 12345 ****************"},
        };
        scoped_ptr(redactor_destroy) struct redactor *redactor = built_in();
        for (size_t i = 0; i < countof(cases); i++) {
                assert_int_equal(strlen(cases[i][0]), strlen(cases[i][1]));
                assert_masked(redactor, cases[i][0], cases[i][1]);
        }
}

static void what_is_no_secret_stays(void **state)
{
        (void)state;
        static const char *const cases[] = {
                "max_tokens=100 tokens: 5", "the password was changed", "http://host:80/path?x=1", "2026-01-31 23:59:59 1767225600123",
                "id 4111111111111112", "trace 41111111111111111111111", "ratio 0.4111111111111111", "x4111111111111111",
                "https://example.org/a@b", "a secretary wrote", "eyJ short",
        };
        scoped_ptr(redactor_destroy) struct redactor *redactor = built_in();
        for (size_t i = 0; i < countof(cases); i++)
                assert_masked(redactor, cases[i], cases[i]);
}

static void a_private_key_is_masked_over_its_lines(void **state)
{
        (void)state;
        scoped_ptr(redactor_destroy) struct redactor *redactor = built_in();
        char text[] = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\\nabc\n-----END RSA PRIVATE KEY-----";
        assert_int_equal(redact_text(redactor, text, strlen(text)), 1);
        assert_string_equal(text, "-----BEGIN RSA PRIVATE KEY-----\n****\\n***\n-----END RSA PRIVATE KEY-----");
}

static void operators_add_test_and_switch_off_patterns(void **state)
{
        (void)state;
        struct err err;
        struct redactor *made = NULL;
        scoped_ptr(json_decref) json_t *own = json_parse(
                STR("[{\"name\":\"badge\",\"pattern\":\"no\\\\. (?<secret>\\\\d{6}) badge\",\"hints\":[\"badge\"],\"sample\":\"no. 123456 badge\"}]"), &err);
        scoped_ptr(json_decref) json_t *off = json_parse(STR("[\"card_number\",\"key_value\"]"), &err);
        assert_true(redactor_create(own, off, &made, &err));
        assert_masked(made, "no. 654321 BADGE no. 654321 badge", "no. 654321 BADGE no. ****** badge");
        assert_masked(made, "password=x 4111111111111111", "password=x 4111111111111111");
        redactor_destroy(made);
        static const char *const wrong[] = {
                "[{\"name\":\"a\",\"pattern\":\"(\",\"hints\":[\"abc\"],\"sample\":\"abc\"}]",
                "[{\"name\":\"a\",\"pattern\":\"abc\",\"hints\":[\"xyz\"],\"sample\":\"abc\"}]",
                "[{\"name\":\"a\",\"pattern\":\"abc\",\"hints\":[\"ab\"],\"sample\":\"abc\"}]",
                "[{\"name\":\"a\",\"pattern\":\"abc\",\"hints\":[],\"sample\":\"abc\"}]",
        };
        for (size_t i = 0; i < countof(wrong); i++) {
                scoped_ptr(json_decref) json_t *patterns = json_parse(str_of(wrong[i]), &err);
                assert_false(redactor_create(patterns, NULL, &made, &err));
                assert_int_equal(err.code, ERR_INVALID);
        }
}

static void fields_and_trees_are_masked_by_name_too(void **state)
{
        (void)state;
        struct err err;
        scoped_ptr(redactor_destroy) struct redactor *redactor = built_in();
        scoped_ptr(json_decref) json_t *tree = json_parse(
                STR("{\"user\":{\"accessToken\":[\"a\xC3\xB6\",7]},\"X-Api-Key\":\"k\",\"msg\":\"pwd=x\",\"tokens\":5}"), &err);
        assert_int_equal(redact_json(redactor, tree), 4);
        scoped(buf_done) struct buf out = {0};
        json_write(tree, &out);
        assert_str(buf_str(&out), "{\"user\":{\"accessToken\":[\"***\",0]},\"X-Api-Key\":\"*\",\"msg\":\"pwd=*\",\"tokens\":5}");
        char line[] = "secret: abc", value[] = "plain";
        struct label attribute = {STR("db.password"), {value, 5}};
        struct log_record record = {.line = {line, sizeof line - 1}, .attributes = {&attribute, 1, 1}};
        struct telemetry telemetry = {.records = {&record, 1, 1}};
        assert_int_equal(redact_telemetry(redactor, &telemetry), 2);
        assert_string_equal(line, "secret: ***");
        assert_string_equal(value, "*****");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_kind_of_secret_is_masked),
                cmocka_unit_test(what_is_no_secret_stays),
                cmocka_unit_test(a_private_key_is_masked_over_its_lines),
                cmocka_unit_test(operators_add_test_and_switch_off_patterns),
                cmocka_unit_test(fields_and_trees_are_masked_by_name_too),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

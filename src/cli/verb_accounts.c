/* verb_accounts.c - users and tokens on the command line. Passwords are typed without echo or piped, never an argument. */
#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static bool read_line(FILE *file, char *out_text, size_t bytes)
{
        bool good = fgets(out_text, (int)bytes, file) != NULL;
        out_text[good ? strcspn(out_text, "\r\n") : 0] = 0;
        return good;
}

static bool type_password(const char *prompt, char *out_text, size_t bytes, struct err *err)
{
        struct termios before, quiet;
        FILE *terminal = fopen("/dev/tty", "r+e");
        if (!terminal || tcgetattr(fileno(terminal), &before) != 0) {
                if (terminal)
                        fclose(terminal);
                return fail(err, ERR_METHOD, "cli", "there is no terminal to type a password at; use --password-stdin");
        }
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        fputs(prompt, terminal);
        fflush(terminal);
        tcsetattr(fileno(terminal), TCSAFLUSH, &quiet);
        bool good = read_line(terminal, out_text, bytes);
        tcsetattr(fileno(terminal), TCSAFLUSH, &before);
        fputc('\n', terminal);
        fclose(terminal);
        return good || fail(err, ERR_METHOD, "cli", "no password was typed");
}

static bool read_password(const struct cli *cli, char *out_text, size_t bytes, struct err *err)
{
        char again[1100];
        if (cli_option(cli, "password-stdin"))
                return read_line(stdin, out_text, bytes) || fail(err, ERR_METHOD, "cli", "standard input holds no password");
        if (!type_password("Password: ", out_text, bytes, err) || !type_password("Again: ", again, sizeof again, err))
                return false;
        return strcmp(out_text, again) == 0 || fail(err, ERR_METHOD, "cli", "the two differ");
}

/* Sends, and says so. Takes body. */
static bool send_change(struct cli *cli, const char *method, const char *path, json_t *body, const char *done, struct err *err)
{
        scoped_ptr(json_decref) json_t *kept = body;
        scoped_ptr(json_decref) json_t *answer = NULL;
        if (!body)
                return fail(err, ERR_METHOD, "cli", "what was given is not UTF-8 text");
        if (!client_ask_json(&cli->client, method, path, kept, &answer, err))
                return false;
        return cli->json ? json_dumpf(answer, stdout, 0) == 0 && putchar('\n') == '\n' : printf("%s\n", done) > 0;
}

static bool change_user(struct cli *cli, json_t *body, const char *done, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/api/v1/users/");
        path_add_part(&path, cli->words[0]);
        buf_byte(&path, 0);
        return send_change(cli, "POST", path.bytes, body, done, err);
}

bool verb_users(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        if (!client_ask_json(&cli->client, "GET", "/api/v1/users", NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        size_t i;
        json_t *user;
        scoped(table_done) struct table table;
        table_init(&table, "NAME|ROLE|STATE|LAST SIGN-IN");
        json_array_foreach(json_object_get(answer, "users"), i, user) {
                char time[CLOCK_RFC3339_BYTES];
                bool is_disabled = json_flag(user, "disabled", false), must_change = json_flag(user, "must_change_password", false);
                item_time(user, "last_sign_in_ns", time);
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(user, "name")));
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(user, "role")));
                table_cell(&table, is_disabled ? COLOR_RED : COLOR_NONE, "%s", is_disabled ? "disabled" : must_change ? "new password due" : "active");
                table_cell(&table, COLOR_NONE, "%s", time);
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

bool verb_user_add(struct cli *cli, struct err *err)
{
        char password[1100];
        const char *role = cli_option(cli, "role");
        if (!role)
                return fail(err, ERR_METHOD, "cli", "say --role viewer, operator or admin");
        return read_password(cli, password, sizeof password, err) &&
               send_change(cli, "POST", "/api/v1/users", json_pack("{s:s, s:s, s:s}", "name", cli->words[0], "role", role, "password", password), "added", err);
}

bool verb_user_password(struct cli *cli, struct err *err)
{
        char password[1100];
        return read_password(cli, password, sizeof password, err) &&
               change_user(cli, json_pack("{s:s}", "password", password), "changed; the user's sessions have ended", err);
}

bool verb_user_role(struct cli *cli, struct err *err)
{
        return change_user(cli, json_pack("{s:s}", "role", cli->words[1]), "changed", err);
}

bool verb_user_disable(struct cli *cli, struct err *err)
{
        return change_user(cli, json_pack("{s:b}", "disabled", 1), "disabled; the user's sessions have ended", err);
}

bool verb_user_enable(struct cli *cli, struct err *err)
{
        return change_user(cli, json_pack("{s:b}", "disabled", 0), "enabled", err);
}

static void scopes_text(const json_t *scopes, char *out_text, size_t bytes)
{
        size_t i;
        json_t *scope;
        out_text[0] = 0;
        json_array_foreach(scopes, i, scope)
                snprintf(out_text + strlen(out_text), bytes - strlen(out_text), "%s%s", i ? "," : "", json_string_value(scope));
}

bool verb_tokens(struct cli *cli, struct err *err)
{
        scoped_ptr(json_decref) json_t *answer = NULL;
        if (!client_ask_json(&cli->client, "GET", "/api/v1/tokens", NULL, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        size_t i;
        json_t *token;
        scoped(table_done) struct table table;
        table_init(&table, "ID|NAME|SCOPES|BY|EXPIRES|LAST USED|STATE");
        json_array_foreach(json_object_get(answer, "tokens"), i, token) {
                char scopes[64], expires[CLOCK_RFC3339_BYTES], used[CLOCK_RFC3339_BYTES];
                bool is_revoked = json_str(token, "revoked_ns").bytes;
                scopes_text(json_object_get(token, "scopes"), scopes, sizeof scopes);
                item_time(token, "expires_ns", expires);
                item_time(token, "last_used_ns", used);
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(token, "id")));
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(token, "name")));
                table_cell(&table, COLOR_NONE, "%s", scopes);
                table_cell(&table, COLOR_NONE, "%s", json_string_value(json_object_get(token, "user")));
                table_cell(&table, COLOR_NONE, "%s", expires);
                table_cell(&table, COLOR_NONE, "%s", used);
                table_cell(&table, is_revoked ? COLOR_DIM : COLOR_GREEN, "%s", is_revoked ? "revoked" : "active");
        }
        table_print(&table, stdout, cli->has_color);
        return true;
}

bool verb_token_add(struct cli *cli, struct err *err)
{
        const char *scopes = cli_option(cli, "scopes"), *days = cli_option(cli, "days");
        scoped_ptr(json_decref) json_t *answer = NULL;
        uint64_t expires_days = 0;
        if (days && (!str_to_u64(str_of(days), &expires_days) || expires_days > 36500))
                return fail(err, ERR_INVALID, "cli", "--days %s is no number of days; leave it out for a token that does not expire", days);
        json_t *list = json_array();
        struct str rest = str_of(scopes), scope;
        while (str_cut(&rest, ',', &scope))
                json_array_append_new(list, json_stringn(scope.bytes, scope.length));
        scoped_ptr(json_decref) json_t *body = json_pack("{s:s, s:o, s:i}", "name", cli->words[0], "scopes", list, "expires_days", (int)expires_days);
        if (!scopes)
                return fail(err, ERR_METHOD, "cli", "say --scopes with one or more of ingest, read, write, admin");
        if (!client_ask_json(&cli->client, "POST", "/api/v1/tokens", body, &answer, err))
                return false;
        if (cli->json)
                return item_print(answer);
        printf("%s\n", json_string_value(json_object_get(answer, "token")));
        fprintf(stderr, "Keep it now: it is shown only this once. Revoke it with: evenkeel token revoke %s\n",
                json_string_value(json_object_get(answer, "id")));
        return true;
}

bool verb_token_revoke(struct cli *cli, struct err *err)
{
        scoped(buf_done) struct buf path = {0};
        buf_text(&path, "/api/v1/tokens/");
        path_add_part(&path, cli->words[0]);
        buf_byte(&path, 0);
        return send_change(cli, "DELETE", path.bytes, json_object(), "revoked", err);
}

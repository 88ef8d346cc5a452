/* item.c - see item.h. Every verb that shows answers reads them through here, so a missing member looks the same everywhere. */
#include "cli/item.h"

#include "base/scope.h"
#include "cli/verb.h"

#include <stdio.h>

const char *item_text(const json_t *item, const char *key)
{
        const char *text = json_string_value(json_object_get(item, key));
        return text && *text ? text : "-";
}

int64_t item_time_ns(const json_t *item, const char *key)
{
        int64_t time_ns;
        return str_to_i64(json_str(item, key), &time_ns) ? time_ns : 0;
}

void item_time(const json_t *item, const char *key, char out_text[static CLOCK_RFC3339_BYTES])
{
        int64_t time_ns;
        if (str_to_i64(json_str(item, key), &time_ns))
                clock_rfc3339(time_ns, 0, out_text);
        else
                snprintf(out_text, CLOCK_RFC3339_BYTES, "-");
}

bool item_print(const json_t *item)
{
        return json_dumpf(item, stdout, JSON_INDENT(2)) == 0 && putchar('\n') == '\n';
}

bool item_ask(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **out_answer, struct err *err)
{
        if (!client_ask_json(&cli->client, method, path, body, out_answer, err))
                return false;
        if (!cli->json)
                return true;
        bool good = item_print(*out_answer);
        json_decref(*out_answer);
        *out_answer = NULL;
        return good || fail(err, ERR_IO, "cli", "standard output does not take the answer");
}

void item_safe(struct str text, const char *line_end, struct buf *out)
{
        for (size_t i = 0; i < text.length; i++) {
                unsigned char c = (unsigned char)text.bytes[i];
                if (c == '\n' && line_end)
                        buf_text(out, line_end);
                else if ((c < 0x20 && c != '\t') || c == 0x7F)
                        buf_printf(out, "\\x%02x", c);
                else
                        buf_byte(out, (char)c);
        }
        buf_byte(out, 0);
}

void item_say(struct str text, const char *line_end)
{
        scoped(buf_done) struct buf out = {0};
        item_safe(text, line_end, &out);
        fputs(out.failed ? "?" : out.bytes, stdout);
}

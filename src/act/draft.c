/*
 * draft.c - see draft.h. Commands are read as a shell's reader would split them, without a shell: quotes and backslashes are taken away, and whatever else a shell
 * would do something about (pipes, redirections, variables, patterns) makes the line one for a person. All texts are quoted for YAML, wherever they came from.
 *
 * Before it is given out, a draft goes through the reader of runbooks: one that could not be saved is a fault of ours, and is told as one.
 */
#include "act/draft.h"

#include "act/runbook.h"
#include "base/json.h"
#include "base/regex.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/yaml.h"
#include "reach/launcher.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX (LAUNCH_WORDS_MAX / 2)
#define NAMES_MAX 64
#define ALERTS_MAX 10
#define TEXT_MAX 300

/* An entity of the incident; one of each kind that the commands name becomes a parameter. */
struct named {
        struct str kind, name;
        const char *pattern;    /* of names that the usual one does not fit; NULL: it fits */
        bool is_usable, is_used, is_target;
};

struct command {
        struct str line, on;            /* as it was typed; where: empty when nobody said */
        struct str by;
        struct buf words[WORDS_MAX];
        size_t count;                   /* 0: for a person */
        const char *why;                /* it is for a person */
};

struct draft {
        const json_t *incident;
        struct named names[NAMES_MAX];
        size_t name_count;
        struct command commands[DRAFT_STEPS_MAX];
        size_t command_count, left_out;
        struct named *target, *host;    /* host: that steps run on; NULL: on Evenkeel's own */
};

static void draft_done(struct draft *draft)
{
        for (size_t i = 0; i < draft->command_count; i++)
                for (size_t j = 0; j < WORDS_MAX; j++)
                        buf_done(&draft->commands[i].words[j]);
        free(draft);
}
SCOPED_PTR(draft_done, struct draft)

/* --- what there is -------------------------------------------------------------------------------------------------------- */

static bool fits(const char *pattern, struct str name)
{
        struct regex *regex = NULL;
        bool good = name.length && name.length <= SLOT_BYTES_MAX && regex_create(str_of(pattern), REGEX_WHOLE, "draft", &regex, NULL) && regex_match(regex, name) == REGEX_YES;
        regex_destroy(regex);
        return good;
}

/* "nginx on web1" is called nginx in commands and in the values of parameters. */
static void add_name(struct draft *draft, struct str kind, struct str name)
{
        size_t at;
        if (str_find(name, STR(" on "), &at))
                name = str_slice(name, 0, at);
        struct named *named = &draft->names[draft->name_count];
        if (draft->name_count == NAMES_MAX || !fits("[a-z][a-z0-9_]{0,30}", kind) || str_find(name, STR(".."), &at))
                return;
        *named = (struct named){kind, name, NULL, true, false, false};
        if (!fits("[A-Za-z0-9_][A-Za-z0-9_.:@-]*", name)) {
                named->pattern = "/[A-Za-z0-9_./-]*";
                named->is_usable = fits(named->pattern, name);
        }
        draft->name_count += named->is_usable;
}

static struct named *name_of(struct draft *draft, struct str kind, struct str name)
{
        for (size_t i = 0; i < draft->name_count; i++)
                if (str_equal(draft->names[i].kind, kind) && (!name.length || str_equal(draft->names[i].name, name)))
                        return &draft->names[i];
        return NULL;
}

/* The one of its kind that may be a parameter: the first that was wanted. */
static bool take_name(struct draft *draft, struct named *named)
{
        for (size_t i = 0; i < draft->name_count; i++)
                if (draft->names[i].is_used && str_equal(draft->names[i].kind, named->kind))
                        return &draft->names[i] == named;
        return named->is_used = true;
}

/* What YAML calls printable, of one line: other characters would be refused, or end a line. */
static bool is_yaml_text(struct str text)
{
        if (!str_is_utf8(text))
                return false;
        for (size_t i = 0; i < text.length; i++) {
                const unsigned char *c = (const unsigned char *)text.bytes + i;
                size_t left = text.length - i;
                if (*c < ' ' || *c == 0x7F || (left > 1 && c[0] == 0xC2 && c[1] < 0xA0))
                        return false;
                if (left > 2 && ((c[0] == 0xE2 && c[1] == 0x80 && (c[2] == 0xA8 || c[2] == 0xA9)) || (c[0] == 0xEF && c[1] == 0xBF && c[2] >= 0xBE) ||
                                 (c[0] == 0xEF && c[1] == 0xBB && c[2] == 0xBF)))
                        return false;
        }
        return true;
}

/* --- a line into words ---------------------------------------------------------------------------------------------------- */

static bool is_for_a_shell(char c)
{
        return c && strchr("|&;<>()$`*?[]{}~#!\n\r", c) != NULL;
}

static bool add_byte(struct command *command, char c)
{
        if (command->count == 0 || command->count > WORDS_MAX)
                return false;
        return buf_byte(&command->words[command->count - 1], c);
}

/* The rest of what is in quotes; line.bytes[at] is behind the first quote. Gives the place behind the last one, 0: there is none. */
static size_t read_quoted(struct command *command, struct str line, size_t at, char quote)
{
        for (; at < line.length && line.bytes[at] != quote; at++) {
                char c = line.bytes[at];
                if (quote == '"' && (c == '$' || c == '`'))
                        return 0;
                if (quote == '"' && c == '\\' && at + 1 < line.length && strchr("\"\\$`", line.bytes[at + 1]))
                        c = line.bytes[++at];
                if (!add_byte(command, c))
                        return 0;
        }
        return at < line.length ? at + 1 : 0;
}

static bool split(struct command *command)
{
        struct str line = command->line;
        bool is_inside = false;
        for (size_t i = 0; i < line.length;) {
                char c = line.bytes[i];
                if (c == ' ' || c == '\t') {
                        is_inside = false;
                        i++;
                        continue;
                }
                if (!is_inside && ++command->count > WORDS_MAX)
                        return command->why = "it has too many words", false;
                is_inside = true;
                if (c == '\'' || c == '"') {
                        i = read_quoted(command, line, i + 1, c);
                        if (!i)
                                return command->why = "it needs a shell", false;
                        continue;
                }
                if (c == '\\' && i + 1 < line.length)
                        c = line.bytes[++i];
                else if (is_for_a_shell(c) || (unsigned char)c < ' ')
                        return command->why = "it needs a shell", false;
                if (!add_byte(command, c))
                        return command->why = "it is too long", false;
                i++;
        }
        return command->count > 0;
}

/* "systemctl" is some program; a runbook names the very one. */
static bool find_program(struct buf *word)
{
        static const char *const folders[] = {"/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"};
        char path[512];
        struct str name = buf_str(word);
        if (name.length && name.bytes[0] == '/')
                return true;
        if (!fits("[A-Za-z0-9_][A-Za-z0-9_.+-]{0,60}", name))
                return false;
        size_t found = 0;
        for (size_t i = countof(folders); i-- > 0;) {
                snprintf(path, sizeof path, "%s%.*s", folders[i], STR_ARGS(name));
                found = access(path, X_OK) == 0 ? i : found;
        }
        snprintf(path, sizeof path, "%s%.*s", folders[found], STR_ARGS(name));
        word->length = 0;
        return buf_text(word, path);
}

/* Prose begins like a program too: "restarted nginx by hand". A program is there, or is named by its path, or comes behind sudo. */
static bool is_program_known(struct str word)
{
        static const char *const folders[] = {"/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"};
        static const char *const common[] = {"systemctl", "service", "journalctl", "docker", "podman", "kubectl", "ip", "mount", "umount", "rm", "truncate", "kill", "pkill",
                                             "reboot", "nginx", "psql", "redis-cli", "logrotate", "apt-get", "dnf", "certbot", "fstrim", "sysctl", "chown", "chmod", "mv", "cp"};
        char path[512];
        if (word.length && word.bytes[0] == '/')
                return true;
        for (size_t i = 0; i < countof(common); i++)
                if (str_is(word, common[i]))
                        return true;
        for (size_t i = 0; i < countof(folders) && word.length < 60; i++) {
                snprintf(path, sizeof path, "%s%.*s", folders[i], STR_ARGS(word));
                if (access(path, X_OK) == 0)
                        return true;
        }
        return false;
}

static bool shift_sudo(struct command *command, struct err *err)
{
        if (!str_is(buf_str(&command->words[0]), "sudo") && !str_is(buf_str(&command->words[0]), "/usr/bin/sudo"))
                return true;
        if (command->count < 2 || command->count == WORDS_MAX || (command->words[1].length && command->words[1].bytes[0] == '-')) {
                command->why = "sudo is given options";
                command->count = 0;
                return true;
        }
        struct buf spare = command->words[command->count];
        memmove(&command->words[2], &command->words[1], (command->count - 1) * sizeof *command->words);
        command->words[1] = spare;
        command->count++;
        command->words[0].length = 0;
        return (buf_text(&command->words[0], "/usr/bin/sudo") && buf_text(&command->words[1], "-n")) || fail_memory(err, "draft", 16);
}

static bool read_command(struct command *command, struct err *err)
{
        if (!is_yaml_text(command->line))
                command->why = "it has characters that are no text";
        else if (!split(command) && !command->why)
                command->why = "it is empty";
        if (command->why) {
                command->count = 0;
                return true;
        }
        if (!shift_sudo(command, err))
                return false;
        size_t program = command->count && str_is(buf_str(&command->words[0]), "/usr/bin/sudo") ? 2 : 0;
        if (command->count && !is_program_known(buf_str(&command->words[program]))) {
                command->why = "it is no command that is known here";
                command->count = 0;
        }
        if (command->count && !find_program(&command->words[program])) {
                command->why = "its program is not plain";
                command->count = 0;
        }
        for (size_t i = 0; i < command->count; i++)
                if (command->words[i].failed)
                        return fail_memory(err, "draft", 64);
        return true;
}

static bool add_line(struct draft *draft, struct str line, struct str on, struct str by, struct err *err)
{
        line = str_trim(line);
        if (str_starts_with(line, STR("$ ")) || str_starts_with(line, STR("# ")))
                line = str_trim(str_slice(line, 2, line.length));
        if (!line.length)
                return true;
        if (draft->command_count == DRAFT_STEPS_MAX) {
                draft->left_out++;
                return true;
        }
        struct command *command = &draft->commands[draft->command_count++];
        command->line = line;
        command->on = on;
        command->by = by;
        return read_command(command, err);
}

static bool read_actions(struct draft *draft, struct err *err)
{
        size_t i, at;
        json_t *entry;
        json_array_foreach (json_object_get(draft->incident, "timeline"), i, entry) {
                struct str text = json_str(entry, "text"), on = {0}, line;
                if (!str_is(json_str(entry, "kind"), "action"))
                        continue;
                if (str_starts_with(text, STR("on ")) && str_find(text, STR(": "), &at)) {
                        on = str_slice(text, 3, at);
                        text = str_slice(text, at + 2, text.length);
                        if (!fits("[A-Za-z0-9_][A-Za-z0-9_.:-]*", on))
                                on = STR("");
                }
                while (str_cut(&text, '\n', &line))
                        if (!add_line(draft, line, on, json_str(entry, "by"), err))
                                return false;
        }
        return draft->command_count || fail(err, ERR_NOT_FOUND, "draft", "nobody recorded an action on incident %" PRId64 "; record what was done with "
                                            "`evenkeel incident order %" PRId64 " action text='systemctl restart nginx' on=web1`",
                                            json_i64(draft->incident, "number", 0), json_i64(draft->incident, "number", 0));
}

/* --- names into parameters ------------------------------------------------------------------------------------------------ */

static bool is_part_of_name(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* The longest name that stands at this place as a word of its own. */
static struct named *name_at(struct draft *draft, struct str text, size_t at)
{
        struct named *found = NULL;
        bool begins = at == 0 || !is_part_of_name(text.bytes[at - 1]);
        for (size_t i = 0; begins && i < draft->name_count; i++) {
                struct named *named = &draft->names[i];
                size_t end = at + named->name.length;
                bool is_path = named->name.bytes[0] == '/';
                bool fits_here = end <= text.length && str_equal(str_slice(text, at, end), named->name) && (end == text.length || !is_part_of_name(text.bytes[end])) &&
                                 !(is_path && named->name.length == 1 && text.length > 1);
                if (fits_here && (!found || named->name.length > found->name.length))
                        found = named;
        }
        return found;
}

/* With ${kind} for each name of an entity, and $$ for a dollar sign. */
static bool put_places(struct draft *draft, struct str text, struct buf *out)
{
        for (size_t i = 0; i < text.length;) {
                struct named *named = name_at(draft, text, i);
                if (named && take_name(draft, named)) {
                        buf_printf(out, "${%.*s}", STR_ARGS(named->kind));
                        i += named->name.length;
                        continue;
                }
                if (text.bytes[i] == '$')
                        buf_byte(out, '$');
                buf_byte(out, text.bytes[i++]);
        }
        return !out->failed;
}

/* A step runs where it was typed, else on the incident's host; without one, on Evenkeel's own machine: empty. */
static struct str place_of(struct draft *draft, const struct command *command)
{
        struct named *named = name_of(draft, STR("host"), command->on.length ? command->on : STR(""));
        if (named && take_name(draft, named))
                return STR("${host}");
        return command->on.length ? command->on : named ? named->name : STR("");
}

/* The program's own path keeps its words: /usr/sbin/nginx is not ${service}. */
static bool fill_commands(struct draft *draft, struct err *err)
{
        for (size_t i = 0; i < draft->command_count; i++)
                if (draft->commands[i].count)
                        place_of(draft, &draft->commands[i]); /* where it was done is the host that is meant, whatever others its words name */
        for (size_t i = 0; i < draft->command_count; i++) {
                struct command *command = &draft->commands[i];
                size_t first = command->count > 2 && str_is(buf_str(&command->words[0]), "/usr/bin/sudo") ? 3 : 1;
                for (size_t j = 0; j < command->count; j++) {
                        struct buf filled = {0};
                        bool good = j < first ? buf_add(&filled, buf_str(&command->words[j])) : put_places(draft, buf_str(&command->words[j]), &filled);
                        buf_done(&command->words[j]);
                        command->words[j] = filled;
                        if (!good)
                                return fail_memory(err, "draft", filled.length);
                }
        }
        return true;
}

/* The most specific thing that the commands name is what they act on. */
static bool choose_target(struct draft *draft, struct err *err)
{
        static const char *const order[] = {"filesystem", "service", "host"};
        struct named *first = NULL, *used = NULL;
        for (size_t k = 0; k < countof(order); k++)
                for (size_t i = 0; i < draft->name_count; i++) {
                        struct named *named = &draft->names[i];
                        bool is_kind = str_is(named->kind, order[k]);
                        if (!first && is_kind)
                                first = named;
                        if (!used && is_kind && named->is_used)
                                used = named;
                }
        for (size_t i = 0; i < draft->name_count && !used; i++)
                used = draft->names[i].is_used ? &draft->names[i] : NULL;
        draft->target = used ? used : first ? first : draft->name_count ? &draft->names[0] : NULL;
        if (!draft->target)
                return fail(err, ERR_NOT_FOUND, "draft", "incident %" PRId64 " names no entity that a runbook could act on", json_i64(draft->incident, "number", 0));
        take_name(draft, draft->target);
        draft->target->is_target = true;
        return true;
}

/* --- YAML ----------------------------------------------------------------------------------------------------------------- */

/* In single quotes; of one line, bounded. */
static void add_text(struct buf *out, struct str text)
{
        buf_byte(out, '\'');
        for (size_t i = 0; i < text.length; i++) {
                unsigned char c = (unsigned char)text.bytes[i];
                if (c == '\'')
                        buf_text(out, "''");
                else
                        buf_byte(out, c < ' ' || c == 0x7F ? ' ' : (char)c);
        }
        buf_byte(out, '\'');
}

static struct str bounded(struct str text)
{
        size_t length = min_of(text.length, (size_t)TEXT_MAX);
        while (length && length < text.length && ((unsigned char)text.bytes[length] & 0xC0) == 0x80)
                length--;
        return str_is_utf8(text) ? str_slice(text, 0, length) : STR("(not UTF-8)");
}

/* Behind a #: printable, of one line. What Unicode has of line ends would be one to a reader of YAML as well. */
static void add_comment(struct buf *out, struct str text)
{
        text = bounded(text);
        for (size_t i = 0; i < text.length; i++) {
                unsigned char c = (unsigned char)text.bytes[i];
                buf_byte(out, c < ' ' || c >= 0x7F ? '?' : (char)c);
        }
        buf_byte(out, '\n');
}

static void add_alerts(const struct draft *draft, struct buf *out)
{
        size_t i, count = 0, start = out->length;
        json_t *alert;
        buf_text(out, "alerts: [");
        json_array_foreach (json_object_get(draft->incident, "alerts"), i, alert) {
                scoped(buf_done) struct buf name = {0};
                struct str raw = json_str(json_object_get(alert, "labels"), "alertname");
                size_t at;
                if (!raw.length || raw.length > TEXT_MAX || !is_yaml_text(raw) || count == ALERTS_MAX)
                        continue;
                add_text(&name, raw);
                if (str_find(str_slice(buf_str(out), start, out->length), buf_str(&name), &at))
                        continue;
                buf_text(out, count++ ? ", " : "");
                buf_add(out, buf_str(&name));
        }
        if (count)
                buf_text(out, "], ");
        else
                out->length = start;
}

static void add_parameters(const struct draft *draft, struct buf *out)
{
        buf_text(out, "    parameters:\n");
        for (size_t i = 0; i < draft->name_count; i++) {
                const struct named *named = &draft->names[i];
                if (!named->is_used)
                        continue;
                buf_printf(out, "      %.*s: {type: entity, kind: %.*s", STR_ARGS(named->kind), STR_ARGS(named->kind));
                if (named->pattern) {
                        buf_text(out, ", pattern: ");
                        add_text(out, str_of(named->pattern));
                }
                buf_text(out, "}        # was ");
                add_comment(out, named->name);
        }
}

static void add_step(struct draft *draft, const struct command *command, size_t number, struct buf *out)
{
        if (!command->count) {
                scoped(buf_done) struct buf text = {0};
                buf_printf(&text, "to be done by hand: ");
                put_places(draft, is_yaml_text(command->line) ? bounded(command->line) : STR("(see the incident)"), &text);
                buf_printf(out, "      # %s\n      - {name: by hand %zu, notify: ", command->why, number);
                add_text(out, buf_str(&text));
                buf_text(out, "}\n");
                return;
        }
        struct str place = place_of(draft, command);
        buf_printf(out, "      - {name: step %zu, %s: [", number, place.length ? "ssh" : "exec");
        for (size_t i = 0; i < command->count; i++) {
                buf_text(out, i ? ", " : "");
                add_text(out, buf_str(&command->words[i]));
        }
        buf_text(out, "], ");
        if (place.length) {
                buf_text(out, "on: ");
                add_text(out, place);
                buf_text(out, ", ");
        }
        buf_text(out, "timeout: 60s}\n");
}

/* As the allow-list wants it: a pattern for each word that has a place in it. */
static void add_allowed(struct draft *draft, const struct command *command, struct buf *out)
{
        struct str place = place_of(draft, command);
        if (place.length)
                buf_printf(out, "  #   /usr/bin/ssh -o BatchMode=yes -o ConnectTimeout=10 -- %.*s", STR_ARGS(str_is(place, "${host}") ? STR("*") : place));
        else
                buf_text(out, "  #  ");
        for (size_t i = 0; i < command->count; i++) {
                struct str word = buf_str(&command->words[i]);
                buf_byte(out, ' ');
                for (size_t j = 0; j < word.length; j++) {
                        size_t at;
                        unsigned char c = (unsigned char)word.bytes[j];
                        if (c == '$' && j + 1 < word.length && word.bytes[j + 1] == '{' && str_find(str_slice(word, j, word.length), STR("}"), &at)) {
                                buf_byte(out, '*');
                                j += at;
                        } else {
                                buf_byte(out, c <= ' ' || c >= 0x7F || strchr("*?[]\\", c) ? '?' : (char)c);
                        }
                }
        }
        buf_byte(out, '\n');
}

static void add_head(struct draft *draft, struct buf *out)
{
        size_t i;
        json_t *entry;
        buf_printf(out, "# A draft, made of what was done about incident %" PRId64 ": ", json_i64(draft->incident, "number", 0));
        add_comment(out, json_str(draft->incident, "title"));
        buf_text(out, "# Nothing knows of it until it stands in a content file. Read each step, change what is wrong, give it a name and a verification, then save it.\n");
        json_array_foreach (json_object_get(draft->incident, "timeline"), i, entry)
                if (str_is(json_str(entry, "kind"), "fix")) {
                        buf_text(out, "# Said to have fixed it: ");
                        add_comment(out, json_str(entry, "text"));
                }
        if (draft->left_out)
                buf_printf(out, "# %zu more lines were recorded than a draft takes.\n", draft->left_out);
        buf_text(out, "runbooks:\n  # Lines for the allow-list of the launcher:\n");
        for (i = 0; i < draft->command_count; i++)
                if (draft->commands[i].count)
                        add_allowed(draft, &draft->commands[i], out);
}

static void write_draft(struct draft *draft, struct buf *out)
{
        struct str target = draft->target->kind;
        scoped(buf_done) struct buf steps = {0}, sentence = {0};
        for (size_t i = 0; i < draft->command_count; i++)
                add_step(draft, &draft->commands[i], i + 1, &steps);
        add_head(draft, out);
        buf_printf(out, "  - name: draft-of-incident-%" PRId64 "\n    sentence: ", json_i64(draft->incident, "number", 0));
        buf_printf(&sentence, "Do for ${%.*s} what was done for incident %" PRId64, STR_ARGS(target), json_i64(draft->incident, "number", 0));
        add_text(out, buf_str(&sentence));
        buf_text(out, "\n    applies_to: {");
        add_alerts(draft, out);
        buf_printf(out, "kinds: [%.*s]}\n    target: %.*s\n", STR_ARGS(target), STR_ARGS(target));
        add_parameters(draft, out);
        buf_text(out, "    guards: {target_rate: {runs: 1, within: 1h}, at_once: 1, blast_radius: {share: 0.25, within: 1h}}\n    steps:\n");
        buf_add(out, buf_str(&steps));
        buf_text(out, "    verify: {after: 15s, within: 10m, stays: 1m}\n");
        out->failed |= steps.failed || sentence.failed;
}

static bool is_accepted(struct str yaml, struct err *err)
{
        json_t *tree = yaml_parse(yaml, "draft.yaml", err);
        scoped_ptr(json_decref) json_t *content = tree ? json_pack("{s:[{s:s, s:o}]}", "files", "name", "draft.yaml", "tree", tree) : NULL;
        return content && runbooks_check(content, err);
}

bool draft_runbook(const json_t *incident, struct buf *out_yaml, struct err *err)
{
        size_t i;
        json_t *entity;
        scoped(buf_done) struct buf yaml = {0};
        scoped_ptr(draft_done) struct draft *draft = calloc(1, sizeof *draft);
        if (!draft)
                return fail_memory(err, "draft", sizeof *draft);
        draft->incident = incident;
        json_array_foreach (json_object_get(incident, "entities"), i, entity)
                add_name(draft, json_str(entity, "kind"), json_str(entity, "name"));
        if (!read_actions(draft, err) || !fill_commands(draft, err) || !choose_target(draft, err))
                return false;
        write_draft(draft, &yaml);
        if (yaml.failed)
                return fail_memory(err, "draft", yaml.length);
        if (!is_accepted(buf_str(&yaml), err))
                return err_within(err, "a draft that could not be saved");
        return buf_add(out_yaml, buf_str(&yaml)) || fail_memory(err, "draft", yaml.length);
}

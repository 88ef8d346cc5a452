/*
 * identity.c - see identity.h. The ways to clean a value are rows of a table: what a name of a host, a unit or a program
 * looks like is known here, which labels hold one is known to the kinds alone.
 */
#include "register/identity.h"

#include "base/scope.h"

#include <arpa/inet.h>
#include <ctype.h>

#define NAME_BYTES_MAX 253

static bool is_hex(struct str text)
{
        for (size_t i = 0; i < text.length; i++)
                if (!isxdigit((unsigned char)text.bytes[i]))
                        return false;
        return text.length > 0;
}

static bool has_digit(struct str text)
{
        for (size_t i = 0; i < text.length; i++)
                if (isdigit((unsigned char)text.bytes[i]))
                        return true;
        return false;
}

/* The hash of a container, or a UUID: unique, and meaningless tomorrow. */
static bool is_hash(struct str text)
{
        if ((text.length == 12 || text.length == 32 || text.length == 40 || text.length == 64) && is_hex(text) && has_digit(text))
                return true;
        if (text.length != 36)
                return false;
        for (size_t i = 0; i < 36; i++)
                if ((i == 8 || i == 13 || i == 18 || i == 23) ? text.bytes[i] != '-' : !isxdigit((unsigned char)text.bytes[i]))
                        return false;
        return true;
}

static bool is_address(struct str text)
{
        char copy[INET6_ADDRSTRLEN];
        unsigned char packed[16];
        if (text.length >= sizeof copy)
                return false;
        memcpy(copy, text.length ? text.bytes : "", text.length);
        copy[text.length] = '\0';
        return inet_pton(AF_INET, copy, packed) == 1 || inet_pton(AF_INET6, copy, packed) == 1;
}

static bool is_everywhere(struct str text)
{
        return str_is(text, "localhost") || str_starts_with(text, STR("localhost.")) || str_starts_with(text, STR("127.")) ||
               str_is(text, "::1") || str_is(text, "::") || str_is(text, "0.0.0.0") || str_is(text, "-");
}

static bool is_number(struct str text)
{
        uint64_t number;
        return str_to_u64(text, &number);
}

/* Without scheme, path, port and brackets. */
static struct str host_of(struct str value, bool *out_has_port)
{
        size_t at;
        uint64_t port;
        *out_has_port = false;
        if (str_find(value, STR("://"), &at))
                value = str_slice(value, at + 3, value.length);
        if (str_find(value, STR("/"), &at))
                value = str_slice(value, 0, at);
        if (value.length && value.bytes[0] == '[' && str_find(value, STR("]"), &at)) {
                *out_has_port = at + 1 < value.length;
                return str_slice(value, 1, at);
        }
        struct str rest = value, head;
        str_cut(&rest, ':', &head);
        if (!rest.bytes || !str_to_u64(rest, &port))
                return value; /* no port, or an IPv6 address without brackets */
        *out_has_port = true;
        return head;
}

static bool lower(struct str value, struct arena *arena, struct str *out_clean)
{
        struct str copy = arena_str(arena, value);
        for (size_t i = 0; copy.bytes && i < copy.length; i++)
                ((char *)copy.bytes)[i] = (char)tolower((unsigned char)copy.bytes[i]);
        *out_clean = copy;
        return copy.bytes != NULL;
}

/* Letters, digits, dots, dashes, underscores: what a host name may be made of. */
static bool looks_like_host(struct str text)
{
        for (size_t i = 0; i < text.length; i++)
                if (!isalnum((unsigned char)text.bytes[i]) && !strchr(".-_", text.bytes[i]))
                        return false;
        return text.length && text.length <= NAME_BYTES_MAX && !is_number(text);
}

static bool host_name(struct str value, struct arena *arena, bool wants_port, struct str *out_clean)
{
        bool has_port;
        struct str host = host_of(str_trim(value), &has_port);
        while (host.length && host.bytes[host.length - 1] == '.')
                host.length--;
        return (has_port || !wants_port) && looks_like_host(host) && !is_address(host) && lower(host, arena, out_clean) &&
               !is_everywhere(*out_clean) && !is_hash(*out_clean);
}

static struct str first_label(struct str host)
{
        struct str rest = host, head;
        str_cut(&rest, '.', &head);
        return head;
}

static bool clean_text(struct str value, struct arena *arena, struct str *out_clean)
{
        (void)arena;
        *out_clean = str_trim(value);
        return out_clean->length > 0 && out_clean->length <= NAME_BYTES_MAX && str_is_utf8(*out_clean);
}

static bool clean_full_host(struct str value, struct arena *arena, struct str *out_clean)
{
        return host_name(value, arena, false, out_clean) && memchr(out_clean->bytes, '.', out_clean->length);
}

static bool clean_short_host(struct str value, struct arena *arena, struct str *out_clean)
{
        struct str host;
        if (!host_name(value, arena, false, &host))
                return false;
        *out_clean = first_label(host);
        return out_clean->length && !is_number(*out_clean) && !is_hash(*out_clean);
}

/* As short_host, but only of "host:port": an instance without a port may be anything. */
static bool clean_short_target(struct str value, struct arena *arena, struct str *out_clean)
{
        struct str host;
        return host_name(value, arena, true, &host) && clean_short_host(host, arena, out_clean);
}

static bool clean_full_target(struct str value, struct arena *arena, struct str *out_clean)
{
        return host_name(value, arena, true, out_clean) && memchr(out_clean->bytes, '.', out_clean->length);
}

/* Any host, address or not, of a target whose metrics say which host it is. */
static bool clean_target(struct str value, struct arena *arena, struct str *out_clean)
{
        bool has_port;
        struct str host = host_of(str_trim(value), &has_port);
        return host.length && host.length <= NAME_BYTES_MAX && lower(host, arena, out_clean) && !is_everywhere(*out_clean) &&
               !is_hash(*out_clean) && (is_address(host) || looks_like_host(host));
}

static bool clean_address(struct str value, struct arena *arena, struct str *out_clean)
{
        bool has_port;
        struct str host = host_of(str_trim(value), &has_port);
        return is_address(host) && !is_everywhere(host) && lower(host, arena, out_clean);
}

/* Units that come with a sign-in, a timer or a command, and go with it. */
static bool is_passing_unit(struct str unit)
{
        static const char *const starts[] = {"session-", "user@", "user-", "run-", "init", "systemd-tmpfiles", "getty@", "serial-getty@",
                                             "console-getty"};
        for (size_t i = 0; i < countof(starts); i++)
                if (str_starts_with(unit, str_of(starts[i])))
                        return true;
        return false;
}

/* A host or service named as an OCI name: letters, digits and a few signs. */
static bool looks_like_program(struct str text)
{
        for (size_t i = 0; i < text.length; i++)
                if ((unsigned char)text.bytes[i] <= ' ' || strchr("\"'`<>{}()[]=,;%$*?\\|", text.bytes[i]) || (unsigned char)text.bytes[i] == 0x7f)
                        return false;
        return text.length && text.length <= 128 && str_is_utf8(text) && !is_number(text) && !is_hash(text) && !is_address(text);
}

static bool clean_unit(struct str value, struct arena *arena, struct str *out_clean)
{
        (void)arena;
        struct str unit = str_trim(value);
        if (str_ends_with(unit, STR(".service")))
                unit.length -= strlen(".service");
        else if (memchr(unit.length ? unit.bytes : "", '.', unit.length) && (str_ends_with(unit, STR(".scope")) || str_ends_with(unit, STR(".slice")) ||
                 str_ends_with(unit, STR(".timer")) || str_ends_with(unit, STR(".socket")) || str_ends_with(unit, STR(".mount")) ||
                 str_ends_with(unit, STR(".target")) || str_ends_with(unit, STR(".device")) || str_ends_with(unit, STR(".path")) || str_ends_with(unit, STR(".swap"))))
                return false;
        if (is_passing_unit(unit) || !looks_like_program(unit))
                return false;
        *out_clean = unit;
        return true;
}

/* A program by its path or name, without ".service", "[pid]" and ":port". */
static bool clean_program(struct str value, struct arena *arena, struct str *out_clean)
{
        struct str program = str_trim(value);
        size_t at;
        if (str_find(program, STR("["), &at))
                program = str_slice(program, 0, at);
        if (program.length && program.bytes[0] == '/')
                for (size_t i = program.length; i-- > 0;)
                        if (program.bytes[i] == '/') {
                                program = str_slice(program, i + 1, program.length);
                                break;
                        }
        bool has_port;
        program = host_of(program, &has_port).length && memchr(program.bytes, ':', program.length) ? host_of(program, &has_port) : program;
        return !is_everywhere(program) && clean_unit(program, arena, out_clean);
}

static bool clean_path(struct str value, struct arena *arena, struct str *out_clean)
{
        (void)arena;
        *out_clean = value;
        return value.length && value.length <= 1024 && value.bytes[0] == '/' && str_is_utf8(value);
}

static const struct {
        const char *name;
        clean_fn *clean;
} cleans[] = {
        {"address", clean_address},             /* an IP address, of a URL or target too */
        {"full_host", clean_full_host},         /* a host name with a domain */
        {"full_target", clean_full_target},     /* the same, of host:port */
        {"path", clean_path},                   /* absolute */
        {"program", clean_program},             /* a program's or service's name */
        {"short_host", clean_short_host},       /* a host name's first part */
        {"short_target", clean_short_target},   /* the same, of host:port */
        {"target", clean_target},               /* host or address of host:port */
        {"text", clean_text},
        {"unit", clean_unit},                   /* a systemd service unit, without .service */
};

clean_fn *clean_find(struct str name)
{
        for (size_t i = 0; i < countof(cleans); i++)
                if (str_is(name, cleans[i].name))
                        return cleans[i].clean;
        return NULL;
}

void clean_names(struct buf *out)
{
        for (size_t i = 0; i < countof(cleans); i++)
                buf_printf(out, "%s%s", i ? ", " : "", cleans[i].name);
}

bool labels_meet(const struct labels *labels, const struct labels *conditions)
{
        each (condition, conditions)
                if (!str_equal(labels_value(labels, condition->name), condition->value))
                        return false;
        return true;
}

static bool is_excluded(const struct kind *kind, const struct labels *labels)
{
        each (unless, &kind->unless)
                if (names_hold(&unless->values, labels_value(labels, unless->label)))
                        return true;
        return false;
}

static bool holds_key(const struct identity *identity, struct str key)
{
        for (size_t i = 0; i < identity->count; i++)
                if (str_equal(identity->keys[i].key, key))
                        return true;
        return false;
}

/* The first label of a rule that gives something; out_value.bytes stays NULL without one. */
static bool draw(const struct kind_rule *rule, const struct labels *labels, struct arena *arena, struct str *out_value)
{
        each (name, &rule->from) {
                struct str value = labels_value(labels, *name), clean;
                if (!value.length || !rule->clean(value, arena, &clean) || names_hold(&rule->except, clean))
                        continue;
                *out_value = arena_str(arena, clean);
                return out_value->bytes != NULL;
        }
        return true;
}

bool identity_of(const struct kind *kind, const struct labels *labels, struct arena *arena, struct identity *out_identity)
{
        out_identity->count = 0;
        if (is_excluded(kind, labels))
                return true;
        each (rule, &kind->rules) {
                struct str value = {0};
                if (out_identity->count == IDENTITY_KEYS_MAX || holds_key(out_identity, rule->key) || !labels_meet(labels, &rule->conditions))
                        continue;
                if (!draw(rule, labels, arena, &value))
                        return false;
                if (value.bytes)
                        out_identity->keys[out_identity->count++] = (struct identity_key){rule->key, value, rule->strength, rule->may_create};
        }
        return true;
}

/* resolve.c - see resolve.h. A channel for each question: its life is the question's, so a late answer finds nobody. */
#include "reach/resolve.h"

#include "base/clock.h"
#include "base/scope.h"
#include "reach/dial.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>
#include <sys/select.h>

struct question {
        struct arena *arena;
        struct resolve_answers answers;
        int type, status;
        bool is_done, out_of_memory;
};

static void add(struct question *question, const char *text, size_t length)
{
        struct str copy = arena_str(question->arena, (struct str){text, length});
        question->out_of_memory |= !copy.bytes;
        if (copy.bytes && question->answers.count < RESOLVE_ANSWERS_MAX)
                question->answers.texts[question->answers.count++] = copy;
}

static void add_text(struct question *question, const char *text)
{
        add(question, text, strlen(text));
}

/* --- one reader for each type of record -------------------------------------------------------------------------------------- */

static int read_a(struct question *question, const unsigned char *answer, int length)
{
        struct ares_addrttl found[RESOLVE_ANSWERS_MAX];
        char text[INET_ADDRSTRLEN];
        int count = RESOLVE_ANSWERS_MAX, status = ares_parse_a_reply(answer, length, NULL, found, &count);
        for (int i = 0; status == ARES_SUCCESS && i < count; i++)
                add_text(question, inet_ntop(AF_INET, &found[i].ipaddr, text, sizeof text));
        return status;
}

static int read_aaaa(struct question *question, const unsigned char *answer, int length)
{
        struct ares_addr6ttl found[RESOLVE_ANSWERS_MAX];
        char text[INET6_ADDRSTRLEN];
        int count = RESOLVE_ANSWERS_MAX, status = ares_parse_aaaa_reply(answer, length, NULL, found, &count);
        for (int i = 0; status == ARES_SUCCESS && i < count; i++)
                add_text(question, inet_ntop(AF_INET6, &found[i].ip6addr, text, sizeof text));
        return status;
}

static int read_mx(struct question *question, const unsigned char *answer, int length)
{
        struct ares_mx_reply *found = NULL;
        int status = ares_parse_mx_reply(answer, length, &found);
        for (struct ares_mx_reply *mx = found; mx; mx = mx->next)
                add_text(question, mx->host);
        ares_free_data(found);
        return status;
}

static int read_txt(struct question *question, const unsigned char *answer, int length)
{
        struct ares_txt_reply *found = NULL;
        int status = ares_parse_txt_reply(answer, length, &found);
        for (struct ares_txt_reply *txt = found; txt; txt = txt->next)
                add(question, (const char *)txt->txt, txt->length);
        ares_free_data(found);
        return status;
}

static int read_ns(struct question *question, const unsigned char *answer, int length)
{
        struct hostent *found = NULL;
        int status = ares_parse_ns_reply(answer, length, &found);
        for (char **name = found ? found->h_aliases : NULL; name && *name; name++)
                add_text(question, *name);
        if (found)
                ares_free_hostent(found);
        return status;
}

/* c-ares follows the CNAME of an A answer; asked for CNAME alone it gives the name in h_name. */
static int read_cname(struct question *question, const unsigned char *answer, int length)
{
        struct hostent *found = NULL;
        int count = 0, status = ares_parse_a_reply(answer, length, &found, NULL, &count);
        if (found && found->h_name)
                add_text(question, found->h_name);
        if (found)
                ares_free_hostent(found);
        return status == ARES_ENODATA && question->answers.count ? ARES_SUCCESS : status;
}

static const struct record_type {
        const char *name;
        int type;
        int (*read)(struct question *question, const unsigned char *answer, int length);
} record_types[] = {
        {"A", ns_t_a, read_a},   {"AAAA", ns_t_aaaa, read_aaaa}, {"CNAME", ns_t_cname, read_cname},
        {"MX", ns_t_mx, read_mx}, {"NS", ns_t_ns, read_ns},       {"TXT", ns_t_txt, read_txt},
};

static const struct record_type *type_of(struct str name)
{
        for (size_t i = 0; i < countof(record_types); i++)
                if (str_equal_nocase(name, str_of(record_types[i].name)))
                        return &record_types[i];
        return NULL;
}

bool resolve_knows_type(struct str type)
{
        return type_of(type) != NULL;
}

static void answered(void *context, int status, int timeouts, unsigned char *answer, int length)
{
        struct question *question = context;
        (void)timeouts;
        question->is_done = true;
        question->status = status == ARES_SUCCESS ? record_types[question->type].read(question, answer, length) : status;
}

/* --- asking ------------------------------------------------------------------------------------------------------------------- */

static void wait_for_answer(ares_channel channel, struct question *question, int64_t deadline_ns)
{
        while (!question->is_done) {
                fd_set reads, writes;
                FD_ZERO(&reads);
                FD_ZERO(&writes);
                int64_t left_ns = deadline_ns - clock_monotonic_ns(&clock_real);
                int highest = ares_fds(channel, &reads, &writes);
                if (left_ns <= 0 || highest == 0)
                        return;
                struct timeval most = {left_ns / NS_PER_S, (left_ns % NS_PER_S) / 1000}, wait;
                select(highest, &reads, &writes, NULL, ares_timeout(channel, &most, &wait));
                ares_process(channel, &reads, &writes);
        }
}

static bool use_server(ares_channel channel, const char *server, struct err *err)
{
        return !server || ares_set_servers_ports_csv(channel, server) == ARES_SUCCESS ||
               fail(err, ERR_INVALID, "resolve", "%s is no address of a DNS server; write it as 192.0.2.53 or 192.0.2.53:5353", server);
}

bool resolve(const char *name, const char *type, const char *server, int64_t deadline_ns, struct arena *arena, struct resolve_answers *out_answers,
             struct err *err)
{
        const struct record_type *record = type_of(str_of(type));
        int64_t left_ms = max_of((deadline_ns - clock_monotonic_ns(&clock_real)) / NS_PER_MS, (int64_t)1);
        struct ares_options options = {.timeout = (int)max_of(left_ms / 3, (int64_t)100), .tries = 2, .flags = ARES_FLAG_NOALIASES};
        ares_channel channel = NULL;
        if (!record)
                return fail(err, ERR_INVALID, "resolve", "the record type %s is not known; use A, AAAA, CNAME, MX, NS or TXT", type);
        struct question question = {.arena = arena, .type = (int)(record - record_types)};
        if (ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS) != ARES_SUCCESS)
                return fail_memory(err, "resolve", sizeof question);
        bool good = use_server(channel, server, err);
        if (good) {
                ares_query(channel, name, ns_c_in, record->type, answered, &question);
                wait_for_answer(channel, &question, deadline_ns);
        }
        bool in_time = question.is_done;
        int status = question.status;
        ares_destroy(channel); /* calls answered for what is still open */
        if (!good)
                return false;
        if (question.out_of_memory)
                return fail_memory(err, "resolve", sizeof question);
        if (!in_time || status == ARES_ETIMEOUT)
                return fail(err, ERR_TIMEOUT, "resolve", "no DNS server answered for %s within the time limit", name);
        if (status != ARES_SUCCESS)
                return fail(err, status == ARES_ENOTFOUND || status == ARES_ENODATA ? ERR_NOT_FOUND : ERR_IO, "resolve", "%s records of %s: %s", type, name,
                            ares_strerror(status));
        *out_answers = question.answers;
        return true;
}

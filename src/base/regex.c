/* regex.c - see regex.h. What a match needs beside the code is made once a thread and freed with it. */
#include "base/regex.h"

#include "base/scope.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define HEAP_KIB_MAX 4096

struct regex {
        pcre2_code *code;
        _Atomic bool has_given_up;
};

struct match_room {
        pcre2_match_data *data;
        pcre2_match_context *context;
};

static pthread_key_t room_key;
static pthread_once_t room_once = PTHREAD_ONCE_INIT;

static void room_free(void *freed)
{
        struct match_room *room = freed;
        pcre2_match_data_free(room->data);
        pcre2_match_context_free(room->context);
        free(room);
}

static void make_room_key(void)
{
        pthread_key_create(&room_key, room_free);
}

static struct match_room *room_of_thread(void)
{
        pthread_once(&room_once, make_room_key);
        struct match_room *room = pthread_getspecific(room_key);
        if (room || !(room = calloc(1, sizeof *room)))
                return room;
        room->data = pcre2_match_data_create(1, NULL);
        room->context = pcre2_match_context_create(NULL);
        if (!room->data || !room->context || pthread_setspecific(room_key, room)) {
                room_free(room);
                return NULL;
        }
        pcre2_set_match_limit(room->context, REGEX_STEPS_MAX);
        pcre2_set_heap_limit(room->context, HEAP_KIB_MAX);
        return room;
}

bool regex_create(struct str pattern, enum regex_where where, const char *source, struct regex **out_regex, struct err *err)
{
        uint32_t flags = where == REGEX_WHOLE ? PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL
                                              : PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
        int code;
        PCRE2_SIZE at;
        struct regex *regex = calloc(1, sizeof *regex);
        if (!regex)
                return fail_memory(err, source, sizeof *regex);
        regex->code = pcre2_compile((PCRE2_SPTR)(pattern.bytes ? pattern.bytes : ""), pattern.length, flags, &code, &at, NULL);
        if (!regex->code) {
                char why[128];
                free(regex);
                pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
                return fail(err, ERR_INVALID, source, "the regular expression \"%.*s\" is wrong at character %zu: %s",
                            (int)min_of(pattern.length, (size_t)120), pattern.bytes, (size_t)at + 1, why);
        }
        pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without it the interpreter is used */
        *out_regex = regex;
        return true;
}

void regex_destroy(struct regex *regex)
{
        if (regex)
                pcre2_code_free(regex->code);
        free(regex);
}

enum regex_result regex_match(struct regex *regex, struct str text)
{
        struct match_room *room = room_of_thread();
        if (room && atomic_load_explicit(&regex->has_given_up, memory_order_relaxed))
                return REGEX_GAVE_UP;
        int result = !room ? PCRE2_ERROR_NOMEMORY
                           : pcre2_match(regex->code, (PCRE2_SPTR)(text.bytes ? text.bytes : ""), text.length, 0, 0, room->data, room->context);
        if (result >= 0)
                return REGEX_YES;
        if (result == PCRE2_ERROR_NOMATCH || (result <= PCRE2_ERROR_UTF8_ERR1 && result >= PCRE2_ERROR_UTF8_ERR21))
                return REGEX_NO;
        atomic_store_explicit(&regex->has_given_up, true, memory_order_relaxed);
        return REGEX_GAVE_UP;
}

bool regex_has_given_up(const struct regex *regex)
{
        return atomic_load_explicit(&regex->has_given_up, memory_order_relaxed);
}

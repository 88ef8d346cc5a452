/*
 * launcher.c - the daemon's side of the launcher: requests over a socket of whole messages, answers by number.
 *
 *      caller -> slot (number) -> socket -> launcher process -> socket -> reader thread -> slot -> caller
 *
 * Messages are JSON: few, small, and easily looked at with strace.
 */
#include "reach/launcher.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/thread.h"
#include "reach/launcher_process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct slot {
        bool used, answered;
        uint64_t number;
        json_t *answer; /* NULL: the launcher is gone */
};

struct launcher {
        int socket;
        struct thread reader;
        struct lock lock;
        struct signal answered;
        struct slot slots[LAUNCHES_MAX];
        uint64_t next_number;
        bool gone;
};

/* The launcher's end of the socket closed: every caller gets an error instead of waiting. */
static void note_gone(struct launcher *launcher)
{
        with_lock(&launcher->lock);
        launcher->gone = true;
        signal_all(&launcher->answered);
}

/* Takes the answer: it goes to one caller whole, or away. */
static void give_answer(struct launcher *launcher, json_t *answer)
{
        uint64_t number = (uint64_t)json_i64(answer, "number", 0);
        with_lock(&launcher->lock);
        for (size_t i = 0; i < LAUNCHES_MAX; i++) {
                struct slot *slot = &launcher->slots[i];
                if (slot->used && slot->number == number && !slot->answered) {
                        slot->answer = give(answer);
                        slot->answered = true;
                }
        }
        json_decref(answer);
        signal_all(&launcher->answered);
}

static void read_answers(void *context)
{
        struct launcher *launcher = context;
        char *bytes = malloc(LAUNCH_MESSAGE_MAX);
        ssize_t count;
        while (bytes && ((count = recv(launcher->socket, bytes, LAUNCH_MESSAGE_MAX, 0)) > 0 || (count < 0 && errno == EINTR))) {
                json_t *answer = count > 0 ? json_parse((struct str){bytes, (size_t)count}, NULL) : NULL;
                if (answer)
                        give_answer(launcher, answer);
        }
        free(bytes);
        note_gone(launcher);
}

bool launcher_open(int socket, struct launcher **out_launcher, struct err *err)
{
        struct launcher *launcher = calloc(1, sizeof *launcher);
        if (!launcher)
                return fail_memory(err, "launcher", sizeof *launcher);
        launcher->socket = socket;
        lock_init(&launcher->lock, LOCK_CACHE);
        signal_init(&launcher->answered);
        if (!thread_start(&launcher->reader, "launcher", read_answers, launcher, err)) {
                launcher_close(launcher);
                return false;
        }
        *out_launcher = launcher;
        return true;
}

void launcher_close(struct launcher *launcher)
{
        if (!launcher)
                return;
        shutdown(launcher->socket, SHUT_RDWR);
        thread_join(&launcher->reader);
        close(launcher->socket);
        for (size_t i = 0; i < LAUNCHES_MAX; i++)
                json_decref(launcher->slots[i].answer);
        signal_done(&launcher->answered);
        lock_done(&launcher->lock);
        free(launcher);
}

static struct slot *take_slot(struct launcher *launcher, struct err *err)
{
        with_lock(&launcher->lock);
        for (size_t i = 0; !launcher->gone && i < LAUNCHES_MAX; i++) {
                struct slot *slot = &launcher->slots[i];
                if (!slot->used) {
                        *slot = (struct slot){.used = true, .number = ++launcher->next_number};
                        return slot;
                }
        }
        if (launcher->gone)
                fail(err, ERR_IO, "launcher", "the launcher has ended; nothing can be executed until the program is started again");
        else
                fail(err, ERR_BUSY, "launcher", "%d commands run already; come again when some have ended", LAUNCHES_MAX);
        return NULL;
}

static void give_slot(struct launcher *launcher, struct slot *slot)
{
        with_lock(&launcher->lock);
        json_decref(slot->answer);
        *slot = (struct slot){0};
}

static bool send_message(struct launcher *launcher, const json_t *message, struct err *err)
{
        scoped(buf_done) struct buf text = {0};
        if (!message || !json_write(message, &text))
                return fail_memory(err, "launcher", text.length);
        if (text.length > LAUNCH_MESSAGE_MAX)
                return fail(err, ERR_TOO_LARGE, "launcher", "a command of %zu bytes; %zu at most", text.length, LAUNCH_MESSAGE_MAX);
        if (send(launcher->socket, text.bytes, text.length, MSG_NOSIGNAL) < 0)
                return fail_errno(err, errno, "launcher", "sending a command to the launcher");
        return true;
}

static json_t *request_json(const struct launch *launch, uint64_t number)
{
        json_t *words = json_array();
        for (size_t i = 0; i < launch->word_count; i++)
                json_array_append_new(words, json_stringn(launch->words[i].bytes, launch->words[i].length));
        return json_pack("{s:I, s:I, s:s#, s:o}", "number", (json_int_t)number, "timeout_ms",
                         (json_int_t)min_of(launch->timeout_ms ? launch->timeout_ms : 30000, LAUNCH_TIMEOUT_MS_MAX), "input",
                         launch->input.bytes ? launch->input.bytes : "", (int)launch->input.length, "words", words);
}

static bool check_launch(const struct launch *launch, struct err *err)
{
        if (!launch->word_count || launch->word_count > LAUNCH_WORDS_MAX || launch->input.length > LAUNCH_OUTPUT_MAX)
                return fail(err, ERR_INVALID, "launcher", "a command has 1 to %d words, and at most %zu bytes of input", LAUNCH_WORDS_MAX, LAUNCH_OUTPUT_MAX);
        for (size_t i = 0; i < launch->word_count; i++)
                if (memchr(launch->words[i].bytes, 0, launch->words[i].length) || !str_is_utf8(launch->words[i]))
                        return fail(err, ERR_INVALID, "launcher", "word %zu of the command holds a NUL or is no UTF-8", i + 1);
        return str_is_utf8(launch->input) || fail(err, ERR_INVALID, "launcher", "the command's input is no UTF-8");
}

static bool read_result(const json_t *answer, struct arena *arena, struct launch_result *out_result, struct err *err)
{
        if (json_object_get(answer, "fault"))
                return fail(err, (enum err_code)json_i64(answer, "code", ERR_IO), "launcher", "%.*s", STR_ARGS(json_str(answer, "fault")));
        struct launch_result result = {
                .status = (int)json_i64(answer, "status", -1), .signal = (int)json_i64(answer, "signal", 0),
                .timed_out = json_flag(answer, "timed_out", false), .output_cut = json_flag(answer, "output_cut", false),
                .duration_ns = json_i64(answer, "duration_ns", 0),
                .output = arena_str(arena, json_str(answer, "output")), .errors = arena_str(arena, json_str(answer, "errors")),
        };
        if (!result.output.bytes || !result.errors.bytes)
                return fail_memory(err, "launcher", json_str(answer, "output").length);
        *out_result = result;
        return true;
}

bool launcher_run(struct launcher *launcher, const struct launch *launch, struct arena *arena, struct launch_result *out_result, struct err *err)
{
        if (!launcher)
                return fail(err, ERR_FORBIDDEN, "launcher", "nothing may be executed: launcher.allow names no allow-list");
        struct slot *slot = check_launch(launch, err) ? take_slot(launcher, err) : NULL;
        if (!slot)
                return false;
        scoped_ptr(json_decref) json_t *message = request_json(launch, slot->number), *answer = NULL;
        bool good = send_message(launcher, message, err);
        if (good) {
                with_lock(&launcher->lock);
                while (!slot->answered && !launcher->gone)
                        signal_wait(&launcher->answered, &launcher->lock);
                answer = give(slot->answer);
        }
        give_slot(launcher, slot);
        if (good && !answer)
                return fail(err, ERR_IO, "launcher", "the launcher ended while the command ran; whether it was done is not known");
        return good && read_result(answer, arena, out_result, err);
}

void launcher_stop_all(struct launcher *launcher)
{
        scoped_ptr(json_decref) json_t *message = json_pack("{s:b}", "stop_all", 1);
        if (launcher)
                send_message(launcher, message, NULL);
}

bool launcher_fork(const struct launcher_options *options, int *out_socket, struct err *err)
{
        int ends[2], bytes = 4 * (int)LAUNCH_MESSAGE_MAX;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
                return fail_errno(err, errno, "launcher", "making a socket for the launcher");
        for (int i = 0; i < 2; i++)
                setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
        pid_t child = fork();
        if (child < 0) {
                close(ends[0]);
                close(ends[1]);
                return fail_errno(err, errno, "launcher", "forking the launcher");
        }
        if (child == 0) {
                close(ends[0]);
                launcher_serve(ends[1], options);
        }
        close(ends[1]);
        *out_socket = ends[0];
        return true;
}

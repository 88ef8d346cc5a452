/*
 * launcher_process.c - see launcher_process.h.
 *
 *      request -> allow-list -> fork, exec in a session of its own -> pidfd, two pipes -> poll -> answer
 *
 * A child is asked to end (TERM to its process group) at its time limit and killed two seconds later. Nothing here allocates between fork and exec.
 */
#include "reach/launcher_process.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/scope.h"
#include "reach/launch_allow.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_AFTER_NS (2 * NS_PER_S)
#define DRAIN_NS (NS_PER_S / 2)         /* a grandchild may hold the pipes open longer than the child lives */
#define CHILD_MEMORY_BYTES ((rlim_t)2 << 30)
#define CHILD_FILE_BYTES ((rlim_t)1 << 30)
#define CHILD_FILES 256
#define CHILD_PROCESSES 512

struct child {
        bool used, ended, asked_to_end, timed_out, output_cut;
        uint64_t number;
        pid_t pid;
        int pidfd, out, err, in;
        struct buf output, errors, input;
        size_t input_sent;
        int status;
        int64_t start_ns, end_ns, until_ns, kill_ns;
};

static const struct child no_child = {.pidfd = -1, .out = -1, .err = -1, .in = -1};

struct service {
        int socket;
        const struct launcher_options *options;
        uid_t uid;
        gid_t gid;
        bool changes_user;
        struct child children[LAUNCHES_MAX];
};

static int64_t now_ns(void)
{
        return clock_monotonic_ns(&clock_real);
}

/* --- answers ---------------------------------------------------------------------------------------------------------- */

/* False: the message is larger than the system lets a socket take. */
static bool send_json(struct service *service, json_t *message)
{
        scoped(buf_done) struct buf text = {0};
        bool fits = true;
        if (message && json_write(message, &text))
                fits = send(service->socket, text.bytes, text.length, MSG_NOSIGNAL) >= 0 || errno != EMSGSIZE;
        json_decref(message);
        return fits;
}

static void refuse(struct service *service, uint64_t number, const struct err *err)
{
        send_json(service, json_pack("{s:I, s:i, s:s}", "number", (json_int_t)number, "code", (int)err->code, "fault", err->message));
}

/* Bytes of a program as JSON text: what is no UTF-8 is shown as such, a NUL as a blank. */
static json_t *text_json(struct buf *bytes)
{
        scoped(buf_done) struct buf quoted = {0};
        for (size_t i = 0; i < bytes->length; i++)
                if (!bytes->bytes[i])
                        bytes->bytes[i] = ' ';
        json_quote(&quoted, buf_str(bytes));
        return json_loadb(quoted.bytes ? quoted.bytes : "\"\"", quoted.bytes ? quoted.length : 2, JSON_DECODE_ANY, NULL);
}

static bool try_answer(struct service *service, struct child *child)
{
        int signal = WIFSIGNALED(child->status) ? WTERMSIG(child->status) : 0;
        return send_json(service, json_pack("{s:I, s:i, s:i, s:b, s:b, s:I, s:o, s:o}", "number", (json_int_t)child->number, "status",
                                            WIFEXITED(child->status) ? WEXITSTATUS(child->status) : -1, "signal", signal, "timed_out",
                                            child->timed_out, "output_cut", child->output_cut, "duration_ns",
                                            (json_int_t)(child->end_ns - child->start_ns), "output", text_json(&child->output), "errors",
                                            text_json(&child->errors)));
}

/* Output full of control characters grows sixfold as JSON: it is cut until it fits. */
static void answer(struct service *service, struct child *child)
{
        while (!try_answer(service, child) && (child->output.length || child->errors.length)) {
                child->output.length /= 2;
                child->errors.length /= 2;
                child->output_cut = true;
        }
}

static void close_one(int *file)
{
        if (*file >= 0)
                close(*file);
        *file = -1;
}

static void forget(struct child *child)
{
        close_one(&child->pidfd);
        close_one(&child->out);
        close_one(&child->err);
        close_one(&child->in);
        buf_done(&child->output);
        buf_done(&child->errors);
        buf_done(&child->input);
        *child = no_child;
}

/* --- starting ----------------------------------------------------------------------------------------------------------- */

static void limit(int what, rlim_t most)
{
        struct rlimit limits = {most, most};
        setrlimit(what, &limits);
}

/* In the child, between fork and exec. */
static _Noreturn void become(const struct service *service, char *const words[], const int in[2], const int out[2], const int errors[2], int report)
{
        static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/", NULL};
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        setsid();
        limit(RLIMIT_AS, CHILD_MEMORY_BYTES);
        limit(RLIMIT_FSIZE, CHILD_FILE_BYTES);
        limit(RLIMIT_NOFILE, CHILD_FILES);
        limit(RLIMIT_NPROC, CHILD_PROCESSES);
        limit(RLIMIT_CORE, 0);
        bool good = dup2(in[0], 0) == 0 && dup2(out[1], 1) == 1 && dup2(errors[1], 2) == 2 && chdir("/") == 0;
        if (good && service->changes_user)
                good = setgroups(0, NULL) == 0 && setresgid(service->gid, service->gid, service->gid) == 0 &&
                       setresuid(service->uid, service->uid, service->uid) == 0;
        if (good)
                execve(words[0], words, environment);
        int fault = errno;
        if (write(report, &fault, sizeof fault) < 0)
                _exit(126);
        _exit(127);
}

static bool make_pipes(int pipes[4][2], struct err *err)
{
        for (int i = 0; i < 4; i++)
                if (pipe2(pipes[i], O_CLOEXEC) != 0) {
                        while (i-- > 0) {
                                close(pipes[i][0]);
                                close(pipes[i][1]);
                        }
                        return fail_errno(err, errno, "launcher", "making pipes for a command");
                }
        return true;
}

static bool start(struct service *service, struct child *child, char *const words[], struct err *err)
{
        int pipes[4][2]; /* input, output, errors, and whether exec failed */
        if (!make_pipes(pipes, err))
                return false;
        pid_t pid = fork();
        if (pid == 0)
                become(service, words, pipes[0], pipes[1], pipes[2], pipes[3][1]);
        int fault = errno;
        close(pipes[0][0]);
        close(pipes[1][1]);
        close(pipes[2][1]);
        close(pipes[3][1]);
        if (pid > 0 && read(pipes[3][0], &fault, sizeof fault) == sizeof fault)
                waitpid(pid, NULL, 0);
        else if (pid > 0)
                fault = 0;
        close(pipes[3][0]);
        child->in = pipes[0][1];
        child->out = pipes[1][0];
        child->err = pipes[2][0];
        if (fault)
                return fail_errno(err, fault, "launcher", "starting %s", words[0]);
        child->pid = pid;
        child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        fcntl(child->in, F_SETFL, O_NONBLOCK);
        fcntl(child->out, F_SETFL, O_NONBLOCK);
        fcntl(child->err, F_SETFL, O_NONBLOCK);
        return true;
}

static struct child *free_child(struct service *service)
{
        for (size_t i = 0; i < LAUNCHES_MAX; i++)
                if (!service->children[i].used)
                        return &service->children[i];
        return NULL;
}

static bool take_words(const json_t *list, struct str words[LAUNCH_WORDS_MAX], char *out_argv[LAUNCH_WORDS_MAX + 1], size_t *out_count, struct err *err)
{
        size_t count = json_array_size(list), i;
        json_t *word;
        if (!count || count > LAUNCH_WORDS_MAX)
                return fail(err, ERR_INVALID, "launcher", "a command has 1 to %d words", LAUNCH_WORDS_MAX);
        json_array_foreach((json_t *)list, i, word) {
                if (!json_is_string(word))
                        return fail(err, ERR_INVALID, "launcher", "a word of the command is no text");
                words[i] = (struct str){json_string_value(word), json_string_length(word)};
                out_argv[i] = (char *)words[i].bytes; /* execve does not write it */
        }
        out_argv[count] = NULL;
        *out_count = count;
        return true;
}

static void take_request(struct service *service, const json_t *request)
{
        struct err err = {0};
        struct str words[LAUNCH_WORDS_MAX];
        char *argv[LAUNCH_WORDS_MAX + 1];
        size_t count = 0;
        uint64_t number = (uint64_t)json_i64(request, "number", 0);
        struct child *child = free_child(service);
        bool good = (child || fail(&err, ERR_BUSY, "launcher", "%d commands run already", LAUNCHES_MAX)) &&
                    take_words(json_object_get(request, "words"), words, argv, &count, &err) &&
                    launch_allow_check(service->options->allow_path, words, count, &err) &&
                    (buf_add(&child->input, json_str(request, "input")) || fail_memory(&err, "launcher", 0)) && start(service, child, argv, &err);
        if (!good) {
                refuse(service, number, &err);
                if (child)
                        forget(child);
                return;
        }
        child->used = true;
        child->number = number;
        child->start_ns = now_ns();
        child->until_ns = child->start_ns + json_i64(request, "timeout_ms", 30000) * NS_PER_MS;
        child->output.bytes_max = child->errors.bytes_max = LAUNCH_OUTPUT_MAX;
}

/* --- while they run ------------------------------------------------------------------------------------------------------ */

static void end_group(struct child *child, int signal)
{
        if (child->pid > 0)
                kill(-child->pid, signal);
}

static void read_some(struct child *child, int *file, struct buf *into)
{
        char bytes[16384];
        ssize_t count = read(*file, bytes, sizeof bytes);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
                close_one(file);
        if (count <= 0)
                return;
        size_t room = LAUNCH_OUTPUT_MAX - into->length;
        child->output_cut |= (size_t)count > room;
        buf_append(into, bytes, min_of((size_t)count, room));
}

static void write_some(struct child *child)
{
        ssize_t count = write(child->in, child->input.bytes + child->input_sent, child->input.length - child->input_sent);
        if (count > 0)
                child->input_sent += (size_t)count;
        if (child->input_sent == child->input.length || (count < 0 && errno != EAGAIN && errno != EINTR))
                close_one(&child->in);
}

static void look_after(struct service *service, struct child *child)
{
        int64_t time_ns = now_ns();
        if (child->out >= 0)
                read_some(child, &child->out, &child->output);
        if (child->err >= 0)
                read_some(child, &child->err, &child->errors);
        if (child->in >= 0)
                write_some(child);
        if (!child->ended && waitpid(child->pid, &child->status, WNOHANG) == child->pid) {
                child->ended = true;
                child->end_ns = time_ns;
        }
        if (!child->ended && time_ns >= child->until_ns && !child->asked_to_end) {
                child->asked_to_end = child->timed_out = true;
                child->kill_ns = time_ns + KILL_AFTER_NS;
                end_group(child, SIGTERM);
        }
        if (!child->ended && child->asked_to_end && time_ns >= child->kill_ns)
                end_group(child, SIGKILL);
        bool drained = (child->out < 0 && child->err < 0) || time_ns - child->end_ns > DRAIN_NS;
        if (!child->ended || !drained)
                return;
        end_group(child, SIGKILL); /* whatever it left behind */
        answer(service, child);
        forget(child);
}

static void stop_all(struct service *service)
{
        for (size_t i = 0; i < LAUNCHES_MAX; i++)
                if (service->children[i].used)
                        end_group(&service->children[i], SIGKILL);
}

static void take_message(struct service *service, struct str bytes)
{
        scoped_ptr(json_decref) json_t *message = json_parse(bytes, NULL);
        if (message && json_flag(message, "stop_all", false))
                stop_all(service);
        else if (message)
                take_request(service, message);
}

/* Waits for a request, an output or an end; the time limits are looked at five times a second. */
static bool wait_a_little(struct service *service, char *bytes)
{
        struct pollfd polled[1 + 4 * LAUNCHES_MAX];
        nfds_t count = 0;
        bool any = false;
        polled[count++] = (struct pollfd){service->socket, POLLIN, 0};
        for (size_t i = 0; i < LAUNCHES_MAX; i++) {
                struct child *child = &service->children[i];
                if (!child->used)
                        continue;
                any = true;
                polled[count++] = (struct pollfd){child->out, POLLIN, 0};
                polled[count++] = (struct pollfd){child->err, POLLIN, 0};
                polled[count++] = (struct pollfd){child->ended ? -1 : child->pidfd, POLLIN, 0};
                polled[count++] = (struct pollfd){child->in, POLLOUT, 0};
        }
        if (poll(polled, count, any ? 200 : -1) < 0 && errno != EINTR)
                return false;
        if (!(polled[0].revents & (POLLIN | POLLHUP)))
                return true;
        ssize_t length = recv(service->socket, bytes, LAUNCH_MESSAGE_MAX, MSG_DONTWAIT);
        if (length > 0)
                take_message(service, (struct str){bytes, (size_t)length});
        return length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR));
}

static void find_user(struct service *service)
{
        const char *name = service->options->user;
        if (geteuid() != 0 || !name || !*name || strcmp(name, "root") == 0)
                return;
        const struct passwd *entry = getpwnam(name);
        if (!entry)
                return; /* there is no such user: as the daemon, it stays who it is */
        service->uid = entry->pw_uid;
        service->gid = entry->pw_gid;
        service->changes_user = true;
}

/* A daemon may be started without standard files; pipes must not take their numbers, since dup2 onto itself keeps close-on-exec. */
static void fill_standard_files(void)
{
        int file;
        while ((file = open("/dev/null", O_RDWR)) >= 0 && file <= 2)
                ;
        if (file > 2)
                close(file);
}

_Noreturn void launcher_serve(int socket, const struct launcher_options *options)
{
        static struct service service;
        char *bytes = malloc(LAUNCH_MESSAGE_MAX);
        fill_standard_files();
        service.socket = socket;
        service.options = options;
        for (size_t i = 0; i < LAUNCHES_MAX; i++)
                service.children[i] = no_child;
        prctl(PR_SET_NAME, "evenkeel-launch");
        signal(SIGPIPE, SIG_IGN);
        signal(SIGINT, SIG_IGN); /* Ctrl-C goes to the daemon, which closes the socket when it has finished */
        signal(SIGTERM, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        find_user(&service);
        while (bytes && wait_a_little(&service, bytes))
                for (size_t i = 0; i < LAUNCHES_MAX; i++)
                        if (service.children[i].used)
                                look_after(&service, &service.children[i]);
        stop_all(&service);
        _exit(0);
}

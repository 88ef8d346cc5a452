/*
 * syslog_datagrams.c - see syslog_datagrams.h.
 *
 * recvmmsg fills slots of 64 KiB each (of which the kernel only touches what a datagram needs); a datagram is one
 * message whatever is in it (RFC 5426), so it is copied behind the others of its sender with a newline, and newlines
 * inside it are listed. Senders find their gathering by a direct-mapped table: two that share a slot push each other
 * out early, which costs a smaller batch and nothing else.
 */
#include "observe/syslog_datagrams.h"

#include "base/hash.h"
#include "base/scope.h"
#include "observe/syslog_batch.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SLOTS 64
#define SLOT_BYTES ((size_t)64 << 10)
#define ROUNDS_MAX 16                            /* recvmmsg calls before others get their turn */
#define GATHERINGS 1024
#define GATHER_BYTES_MAX ((size_t)256 << 10)
#define GATHER_BYTES_FIRST ((size_t)4 << 10)
#define GATHER_AGE_NS (5 * NS_PER_MS)
#define STUCK_BYTES_MAX (GATHER_BYTES_MAX + SLOTS * SLOT_BYTES) /* what one recvmmsg may add while intake is full */

struct gathering {
        struct batch *batch;     /* NULL: nothing gathered */
        char *bytes;
        size_t length, capacity;
        struct buf inner_newlines;
        size_t last_inner;
        int64_t since_ns;
        bool is_filled;          /* completed, and not grown since */
        char host[256];
        union socket_address peer;
        socklen_t peer_length;
};

struct datagrams {
        struct intake *intake;
        int fd;
        enum listen_how how;
        char *slots;
        struct mmsghdr headers[SLOTS];
        struct iovec vectors[SLOTS];
        union socket_address peers[SLOTS];
        uint32_t kernel_dropped;
        size_t gathered;         /* gatherings that hold a batch */
        bool is_stuck;           /* intake was full at the last offer */
        struct gathering *gatherings;
};

bool datagrams_create(struct intake *intake, int fd, enum listen_how how, struct datagrams **out, struct err *err)
{
        struct datagrams *datagrams = calloc(1, sizeof *datagrams);
        if (!datagrams)
                return fail_memory(err, "syslog", sizeof *datagrams);
        datagrams->intake = intake;
        datagrams->fd = fd;
        datagrams->how = how;
        datagrams->gatherings = calloc(GATHERINGS, sizeof *datagrams->gatherings);
        datagrams->slots = mmap(NULL, SLOTS * SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (!datagrams->gatherings || datagrams->slots == MAP_FAILED) {
                if (datagrams->slots != MAP_FAILED)
                        munmap(datagrams->slots, SLOTS * SLOT_BYTES);
                free(datagrams->gatherings);
                free(datagrams);
                return fail_memory(err, "syslog", SLOTS * SLOT_BYTES);
        }
        for (size_t i = 0; i < SLOTS; i++)
                datagrams->vectors[i] = (struct iovec){datagrams->slots + i * SLOT_BYTES, SLOT_BYTES};
        *out = datagrams;
        return true;
}

void datagrams_destroy(struct datagrams *datagrams)
{
        if (!datagrams)
                return;
        datagrams_flush(datagrams, 0, true);
        for (size_t i = 0; i < GATHERINGS; i++) {
                batch_destroy(datagrams->gatherings[i].batch);
                buf_done(&datagrams->gatherings[i].inner_newlines);
        }
        free(datagrams->gatherings);
        munmap(datagrams->slots, SLOTS * SLOT_BYTES);
        free(datagrams);
}

bool datagrams_waiting(const struct datagrams *datagrams)
{
        return datagrams->gathered > 0;
}

static struct str source_of(const struct datagrams *datagrams)
{
        return str_of(listen_sources[datagrams->how]);
}

static void lose(struct datagrams *datagrams, const struct err *err)
{
        source_dropped(datagrams->intake, source_of(datagrams), 1);
        source_state(datagrams->intake, source_of(datagrams), "syslog", true, "%s", err->message);
}

static void forget(struct datagrams *datagrams, struct gathering *gathering)
{
        gathering->batch = NULL;
        gathering->length = 0;
        gathering->last_inner = 0;
        gathering->is_filled = false;
        buf_clear(&gathering->inner_newlines);
        datagrams->gathered--;
}

/* False: intake is full; it stays. */
static bool offer(struct datagrams *datagrams, struct gathering *gathering)
{
        struct err err;
        struct str messages = {gathering->bytes, gathering->length};
        if (!gathering->is_filled && !syslog_batch_fill(gathering->batch, intake_clock(datagrams->intake), messages,
                                                        gathering->host, buf_str(&gathering->inner_newlines), &err)) {
                lose(datagrams, &err);
                batch_destroy(gathering->batch);
                forget(datagrams, gathering);
                return true;
        }
        gathering->is_filled = true;
        datagrams->is_stuck = syslog_batch_offer(datagrams->intake, &gathering->batch) == SYSLOG_BUSY;
        if (datagrams->is_stuck)
                return false;
        forget(datagrams, gathering);
        return true;
}

bool datagrams_flush(struct datagrams *datagrams, int64_t now_ns, bool all)
{
        bool passed = true;
        size_t left = datagrams->gathered;
        for (size_t i = 0; i < GATHERINGS && left; i++) {
                struct gathering *gathering = &datagrams->gatherings[i];
                if (!gathering->batch)
                        continue;
                left--;
                if (all || now_ns - gathering->since_ns >= GATHER_AGE_NS)
                        passed &= offer(datagrams, gathering);
        }
        return passed;
}

static bool make_room(struct datagrams *datagrams, struct gathering *gathering, size_t more, struct err *err)
{
        if (!gathering->batch) {
                gathering->capacity = max_of(GATHER_BYTES_FIRST, more);
                gathering->batch = syslog_batch_create(listen_sources[datagrams->how], gathering->capacity,
                                                       &gathering->bytes, err);
                datagrams->gathered += gathering->batch != NULL;
                return gathering->batch != NULL;
        }
        if (gathering->length + more <= gathering->capacity)
                return true;
        size_t capacity = min_of(gathering->capacity * 8, GATHER_BYTES_MAX);
        capacity = max_of(capacity, gathering->length + more);
        char *moved = arena_alloc(&gathering->batch->arena, capacity);
        if (!moved)
                return fail_memory(err, "syslog", capacity);
        memcpy(moved, gathering->bytes, gathering->length);
        gathering->bytes = moved;
        gathering->capacity = capacity;
        return true;
}

static void list_newlines(struct gathering *gathering, const char *message, size_t count)
{
        const char *newline = message;
        while ((newline = memchr(newline, '\n', count - (size_t)(newline - message)))) {
                size_t place = gathering->length + (size_t)(newline - message);
                buf_varint(&gathering->inner_newlines, place - gathering->last_inner);
                gathering->last_inner = place;
                newline++;
        }
}

static void append(struct datagrams *datagrams, struct gathering *gathering, const char *message, size_t count,
                   int64_t now_ns)
{
        struct err err;
        bool is_first = !gathering->batch;
        if (!make_room(datagrams, gathering, count + 1, &err)) {
                lose(datagrams, &err);
                return;
        }
        if (is_first)
                gathering->since_ns = now_ns;
        list_newlines(gathering, message, count);
        memcpy(gathering->bytes + gathering->length, message, count);
        gathering->length += count;
        gathering->bytes[gathering->length++] = '\n';
        gathering->is_filled = false;
}

/* The sender's gathering; NULL: intake is full, and so is this one or another sender's stands in its place. */
static struct gathering *gathering_of(struct datagrams *datagrams, const union socket_address *peer, socklen_t length,
                                      size_t more)
{
        uint64_t hash = 0;
        if (length >= sizeof(sa_family_t) && peer->any.sa_family == AF_INET) /* without the port */
                hash = hash64((struct str){(const char *)&peer->v4.sin_addr, sizeof peer->v4.sin_addr});
        else if (length >= sizeof(sa_family_t) && peer->any.sa_family == AF_INET6)
                hash = hash64((struct str){(const char *)&peer->v6.sin6_addr, sizeof peer->v6.sin6_addr});
        struct gathering *gathering = &datagrams->gatherings[hash % GATHERINGS];
        bool is_same = gathering->peer_length == length && gathering->host[0];
        if (is_same && length && peer->any.sa_family == AF_INET)
                is_same = gathering->peer.v4.sin_addr.s_addr == peer->v4.sin_addr.s_addr;
        else if (is_same && length && peer->any.sa_family == AF_INET6)
                is_same = memcmp(&gathering->peer.v6.sin6_addr, &peer->v6.sin6_addr, sizeof peer->v6.sin6_addr) == 0;
        bool is_full = gathering->length + more > GATHER_BYTES_MAX;
        if (gathering->batch && (!is_same || is_full) && !offer(datagrams, gathering) &&
            (!is_same || gathering->length + more > STUCK_BYTES_MAX))
                return NULL;
        if (!is_same) {
                gathering->peer = *peer;
                gathering->peer_length = length;
                peer_name(peer, length, gathering->host, sizeof gathering->host);
        }
        return gathering;
}

/* How many the kernel has dropped on this socket so far, mod 2^32. Asked for rather than told with the datagrams (SO_RXQ_OVFL), since what is
 * dropped behind the last one would be told with the next, whenever that comes. */
static void note_kernel_drops(struct datagrams *datagrams)
{
        uint32_t figures[SK_MEMINFO_VARS];
        socklen_t length = sizeof figures;
        if (getsockopt(datagrams->fd, SOL_SOCKET, SO_MEMINFO, figures, &length) != 0 || length != sizeof figures ||
            figures[SK_MEMINFO_DROPS] == datagrams->kernel_dropped)
                return;
        source_dropped(datagrams->intake, source_of(datagrams), figures[SK_MEMINFO_DROPS] - datagrams->kernel_dropped);
        datagrams->kernel_dropped = figures[SK_MEMINFO_DROPS];
}

static int receive(struct datagrams *datagrams)
{
        for (size_t i = 0; i < SLOTS; i++)
                datagrams->headers[i].msg_hdr = (struct msghdr){
                        .msg_name = &datagrams->peers[i], .msg_namelen = sizeof datagrams->peers[i],
                        .msg_iov = &datagrams->vectors[i], .msg_iovlen = 1,
                };
        return recvmmsg(datagrams->fd, datagrams->headers, SLOTS, MSG_DONTWAIT, NULL);
}

static void take(struct datagrams *datagrams, size_t slot, int64_t now_ns)
{
        struct msghdr *header = &datagrams->headers[slot].msg_hdr;
        const char *message = datagrams->vectors[slot].iov_base;
        size_t count = datagrams->headers[slot].msg_len;
        while (count && (message[count - 1] == '\n' || message[count - 1] == '\r' || message[count - 1] == '\0'))
                count--;
        if (!count)
                return;
        struct gathering *gathering = gathering_of(datagrams, header->msg_name, header->msg_namelen, count + 1);
        if (gathering)
                append(datagrams, gathering, message, count, now_ns);
        else
                source_dropped(datagrams->intake, source_of(datagrams), 1);
}

static bool read_all(struct datagrams *datagrams, int64_t now_ns, size_t *bytes)
{
        for (size_t round = 0; round < ROUNDS_MAX; round++) {
                int got = receive(datagrams);
                if (got <= 0)
                        return true;
                for (size_t slot = 0; slot < (size_t)got; slot++) {
                        take(datagrams, slot, now_ns);
                        *bytes += datagrams->headers[slot].msg_len;
                }
                if (datagrams->is_stuck)
                        return false;
                if (got < SLOTS)
                        return true;
        }
        return true;
}

bool datagrams_read(struct datagrams *datagrams, int64_t now_ns, size_t *bytes)
{
        if (datagrams->is_stuck && !datagrams_flush(datagrams, now_ns, true))
                return false;
        bool passed = read_all(datagrams, now_ns, bytes);
        note_kernel_drops(datagrams);
        return passed;
}

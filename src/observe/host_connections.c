/*
 * host_connections.c - which program of this machine talks to which, from its TCP sockets.
 *
 * A connection between two local programs stands in /proc/net/tcp twice, once from each end; the end whose port somebody
 * listens on is the server's. Inodes lead to processes (/proc/PID/fd), these to units and names. Looked at once a minute, since
 * walking the descriptors of every process is not free; bounded, and what is beyond the bounds is left out. Processes of other
 * users are seen only with the right to (root, or CAP_SYS_PTRACE): without it fewer edges are known, and no error is.
 */
#include "observe/host_collect.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/scope.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SOCKETS_MAX 20000
#define PROCESSES_MAX 8192
#define DESCRIPTORS_MAX 4096    /* of one process */
#define EDGES_MAX 500
#define EVERY_NS (60 * NS_PER_S)
#define ESTABLISHED 1
#define LISTEN 10

struct socket {
        struct str local, remote;       /* addresses as the kernel writes them, in hexadecimal */
        uint16_t local_port, remote_port;
        unsigned state;
        uint64_t inode;
        int owner;                      /* in owners; -1: not known */
};

struct owner {
        char name[32], unit[96];
};

struct edge {
        int client, server;
        uint16_t port;
        unsigned count;
};

struct look {
        const struct host *host;
        struct socket *sockets;
        size_t socket_count;
        struct owner *owners;
        size_t owner_count;
        struct edge *edges;
        size_t edge_count;
        struct map by_inode, by_ends;
};

static bool hex_port(struct str text, uint16_t *out_port)
{
        unsigned port = 0;
        if (!text.length || text.length > 4)
                return false;
        for (size_t i = 0; i < text.length; i++) {
                if (!isxdigit((unsigned char)text.bytes[i]))
                        return false;
                int digit = tolower((unsigned char)text.bytes[i]);
                port = port * 16 + (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
        }
        *out_port = (uint16_t)port;
        return true;
}

static uint64_t hash_ends(struct str a, uint16_t a_port, struct str b, uint16_t b_port)
{
        return hash64_seeded(a, hash64_seeded(b, (uint64_t)a_port << 16 | b_port));
}

/* "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000  0 12345 ..." */
static bool parse_socket(struct str line, struct socket *out)
{
        struct socket socket = {.owner = -1};
        host_word(&line);
        struct str local = host_word(&line), remote = host_word(&line), state = host_word(&line);
        uint16_t number;
        if (!str_cut(&local, ':', &socket.local) || !str_cut(&remote, ':', &socket.remote) || !hex_port(local, &socket.local_port) ||
            !hex_port(remote, &socket.remote_port) || !hex_port(state, &number))
                return false;
        socket.state = number;
        for (int i = 0; i < 5; i++)
                host_word(&line);
        socket.inode = host_u64(host_word(&line));
        *out = socket;
        return socket.state == LISTEN || (socket.state == ESTABLISHED && socket.inode);
}

static void read_sockets(struct look *look, struct str text)
{
        struct str line;
        while (look->socket_count < SOCKETS_MAX && host_line(&text, &line)) {
                struct socket *socket = &look->sockets[look->socket_count];
                if (!parse_socket(line, socket))
                        continue;
                uint32_t place = (uint32_t)look->socket_count++;
                map_put(&look->by_inode, socket->inode * 0x9E3779B97F4A7C15u, place);
                map_put(&look->by_ends, hash_ends(socket->local, socket->local_port, socket->remote, socket->remote_port), place);
        }
}

/* "0::/system.slice/nginx.service" of cgroup v2, "1:name=systemd:/..." of v1: the last part that is a service. */
static void read_unit(struct look *look, const char *pid, struct buf *file, char out_unit[static 96])
{
        char path[64];
        struct str text, line, part;
        out_unit[0] = '\0';
        snprintf(path, sizeof path, "/proc/%.20s/cgroup", pid);
        if (!host_read(look->host, path, file))
                return;
        text = buf_str(file);
        while (host_line(&text, &line))
                while (str_cut(&line, '/', &part))
                        if (part.length > 8 && part.length < 96 && str_equal(str_slice(part, part.length - 8, part.length), STR(".service")))
                                snprintf(out_unit, 96, "%.*s", STR_ARGS(part));
}

static int owner_of(struct look *look, const char *pid)
{
        scoped(buf_done) struct buf file = {0};
        char path[64];
        struct owner owner = {0};
        snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
        if (!host_read(look->host, path, &file))
                return -1;
        snprintf(owner.name, sizeof owner.name, "%.*s", STR_ARGS(str_trim(buf_str(&file))));
        read_unit(look, pid, &file, owner.unit);
        for (size_t i = 0; i < look->owner_count; i++)
                if (strcmp(look->owners[i].name, owner.name) == 0 && strcmp(look->owners[i].unit, owner.unit) == 0)
                        return (int)i;
        if (look->owner_count == PROCESSES_MAX)
                return -1;
        look->owners[look->owner_count] = owner;
        return (int)look->owner_count++;
}

static void own_socket(struct look *look, uint64_t inode, const char *pid, int *owner)
{
        size_t at;
        uint64_t hash = inode * 0x9E3779B97F4A7C15u;
        for (uint32_t i = map_first(&look->by_inode, hash, &at); i != MAP_NONE; i = map_next(&look->by_inode, hash, &at)) {
                if (look->sockets[i].inode != inode || look->sockets[i].owner >= 0)
                        continue;
                if (*owner < 0)
                        *owner = owner_of(look, pid); /* read only of those that have such a socket */
                look->sockets[i].owner = *owner;
        }
}

static void read_descriptors(struct look *look, const char *pid)
{
        char path[1200], link[64], name[1500];
        int owner = -1, count = 0;
        snprintf(path, sizeof path, "%s/proc/%.20s/fd", look->host->root, pid);
        DIR *folder = opendir(path);
        for (struct dirent *entry; folder && count < DESCRIPTORS_MAX && (entry = readdir(folder)); count++) {
                snprintf(name, sizeof name, "%s/%.200s", path, entry->d_name);
                ssize_t length = readlink(name, link, sizeof link - 1);
                struct str text = {link, length > 0 ? (size_t)length : 0};
                if (str_starts_with(text, STR("socket:[")))
                        own_socket(look, host_u64(str_slice(text, 8, text.length - 1)), pid, &owner);
        }
        if (folder)
                closedir(folder);
}

static void read_processes(struct look *look)
{
        char path[1100];
        int count = 0;
        snprintf(path, sizeof path, "%s/proc", look->host->root);
        DIR *folder = opendir(path);
        for (struct dirent *entry; folder && count < PROCESSES_MAX && (entry = readdir(folder));)
                if (isdigit((unsigned char)entry->d_name[0])) {
                        read_descriptors(look, entry->d_name);
                        count++;
                }
        if (folder)
                closedir(folder);
}

static const struct socket *listener_on(const struct look *look, uint16_t port)
{
        for (size_t i = 0; i < look->socket_count; i++)
                if (look->sockets[i].state == LISTEN && look->sockets[i].local_port == port && look->sockets[i].owner >= 0)
                        return &look->sockets[i];
        return NULL;
}

/* Whether the other end of a connection stands in the table too: then it is on this machine. */
static bool has_other_end(const struct look *look, const struct socket *socket)
{
        size_t at;
        uint64_t hash = hash_ends(socket->remote, socket->remote_port, socket->local, socket->local_port);
        for (uint32_t i = map_first(&look->by_ends, hash, &at); i != MAP_NONE; i = map_next(&look->by_ends, hash, &at))
                if (look->sockets[i].state == ESTABLISHED && look->sockets[i].local_port == socket->remote_port &&
                    str_equal(look->sockets[i].local, socket->remote))
                        return true;
        return false;
}

static void add_edge(struct look *look, int client, int server, uint16_t port)
{
        for (size_t i = 0; i < look->edge_count; i++)
                if (look->edges[i].client == client && look->edges[i].server == server && look->edges[i].port == port) {
                        look->edges[i].count++;
                        return;
                }
        if (look->edge_count < EDGES_MAX)
                look->edges[look->edge_count++] = (struct edge){client, server, port, 1};
}

static void find_edges(struct look *look)
{
        for (size_t i = 0; i < look->socket_count; i++) {
                const struct socket *socket = &look->sockets[i];
                if (socket->state != ESTABLISHED || socket->owner < 0 || !has_other_end(look, socket))
                        continue;
                const struct socket *listener = listener_on(look, socket->remote_port);
                if (listener && listener->owner != socket->owner)
                        add_edge(look, socket->owner, listener->owner, socket->remote_port);
        }
}

static void write_edges(const struct look *look, struct buf *out)
{
        host_type(out, "evenkeel_connection", "gauge");
        for (size_t i = 0; i < look->edge_count; i++) {
                const struct edge *edge = &look->edges[i];
                const struct owner *client = &look->owners[edge->client], *server = &look->owners[edge->server];
                char port[8];
                snprintf(port, sizeof port, "%u", edge->port);
                host_sample(out, "evenkeel_connection", edge->count, "client", client->name, "client_unit", client->unit, "server", server->name,
                            "server_unit", server->unit, "port", port, NULL);
        }
}

bool host_collect_connections(struct host *host, struct buf *out)
{
        scoped(buf_done) struct buf tcp = {0}, tcp6 = {0};
        int64_t now_ns = clock_monotonic_ns(&clock_real);
        if (now_ns < host->connections_after_ns)
                return true;
        host->connections_after_ns = now_ns + EVERY_NS;
        if (!host_read(host, "/proc/net/tcp", &tcp))
                return false;
        struct look look = {.host = host};
        look.sockets = calloc(SOCKETS_MAX, sizeof *look.sockets);
        look.owners = calloc(PROCESSES_MAX, sizeof *look.owners);
        look.edges = calloc(EDGES_MAX, sizeof *look.edges);
        bool good = look.sockets && look.owners && look.edges;
        if (good) {
                read_sockets(&look, buf_str(&tcp));
                if (host_read(host, "/proc/net/tcp6", &tcp6))
                        read_sockets(&look, buf_str(&tcp6));
                read_processes(&look);
                find_edges(&look);
                write_edges(&look, out);
        }
        map_done(&look.by_inode);
        map_done(&look.by_ends);
        free(look.sockets);
        free(look.owners);
        free(look.edges);
        return good;
}

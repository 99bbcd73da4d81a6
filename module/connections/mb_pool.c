/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The pool of all children: open connections to servers that wait for the next request, whichever child has it.
 *
 * They wait in the kernel, in queues that the parent makes before it forks: pairs of sockets without a name, closed on
 * exec, so that no program that a child runs has them. A child puts a connection in with SCM_RIGHTS, and the next one
 * that needs it takes it out. No process is asked, so none is waited for: where nothing is there, or not in good order,
 * the child makes a connection, as without the pool. The moderator looks through the queues each second
 * (mb_pool_check.c). docs/decisions/0006-pool-of-all-children.md says why it does not hand them out.
 *
 * Nothing in a queue is trusted. Each connection is looked at when it is taken: it must be TCP, its other end must be
 * the server's address, it must be open, and nothing of an answer may be left in it.
 */

#include "connections/mb_connections.h"

#include "http_main.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define POOL_KEY "mod_backhand.pool"

/* Begins each message; another where the rest of it changes, because the queues outlive the module. */
#define MARK UINT64_C(0x6d625f706f6f6c31)

/* Messages that one request looks at: those of other servers in the same queue, and what is not in good order. Each
 * costs two system calls. */
#define MOST_LOOKED 8

/* What the process pool keeps: nothing in it points into this module, which is unloaded at each restart. */
typedef struct queues {
    int is_open;
    int ends[BH_POOLS][2]; /* what is put into the first comes out of the second */
} queues;

static queues *pool;

int mb_pool_has(int fd) {
    for (int i = 0; pool && pool->is_open && i < BH_POOLS; i++)
        if (pool->ends[i][0] == fd || pool->ends[i][1] == fd) return 1;
    return 0;
}

int mb_pool_is_open(void) { return pool && pool->is_open; }

static void close_all(int count) {
    for (int i = 0; i < count; i++) {
        close(pool->ends[i][0]);
        close(pool->ends[i][1]);
    }
    pool->is_open = 0;
}

static void open_all(server_rec *server) {
    for (int i = 0; i < BH_POOLS; i++) {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pool->ends[i]) == 0) continue;
        int why = errno;
        close_all(i);
        ap_log_error(APLOG_MARK, APLOG_WARNING, why, server,
                     "BH0481: cannot make the pool of all children: each keeps connections of its own");
        return;
    }
    pool->is_open = 1;
}

void mb_pool_prepare(server_rec *server, int is_wanted) {
    apr_pool_userdata_get((void **)&pool, POOL_KEY, server->process->pool);
    if (!pool) {
        pool = apr_pcalloc(server->process->pool, sizeof *pool);
        apr_pool_userdata_set(pool, POOL_KEY, NULL, server->process->pool); /* copies the key */
    }
    if (is_wanted && !pool->is_open) open_all(server);
    if (!is_wanted && pool->is_open) close_all(BH_POOLS);
}

/* ---- Messages ---- */

int mb_pool_send(const mb_waiting *one) {
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } rights = {{0}};
    mb_waiting copy = *one;
    copy.mark = MARK;
    struct iovec piece = {&copy, sizeof copy};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = rights.room, .msg_controllen = sizeof rights.room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &one->fd, sizeof(int));
    return sendmsg(pool->ends[one->id % BH_POOLS][0], &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

mb_received mb_pool_receive(uint32_t queue, mb_waiting *one) {
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } rights;
    struct iovec piece = {one, sizeof *one};
    /* Not CMSG_SPACE: there would be room for two descriptors, and only one is looked for. */
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = rights.room, .msg_controllen = CMSG_LEN(sizeof(int))};
    ssize_t got = recvmsg(pool->ends[queue][1], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int fd = -1;
    if (got < 0) return MB_RECEIVED_NONE;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS
        && header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    if (fd >= 0 && got == sizeof *one && one->mark == MARK && one->id < BH_ROWS && one->id % BH_POOLS == queue) {
        one->fd = fd;
        return MB_RECEIVED;
    }
    if (fd >= 0) close(fd);
    bh_counter_add(mb_segment, BH_COUNT_NOT_CONNECTIONS);
    return MB_RECEIVED_OTHER;
}

/* ---- What is in them ---- */

/* Whether the errno tells of a connection that was one, and has ended. */
static int has_ended(int why) {
    return why == ECONNRESET || why == EPIPE || why == ETIMEDOUT || why == EHOSTUNREACH || why == ENETUNREACH
           || why == ECONNABORTED;
}

/* 1: it is a TCP connection to that address; 0: it is something else; -1: it may have been one, and has ended. */
static int is_to(int fd, const mb_waiting *one) {
    apr_sockaddr_t peer;
    bh_address_t address;
    socklen_t size = sizeof peer.sa, length = sizeof(int);
    int protocol = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) < 0 || protocol != IPPROTO_TCP) return 0;
    if (getpeername(fd, (struct sockaddr *)(void *)&peer.sa, &size) < 0) return errno == ENOTCONN ? -1 : 0;
    peer.family = peer.sa.sin.sin_family;
    if (!mb_address_of(&peer, &address)) return 0;
    /* The port is at the same place in both families. */
    return bh_address_equals(address, one->address) && ntohs(peer.sa.sin.sin_port) == one->port;
}

/* Whether the row still has the server that the connection goes to, and that server will not close it before an answer.
 */
static int is_of(const mb_waiting *one, const bh_facts_t *server, uint64_t now_ms) {
    return bh_address_equals(one->address, server->address) && one->port == server->port
           && now_ms < one->used_ms + mb_keep_lifetime(server, BH_KEEP_ONE);
}

void mb_pool_drop(const mb_waiting *one) {
    close(one->fd);
    bh_shared_add(mb_segment, one->id, -1);
}

int mb_pool_keep(const mb_waiting *one, const bh_facts_t *server, uint64_t now_ms) {
    char byte;
    ssize_t left = recv(one->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    int why = errno, is_idle = left < 0 && (why == EAGAIN || why == EWOULDBLOCK);
    int is = left < 0 && !is_idle ? (has_ended(why) ? -1 : 0) : is_to(one->fd, one);
    if (is > 0 && is_idle && server && is_of(one, server, now_ms)) return 1;
    if (is) mb_pool_drop(one);
    else {
        close(one->fd); /* no child has counted it */
        bh_counter_add(mb_segment, BH_COUNT_NOT_CONNECTIONS);
    }
    return 0;
}

int mb_pool_take(uint32_t id, const bh_facts_t *server, uint64_t now_ms) {
    mb_waiting one;
    uint32_t queue = id % BH_POOLS;
    if (!mb_pool_is_open() || !bh_shared_waiting(mb_segment, id)) return -1;
    bh_pool_move(mb_segment, queue);
    for (int looked = 0; looked < MOST_LOOKED; looked++) {
        mb_received what = mb_pool_receive(queue, &one);
        if (what == MB_RECEIVED_NONE) return -1;
        if (what == MB_RECEIVED_OTHER) continue;
        if (one.id != id) {
            if (mb_pool_send(&one)) close(one.fd);
            else mb_pool_drop(&one);
        } else if (mb_pool_keep(&one, server, now_ms)) {
            bh_keep_take(mb_segment, mb_child_slot, id, BH_KEEP_ALL);
            bh_shared_add(mb_segment, id, -1);
            return one.fd;
        }
    }
    return -1;
}

int mb_pool_put(uint32_t id, const bh_facts_t *server, int fd, uint64_t now_ms) {
    mb_waiting one = {.used_ms = now_ms, .address = server->address, .id = id, .port = server->port, .fd = fd};
    if (!mb_pool_is_open() || !bh_shared_has_room(mb_segment, id, 0)) return 0;
    bh_pool_move(mb_segment, id % BH_POOLS);
    bh_shared_add(mb_segment, id, 1);
    if (mb_pool_send(&one)) return 1;
    bh_shared_add(mb_segment, id, -1);
    return 0;
}

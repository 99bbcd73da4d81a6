/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Connections to a listening TCP socket, by sock_diag of Linux: its messages are C structs that follow each other. */
#include "csystem.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>

/* Whether the socket's own address is this IPv4 one, in network byte order, or any. */
static bool is_at(const struct inet_diag_msg *socket, uint32_t address) {
    const uint32_t *words = socket->id.idiag_src;
    if (socket->idiag_family == AF_INET) return words[0] == address || words[0] == 0;
    if (words[0] != 0 || words[1] != 0) return false;
    return words[2] == htonl(0xffff) ? words[3] == address : words[2] == 0 && words[3] == 0;
}

/* What is asked of the kernel, and what is done with each socket of its answer. */
typedef struct question {
    uint32_t address; /* network byte order */
    uint16_t port;    /* host byte order */
    unsigned int states;
    unsigned int extensions;
    void (*take)(const struct nlmsghdr *message, const struct inet_diag_msg *socket, void *baton);
    void *baton;
} question;

/* The older request has the kernel walk its tables once for both families. */
static int ask(int fd, const question *question) {
    struct {
        struct nlmsghdr head;
        struct inet_diag_req request;
    } message = {
        {.nlmsg_len = sizeof message, .nlmsg_type = TCPDIAG_GETSOCK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        {.idiag_ext = (uint8_t)question->extensions,
         .id = {.idiag_sport = htons(question->port)},
         .idiag_states = question->states}};
    return send(fd, &message, sizeof message, 0) == (ssize_t)sizeof message ? 0 : -1;
}

/* 1; or -1 with errno if the kernel could not tell all. */
static int read_end(const struct nlmsghdr *message) {
    int why = 0;
    if (message->nlmsg_len >= NLMSG_LENGTH(sizeof why)) memcpy(&why, NLMSG_DATA(message), sizeof why);
    if (why >= 0) return 1;
    errno = -why;
    return -1;
}

/* Takes what one datagram of the answer has. Returns 1 at the answer's end, -1 with errno for an error. */
static int read_datagram(const struct nlmsghdr *message, unsigned int left, const question *question) {
    for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
        if (message->nlmsg_type == NLMSG_DONE) return read_end(message);
        if (message->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *why = NLMSG_DATA(message);
            errno = message->nlmsg_len >= NLMSG_LENGTH(sizeof *why) ? -why->error : EIO;
            return -1;
        }
        const struct inet_diag_msg *socket = NLMSG_DATA(message);
        if (message->nlmsg_len < NLMSG_LENGTH(sizeof *socket) || socket->id.idiag_sport != htons(question->port))
            continue;
        if (is_at(socket, question->address)) question->take(message, socket, question->baton);
    }
    return 0;
}

static int read_answer(int fd, const question *question) {
    _Alignas(struct nlmsghdr) char room[16384];
    if (ask(fd, question) < 0) return -1;
    for (;;) {
        ssize_t length = recv(fd, room, sizeof room, 0);
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0) return -1;
        int end = read_datagram((const struct nlmsghdr *)room, (unsigned int)length, question);
        if (end) return end < 0 ? -1 : 0;
    }
}

static int read_all(const question *question) {
    struct timeval most = {.tv_usec = 200000};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    int result = read_answer(fd, question);
    int why = errno;
    close(fd);
    errno = why;
    return result;
}

/* Copies the number that stands so many bytes within a part of what is told of the socket, if there is one. */
static void find_part(const struct nlmsghdr *message, const struct inet_diag_msg *socket, unsigned short type,
                      size_t within, uint64_t *number) {
    int left = (int)(message->nlmsg_len - NLMSG_LENGTH(sizeof *socket));
    for (const struct rtattr *part = (const void *)(socket + 1); RTA_OK(part, left); part = RTA_NEXT(part, left))
        if (part->rta_type == type && RTA_PAYLOAD(part) >= within + sizeof *number)
            memcpy(number, (const char *)RTA_DATA(part) + within, sizeof *number);
}

/* Whether the other end has the same address, as a check's has. */
static bool is_inside(const struct inet_diag_msg *socket) {
    return memcmp(socket->id.idiag_src, socket->id.idiag_dst, sizeof socket->id.idiag_src) == 0;
}

/* ---- How many ---- */

/* What is found, and how many of it may be checks, and were checks that their end has left. */
typedef struct tally {
    struct csystem_connections *found;
    uint32_t inside, inside_waiting, left;
} tally;

static void count(const struct nlmsghdr *message, const struct inet_diag_msg *socket, void *baton) {
    tally *tally = baton;
    if (socket->idiag_state == TCP_LISTEN) {
        tally->found->waiting += socket->idiag_rqueue;
        find_part(message, socket, INET_DIAG_CGROUP_ID, 0, &tally->found->group);
        return;
    }
    /* One that no process has accepted has no inode yet. */
    bool inside = is_inside(socket), waits = socket->idiag_inode == 0;
    if (inside && waits && socket->idiag_state == TCP_CLOSE_WAIT) {
        tally->left++;
        return;
    }
    tally->found->open++;
    if (inside) tally->inside++;
    if (inside && waits) tally->inside_waiting++;
}

static uint32_t least(uint32_t one, uint32_t other) { return one < other ? one : other; }

int csystem_connections(uint32_t address, uint16_t port, uint32_t checks, struct csystem_connections *found) {
    unsigned int states = 1u << TCP_LISTEN | 1u << TCP_ESTABLISHED | 1u << TCP_CLOSE_WAIT;
    tally tally = {.found = found};
    memset(found, 0, sizeof *found);
    if (read_all(&(question){htonl(address), port, states, 0, count, &tally}) < 0) return -1;
    found->open -= least(checks, tally.inside);
    found->waiting_checks = least(checks, tally.inside_waiting);
    /* The kernel has counted those that wait before it told of each. */
    found->waiting -= least(found->waiting, found->waiting_checks + tally.left);
    return 0;
}

/* ---- What was sent ---- */

/* Where struct tcp_info has tcpi_bytes_acked: the header of glibc ends before it. */
#define BYTES_ACKED 120

typedef struct sent_list {
    csystem_sent *list;
    int count, capacity;
} sent_list;

static uint64_t acknowledged(const struct nlmsghdr *message, const struct inet_diag_msg *socket) {
    uint64_t bytes = 0;
    if (socket->idiag_state == TCP_TIME_WAIT) return UINT64_MAX;
    find_part(message, socket, INET_DIAG_INFO, BYTES_ACKED, &bytes);
    return bytes;
}

static void add_sent(const struct nlmsghdr *message, const struct inet_diag_msg *socket, void *baton) {
    sent_list *found = baton;
    uint64_t peer = socket->id.idiag_dport;
    if (found->count == found->capacity || is_inside(socket)) return;
    for (int word = 0; word < 4; word++) peer = (peer ^ socket->id.idiag_dst[word]) * UINT64_C(0x100000001b3);
    found->list[found->count++] = (csystem_sent){peer, acknowledged(message, socket)};
}

int csystem_sent_bytes(uint32_t address, uint16_t port, csystem_sent *list, int capacity) {
    unsigned int states = 1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_TIME_WAIT
                          | 1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK | 1u << TCP_CLOSING;
    sent_list found = {list, 0, capacity};
    int failed = read_all(&(question){htonl(address), port, states, 1u << (INET_DIAG_INFO - 1), add_sent, &found});
    return failed ? -1 : found.count;
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Connections to a listening TCP socket, by sock_diag of Linux: its messages are C structs that follow each other. */
#include "csystem.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>

/* Whether the socket's own address is this IPv4 one, in network byte order, or any. */
static bool is_at(const struct inet_diag_msg *socket, uint32_t address) {
    const uint32_t *words = socket->id.idiag_src;
    if (socket->idiag_family == AF_INET) return words[0] == address || words[0] == 0;
    if (words[0] != 0 || words[1] != 0) return false;
    return words[2] == htonl(0xffff) ? words[3] == address : words[2] == 0 && words[3] == 0;
}

static int ask(int fd, int family, unsigned int states, uint16_t port) {
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 request;
    } message = {
        {.nlmsg_len = sizeof message, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        {.sdiag_family = (uint8_t)family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = states}};
    message.request.id.idiag_sport = htons(port);
    return send(fd, &message, sizeof message, 0) == (ssize_t)sizeof message ? 0 : -1;
}

/* Adds what one datagram of the answer has. Returns 1 at the answer's end, -1 with errno for an error. */
static int add(const struct nlmsghdr *message, unsigned int left, uint32_t address, uint16_t port,
               struct csystem_connections *found) {
    for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
        if (message->nlmsg_type == NLMSG_DONE) return 1;
        if (message->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *why = NLMSG_DATA(message);
            errno = message->nlmsg_len >= NLMSG_LENGTH(sizeof *why) ? -why->error : EIO;
            return -1;
        }
        const struct inet_diag_msg *socket = NLMSG_DATA(message);
        if (message->nlmsg_len < NLMSG_LENGTH(sizeof *socket) || socket->id.idiag_sport != htons(port)) continue;
        if (!is_at(socket, address)) continue;
        if (socket->idiag_state == TCP_LISTEN) found->waiting += socket->idiag_rqueue;
        else found->open++;
    }
    return 0;
}

static int count(int fd, int family, unsigned int states, uint32_t address, uint16_t port,
                 struct csystem_connections *found) {
    _Alignas(struct nlmsghdr) char room[16384];
    if (ask(fd, family, states, port) < 0) return -1;
    for (;;) {
        ssize_t length = recv(fd, room, sizeof room, 0);
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0) return -1;
        int end = add((const struct nlmsghdr *)room, (unsigned int)length, address, port, found);
        if (end) return end < 0 ? -1 : 0;
    }
}

int csystem_connections(uint32_t address, uint16_t port, bool counts_open, struct csystem_connections *found) {
    struct timeval most = {.tv_usec = 200000};
    unsigned int states = 1u << TCP_LISTEN | (counts_open ? 1u << TCP_ESTABLISHED | 1u << TCP_CLOSE_WAIT : 0);
    memset(found, 0, sizeof *found);
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    int result = count(fd, AF_INET, states, htonl(address), port, found);
    if (result == 0 && count(fd, AF_INET6, states, htonl(address), port, found) < 0 && errno != ENOENT) result = -1;
    int why = errno;
    close(fd);
    errno = why;
    return result;
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

#define _GNU_SOURCE
#include "csystem.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netpacket/packet.h>
#include <sched.h>

#ifdef __linux__
#include <linux/sock_diag.h>
#endif

void csystem_error_text(int number, char *text, size_t size) {
    /* The GNU strerror_r may return a constant instead of filling the buffer. */
    char buffer[128];
    snprintf(text, size, "%s", strerror_r(number, buffer, sizeof buffer));
}

int csystem_open(const char *path, int flags, unsigned int mode) { return open(path, flags, mode); }

int csystem_open_at(int directory, const char *path, int flags, unsigned int mode) {
    return openat(directory, path, flags, mode);
}

int csystem_temporary(char *path) { return mkostemp(path, O_CLOEXEC); }

int csystem_set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

uint64_t csystem_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t csystem_wall_seconds(void) { return (int64_t)time(NULL); }

int csystem_cpu_count(void) {
#ifdef __linux__
    /* More CPUs than cpu_set_t has bits for: EINVAL, and the second answer is right. */
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 && online < INT32_MAX ? (int)online : 0;
}

int csystem_cpu_mask(uint64_t *words, int count) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
    int filled = count < CPU_SETSIZE / 64 ? count : CPU_SETSIZE / 64;
    for (int cpu = 0; cpu < filled * 64; cpu++) {
        if (cpu % 64 == 0) words[cpu / 64] = 0;
        if (CPU_ISSET(cpu, &set)) words[cpu / 64] |= (uint64_t)1 << cpu % 64;
    }
    return filled;
#else
    (void)words;
    (void)count;
    return 0;
#endif
}

uint64_t csystem_clock_ticks(void) {
    long ticks = sysconf(_SC_CLK_TCK);
    return ticks > 0 ? (uint64_t)ticks : 100;
}

uint64_t csystem_page_size(void) {
    long size = sysconf(_SC_PAGESIZE);
    return size > 0 ? (uint64_t)size : 4096;
}

static struct sockaddr_in ipv4(uint32_t address, uint16_t port) {
    struct sockaddr_in result;
    memset(&result, 0, sizeof result);
    result.sin_family = AF_INET;
    result.sin_addr.s_addr = htonl(address);
    result.sin_port = htons(port);
    return result;
}

/* Closes without losing the errno that says why. */
static int give_up(int fd) {
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

int csystem_udp_open(void) { return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

int csystem_udp_bind(int fd, uint32_t address, uint16_t port, bool reuse) {
    int on = 1;
    if (reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) return -1;
    struct sockaddr_in name = ipv4(address, port);
    return bind(fd, (struct sockaddr *)&name, sizeof name);
}

int csystem_udp_name(int fd, uint32_t *address, uint16_t *port) {
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) return -1;
    memset(&name, 0, sizeof name);
    if (getsockname(fd, (struct sockaddr *)&name, &length) < 0) return -1;
    if (type != SOCK_DGRAM || name.sin_family != AF_INET) {
        errno = ENOTSOCK;
        return -1;
    }
    *address = ntohl(name.sin_addr.s_addr);
    *port = ntohs(name.sin_port);
    return 0;
}

int csystem_udp_join(int fd, uint32_t group, uint32_t interface_address, uint32_t index) {
    struct ip_mreqn request;
    memset(&request, 0, sizeof request);
    request.imr_multiaddr.s_addr = htonl(group);
    request.imr_address.s_addr = htonl(interface_address);
    request.imr_ifindex = (int)index;
    /* Only what was joined on this very socket, not what others joined on this host. */
    int off = 0;
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off);
    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
}

int csystem_udp_leave(int fd, uint32_t group, uint32_t index) {
    struct ip_mreqn request;
    memset(&request, 0, sizeof request);
    request.imr_multiaddr.s_addr = htonl(group);
    request.imr_ifindex = (int)index;
    return setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof request);
}

int csystem_udp_multicast(int fd, uint32_t interface_address, uint32_t index, int ttl) {
    struct ip_mreqn interface;
    memset(&interface, 0, sizeof interface);
    interface.imr_address.s_addr = htonl(interface_address);
    interface.imr_ifindex = (int)index;
    int on = 1;
    if ((interface_address || index) && setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface) < 0)
        return -1;
    if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl) < 0) return -1;
    return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &on, sizeof on);
}

int csystem_udp_broadcast(int fd) {
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
}

int csystem_udp_forbid_sharing(int fd) {
    int off = 0;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof off);
}

int csystem_udp_receive_buffer(int fd, int bytes) {
    int given = 0;
    socklen_t size = sizeof given;
#ifdef SO_RCVBUFFORCE
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
#endif
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &given, &size) < 0 ? -1 : given;
}

ssize_t csystem_udp_send(int fd, const void *bytes, size_t count, uint32_t address, uint16_t port) {
    struct sockaddr_in to = ipv4(address, port);
    return sendto(fd, bytes, count, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to);
}

ssize_t csystem_udp_send_from(int fd, uint32_t source, const void *bytes, size_t count, uint32_t address,
                              uint16_t port) {
    struct sockaddr_in to = ipv4(address, port);
    struct iovec piece = {(void *)(uintptr_t)bytes, count};
    union {
        char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_name = &to;
    message.msg_namelen = sizeof to;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.room;
    message.msg_controllen = sizeof control.room;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
    struct in_pktinfo info;
    memset(&info, 0, sizeof info);
    info.ipi_spec_dst.s_addr = htonl(source);
    memcpy(CMSG_DATA(header), &info, sizeof info);
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t csystem_udp_receive(int fd, void *bytes, size_t capacity, uint32_t *sender, uint16_t *port) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(fd, bytes, capacity, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &length);
    if (got < 0) return got;
    *sender = ntohl(from.sin_addr.s_addr);
    *port = ntohs(from.sin_port);
    return got;
}

int csystem_udp_receive_batch(int fd, void *room, size_t size, csystem_datagram_t *datagrams, int count) {
#ifdef __linux__
    struct mmsghdr messages[CSYSTEM_BATCH];
    struct iovec pieces[CSYSTEM_BATCH];
    struct sockaddr_in from[CSYSTEM_BATCH];
    if (count > CSYSTEM_BATCH) count = CSYSTEM_BATCH;
    memset(messages, 0, sizeof messages[0] * (size_t)(count > 0 ? count : 0));
    for (int i = 0; i < count; i++) {
        pieces[i] = (struct iovec){(char *)room + (size_t)i * size, size};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &from[i];
        messages[i].msg_hdr.msg_namelen = sizeof from[i];
    }
    int got = recvmmsg(fd, messages, (unsigned int)count, MSG_DONTWAIT | MSG_TRUNC, NULL);
    for (int i = 0; i < got; i++)
        datagrams[i] =
            (csystem_datagram_t){messages[i].msg_len, ntohl(from[i].sin_addr.s_addr), ntohs(from[i].sin_port)};
    return got;
#else
    int got = 0;
    for (; got < count; got++) {
        csystem_datagram_t *one = &datagrams[got];
        ssize_t length = csystem_udp_receive(fd, (char *)room + (size_t)got * size, size, &one->sender, &one->port);
        if (length < 0) return got ? got : -1;
        one->length = (size_t)length;
    }
    return got;
#endif
}

int csystem_udp_filter(int fd, const csystem_filter_step_t *steps, size_t count) {
#ifdef SO_ATTACH_FILTER
    _Static_assert(sizeof(csystem_filter_step_t) == sizeof(struct sock_filter),
                   "the kernel's own is handed over as ours");
    struct sock_fprog program = {(unsigned short)count, (struct sock_filter *)(uintptr_t)steps};
    int unused = 0;
    if (!count)
        return setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused) < 0 && errno != ENOENT ? -1 : 0;
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
#else
    (void)fd;
    (void)steps;
    if (!count) return 0;
    errno = ENOPROTOOPT;
    return -1;
#endif
}

int csystem_udp_buffer(int fd, csystem_buffer_t *buffer) {
#ifdef SO_MEMINFO
    uint32_t words[SK_MEMINFO_VARS];
    socklen_t size = sizeof words;
    memset(words, 0, sizeof words);
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, words, &size) < 0) return -1;
    *buffer = (csystem_buffer_t){words[SK_MEMINFO_RMEM_ALLOC], words[SK_MEMINFO_RCVBUF], words[SK_MEMINFO_DROPS]};
    return 0;
#else
    (void)fd;
    (void)buffer;
    errno = ENOPROTOOPT;
    return -1;
#endif
}

int csystem_local_address(uint32_t destination, uint32_t *address) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int on = 1;
    struct sockaddr_in to = ipv4(destination, 9); /* any port: nothing is sent */
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    /* A broadcast destination needs the permission even for connect. */
    if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) < 0
        || connect(fd, (struct sockaddr *)&to, sizeof to) < 0 || getsockname(fd, (struct sockaddr *)&name, &length) < 0)
        return give_up(fd);
    *address = ntohl(name.sin_addr.s_addr);
    close(fd);
    return 0;
}

static uint32_t ipv4_of(const struct sockaddr *name) {
    struct sockaddr_in copy;
    if (!name || name->sa_family != AF_INET) return 0;
    memcpy(&copy, name, sizeof copy);
    return ntohl(copy.sin_addr.s_addr);
}

int csystem_address_check(uint32_t address) {
    int fd = csystem_udp_open();
    if (fd < 0) return -1;
    if (csystem_udp_bind(fd, address, 0, false) < 0) return give_up(fd);
    close(fd);
    return 0;
}

static bool is_link(const struct ifaddrs *one, const char *name, size_t length) {
    return one->ifa_addr && one->ifa_addr->sa_family == AF_PACKET && strncmp(one->ifa_name, name, length) == 0
           && !one->ifa_name[length];
}

/* The index of the interface with the name; a label as eth0:1 names eth0. at: where the one before was found: the
 * system names interfaces in the same order each time, so that the next is near, and a machine with a thousand of them
 * is read once. */
static uint32_t index_of(const struct ifaddrs *all, const struct ifaddrs **at, const char *name) {
    size_t length = strcspn(name, ":");
    const struct ifaddrs *found = *at;
    struct sockaddr_ll link;
    while (found && !is_link(found, name, length)) found = found->ifa_next;
    if (!found)
        for (found = all; found && !is_link(found, name, length);) found = found->ifa_next;
    if (!found) return 0;
    *at = found;
    memcpy(&link, found->ifa_addr, sizeof link);
    return link.sll_ifindex > 0 ? (uint32_t)link.sll_ifindex : 0;
}

int csystem_interfaces(csystem_interface_t *list, int capacity) {
    struct ifaddrs *all;
    int count = 0;
    if (getifaddrs(&all) < 0) return -1;
    const struct ifaddrs *at = all;
    for (struct ifaddrs *one = all; one && count < capacity; one = one->ifa_next) {
        if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET) continue;
        csystem_interface_t *entry = &list[count++];
        entry->address = ipv4_of(one->ifa_addr);
        entry->mask = ipv4_of(one->ifa_netmask);
        entry->broadcast = one->ifa_flags & IFF_BROADCAST ? ipv4_of(one->ifa_broadaddr) : 0;
        if (!entry->broadcast) entry->broadcast = entry->address | ~entry->mask;
        entry->index = index_of(all, &at, one->ifa_name);
    }
    freeifaddrs(all);
    return count;
}

int csystem_netlink_open(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0) return -1;
    struct sockaddr_nl name;
    memset(&name, 0, sizeof name);
    name.nl_family = AF_NETLINK;
    name.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE;
    return bind(fd, (struct sockaddr *)&name, sizeof name) < 0 ? give_up(fd) : fd;
}

static void note_gone(csystem_netlink_news_t *news, uint32_t address) {
    if (news->count == sizeof news->gone / sizeof news->gone[0]) news->incomplete = true;
    else news->gone[news->count++] = address;
}

/* The address of an RTM_DELADDR: IFA_LOCAL is our own, also of a point-to-point interface. */
static void read_gone(const struct nlmsghdr *message, csystem_netlink_news_t *news) {
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg))) return;
    const struct ifaddrmsg *about = NLMSG_DATA(message);
    int left = (int)IFA_PAYLOAD(message);
    if (about->ifa_family != AF_INET) return;
    for (const struct rtattr *each = IFA_RTA(about); RTA_OK(each, left); each = RTA_NEXT(each, left)) {
        uint32_t address;
        if (each->rta_type != IFA_LOCAL || RTA_PAYLOAD(each) != sizeof address) continue;
        memcpy(&address, RTA_DATA(each), sizeof address);
        note_gone(news, ntohl(address));
    }
}

void csystem_netlink_read(int fd, csystem_netlink_news_t *news) {
    union {
        struct nlmsghdr align;
        char room[16384]; /* more than the kernel sends at once: a page, or 8 kB */
    } buffer;
    memset(news, 0, sizeof *news);
    for (;;) {
        struct sockaddr_nl from;
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(fd, &buffer, sizeof buffer, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == ENOBUFS) {
            news->changed = news->incomplete = true;
            continue;
        }
        if (got <= 0) return;
        if (size != sizeof from || from.nl_pid != 0) continue; /* not from the kernel */
        news->changed = true;
        int left = (int)got;
        for (const struct nlmsghdr *each = &buffer.align; NLMSG_OK(each, left); each = NLMSG_NEXT(each, left))
            if (each->nlmsg_type == RTM_DELADDR) read_gone(each, news);
    }
}

int csystem_store_open(int *in, int *out) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) return -1;
    *in = ends[0];
    *out = ends[1];
    return 0;
}

/* Room for one descriptor. */
typedef union csystem_rights {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
} csystem_rights;

int csystem_rights_send(int to, const void *bytes, size_t count, int fd) {
    csystem_rights rights;
    struct iovec piece = {(void *)(uintptr_t)bytes, count};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    memset(&rights, 0, sizeof rights);
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = rights.room;
    message.msg_controllen = sizeof rights.room;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

ssize_t csystem_rights_receive(int from, void *bytes, size_t count, int *fd) {
    csystem_rights rights;
    struct iovec piece = {bytes, count};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = rights.room;
    /* Not CMSG_SPACE: there would be room for two descriptors, and only one is looked for. */
    message.msg_controllen = CMSG_LEN(sizeof *fd);
    *fd = -1;
    ssize_t got = recvmsg(from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = got < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS
        && header->cmsg_len == CMSG_LEN(sizeof *fd))
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    else if (got >= 0 && message.msg_flags & MSG_CTRUNC) *fd = CSYSTEM_FD_LOST;
    return got;
}

int csystem_store_put(int in, int fd, const uint32_t *words, int count) {
    /* the first says how many follow: no message is empty, which would look like the end */
    uint32_t room[CSYSTEM_STORE_WORDS + 1];
    if (count < 0 || count > CSYSTEM_STORE_WORDS) {
        errno = EINVAL;
        return -1;
    }
    room[0] = (uint32_t)count;
    memcpy(room + 1, words, (size_t)count * sizeof room[0]);
    return csystem_rights_send(in, room, ((size_t)count + 1) * sizeof room[0], fd);
}

int csystem_store_take(int out, int *fd, uint32_t *words) {
    uint32_t room[CSYSTEM_STORE_WORDS + 1];
    ssize_t got = csystem_rights_receive(out, room, sizeof room, fd);
    if (got < 0) return -1;
    /* What came is what was sent, or nothing: a count that is not the length's is taken for none. */
    if ((size_t)got < sizeof room[0] || room[0] > CSYSTEM_STORE_WORDS || (size_t)got != (room[0] + 1) * sizeof room[0])
        return 0;
    memcpy(words, room + 1, room[0] * sizeof room[0]);
    return (int)room[0];
}

static int unix_name(const char *path, struct sockaddr_un *name) {
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof name->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(name->sun_path, path);
    return 0;
}

int csystem_unix_connect(const char *path, bool waits) {
    struct sockaddr_un name;
    if (unix_name(path, &name) < 0) return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (waits ? 0 : SOCK_NONBLOCK), 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof name) < 0) return give_up(fd);
    return fd;
}

int csystem_unix_socket(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

int csystem_unix_bind(int fd, const char *path, unsigned int mask) {
    struct sockaddr_un name;
    if (unix_name(path, &name) < 0) return -1;
    mode_t before = umask(mask);
    int bound = bind(fd, (struct sockaddr *)&name, sizeof name), why = errno;
    umask(before);
    errno = why;
    return bound;
}

bool csystem_unix_peer_lives(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || kill(peer.pid, 0) == 0 || errno != ESRCH;
}

int csystem_accept_nonblocking(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

ssize_t csystem_stream_send(int fd, const void *bytes, size_t count) {
    return send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t csystem_stream_receive(int fd, void *bytes, size_t capacity) { return recv(fd, bytes, capacity, MSG_DONTWAIT); }

ssize_t csystem_stream_peek(int fd) {
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} name_t;

/* Fills in the name; returns its size. */
static socklen_t write_name(name_t *name, uint64_t high, uint64_t low, uint16_t port) {
    uint32_t words[4] = {htonl((uint32_t)(high >> 32)), htonl((uint32_t)high), htonl((uint32_t)(low >> 32)),
                         htonl((uint32_t)low)};
    memset(name, 0, sizeof *name);
    name->v4.sin_port = htons(port); /* at the same place in both */
    if (high == 0 && low >> 32 == 0xffff) {
        name->any.sa_family = AF_INET;
        name->v4.sin_addr.s_addr = words[3];
        return sizeof name->v4;
    }
    name->any.sa_family = AF_INET6;
    memcpy(&name->v6.sin6_addr, words, sizeof words);
    return sizeof name->v6;
}

static void read_name(const name_t *name, uint64_t *high, uint64_t *low) {
    uint32_t words[4] = {0, 0, htonl(0xffff), 0};
    if (name->any.sa_family == AF_INET) words[3] = name->v4.sin_addr.s_addr;
    else memcpy(words, &name->v6.sin6_addr, sizeof words);
    *high = (uint64_t)ntohl(words[0]) << 32 | ntohl(words[1]);
    *low = (uint64_t)ntohl(words[2]) << 32 | ntohl(words[3]);
}

int csystem_tcp_peer(int fd, uint64_t *high, uint64_t *low, uint16_t *port) {
    name_t name;
    socklen_t size = sizeof name, length = sizeof(int);
    int protocol = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) < 0) return -1;
    if (protocol == IPPROTO_TCP && getpeername(fd, &name.any, &size) < 0) return -1;
    if (protocol != IPPROTO_TCP || (name.any.sa_family != AF_INET && name.any.sa_family != AF_INET6)) {
        errno = EPROTOTYPE;
        return -1;
    }
    read_name(&name, high, low);
    *port = ntohs(name.v4.sin_port); /* at the same place in both */
    return 0;
}

static int connect_tcp(uint64_t high, uint64_t low, uint16_t port, bool inside) {
    name_t name, own;
    socklen_t size = write_name(&name, high, low, port);
    int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    /* The port is chosen with the other end's, so that one which is in use to another end is free for this one. */
    if (inside) {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
        if (bind(fd, &own.any, write_name(&own, high, low, 0)) < 0) return give_up(fd);
    }
    return connect(fd, &name.any, size) == 0 || errno == EINPROGRESS ? fd : give_up(fd);
}

int csystem_tcp_connect_inside(uint64_t high, uint64_t low, uint16_t port) {
    return connect_tcp(high, low, port, true);
}

int csystem_tcp_try(uint64_t high, uint64_t low, uint16_t port, int wait_ms) {
    int fd = connect_tcp(high, low, port, false), why = 0;
    if (fd < 0) return errno;
    struct pollfd waiting = {.fd = fd, .events = POLLOUT};
    socklen_t length = sizeof why;
    if (poll(&waiting, 1, wait_ms) <= 0) why = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &length) != 0) why = errno;
    close(fd);
    return why;
}

int csystem_source_address(uint64_t high, uint64_t low, uint16_t port, const uint64_t *from, uint64_t *used) {
    name_t to, own;
    socklen_t size = write_name(&to, high, low, port), length = sizeof own;
    int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (from[0] || from[1]) {
        socklen_t own_size = write_name(&own, from[0], from[1], 0);
        if (bind(fd, &own.any, own_size) < 0) return give_up(fd);
    }
    if (connect(fd, &to.any, size) < 0 || getsockname(fd, &own.any, &length) < 0) return give_up(fd);
    read_name(&own, &used[0], &used[1]);
    close(fd);
    return 0;
}

int csystem_free_descriptor(void) {
    int found = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (found >= 0) close(found);
    return found;
}

uint64_t csystem_descriptor_limit(void) {
    struct rlimit most;
    return getrlimit(RLIMIT_NOFILE, &most) == 0 ? (uint64_t)most.rlim_cur : UINT64_MAX;
}

int csystem_fork(void) { return fork(); }

void csystem_exit(int code) { _exit(code); }

int csystem_reap(int pid) {
    int state = 0;
    if (waitpid(pid, &state, 0) < 0) return -1;
    return WIFEXITED(state) ? WEXITSTATUS(state) : EINTR;
}

int csystem_become(uint32_t user, uint32_t group, const char *name, uint32_t primary) {
    if (name && name[0] && name[0] != '#' ? initgroups(name, primary) < 0 : setgroups(1, &primary) < 0) return errno;
    if (setresgid(group, group, group) < 0 || setresuid(user, user, user) < 0) return errno;
    return 0;
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The system as the Swift core sees it, and the stubs that only C can express. Each stub says why it must be C. */
#ifndef BACKHAND_CSYSTEM_H
#define BACKHAND_CSYSTEM_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <ifaddrs.h>
#include <limits.h>
#include <math.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/filter.h>
#endif

#ifndef __clang__
#define _Nonnull
#define _Nullable
#endif

/* Sets whole cache lines to zero. The compiler makes memset of all that Swift has for it, and memset becomes one
 * instruction that callgrind, by which the costs of a decision are measured, counts once for each byte. Nothing makes
 * that of volatile stores. */
static inline void csystem_clear(void *_Nonnull memory, size_t lines) {
    typedef uint64_t two_t __attribute__((vector_size(16), aligned(8), may_alias));
    volatile two_t *at = (volatile two_t *)memory;
    const two_t zero = {0, 0};
    for (; lines; lines--, at += 4) {
        at[0] = zero;
        at[1] = zero;
        at[2] = zero;
        at[3] = zero;
    }
}

/* errno is a macro over a function call. */
static inline int csystem_errno(void) { return errno; }
static inline void csystem_set_errno(int number) { errno = number; }

/* strerror's text outlives the call only until the next one: copied into the caller's buffer. */
void csystem_error_text(int number, char *_Nonnull text, size_t size);

/* open, openat and fcntl are variadic, which Swift cannot call. */
int csystem_open(const char *_Nonnull path, int flags, unsigned int mode);
int csystem_open_at(int directory, const char *_Nonnull path, int flags, unsigned int mode);
int csystem_set_nonblocking(int fd);
/* mkostemp, which only GNU's headers show. */
int csystem_temporary(char *_Nonnull path);

/* CLOCK_MONOTONIC and CLOCK_REALTIME; a struct timespec for two numbers is more than Swift needs. */
uint64_t csystem_monotonic_ns(void);
int64_t csystem_wall_seconds(void);

/* CPUs that this process may use, 0 if that cannot be found out; cpu_set_t is a matter of macros. */
int csystem_cpu_count(void);

/* The same CPUs as bits, CPU 0 is the lowest of the first word; returns how many words were filled, 0 if it cannot be
 * found out. */
int csystem_cpu_mask(uint64_t *_Nullable words, int count);

/* sysconf names are macros over an enum. */
uint64_t csystem_page_size(void);
/* Clock ticks a second, the unit of CPU time in /proc. */
uint64_t csystem_clock_ticks(void);

/* IPv4 sockets. sockaddr casts are undefined behaviour in Swift. Addresses and ports are in host byte order. Each
 * returns -1 with errno on failure. */

/* A UDP socket that is bound to nothing yet. */
int csystem_udp_open(void);
/* Binds it to address:port. reuse: SO_REUSEADDR, so that several programs hear one group. */
int csystem_udp_bind(int fd, uint32_t address, uint16_t port, bool reuse);
/* Whether the descriptor is a UDP socket over IPv4, and where it is bound; -1 with errno if it is not. */
int csystem_udp_name(int fd, uint32_t *_Nonnull address, uint16_t *_Nonnull port);
/* Joins a multicast group on the interface with the index; index 0: on the one that has the address; both 0: the
 * kernel's choice. */
int csystem_udp_join(int fd, uint32_t group, uint32_t interface_address, uint32_t index);
/* Leaves a group that was joined on the interface with the index, which may be gone. */
int csystem_udp_leave(int fd, uint32_t group, uint32_t index);
/* Prepares a socket for sending to a multicast group: interface, hops, and our own host hears it too. */
int csystem_udp_multicast(int fd, uint32_t interface_address, uint32_t index, int ttl);
int csystem_udp_broadcast(int fd);
/* Asks for a receive buffer of so many bytes, past the system's limit if this process may. Returns what the kernel
 * gave: it counts its own overhead in, so twice the wish is the whole of it. */
int csystem_udp_receive_buffer(int fd, int bytes);
/* Without SO_REUSEADDR again. */
int csystem_udp_forbid_sharing(int fd);
ssize_t csystem_udp_send(int fd, const void *_Nonnull bytes, size_t count, uint32_t address, uint16_t port);
/* Like csystem_udp_send, but the datagram leaves from the source address, which must be local (IP_PKTINFO). */
ssize_t csystem_udp_send_from(int fd, uint32_t source, const void *_Nonnull bytes, size_t count, uint32_t address,
                              uint16_t port);
/* Receives one datagram without waiting. Returns its true length, which may exceed capacity. */
ssize_t csystem_udp_receive(int fd, void *_Nonnull bytes, size_t capacity, uint32_t *_Nonnull sender,
                            uint16_t *_Nonnull port);
/* Datagrams received at once: as many as their headers fit on a stack, and far more than a system call costs. */
#define CSYSTEM_BATCH 64
/* What stands beside each: its true length, which may exceed the room, and its sender. */
typedef struct csystem_datagram {
    size_t length;
    uint32_t sender;
    uint16_t port;
} csystem_datagram_t;
/* Receives up to count, at most CSYSTEM_BATCH, datagrams without waiting (recvmmsg), each into its part of the room:
 * size bytes a datagram. Returns how many. mmsghdr holds pointers to pointers. */
int csystem_udp_receive_batch(int fd, void *_Nonnull room, size_t size, csystem_datagram_t *_Nonnull datagrams,
                              int count);
/* One instruction of a classic BPF program: struct sock_filter, which Swift would know by another name on each
 * platform. */
typedef struct csystem_filter_step {
    uint16_t code;
    uint8_t if_true;
    uint8_t if_false;
    uint32_t number;
} csystem_filter_step_t;
/* Lets the kernel run the program on each datagram before it takes room in the socket's buffer (SO_ATTACH_FILTER);
 * count 0: none any more. Needs no privilege. ENOPROTOOPT where the system has no such thing. */
int csystem_udp_filter(int fd, const csystem_filter_step_t *_Nullable steps, size_t count);
/* What the socket's receive buffer holds and may hold, in bytes of the kernel's, and how many datagrams the kernel has
 * dropped since the socket was opened, by a filter or for want of room (SO_MEMINFO). */
typedef struct csystem_buffer {
    uint32_t used;
    uint32_t limit;
    uint32_t dropped;
} csystem_buffer_t;
int csystem_udp_buffer(int fd, csystem_buffer_t *_Nonnull buffer);
/* The local address from which packets to the destination leave. */
int csystem_local_address(uint32_t destination, uint32_t *_Nonnull address);

/* 0 if the address is one of this machine's, which a socket may be bound to; else -1 with errno. */
int csystem_address_check(uint32_t address);

/* The IPv4 address, network mask and broadcast address of an interface, and its index; a point-to-point or loopback
 * interface has address | ~mask for the broadcast address. */
typedef struct csystem_interface {
    uint32_t address;
    uint32_t mask;
    uint32_t broadcast;
    uint32_t index; /* 0: not known */
} csystem_interface_t;
/* Writes up to capacity of this machine's IPv4 interfaces and returns how many. getifaddrs hands out sockaddr casts. */
int csystem_interfaces(csystem_interface_t *_Nonnull list, int capacity);

/* A socket on which the kernel tells when an interface, an IPv4 address or an IPv4 route comes, changes or goes
 * (rtnetlink). Its macros walk through casts. */
int csystem_netlink_open(void);
/* What was read from it. */
typedef struct csystem_netlink_news {
    bool changed;      /* there was at least one message */
    bool incomplete;   /* there were more than the kernel keeps: anything may have changed */
    uint32_t count;    /* of the addresses below */
    uint32_t gone[32]; /* IPv4 addresses that were taken from an interface; with more of them, incomplete is set */
} csystem_netlink_news_t;
/* Reads all that waits, without waiting. */
void csystem_netlink_read(int fd, csystem_netlink_news_t *_Nonnull news);

/* Sends the bytes with a copy of the descriptor, without waiting (SCM_RIGHTS, whose macros walk through casts); -1 with
 * errno. */
int csystem_rights_send(int to, const void *_Nonnull bytes, size_t count, int fd);
/* Receives what was sent so, and at most one descriptor (-1: none came along, CSYSTEM_FD_LOST: the kernel has dropped
 * it, because this process may have no more); returns how many bytes; -1 with errno. */
#define CSYSTEM_FD_LOST (-2)
ssize_t csystem_rights_receive(int from, void *_Nonnull bytes, size_t count, int *_Nonnull fd);

/* A pair of sockets in which descriptors wait: those that are put in at one end can be taken at the other, by any
 * process that has inherited both, in the same order. */
int csystem_store_open(int *_Nonnull in, int *_Nonnull out);
/* Puts a copy of the descriptor in, with so many words, at most CSYSTEM_STORE_WORDS. */
#define CSYSTEM_STORE_WORDS 32
int csystem_store_put(int in, int fd, const uint32_t *_Nonnull words, int count);
/* Takes the one that waits longest: its descriptor, negative if the message had none. Returns how many words came with
 * it; -1 with EAGAIN if the store is empty. */
int csystem_store_take(int out, int *_Nonnull fd, uint32_t *_Nonnull words);

/* AF_UNIX stream sockets, likewise. The first is not bound yet. */
int csystem_unix_socket(void);
int csystem_unix_connect(const char *_Nonnull path, bool waits);
int csystem_unix_bind(int fd, const char *_Nonnull path, unsigned int mask);
bool csystem_unix_peer_lives(int fd);
int csystem_accept_nonblocking(int fd);
/* send and recv without waiting and without SIGPIPE; MSG_ names are an enum. */
ssize_t csystem_stream_send(int fd, const void *_Nonnull bytes, size_t count);
ssize_t csystem_stream_receive(int fd, void *_Nonnull bytes, size_t capacity);
/* Whether there is something to receive: 1, 0 at the end, or -1 with errno. It stays there. */
ssize_t csystem_stream_peek(int fd);
/* A set (epoll) that is readable when the socket or the timer is (timerfd). */
int csystem_waiting_open(int fd, int *_Nonnull set, int *_Nonnull timer);
/* When the timer is to be readable: microseconds from now, 0 never. */
void csystem_waiting_set(int timer, uint64_t us);
/* Waits until something can be read or written, or there is an error, which is met then. */
bool csystem_socket_is_ready(int fd, bool writing, int wait_ms);
/* Has the kernel ask the other end whether it is there (SO_KEEPALIVE). */
void csystem_tcp_keep_alive(int fd, int idle_s, int interval_s, int probes);

/* The other end of a TCP connection: the words of its IPv6 address, IPv4 as ::ffff:10.0.0.4. Returns -1 with ENOTCONN
 * if it is TCP, but not connected, and another errno for what is not TCP over IP. */
int csystem_tcp_peer(int fd, uint64_t *_Nonnull high, uint64_t *_Nonnull low, uint16_t *_Nonnull port);

/* A TCP connection from the address, which must be this machine's, to itself, so that what is sent stays here. It is
 * perhaps not made yet: sending tells what has become of it. */
int csystem_tcp_connect_inside(uint64_t high, uint64_t low, uint16_t port);

/* What the kernel says to a TCP connection to the address, which is closed at once: an errno; 0: there was one. */
int csystem_tcp_try(uint64_t high, uint64_t low, uint16_t port, int wait_ms);
/* The address that packets to the server have; from: the words of the one that they must leave from, both 0: any; -1
 * with errno. Sends none. */
int csystem_source_address(uint64_t high, uint64_t low, uint16_t port, const uint64_t *_Nonnull from,
                           uint64_t *_Nonnull used);

/* Connections to a server of this machine. */
struct csystem_connections {
    uint32_t open;           /* those that the client has not closed and reset */
    uint32_t waiting;        /* those that no process has accepted */
    uint32_t waiting_checks; /* checks that no process has accepted: in neither of the two */
    uint64_t group; /* the control group (version 2) of the process that made the listening socket; 0: not known */
};
/* Counts those to the IPv4 address and port, in host byte order, also of IPv6 sockets that take both; -1 with errno.
 * checks: how many of those from the address itself are checks, which are left out. Those from there that the client
 * closed before a process accepted them, as a late check, are left out too. Waits for the kernel 0.2 s at most. */
int csystem_connections(uint32_t address, uint16_t port, uint32_t checks, struct csystem_connections *_Nonnull found);

/* Writes the path of the control group below the directory where version 2 is mounted; false: there is no such group,
 * or not within the 4096 that are looked at. */
bool csystem_group_find(const char *_Nonnull mount, uint64_t group, char *_Nonnull path, size_t size);
/* Where version 2 is mounted; false: nowhere. */
bool csystem_group_mount(char *_Nonnull path, size_t size);

/* What was sent over one connection. */
typedef struct csystem_sent {
    uint64_t peer; /* address and port of the other end, mixed */
    uint64_t
        bytes; /* acknowledged by it, and one for the handshake; UINT64_MAX: the server has closed the connection */
} csystem_sent;
/* Lists those from the IPv4 address and port to other addresses, in any order; returns how many there are, at most
 * capacity; -1 with errno. */
int csystem_sent_bytes(uint32_t address, uint16_t port, csystem_sent *_Nonnull list, int capacity);

/* The first IPv4 address of a host, in host byte order; NULL, or why there is none. May wait for a name server. */
const char *_Nullable csystem_host_address(const char *_Nonnull name, uint32_t *_Nonnull address);

/* Sends a datagram to the AF_UNIX socket at the path, without waiting; a path that begins with @ is a name of Linux's
 * own. -1 with errno. */
int csystem_notify(const char *_Nonnull path, const void *_Nonnull bytes, size_t count);

/* The lowest free descriptor; -1: there is none. fcntl is variadic. */
int csystem_free_descriptor(void);
/* How many descriptors this process may have; the largest number where that is not known. RLIMIT_ names are an enum. */
uint64_t csystem_descriptor_limit(void);

/* A process of its own: 0 in it. Swift must not fork where it could have threads; here it has none. */
int csystem_fork(void);
/* Ends the process at once, without the cleanups of the one that forked it. */
_Noreturn void csystem_exit(int code);
/* Waits for its end: its exit code, or EINTR if a signal ended it; -1 with errno. WEXITSTATUS is a macro. */
int csystem_reap(int pid);
/* Takes these rights for good; the other groups are the named user's, or just the primary one. Returns 0 or an errno.
 */
int csystem_become(uint32_t user, uint32_t group, const char *_Nullable name, uint32_t primary);

/* Signals. Handlers and sigset_t macros are C. */

/* For a program that is not forked by httpd, before anything else: blocks the signals that end the moderator, ignores
 * SIGPIPE, opens what lacks of descriptors 0 to 2 and closes all others, allows itself as many as it may, and gives up
 * the right to gain privileges and to be read by others. */
void csystem_begin_daemon(void);
/* For a process that httpd forks, before anything else: its name, at most 15 characters, and no handler of httpd's for
 * signals that are not its own. */
void csystem_begin_helper(const char *_Nonnull name);
/* When it has the rights that it keeps: it gets no others, and ends with its parent. false: that is gone already. */
bool csystem_tie_helper(int parent);
/* Blocks the signals that end the moderator, and SIGURG, or has them as they were. */
void csystem_hold_signals(bool holds);
/* Installs a handler for the signals that end the moderator, and one that does nothing for SIGURG, which wakes it; they
 * stay blocked except in csystem_wait. */
void csystem_catch_stop_signals(void);
/* Which of them has arrived last; 0: none. */
int csystem_stop_signal(void);
/* As if none had arrived. */
void csystem_stop_forget(void);
/* Whether the parent has sent one of them, and whether any other process has; the signal of a parent's death is
 * neither. */
bool csystem_stop_is_parents(void);
bool csystem_stop_is_anothers(void);
/* ppoll with the stop signals open: returns early when one arrives, without a gap. */
int csystem_wait(struct pollfd *_Nonnull fds, size_t count, int timeout_ms);

/* libm, for the layers that may not see the rest. */
static inline double csystem_pow(double base, double exponent) { return pow(base, exponent); }
static inline double csystem_log(double number) { return log(number); }

#endif

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Waiting for the other end of a connection: struct epoll_event is packed and has a union, and times are structs. */
#include "csystem.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

static bool watch(int set, int fd) {
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0;
}

int csystem_waiting_open(int fd, int *set, int *timer) {
    *set = epoll_create1(EPOLL_CLOEXEC);
    *timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (*set >= 0 && *timer >= 0 && watch(*set, fd) && watch(*set, *timer)) return 0;
    int why = errno;
    if (*set >= 0) close(*set);
    if (*timer >= 0) close(*timer);
    errno = why;
    return -1;
}

void csystem_waiting_set(int timer, uint64_t us) {
    struct itimerspec time = {.it_value = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000}};
    timerfd_settime(timer, 0, &time, NULL);
}

bool csystem_socket_is_ready(int fd, bool writing, int wait_ms) {
    struct pollfd waiting = {.fd = fd, .events = writing ? POLLOUT : POLLIN};
    return poll(&waiting, 1, wait_ms) != 0;
}

void csystem_tcp_keep_alive(int fd, int idle_s, int interval_s, int probes) {
    static const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

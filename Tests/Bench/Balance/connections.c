/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Connections to the balancers: one request at a time on each, kept for the next one; the last one used is used first.
 */

#define _GNU_SOURCE /* SOCK_NONBLOCK, EPOLLRDHUP */

#include "generator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct connection {
    int file;
    int target;
    int request; /* -1: idle */
    int used;    /* it has carried an answer */
    size_t sent, size;
    char out[256];
    answer answer;
    struct connection *next; /* of its target's idle ones, or of the free ones */
} connection;

static struct sockaddr_in addresses[MOST_TARGETS];
static connection *idle[MOST_TARGETS];
static int target_count;
static connection *unused;
static connection **open_ones; /* by file */
static int open_room;
static int epoll_file = -1;
static int waiting, opened;

int connections_file(void) { return epoll_file; }
int connections_waiting(void) { return waiting; }
int connections_opened(void) { return opened; }

void connections_start(char **targets, int count) {
    if (count > MOST_TARGETS) die("too many balancers");
    target_count = count;
    for (int i = 0; i < count; i++) {
        char *colon = strrchr(targets[i], ':');
        if (!colon) die("a target is address:port");
        *colon = '\0';
        addresses[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
        if (inet_pton(AF_INET, targets[i], &addresses[i].sin_addr) != 1) die("a target is address:port");
    }
    epoll_file = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_file < 0) die("epoll_create1");
}

/* ---- The life of a connection ---- */

static void remember(connection *one) {
    if (one->file >= open_room) {
        int room = 2 * one->file + 64;
        open_ones = realloc(open_ones, (size_t)room * sizeof *open_ones);
        if (!open_ones) die("memory");
        memset(open_ones + open_room, 0, (size_t)(room - open_room) * sizeof *open_ones);
        open_room = room;
    }
    open_ones[one->file] = one;
}

static connection *connect_to(int target) {
    connection *one = unused;
    if (one) unused = one->next;
    else if (!(one = malloc(sizeof *one))) die("memory");
    *one = (connection){.target = target, .request = -1};
    one->file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (one->file < 0) die("socket");
    int on = 1;
    setsockopt(one->file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    remember(one);
    opened++;
    if (connect(one->file, (struct sockaddr *)&addresses[target], sizeof addresses[target]) < 0
        && errno != EINPROGRESS) {
        /* What is written next fails, and that is where failures are dealt with. */
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP, .data.ptr = one};
    if (epoll_ctl(epoll_file, EPOLL_CTL_ADD, one->file, &event) < 0) die("epoll_ctl");
    return one;
}

static void forget_idle(connection *one) {
    for (connection **place = &idle[one->target]; *place; place = &(*place)->next)
        if (*place == one) {
            *place = one->next;
            return;
        }
}

/* Events of it may still be in the hands of the loop: its memory stays one of a connection, without a file. */
static void hang_up(connection *one) {
    if (one->request < 0) forget_idle(one);
    open_ones[one->file] = NULL;
    close(one->file);
    one->file = -1;
    one->next = unused;
    unused = one;
}

/* ---- A request on a connection ---- */

static void dress(connection *one, int id) {
    const request *what = &requests[id];
    const char *body = strcmp(what->method, "POST") == 0 ? "Content-Length: 4\r\n\r\nbody" : "\r\n";
    int size = snprintf(one->out, sizeof one->out, "%s %s HTTP/1.1\r\nHost: bench.test\r\nX-Demand: %lld\r\n%s",
                        what->method, what->path, (long long)what->demand_us, body);
    if (size < 0 || (size_t)size >= sizeof one->out) die("a path is too long");
    one->size = (size_t)size;
    one->sent = 0;
    one->request = id;
    answer_reset(&one->answer);
}

static void end(int id, outcome how, int64_t now) {
    requests[id].outcome = how;
    requests[id].ended = now;
    waiting--;
}

static void start_on(connection *one, int id);

/* The connection is of no use any more. A server may close a kept-alive connection while a request is on its way to it:
 * clients send such a request once more (RFC 9112, 9.5), if it may be repeated. */
static void broken(connection *one, int64_t now) {
    int id = one->request;
    int repeat = id >= 0 && one->used && one->answer.length == 0 && !requests[id].repeated
                 && strcmp(requests[id].method, "POST") != 0;
    int target = one->target;
    hang_up(one);
    if (id < 0) return;
    if (!repeat) {
        end(id, BROKEN, now);
        return;
    }
    requests[id].repeated = 1;
    start_on(connect_to(target), id);
}

static void push_out(connection *one, int64_t now) {
    while (one->sent < one->size) {
        ssize_t count = send(one->file, one->out + one->sent, one->size - one->sent, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN && errno != ENOTCONN) broken(one, now);
            return;
        }
        one->sent += (size_t)count;
    }
}

static void start_on(connection *one, int id) {
    dress(one, id);
    push_out(one, clock_now());
}

void connections_send(int id, int64_t now) {
    request *what = &requests[id];
    if (what->target < 0 || what->target >= target_count) die("the schedule names a balancer that is not there");
    what->sent = now;
    what->outcome = WAITING;
    waiting++;
    connection *one = idle[what->target];
    if (one) idle[what->target] = one->next;
    else one = connect_to(what->target);
    start_on(one, id);
}

static void done(connection *one, int64_t now) {
    request *what = &requests[one->request];
    what->status = one->answer.status;
    memcpy(what->server, one->answer.server, sizeof what->server);
    end(one->request, ANSWERED, now);
    one->used = 1;
    if (!one->answer.keeps) {
        hang_up(one);
        return;
    }
    one->request = -1;
    one->size = one->sent = 0;
    one->next = idle[one->target];
    idle[one->target] = one;
}

/* ---- Events ---- */

/* 0 if the connection is gone or has nothing more to read. */
static int read_some(connection *one, int64_t now) {
    char data[16384];
    ssize_t count = recv(one->file, data, sizeof data, 0);
    if (count < 0) {
        if (errno == EINTR) return 1;
        if (errno != EAGAIN && errno != ENOTCONN) broken(one, now);
        return 0;
    }
    if (count == 0) {
        if (one->request >= 0 && one->answer.left == 0 && one->answer.until_close) done(one, now);
        else broken(one, now);
        return 0;
    }
    if (one->request < 0) { /* an answer that nobody asked for */
        hang_up(one);
        return 0;
    }
    int how = answer_feed(&one->answer, data, (size_t)count);
    if (how == ANSWER_DONE) done(one, now);
    else if (how == ANSWER_BAD) broken(one, now);
    return one->file >= 0;
}

static void serve(connection *one, uint32_t events, int64_t now) {
    if (one->file < 0) return;
    if (events & EPOLLOUT && one->sent < one->size) push_out(one, now);
    if (one->file >= 0 && events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        while (read_some(one, now)) continue;
}

void connections_serve(int64_t now) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll_file, events, 64, 0);
    for (int i = 0; i < count; i++) serve(events[i].data.ptr, events[i].events, now);
}

void connections_give_up(int64_t now, int64_t longest) {
    for (int file = 0; file < open_room; file++) {
        connection *one = open_ones[file];
        if (!one || one->request < 0 || now - requests[one->request].due < longest) continue;
        int id = one->request;
        hang_up(one);
        end(id, TIMED_OUT, now);
    }
}

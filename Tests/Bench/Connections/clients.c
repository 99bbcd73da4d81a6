/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* clients CLIENTS SECONDS THINK_US kept|new SEED PATH ADDRESS:PORT...
 *
 * A closed loop: each client pauses (exponentially, THINK_US in the mean; 0: not at all), asks, and waits for the
 * answer, until SECONDS have passed. Client i asks the address i modulo their number. `kept`: on one connection; `new`:
 * on a connection for each request. What is unanswered two seconds after the end is given up. Prints a line for each
 * request: when it began and how long it took, in microseconds, the status (0: no answer), the number of the address,
 * and the X-Server of the answer. Runs ahead of ordinary processes where it may: it stands for clients on other
 * machines.
 */

#define _GNU_SOURCE /* SOCK_NONBLOCK, ppoll */

#include "../Balance/generator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_CLIENTS 1024
#define PATIENCE_US 2000000

typedef struct client {
    int file;     /* -1: none */
    int used;     /* an answer came on it */
    int repeated; /* this request has been sent twice */
    int asks;
    size_t sent;
    int64_t due, began; /* of the next request, of this one */
    unsigned short random[3];
    answer answer;
} client;

static struct sockaddr_in targets[MOST_TARGETS];
static client clients[MOST_CLIENTS];
static char request_text[512];
static size_t request_size;
static int count, target_count, keeps;
static int64_t think, end;
static struct timespec start;

void die(const char *what) {
    fprintf(stderr, "clients: %s: %s\n", what, strerror(errno));
    exit(1);
}

int64_t clock_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000;
}

static void hang_up(client *one) {
    if (one->file >= 0) close(one->file);
    one->file = -1;
    one->used = 0;
}

static void rest(client *one, int64_t now) {
    one->asks = 0;
    one->due = now + (int64_t)(-log(1 - erand48(one->random)) * (double)think);
}

static void done(client *one, int64_t now, int status) {
    printf("%lld %lld %d %d %s\n", (long long)one->began, (long long)(now - one->began), status,
           (int)((one - clients) % target_count), one->answer.server[0] ? one->answer.server : "-");
    if (!status || !keeps || !one->answer.keeps) hang_up(one);
    else one->used = 1;
    rest(one, now);
}

static void connect_it(client *one) {
    one->file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (one->file < 0) die("socket");
    int on = 1;
    setsockopt(one->file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const struct sockaddr_in *to = &targets[(one - clients) % target_count];
    /* If it fails, so does what is written next. */
    (void)!connect(one->file, (const struct sockaddr *)to, sizeof *to);
    one->sent = 0;
    answer_reset(&one->answer);
}

/* A server may close a kept-alive connection while a request is on its way to it: clients send such a request once more
 * (RFC 9112, 9.3.1). */
static void broken(client *one, int64_t now) {
    int again = one->used && !one->repeated && one->answer.length == 0;
    hang_up(one);
    if (!again) {
        done(one, now, 0);
        return;
    }
    one->repeated = 1;
    connect_it(one);
}

static void push_out(client *one, int64_t now) {
    while (one->sent < request_size) {
        ssize_t some = send(one->file, request_text + one->sent, request_size - one->sent, MSG_NOSIGNAL);
        if (some < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN && errno != ENOTCONN) broken(one, now);
            return;
        }
        one->sent += (size_t)some;
    }
}

static void ask(client *one, int64_t now) {
    one->asks = 1;
    one->repeated = 0;
    one->began = now;
    if (one->file < 0) connect_it(one);
    one->sent = 0;
    answer_reset(&one->answer);
    push_out(one, now);
}

static void take_in(client *one, int64_t now) {
    char data[16384];
    while (one->asks && one->file >= 0) {
        ssize_t some = recv(one->file, data, sizeof data, 0);
        if (some < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN && errno != ENOTCONN) broken(one, now);
            return;
        }
        if (some == 0) {
            if (one->answer.left == 0 && one->answer.until_close) done(one, now, one->answer.status);
            else broken(one, now);
            return;
        }
        int how = answer_feed(&one->answer, data, (size_t)some);
        if (how == ANSWER_DONE) done(one, now, one->answer.status);
        else if (how == ANSWER_BAD) broken(one, now);
    }
}

static void wait_until(int64_t until, struct pollfd *files) {
    int64_t left = until - clock_now();
    if (left < 0) left = 0;
    struct timespec time = {left / 1000000, left % 1000000 * 1000};
    for (int i = 0; i < count; i++) {
        client *one = &clients[i];
        files[i].fd = one->asks ? one->file : -1;
        files[i].events = (short)(POLLIN | (one->sent < request_size ? POLLOUT : 0));
        files[i].revents = 0;
    }
    if (ppoll(files, (nfds_t)count, &time, NULL) < 0 && errno != EINTR) die("ppoll");
}

/* 0: all is over. */
static int turn(void) {
    static struct pollfd files[MOST_CLIENTS];
    int64_t now = clock_now(), next = now < end ? end : end + PATIENCE_US;
    int waiting = 0;
    for (int i = 0; i < count; i++) {
        client *one = &clients[i];
        if (!one->asks && one->due <= now && one->due < end) ask(one, now);
        if (one->asks) waiting++;
        else if (one->due < next) next = one->due < end ? one->due : next;
    }
    if (now >= end && (!waiting || now >= end + PATIENCE_US)) return 0;
    wait_until(next, files);
    now = clock_now();
    for (int i = 0; i < count; i++) {
        client *one = &clients[i];
        if (!one->asks || files[i].fd != one->file || !files[i].revents) continue;
        if (one->sent < request_size) push_out(one, now);
        if (files[i].revents & (POLLIN | POLLHUP | POLLERR)) take_in(one, now);
    }
    return 1;
}

static void read_targets(char **words, int number) {
    if (number > MOST_TARGETS) die("too many addresses");
    target_count = number;
    for (int i = 0; i < number; i++) {
        char *colon = strrchr(words[i], ':');
        if (!colon) die("not address:port");
        *colon = '\0';
        targets[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
        if (inet_pton(AF_INET, words[i], &targets[i].sin_addr) != 1) die("not address:port");
    }
}

static void run_ahead(void) {
    struct sched_param priority = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &priority) == 0) return;
    if (setpriority(PRIO_PROCESS, 0, -10) < 0) fprintf(stderr, "clients: runs with the priority of all others\n");
}

int main(int words, char **word) {
    if (words < 8) {
        fprintf(stderr, "clients CLIENTS SECONDS THINK_US kept|new SEED PATH ADDRESS:PORT...\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1000); /* ns; 50,000 otherwise */
    count = atoi(word[1]);
    if (count < 1 || count > MOST_CLIENTS) die("number of clients");
    end = (int64_t)(atof(word[2]) * 1e6);
    think = atoll(word[3]);
    keeps = strcmp(word[4], "kept") == 0;
    read_targets(word + 7, words - 7);
    int size = snprintf(request_text, sizeof request_text, "GET %s HTTP/1.1\r\nHost: bench.test\r\n%s\r\n", word[6],
                        keeps ? "" : "Connection: close\r\n");
    if (size < 0 || (size_t)size >= sizeof request_text) die("the path is too long");
    request_size = (size_t)size;
    for (int i = 0; i < count; i++) {
        client *one = &clients[i];
        one->file = -1;
        one->random[0] = (unsigned short)i, one->random[1] = (unsigned short)atoi(word[5]), one->random[2] = 77;
        (void)erand48(one->random), (void)erand48(one->random);
        rest(one, 0);
    }
    run_ahead();
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (turn()) continue;
    int64_t now = clock_now();
    for (int i = 0; i < count; i++)
        if (clients[i].asks) done(&clients[i], now, 0);
    return 0;
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* generator SCHEDULE RESULT TIMEOUT_MS DRAIN_MS ADDRESS:PORT...
 *
 * Prints "started" when the run's clock starts. Requests that are unanswered after TIMEOUT_MS, or DRAIN_MS after the
 * last one was sent, have timed out. Runs ahead of ordinary processes where it may: it is to stand for clients on other
 * machines. */

#include "generator.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Between two looks for requests that have waited too long. */
#define LOOK_US 100000

static struct timespec began;

void die(const char *what) {
    fprintf(stderr, "generator: %s: %s\n", what, strerror(errno));
    exit(1);
}

int64_t clock_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - began.tv_sec) * 1000000 + (now.tv_nsec - began.tv_nsec) / 1000;
}

static void wake_at(int timer, int64_t at) {
    int64_t ns = began.tv_nsec + at % 1000000 * 1000;
    struct itimerspec when = {.it_value = {began.tv_sec + at / 1000000 + ns / 1000000000, ns % 1000000000}};
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) < 0) die("timerfd_settime");
}

/* Until something is ready or the time has come. */
static void rest(int timer, int64_t until) {
    wake_at(timer, until);
    struct pollfd files[] = {{timer, POLLIN, 0}, {connections_file(), POLLIN, 0}};
    if (poll(files, 2, -1) < 0 && errno != EINTR) die("poll");
}

static void run(int timer, int64_t timeout, int64_t drain) {
    int next = 0;
    int64_t look = LOOK_US, last = request_count ? requests[request_count - 1].due : 0;
    while (next < request_count || connections_waiting()) {
        int64_t now = clock_now();
        while (next < request_count && requests[next].due <= now) connections_send(next++, now);
        connections_serve(clock_now());
        if (now >= look) {
            look = now + LOOK_US;
            int over = next == request_count && now > last + drain;
            connections_give_up(now, over ? 0 : timeout);
        }
        rest(timer, next < request_count && requests[next].due < look ? requests[next].due : look);
    }
}

/* Many connections: balancers that fall behind have as many requests open. */
static void allow_many_files(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) die("getrlimit");
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static void run_ahead(void) {
    struct sched_param priority = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &priority) == 0) return;
    if (setpriority(PRIO_PROCESS, 0, -10) < 0) fprintf(stderr, "generator: runs with the priority of all others\n");
}

int main(int count, char **words) {
    if (count < 6) {
        fprintf(stderr, "generator SCHEDULE RESULT TIMEOUT_MS DRAIN_MS ADDRESS:PORT...\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1000); /* ns; 50,000 otherwise */
    schedule_read(words[1]);
    allow_many_files();
    connections_start(words + 5, count - 5);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0) die("timerfd_create");
    run_ahead();
    clock_gettime(CLOCK_MONOTONIC, &began);
    printf("started\n");
    fflush(stdout);
    run(timer, atoll(words[3]) * 1000, atoll(words[4]) * 1000);
    schedule_write(words[2]);
    printf("connections %d\n", connections_opened());
    return 0;
}

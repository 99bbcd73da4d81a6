/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Signals that end the moderator, and the beginning of a program that no httpd has forked. */
#define _GNU_SOURCE
#include "csystem.h"

#include <sys/prctl.h>

static volatile sig_atomic_t stop_requested; /* the signal's number */
static volatile sig_atomic_t stop_is_parents, stop_is_anothers;
static int tied_to; /* the parent of a helper, also when that is gone */

/* Which of two signals of one moment counts: an end for good is not taken back. */
static int weight(int signal) {
    switch (signal) {
    case SIGTERM:
    case SIGINT: return 3;
    case SIGUSR1: return 2;
    case SIGHUP: return 1;
    default: return 0;
    }
}

static void request_stop(int signal, siginfo_t *sender, void *context) {
    (void)context;
    if (weight(signal) >= weight(stop_requested)) stop_requested = signal;
    /* The signal of a parent's death has the parent as its sender, but comes when there is another parent. */
    if (sender->si_pid == getppid()) stop_is_parents = 1;
    else if (sender->si_pid != tied_to) stop_is_anothers = 1;
}

/* It has interrupted the wait: that is all. */
static void wake(int signal) { (void)signal; }

static void stop_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGURG);
}

static void block_stop_signals(void) {
    sigset_t set;
    stop_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void csystem_catch_stop_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = request_stop;
    action.sa_flags = SA_SIGINFO;
    block_stop_signals();
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = wake;
    action.sa_flags = 0;
    sigaction(SIGURG, &action, NULL);
}

void csystem_begin_helper(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGWINCH, SIG_IGN);
}

bool csystem_tie_helper(int parent) {
    tied_to = parent;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    return getppid() == parent;
}

void csystem_hold_signals(bool holds) {
    static sigset_t before;
    sigset_t set;
    stop_signals(&set);
    if (holds) sigprocmask(SIG_BLOCK, &set, &before);
    else sigprocmask(SIG_SETMASK, &before, NULL);
}

int csystem_stop_signal(void) { return stop_requested; }

void csystem_stop_forget(void) { stop_requested = stop_is_parents = stop_is_anothers = 0; }

void csystem_begin_daemon(void) {
    block_stop_signals();
    signal(SIGPIPE, SIG_IGN);
    while (true) {
        int fd = open("/dev/null", O_RDWR);
        if (fd < 0) break;
        if (fd > STDERR_FILENO) {
            close(fd);
            break;
        }
    }
    close_range(STDERR_FILENO + 1, UINT_MAX, 0);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

bool csystem_stop_is_parents(void) { return stop_is_parents != 0; }

bool csystem_stop_is_anothers(void) { return stop_is_anothers != 0; }

int csystem_wait(struct pollfd *fds, size_t count, int timeout_ms) {
    sigset_t open, stop;
    sigprocmask(SIG_SETMASK, NULL, &open);
    stop_signals(&stop);
    for (int signal = 1; signal < 32; signal++)
        if (sigismember(&stop, signal) == 1) sigdelset(&open, signal);
    struct timespec timeout = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
    return ppoll(fds, (nfds_t)count, timeout_ms < 0 ? NULL : &timeout, &open);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Sends one datagram again and again: flood SOURCE DESTINATION PORT RATE SECONDS, the datagram comes from standard
 * input. Says how many it has sent. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int open_from(const char *source, const char *destination, int port) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in from = {.sin_family = AF_INET},
                       to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    inet_pton(AF_INET, source, &from.sin_addr);
    inet_pton(AF_INET, destination, &to.sin_addr);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0
        || setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &from.sin_addr, sizeof from.sin_addr) < 0
        || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        perror("flood");
        exit(1);
    }
    return fd;
}

int main(int count, char **words) {
    static char datagram[65536];
    if (count != 6) return 2;
    struct iovec piece = {datagram, fread(datagram, 1, sizeof datagram, stdin)};
    struct mmsghdr batch[BATCH];
    memset(batch, 0, sizeof batch);
    for (int i = 0; i < BATCH; i++) batch[i].msg_hdr = (struct msghdr){.msg_iov = &piece, .msg_iovlen = 1};
    int fd = open_from(words[1], words[2], atoi(words[3]));
    double rate = atof(words[4]), length = atof(words[5]), begin = seconds(), sent = 0;
    for (double now; (now = seconds() - begin) < length;) {
        if (sent > now * rate) usleep(500);
        else if (sendmmsg(fd, batch, BATCH, 0) > 0) sent += BATCH;
    }
    printf("%.0f\n", sent);
    return 0;
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The schedule is a text, a request a line: time in microseconds, number of the balancer, method, path, demand in
 * microseconds. The outcome has a line for each of them, in the same order: when it was sent and when it ended,
 * outcome, status, whether repeated, the server's name. */

#include "generator.h"

#include <stdio.h>
#include <stdlib.h>

request *requests;
int request_count;

void schedule_read(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    int room = 0;
    request one = {0};
    long long due, demand;
    while (fscanf(file, "%lld %d %7s %63s %lld", &due, &one.target, one.method, one.path, &demand) == 5) {
        if (request_count == room) {
            room = room ? 2 * room : 4096;
            requests = realloc(requests, (size_t)room * sizeof *requests);
            if (!requests) die("memory");
        }
        one.due = due;
        one.demand_us = demand;
        requests[request_count++] = one;
    }
    if (!feof(file)) die("a line of the schedule that cannot be read");
    fclose(file);
}

void schedule_write(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) die(path);
    for (int i = 0; i < request_count; i++) {
        const request *one = &requests[i];
        fprintf(file, "%lld %lld %d %d %d %s\n", (long long)one->sent, (long long)one->ended, one->outcome, one->status,
                one->repeated, one->server[0] ? one->server : "-");
    }
    if (fclose(file)) die(path);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* board MS FILE...
 *
 * Reads the scoreboards of httpds (ScoreBoardFile) every MS milliseconds, until its standard input ends. Prints for
 * each reading: milliseconds since the first one, and for each server how many workers wait for the next request on a
 * kept connection, and how many have a request. No server notices.
 */

#include "httpd.h"

#include "scoreboard.h"

#include "apr_shm.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MOST 32

static void count(apr_shm_t *memory, int *kept, int *busy) {
    const global_score *global = apr_shm_baseaddr_get(memory);
    const char *workers = (const char *)global + APR_ALIGN_DEFAULT(sizeof *global)
                          + APR_ALIGN_DEFAULT(sizeof(process_score)) * (size_t)global->server_limit;
    *kept = *busy = 0;
    for (int i = 0; i < global->server_limit * global->thread_limit; i++) {
        const worker_score *worker = (const void *)(workers + APR_ALIGN_DEFAULT(sizeof *worker) * (size_t)i);
        *kept += worker->status == SERVER_BUSY_KEEPALIVE;
        *busy += worker->status == SERVER_BUSY_READ || worker->status == SERVER_BUSY_WRITE;
    }
}

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int words, char **word) {
    apr_shm_t *boards[MOST];
    apr_pool_t *pool;
    int boards_count = words - 2;
    if (words < 3 || boards_count > MOST || apr_initialize() || apr_pool_create(&pool, NULL)) return 2;
    for (int i = 0; i < boards_count; i++)
        if (apr_shm_attach(&boards[i], word[2 + i], pool)) {
            fprintf(stderr, "board: cannot attach to %s\n", word[2 + i]);
            return 1;
        }
    struct pollfd input = {.fd = 0, .events = POLLIN};
    long every = atol(word[1]), begin = now_ms();
    for (long next = begin;; next += every) {
        long left = next - now_ms();
        if (poll(&input, 1, left > 0 ? (int)left : 0) > 0) return 0;
        printf("%ld", now_ms() - begin);
        for (int i = 0; i < boards_count; i++) {
            int kept, busy;
            count(boards[i], &kept, &busy);
            printf(" %d %d", kept, busy);
        }
        printf("\n");
    }
}

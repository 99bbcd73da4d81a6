/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Busy and idle workers, from httpd's scoreboard; the same walk for every MPM. */

#include "base/mb_base.h"

#include "scoreboard.h"

#define PIDS (int)(sizeof(((bh_workers_t *)0)->pids) / sizeof(int32_t))

/* Returns how many have yet to come. */
static int count_process(int slot, int threads, bh_workers_t *workers) {
    int starting = 0;
    for (int thread = 0; thread < threads; thread++) {
        worker_score *score = ap_get_scoreboard_worker_from_indexes(slot, thread);
        if (!score) break;
        switch (score->status) {
        case SERVER_STARTING: starting++; break;
        case SERVER_DEAD:
        case SERVER_IDLE_KILL: break;
        case SERVER_READY: workers->idle++; break;
        case SERVER_BUSY_READ:
        case SERVER_BUSY_WRITE:
        case SERVER_BUSY_LOG:
        case SERVER_BUSY_DNS:
            workers->serving++;
            workers->busy++;
            break;
        case SERVER_BUSY_KEEPALIVE:
            workers->kept++;
            workers->busy++;
            break;
        default: workers->busy++;
        }
    }
    return starting;
}

uint32_t mb_scoreboard_idle_of(int slot, int threads, uint32_t enough) {
    const worker_score *scores = ap_scoreboard_image->servers[slot];
    uint32_t idle = 0;
    for (int thread = 0; thread < threads && idle < enough; thread++) idle += scores[thread].status == SERVER_READY;
    return idle;
}

/* The first processes tell, but on a busy httpd: so most requests do not walk far. */
uint32_t mb_scoreboard_idle(uint32_t enough) {
    const global_score *global = ap_scoreboard_image ? ap_scoreboard_image->global : NULL;
    uint32_t idle = 0;
    for (int slot = 0; global && slot < global->server_limit && idle < enough; slot++) {
        const process_score *process = &ap_scoreboard_image->parent[slot];
        if (!process->pid || process->quiescing || process->not_accepting
            || process->generation != global->running_generation)
            continue;
        idle += mb_scoreboard_idle_of(slot, global->thread_limit, enough - idle);
    }
    return idle;
}

/* Returns how many have yet to come. */
static int count_workers(bh_workers_t *workers) {
    int servers = mb_mpm_most_children(), threads = mb_mpm_most_threads(), known = 0, starting = 0;
    memset(workers, 0, sizeof *workers);
    for (int slot = 0; slot < servers; slot++) {
        process_score *process = ap_get_scoreboard_process(slot);
        if (!process || !process->pid || process->quiescing) continue;
        /* Idle workers of an old generation are not there for new requests, and busy ones still burden the machine.
         * Those of a full event child are there again when it has fewer connections: till then they are as good as
         * busy. */
        int idle = workers->idle;
        starting += count_process(slot, threads, workers);
        int is_old = process->generation != ap_scoreboard_image->global->running_generation;
        if (process->not_accepting && !is_old) workers->busy += workers->idle - idle;
        if (is_old || process->not_accepting) workers->idle = idle;
        if (!is_old && known < PIDS) workers->pids[known++] = (int32_t)process->pid;
    }
    workers->threads = mb_mpm_threads();
    return starting;
}

/* An httpd that has just started would announce itself as full, so the first look of a moderator waits until none is
 * starting and their number has stayed the same for 20 ms, but no longer than half a second. */
void mb_scoreboard_workers(void *baton, bh_workers_t *workers) {
    static int looks;
    for (count_workers(workers); looks < 25; looks++) {
        int before = workers->idle + workers->busy;
        usleep(20 * 1000);
        int starting = count_workers(workers);
        if (!starting && before && before == workers->idle + workers->busy) looks = 25;
    }
}

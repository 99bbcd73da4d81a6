/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The shared memory of serverstats. Anonymous, so that nothing is left behind however httpd ends; kept with the
 * process, so that the table outlives restarts. Nothing that is kept may point into this module: it is unloaded and
 * loaded again at each restart. */

#include "table/mb_table.h"

#include "http_main.h"

#include <sys/mman.h>

#define SEGMENT_KEY "mod_backhand.segment"

/* What the process pool keeps. */
typedef struct kept {
    void *memory;
    size_t size;
} kept;

bh_segment_t *mb_segment;
int32_t mb_child_slot = -1;
/* The segment's slots for children, by the size of its mapping: the children's user may write what the segment says. */
static uint32_t slots;

int mb_facts_of(uint32_t id, bh_facts_t *facts) { return bh_row_copy(bh_segment_row(mb_segment, id), facts); }

/* The public interface: see mod_backhand.h. */
serverstat *serverstats;
int mod_backhand_personal_arriba;

int find_highest_arriba(serverstat *stats) {
    int highest = 0;
    for (int id = 0; stats && id < MAXSERVERS; id++) {
        int arriba = bh_public_load(&stats[id].arriba);
        if (arriba > highest) highest = arriba;
    }
    return highest;
}

/* Old and new generation live side by side over a graceful restart: room for both. */
static uint32_t child_slots(void) {
    int limit = mb_mpm_most_children();
    return (uint32_t)(limit < 1 ? 256 : limit) * 2;
}

apr_status_t mb_segment_attach(server_rec *server) {
    kept *segment = NULL;
    apr_status_t status;
    apr_pool_t *pool = server->process->pool;
    apr_pool_userdata_get((void **)&segment, SEGMENT_KEY, pool);
    if (!segment) {
        segment = apr_pcalloc(pool, sizeof *segment);
        apr_pool_userdata_set(segment, SEGMENT_KEY, NULL, pool); /* copies the key */
    }
    if (segment->memory && bh_segment_check(segment->memory, segment->size) != BH_OK) {
        /* Made by another build, or spoilt. Children of the old generation keep theirs. */
        munmap(segment->memory, segment->size);
        segment->memory = NULL;
    }
    if (!segment->memory && (status = bh_segment_map(child_slots(), &segment->memory, &segment->size)) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, status, server,
                     "BH0201: no shared memory for serverstats: no request is sent to another server");
        return status;
    }
    mb_segment = segment->memory;
    slots = bh_child_slots(segment->size);
    serverstats = bh_segment_public_mutable(mb_segment, 0);
    return APR_SUCCESS;
}

static void claim_slot(apr_pool_t *pool, server_rec *server) {
    if (mb_segment) mb_child_slot = bh_child_claim(mb_segment, slots, (int32_t)getpid());
}

/* In the parent: a child's requests end with it, however it ended. */
static void forget_child(server_rec *server, pid_t pid, ap_generation_t generation, int slot, mpm_child_status state) {
    if (mb_segment && state == MPM_CHILD_EXITED) bh_child_forget(mb_segment, slots, (int32_t)pid, mb_now_us());
}

void mb_segment_register(apr_pool_t *pool) {
    ap_hook_child_init(claim_slot, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(forget_child, NULL, NULL, APR_HOOK_MIDDLE);
}

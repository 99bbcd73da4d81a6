/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A decision: the chain of a section run over the table. */

#include "balance/mb_balance.h"

#include <unistd.h>

/* Counts a child's requests from where the child begins: asking for the process id each time would be a system call. */
static uint64_t seed;

static void begin(apr_pool_t *pool, server_rec *server) {
    seed = (uint64_t)getpid() << 40;
    if (mb_segment) mb_session_prepare();
}

/* Different for every request of every child; the core's generator spreads it. */
static uint64_t next_seed(void) { return __atomic_add_fetch(&seed, 1, __ATOMIC_RELAXED); }

/* Stopped, starved of CPU, or hanging; a dead one is replaced within a second. One line a minute for all children. */
static void tell_late(request_rec *r, uint64_t now) {
    if (!mb_minute_passed(&mb_segment->late_told_ms)) return;
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                  "BH0410: the moderator's last round was %lu ms ago: ages count to it",
                  (unsigned long)(now - bh_word_load(&mb_segment->beat_ms)));
}

/* What every chain gets to know of a request, except whether it may be repeated. */
static void describe(request_rec *r, const mb_directory *settings, const bh_step_t *steps, size_t count,
                     bh_request_t *request) {
    request->now_ms = mb_now_ms();
    request->seed = next_seed();
    request->context = r;
    for (size_t i = 0; i < count && !request->cookie; i++)
        if (steps[i].function == BH_FUNCTION_BY_SESSION) request->cookie = apr_table_get(r->headers_in, "Cookie");
    request->query = r->parsed_uri.query;
    request->sessions = &mb_sessions;
    request->slow_start_ms =
        1000u * (uint32_t)(settings->slow_start_s == MB_UNSET ? MB_SLOW_START_DEFAULT_S : settings->slow_start_s);
}

static int run(request_rec *r, const bh_step_t *steps, size_t count, const bh_request_t *request,
               bh_decision_t *decision) {
    size_t size = bh_chain_workspace(mb_segment, steps, count);
    if (bh_segment_is_late(mb_segment, request->now_ms)) tell_late(r, request->now_ms);
    mod_backhand_personal_arriba = bh_segment_arriba(mb_segment); /* loaded functions may look at it */
    if (bh_chain_decide(mb_segment, steps, count, request, apr_palloc(r->pool, size), size, decision) != BH_OK)
        return 0;
    if (decision->fault) mb_loaded_fault(r, &steps[decision->fault_step], (bh_fault_t)decision->fault);
    return 1;
}

int mb_decide(request_rec *r, const mb_directory *settings, const uint32_t *tried, uint32_t tried_count,
              bh_decision_t *decision) {
    bh_request_t request = {.tried = tried, .tried_count = tried_count, .chain = settings->chain};
    const bh_step_t *steps = (const bh_step_t *)(void *)settings->steps->elts;
    size_t count = (size_t)settings->steps->nelts;
    describe(r, settings, steps, count, &request);
    request.repeatable = mb_attempt_is_repeatable(r);
    request.sends_free = request.repeatable && mb_park_can(r, settings);
    request.is_scarce = request.sends_free && mb_park_wants(r->connection);
    /* With BackhandSelfRedirect what is served here takes a second worker of ours. */
    if (settings->self_redirect != MB_ON) request.idle_workers = mb_scoreboard_idle;
    request.self_id = mb_self_row(r);
    mb_vhost_restrict(r->server, &request);
    return run(r, steps, count, &request, decision);
}

int mb_decide_members(request_rec *r, const bh_step_t *steps, size_t count, bh_request_t *request,
                      bh_decision_t *decision) {
    describe(r, ap_get_module_config(r->per_dir_config, &backhand_module), steps, count, request);
    return run(r, steps, count, request, decision);
}

void mb_decide_register(apr_pool_t *pool) { ap_hook_child_init(begin, NULL, NULL, APR_HOOK_MIDDLE); }

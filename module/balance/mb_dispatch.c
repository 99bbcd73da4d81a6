/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The decision carried out: the candidates get the request in their order, until one takes it. The core says what comes
 * next (retry.h). */

#include "balance/mb_balance.h"

/* Seconds after which a client should come again when every candidate has failed: by then the shortest back-off is
 * over. */
#define RETRY_AFTER "1"
/* What no handler returns: the request was not taken, and the core says what comes next. */
#define NOT_TAKEN (-1000)

static const char *endpoint_of(request_rec *r, uint32_t id, bh_facts_t *facts) {
    return mb_facts_of(id, facts) ? mb_worker_name(r->pool, id, facts) : NULL;
}

/* ---- Ends ---- */

static int serve_here(const mb_dispatch_state *about) {
    mb_local_begin(about->r, about->retry->attempt.free);
    if (!about->walked) return mb_early_serve_here(about->r);
    if (about->retry->tried_count) mb_body_give_back(about->r);
    return DECLINED;
}

int mb_dispatch_unavailable(request_rec *r) {
    apr_table_setn(r->err_headers_out, "Retry-After", RETRY_AFTER);
    return HTTP_SERVICE_UNAVAILABLE;
}

int mb_dispatch_no_own_address(request_rec *r) {
    mb_dispatch_log_no_own_address(r);
    apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", "none");
    return mb_dispatch_unavailable(r);
}

/* No server is left to try. A server's own 503 says more than ours. */
static int give_up(mb_dispatch_state *about) {
    about->gave_up = 1;
    if (about->held) {
        mb_dispatch_log_action(about, "proxy", about->held_server);
        return mb_attempt_give(about->held, about->r);
    }
    mb_dispatch_log_action(about, "none", "-");
    mb_dispatch_log_given_up(about);
    return mb_dispatch_unavailable(about->r);
}

/* ---- One attempt ---- */

/* Whether the server closed a reused connection before its first byte: it may only have closed an idle connection, as a
 * server does that restarts. */
static int has_closed_reused(const request_rec *r, const mb_attempt *attempt) {
    return attempt->result == HTTP_BAD_GATEWAY && !attempt->shown.first_us && attempt->reused
           && r->headers_out == attempt->before->headers_out && !apr_table_get(r->notes, "proxy_timedout");
}

/* Asks the core what the failure means for the request. */
static bh_retry_action_t report_failure(const mb_dispatch_state *about, const mb_attempt *attempt) {
    bh_failure_t failure = {.outcome = attempt->shown.outcome,
                            .id = attempt->shown.id,
                            .boot_id = attempt->server->boot_id,
                            .began_us = attempt->shown.began_us,
                            .now_us = mb_now_us(),
                            .held = attempt->held != NULL,
                            .closed_reused = has_closed_reused(about->r, attempt),
                            .lacks = attempt->shown.lacks};
    bh_retry_action_t action = bh_retry_failed(about->retry, mb_segment, &failure);
    if (action != BH_RETRY_WAIT) return action;
    failure.recovered = bh_shortage_is_over();
    failure.now_us = mb_now_us();
    return bh_retry_failed(about->retry, mb_segment, &failure);
}

/* What comes of an attempt, and of those at the same server that follow it. */
static int settle(mb_dispatch_state *about, mb_attempt *attempt, const bh_facts_t *facts, const char *server,
                  bh_outcome_t outcome) {
    bh_retry_action_t action;
    for (;;) {
        if (attempt->waits) {
            mb_suspend_begin(about, attempt, server);
            return SUSPENDED;
        }
        if (outcome == BH_OUTCOME_ANSWERED) return attempt->result;
        action = report_failure(about, attempt);
        if (action == BH_RETRY_ANSWER) return attempt->result;
        if (attempt->shown.outcome != BH_OUTCOME_REFUSED) mb_attempt_undo(attempt, about->r);
        if (action != BH_RETRY_ASK) break;
        outcome = mb_forward(about->r, about->settings, attempt->shown.id, facts, about->retry->attempt, attempt);
    }
    mb_dispatch_log_failure(about, server, attempt);
    if (attempt->held && attempt->shown.outcome == BH_OUTCOME_FAILED) {
        about->held = apr_pmemdup(about->r->pool, attempt, sizeof *attempt);
        about->held_server = server;
    }
    return action == BH_RETRY_GIVE_UP ? give_up(about) : NOT_TAKEN;
}

/* Sends the request to another server, or to our own announced address. */
static int forward(mb_dispatch_state *about, uint32_t id, const bh_facts_t *facts, const char *server) {
    mb_attempt attempt;
    bh_outcome_t outcome = mb_forward(about->r, about->settings, id, facts, about->retry->attempt, &attempt);
    return settle(about, &attempt, facts, server, outcome);
}

/* ---- Whose turn it is ---- */

/* The chain has left no server. */
static int no_candidate(mb_dispatch_state *about) {
    bh_facts_t facts;
    uint32_t own = mb_self_row(about->r);
    const char *here = endpoint_of(about->r, own, &facts);
    int observe = about->settings->observe == MB_ON;
    if (about->settings->self_redirect == MB_ON && about->settings->unavailable != MB_ON) {
        if (!here || !bh_row_heard(bh_segment_row(mb_segment, own))) return mb_dispatch_no_own_address(about->r);
        mb_dispatch_log_action(about, "proxy", here);
        return observe ? serve_here(about) : forward(about, own, &facts, here);
    }
    mb_dispatch_log_action(about, "none", here ? here : "-");
    mb_dispatch_log_no_candidate(about);
    return about->settings->unavailable != MB_ON || observe ? serve_here(about) : mb_dispatch_unavailable(about->r);
}

static mb_way way_to(const mb_dispatch_state *about, const ServerSlot *slot, const bh_facts_t *facts) {
    if (mb_self_is((uint32_t)slot->id)) return MB_WAY_HERE;
    if (slot->mode != BACKHAND_MODE_REDIRECT) return MB_WAY_FORWARD;
    return mb_redirect_way(about->r, about->decision, slot, facts,
                           !bh_retry_has_tried(about->retry, mb_self_row(about->r)));
}

/* One candidate; NOT_TAKEN if it does not take the request. */
static int hand_over(mb_dispatch_state *about, const ServerSlot *slot) {
    static const char *const actions[] = {"local", "proxy", "redirect"};
    uint32_t id = (uint32_t)slot->id;
    bh_facts_t facts;
    const char *server = endpoint_of(about->r, id, &facts);
    if (!server) return NOT_TAKEN; /* its row is written again and again: the next one */
    mb_way way = way_to(about, slot, &facts);
    if (way == MB_WAY_HERE) {
        if (!mb_self_is(id) && !(server = endpoint_of(about->r, id = mb_self_row(about->r), &facts))) return NOT_TAKEN;
        if (about->settings->self_redirect == MB_ON) way = MB_WAY_FORWARD;
    }
    if (way == MB_WAY_FORWARD && !about->retry->attempt.in_time) return NOT_TAKEN;
    mb_dispatch_log_action(about, actions[way], server);
    if (about->settings->observe == MB_ON) return serve_here(about);
    /* Another server may take a request that is forwarded: mb_attempt.c. */
    if (way != MB_WAY_FORWARD) mb_session_keep(about->r, about->r->err_headers_out, about->settings->cookie, id);
    if (way == MB_WAY_HERE) return serve_here(about);
    if (way == MB_WAY_REDIRECT) return mb_redirect_send(about->r, slot, &facts, about->settings->redirect_status);
    return forward(about, id, &facts, server);
}

/* One action of the core; NOT_TAKEN if another one follows. */
static int carry_out(mb_dispatch_state *about, bh_retry_action_t action) {
    bh_retry_t *retry = about->retry;
    if (action == BH_RETRY_ASK) return hand_over(about, &about->decision->servers[retry->attempt.place]);
    if (action == BH_RETRY_NO_CANDIDATE) return no_candidate(about);
    if (action != BH_RETRY_DECIDE) return give_up(about);
    if (!mb_decide(about->r, about->settings, retry->tried, retry->tried_count, about->decision))
        bh_retry_end_rounds(retry);
    return NOT_TAKEN;
}

static int take_actions(mb_dispatch_state *about, int result) {
    while (result == NOT_TAKEN) {
        uint64_t now = bh_retry_needs_time(about->retry, about->decision->probe) ? mb_now_us() : 0;
        result = carry_out(about, bh_retry_next(about->retry, mb_segment, about->decision, now));
    }
    if (result != SUSPENDED) mb_dispatch_log_refusals(about);
    return result;
}

int mb_dispatch_again(mb_dispatch_state *about, mb_attempt *attempt, const bh_facts_t *facts, int is_ended) {
    bh_outcome_t outcome = mb_forward_again(about->r, attempt, is_ended);
    return take_actions(about, settle(about, attempt, facts, about->server, outcome));
}

static void begin_retry(bh_retry_t *retry, const mb_directory *settings, int repeatable) {
    uint32_t seconds = mb_number_of(settings->retry_timeout_s, MB_RETRY_TIMEOUT_DEFAULT_S);
    bh_retry_begin(retry, (bh_retry_rules_t){.most_us = UINT64_C(1000000) * seconds,
                                             .retries = mb_number_of(settings->retries, MB_RETRIES_DEFAULT),
                                             .chain = settings->chain,
                                             .repeatable = repeatable,
                                             .asks_self = settings->self_redirect == MB_ON});
}

int mb_dispatch(request_rec *r, const mb_directory *settings, bh_decision_t *decision, int walked) {
    bh_retry_t retry;
    mb_dispatch_state about = {.r = r, .settings = settings, .decision = decision, .retry = &retry, .walked = walked};
    /* What was decided before the walk may be about other headers: modules change them in later phases. */
    begin_retry(&retry, settings, walked ? decision->repeatable : mb_attempt_is_repeatable(r));
    mb_worker_sweep(decision->decided_ms);
    return take_actions(&about, NOT_TAKEN);
}

int mb_dispatch_home(request_rec *r, const mb_directory *settings) {
    bh_retry_t retry;
    bh_decision_t decision = {0};
    mb_dispatch_state about = {.r = r, .settings = settings, .decision = &decision, .retry = &retry, .walked = 1};
    begin_retry(&retry, settings, mb_attempt_is_repeatable(r));
    bh_retry_end_rounds(&retry);
    return take_actions(&about, NOT_TAKEN);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The decision carried out: the candidates in their order, until one takes the request. */

#include "balance/mb_balance.h"

/* How often the chain may be run for one request. A chain may leave one server only (byLogWindow does so), and after a power cut several that
 * byAge still keeps may be dead: eight get past a rack of them, and keep no client for long. */
#define MOST_ROUNDS 8
/* How often servers may have a second chance: more often only those that have worked since, so that a client of servers that only announce does not wait for
 * each of them again and again. */
#define MOST_CHANCES 3
/* Servers that failed one request and are remembered, so that nobody is asked twice. */
#define MOST_TRIED 32
/* Seconds after which a client should come again when every candidate has failed: by then the shortest back-off is over. */
#define RETRY_AFTER "1"
/* What no handler returns: somebody else must take the request. */
#define NOBODY_TOOK_IT (-1000)

/* A request on its way. */
typedef struct dispatch {
    request_rec *r;
    const mb_directory *settings;
    bh_decision_t *decision;
    int walked;                 /* whether <Directory> sections have had their say */
    uint32_t tried_count;       /* servers that refused or failed it so far */
    uint32_t tried[MOST_TRIED]; /* which; the first of them */
    uint64_t boots[MOST_TRIED]; /* boot ids that these had */
    uint64_t served[MOST_TRIED]; /* requests of this httpd that they had answered then */
    uint32_t stale;             /* a bit for each of these: it hung up on a kept connection, and may not have had the request */
    uint32_t unreached;         /* likewise: there was no connection to it, or no sign of life */
    uint64_t asked_ms[MOST_TRIED]; /* CLOCK_MONOTONIC when these were asked */
    uint32_t unknown;           /* likewise: it does not know this httpd, and has not done anything with the request */
    int turned_away;            /* how many of them did not know this httpd */
    int failures;               /* how many of them failed it: they had it, and gave no usable answer */
    int is_safe;                /* whether it may be done again after that */
    uint64_t begun_us;          /* when the first candidate was asked; 0: none was */
    mb_attempt held;            /* the last of them that has kept a 503 back */
    const char *held_server;    /* its server; NULL: there is none */
    int used_up;                /* whether as many have failed as may */
    int second;                 /* how often some had a second chance */
    const char *refusals;       /* who could not be connected to, and why: of the first of them; NULL: none */
    int refused;                /* how many */
    int all_failed;             /* whether nobody took it, which has a line of its own */
    int waited;                 /* whether it has waited until this process had descriptors again */
    uint32_t lacked;            /* how many could not be asked because this process lacks something */
    uint32_t place;             /* of the candidate whose turn it is, in the decision */
} dispatch;

/* ---- Telling what happened ---- */

static void tell(const dispatch *about, const char *action, const char *server) {
    request_rec *r = about->r;
    int observe = about->settings->observe == MB_ON;
    if (observe) {
        apr_table_setn(r->subprocess_env, "BACKHAND_OBSERVED", action);
        apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", "local");
    }
    else apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", action);
    apr_table_setn(r->subprocess_env, "BACKHAND_SERVER", server);
    int log = APLOG_R_IS_LEVEL(r, observe ? APLOG_INFO : APLOG_DEBUG);
    if (!log && about->settings->trace != MB_ON) return;
    const char *line = apr_psprintf(r->pool, "%saction=%s server=%s chain=%s", observe ? "mode=observe " : "", action, server,
                                    mb_trace_chain(r, about->settings, about->decision)), *why = mb_trace_servers(r);
    if (*why) line = apr_pstrcat(r->pool, line, " why=\"", why, "\"", NULL);
    if (log) ap_log_rerror(APLOG_MARK, observe ? APLOG_INFO : APLOG_DEBUG, 0, r, "%s", line);
    if (about->settings->trace == MB_ON) apr_table_setn(r->err_headers_out, "Backhand-Trace", line);
}

static const char *endpoint_of(request_rec *r, uint32_t id, bh_facts_t *facts) {
    return mb_facts_of(id, facts) ? mb_worker_name(r->pool, id, facts) : NULL;
}

/* ---- Ends ---- */

/* Whether the chain could have sent the request elsewhere. */
static int is_free(const dispatch *about) { return about->decision->choices >= about->place + 2; }

static int serve_here(const dispatch *about) {
    mb_local_begin(about->r, is_free(about));
    if (!about->walked) return mb_early_serve_here(about->r);
    if (about->tried_count) mb_body_give_back(about->r);
    return DECLINED;
}

int mb_dispatch_unavailable(request_rec *r) {
    apr_table_setn(r->err_headers_out, "Retry-After", RETRY_AFTER);
    return HTTP_SERVICE_UNAVAILABLE;
}

int mb_dispatch_no_own_address(request_rec *r) {
    static uint64_t next_ms;
    if (mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0422: BackhandSelfRedirect is On, but there is no own address, because the moderator "
                      "is not running: answered with 503");
    apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", "none");
    return mb_dispatch_unavailable(r);
}

/* "; no connection to 10.0.0.4:80 (Connection refused), 10.0.0.5:80 (No route to host) and 3 more". */
static const char *refusals(const dispatch *about) {
    int more = about->refused - MB_TRACE_MOST_NAMED;
    if (!about->refusals) return "";
    return more > 0 ? apr_psprintf(about->r->pool, "; no connection to %s and %d more", about->refusals, more)
                    : apr_pstrcat(about->r->pool, "; no connection to ", about->refusals, NULL);
}

static void note_refusal(dispatch *about, const char *server, int why) {
    char reason[128];
    if (about->refused++ >= MB_TRACE_MOST_NAMED) return;
    about->refusals = apr_pstrcat(about->r->pool, about->refusals ? about->refusals : "", about->refusals ? ", " : "", server, why ? " (" : "",
                                  why ? apr_strerror(why, reason, sizeof reason) : "", why ? ")" : "", NULL);
}

/* Another server has taken the request: without this line, what the system said would stand nowhere. Where mod_proxy writes its own, that is enough. */
static void tell_refusals(const dispatch *about) {
    static uint64_t next_ms;
    if (about->refusals && !about->all_failed && mb_quiet_wants(about->r->server) && mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, about->r, "BH0491: the next candidate was asked%s", refusals(about));
}

/* Nobody is left to try. A server's own 503 says more than ours. */
static int all_failed(dispatch *about) {
    about->all_failed = 1;
    if (about->held_server) {
        tell(about, "proxy", about->held_server);
        return mb_attempt_give(&about->held, about->r);
    }
    tell(about, "none", "-");
    if (about->lacked && about->lacked >= about->tried_count) {} /* a line has said what this process lacks */
    else if (about->failures)
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, about->r, "BH0408: no candidate answered, %d failed: answered with 503%s", about->failures,
                      refusals(about));
    else if (about->turned_away)
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, about->r, "BH0433: no candidate knows this httpd as a server: answered with 503. They must hear its "
                      "announcements, and its connections must come from an address that it announces");
    else
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, about->r, "BH0404: every candidate refused the connection: answered with 503%s", refusals(about));
    return mb_dispatch_unavailable(about->r);
}

/* ---- One server after the other ---- */

/* Whether it is too late to try yet another server. */
static int is_late(const dispatch *about) {
    int seconds = about->settings->retry_timeout_s == MB_UNSET ? MB_RETRY_TIMEOUT_DEFAULT_S : about->settings->retry_timeout_s;
    /* Not by httpd's clock, which may be set. */
    return about->begun_us && mb_now_us() - about->begun_us >= 1000000u * (uint64_t)seconds;
}

/* Whether, should this attempt fail, there would be another. */
static int may_fail(const dispatch *about) {
    int retries = about->settings->retries == MB_UNSET ? MB_RETRIES_DEFAULT : about->settings->retries;
    return about->is_safe && about->failures < retries && !is_late(about);
}

static int has_tried(const dispatch *about, uint32_t id) {
    for (uint32_t i = 0; i < about->tried_count; i++)
        if (about->tried[i] == id) return 1;
    return 0;
}

/* Whether it hung up before its first byte, on a connection that was kept: it may only have closed a kept-alive connection, as one does that
 * restarts. */
static int was_stale(const request_rec *r, const mb_attempt *attempt) {
    return attempt->result == HTTP_BAD_GATEWAY && !attempt->held && attempt->was_kept
           && attempt->answer.headers_out == attempt->before.headers_out && !apr_table_get(r->notes, "proxy_timedout");
}

static uint64_t served_by(uint32_t id) { return bh_word_load(&bh_segment_row(mb_segment, id)->served); }

static void note_tried(dispatch *about, uint32_t id, uint64_t boot, uint64_t asked_us, int stale) {
    if (about->tried_count == MOST_TRIED) return;
    about->asked_ms[about->tried_count] = asked_us / 1000;
    about->boots[about->tried_count] = boot;
    about->served[about->tried_count] = served_by(id);
    if (stale) about->stale |= (uint32_t)1 << about->tried_count;
    about->tried[about->tried_count++] = id;
}

/* Milliseconds in which a server that can be reached has announced itself. */
#define ANNOUNCED_MS 1000

/* Whether the server said nothing, neither to the request nor to us, for as long as it takes to announce itself: its network may have been away. One that
 * hangs announces itself, and is not asked to do the same twice. */
static int was_away(uint32_t id, const mb_attempt *attempt) {
    uint64_t asked_ms = attempt->began_us / 1000;
    return !attempt->held && mb_now_ms() >= asked_ms + ANNOUNCED_MS && bh_row_heard(bh_segment_row(mb_segment, id)) <= asked_ms;
}

static void note_unreached(dispatch *about) {
    if (about->tried_count < MOST_TRIED) about->unreached |= (uint32_t)1 << about->tried_count;
}

/* What the next candidate must know of one that did not do it. */
static void note_failure(dispatch *about, uint32_t id, uint64_t boot, const char *server, bh_outcome_t outcome, mb_attempt *attempt) {
    if (outcome == BH_OUTCOME_REFUSED) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, attempt->why, about->r, "%s refused the connection: trying the next candidate", server);
        note_refusal(about, server, attempt->why);
        note_unreached(about);
        note_tried(about, id, boot, attempt->began_us, 0);
        return;
    }
    if (outcome == BH_OUTCOME_UNKNOWN) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, about->r, "%s does not know this httpd as a server: trying the next candidate", server);
        mb_attempt_undo(attempt, about->r);
        about->turned_away++;
        if (about->tried_count < MOST_TRIED) about->unknown |= (uint32_t)1 << about->tried_count;
        note_tried(about, id, boot, attempt->began_us, 0);
        return;
    }
    about->failures++;
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, about->r, "%s failed the request (%d): trying the next candidate", server,
                  attempt->held ? HTTP_SERVICE_UNAVAILABLE : attempt->result);
    mb_attempt_undo(attempt, about->r);
    if (was_away(id, attempt)) note_unreached(about);
    note_tried(about, id, boot, attempt->began_us, was_stale(about->r, attempt));
    if (!attempt->held) return;
    about->held = *attempt;
    about->held_server = server;
}

/* Sends the request to another server, or to our own announced address. */
static int forward(dispatch *about, uint32_t id, const bh_facts_t *facts, const char *server) {
    mb_attempt attempt;
    /* Where one kept connection was stale, others may be, for the same reason. */
    mb_sending how = {.repeatable = may_fail(about), .fresh = about->stale || about->second, .free = is_free(about)};
    bh_outcome_t outcome = mb_forward(about->r, about->settings, id, facts, how, &attempt);
    if (outcome == BH_OUTCOME_ANSWERED || (outcome == BH_OUTCOME_LOST && !about->is_safe)) return attempt.result;
    if (outcome == BH_OUTCOME_STARVED) {
        mb_attempt_undo(&attempt, about->r);
        if (!about->waited++ && mb_shortage_is_over()) return forward(about, id, facts, server);
        about->lacked++;
        return all_failed(about);
    }
    if (attempt.lacks) about->lacked++;
    about->used_up = outcome == BH_OUTCOME_LOST;
    if (!about->begun_us) about->begun_us = attempt.began_us;
    note_failure(about, id, facts->boot_id, server, outcome, &attempt);
    return NOBODY_TOOK_IT;
}

/* One line a minute of each child, with what the others would have counted. */
static void tell_nobody(const dispatch *about) {
    static uint64_t next_ms;
    static uint32_t untold;
    if (about->settings->observe == MB_ON) return;
    uint32_t times = __atomic_add_fetch(&untold, 1, __ATOMIC_RELAXED);
    if (!mb_minute_passed(&next_ms)) return;
    __atomic_sub_fetch(&untold, times, __ATOMIC_RELAXED);
    request_rec *r = about->r;
    const char *why = mb_trace_servers(r);
    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r, "BH0490: the Backhand chain at %s left no server (%u times since the last line): %s; chain=%s; of the others: %s",
                  about->settings->place, times, about->settings->unavailable == MB_ON ? "answered with 503" : "served here",
                  mb_trace_chain(r, about->settings, about->decision), *why ? why : "none, or nothing speaks against them");
}

/* The chain has left nobody. */
static int nobody(dispatch *about) {
    bh_facts_t facts;
    uint32_t own = mb_self_row(about->r);
    const char *here = endpoint_of(about->r, own, &facts);
    int observe = about->settings->observe == MB_ON;
    if (about->settings->self_redirect == MB_ON && about->settings->unavailable != MB_ON) {
        if (!here || !bh_row_heard(bh_segment_row(mb_segment, own))) return mb_dispatch_no_own_address(about->r);
        tell(about, "proxy", here);
        return observe ? serve_here(about) : forward(about, own, &facts, here);
    }
    tell(about, "none", here ? here : "-");
    tell_nobody(about);
    return about->settings->unavailable != MB_ON || observe ? serve_here(about) : mb_dispatch_unavailable(about->r);
}

/* Whether somebody else's request has found the candidate silent since the decision: to find that out again takes seconds. */
static int is_hopeless(const dispatch *about, uint32_t id) {
    /* No chain leaves this server out. If it is asked over the network like the others, it waits its turn like them. */
    int since = mb_self_is(id) ? about->settings->self_redirect == MB_ON && about->decision->count > 1
                                       : about->tried_count && !about->decision->last_resort;
    return since && bh_row_is_refusing(bh_segment_row(mb_segment, id), mb_now_ms());
}

static mb_way way_to(const dispatch *about, const ServerSlot *slot, const bh_facts_t *facts) {
    if (mb_self_is((uint32_t)slot->id)) return MB_WAY_HERE;
    if (slot->mode != BACKHAND_MODE_REDIRECT) return MB_WAY_FORWARD;
    return mb_redirect_way(about->r, about->decision, slot, facts, !has_tried(about, mb_self_row(about->r)));
}

/* One candidate; NOBODY_TOOK_IT if it does not take the request. */
static int hand_over(dispatch *about, const ServerSlot *slot) {
    static const char *const actions[] = {"local", "proxy", "redirect"};
    uint32_t id = (uint32_t)slot->id;
    bh_facts_t facts;
    const char *server = endpoint_of(about->r, id, &facts);
    if (!server) return NOBODY_TOOK_IT; /* its row is being written all the time: as good as gone */
    mb_way way = way_to(about, slot, &facts);
    if (way == MB_WAY_HERE) {
        if (!mb_self_is(id) && !(server = endpoint_of(about->r, id = mb_self_row(about->r), &facts))) return NOBODY_TOOK_IT;
        if (about->settings->self_redirect == MB_ON) way = MB_WAY_FORWARD;
    }
    if (way == MB_WAY_FORWARD && about->tried_count && is_late(about)) return NOBODY_TOOK_IT;
    tell(about, actions[way], server);
    if (way == MB_WAY_HERE || about->settings->observe == MB_ON) return serve_here(about);
    if (way == MB_WAY_REDIRECT) return mb_redirect_send(about->r, slot, &facts, about->settings->redirect_status);
    return forward(about, id, &facts, server);
}

/* Whether the table says meanwhile that the candidate takes no more requests, or is another server. */
static int is_outdated(const dispatch *about, uint32_t id) {
    return !bh_row_holds(bh_segment_row(mb_segment, id), about->decision->decided_ms, about->decision->last_resort);
}

/* All candidates of one run of the chain; only the first where it is looked at whether that works again: the second may be another such server, and each look is
 * claimed. */
static int try_all(dispatch *about) {
    int outdated = about->decision->probe;
    for (uint32_t i = 0; i < (about->decision->probe ? 1 : about->decision->count); i++) {
        const ServerSlot *slot = &about->decision->servers[i];
        if (is_outdated(about, (uint32_t)slot->id)) {
            outdated = 1;
            continue;
        }
        about->place = i;
        if (is_hopeless(about, (uint32_t)slot->id)) continue;
        int result = hand_over(about, slot);
        if (result != NOBODY_TOOK_IT || about->used_up) return result;
    }
    return outdated || about->tried_count || about->second ? NOBODY_TOOK_IT : nobody(about);
}

/* Whether another httpd is there now than the one with this boot id. */
static int was_started_anew(uint32_t id, uint64_t boot) {
    bh_facts_t facts;
    return bh_row_heard(bh_segment_row(mb_segment, id)) && mb_facts_of(id, &facts) && facts.boot_id != boot;
}

/* Whether it could not be reached, and has announced itself since it was asked: its network may be back, or its address was another. */
static int is_back(const dispatch *about, uint32_t place) {
    return about->unreached >> place & 1 && bh_row_heard(bh_segment_row(mb_segment, about->tried[place])) > about->asked_ms[place];
}

/* Nobody else is left. Asked once more, over a new connection, are servers whose connection was stale, which may not have had the request; those that
 * were started anew meanwhile, which are other processes than those that did not answer; those that have answered others since; and those that could not be reached and were heard
 * since. */
static int has_second_chance(dispatch *about) {
    if (about->second == MOST_CHANCES || !about->is_safe || is_late(about)) return 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < about->tried_count; i++) {
        uint32_t id = about->tried[i];
        uint64_t boot = about->boots[i];
        if (was_started_anew(id, boot) || about->served[i] != served_by(id)) continue;
        if (!about->second && ((about->stale | about->unknown) >> i & 1 || is_back(about, i))) continue;
        about->boots[kept] = boot;
        about->served[kept] = about->served[i];
        about->tried[kept++] = id;
    }
    if (kept == about->tried_count) return 0;
    about->second++;
    about->tried_count = kept;
    about->stale = about->unknown = about->unreached = 0;
    return 1;
}

/* The chain has put a server that is in doubt first, to see whether it works again. Of requests that come at once one does that; for the others it
 * decides again, now without. */
static int claim_first(dispatch *about) {
    const bh_decision_t *decision = about->decision;
    for (int looks = 0; decision->probe && looks < MOST_TRIED; looks++) {
        uint32_t id = (uint32_t)decision->servers[0].id;
        bh_row_t *row = bh_segment_row_mutable(mb_segment, mb_self_is(id) ? 0 : id);
        if (bh_probe_claim(row, bh_chain_slot(about->settings->chain), mb_now_ms(), !about->is_safe)) return 1;
        /* Somebody else has, so that nobody can for a while. Other servers may be in the same state. */
        if (!mb_decide(about->r, about->settings, about->tried, about->tried_count, about->decision)) return 0;
    }
    return 1;
}

/* The chain chooses among those that have not been tried, as often as somebody fails. */
int mb_dispatch(request_rec *r, const mb_directory *settings, bh_decision_t *decision, int walked) {
    dispatch about = {.r = r, .settings = settings, .decision = decision, .walked = walked, .is_safe = mb_attempt_is_safe(r)};
    mb_worker_sweep(decision->decided_ms);
    int result = claim_first(&about) ? try_all(&about) : NOBODY_TOOK_IT;
    for (int round = 1; result == NOBODY_TOOK_IT && round < MOST_ROUNDS && !about.used_up && !is_late(&about); round++) {
        if (!mb_decide(r, settings, about.tried, about.tried_count, decision)) break;
        if (!decision->count && (!has_second_chance(&about)
                                 || !mb_decide(r, settings, about.tried, about.tried_count, decision) || !decision->count)) break;
        if (!claim_first(&about)) break;
        result = try_all(&about);
    }
    /* None was asked: those that the first run left take no requests now, and there are no others. */
    if (result == NOBODY_TOOK_IT && !about.tried_count && !about.second) result = nobody(&about);
    if (result == NOBODY_TOOK_IT) return all_failed(&about);
    tell_refusals(&about);
    return result;
}

int mb_dispatch_home(request_rec *r, const mb_directory *settings) {
    bh_decision_t decision = {0};
    dispatch about = {.r = r, .settings = settings, .decision = &decision, .walked = 1, .is_safe = mb_attempt_is_safe(r)};
    int result = nobody(&about);
    return result == NOBODY_TOOK_IT ? all_failed(&about) : result;
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The decision carried out: run the chain of the directory, then serve here, send the request to a server, or say that there is none. */

#include "mb_module.h"

#include <time.h>
#include <unistd.h>

/* How often the chain may be run for one request. A chain may leave one server only (byLogWindow does so), and after a power cut several that
 * byAge still keeps may be dead: eight get past a rack of them, and keep no client for long. */
#define MOST_ROUNDS 8
/* Refusals of one request that are remembered, so that nobody is asked twice. */
#define MOST_TRIED 32
/* Seconds after which a client should come again when every candidate has failed: by then the shortest back-off is over. */
#define RETRY_AFTER "1"

uint64_t mb_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

int mb_minute_passed(uint64_t *next_ms) {
    uint64_t now = mb_now_ms(), next = bh_word_load(next_ms);
    /* Of threads that come at once, one writes the line. */
    return next <= now && __atomic_compare_exchange_n(next_ms, &next, now + 60000, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

const char *mb_endpoint(apr_pool_t *pool, const bh_address_t *address, uint16_t port) {
    char text[BH_ADDRESS_SIZE];
    if (bh_address_format(address, text, sizeof text) != BH_OK) return "unknown";
    return apr_psprintf(pool, strchr(text, ':') ? "[%s]:%d" : "%s:%d", text, port);
}

/* Counts a child's requests from where the child begins: asking for the process id each time would be a system call. */
static uint64_t seed;

static void begin_seed(apr_pool_t *pool, server_rec *server) {
    (void)pool, (void)server;
    seed = (uint64_t)getpid() << 40;
}

/* Different for every request of every child; the core's generator spreads it. */
static uint64_t next_seed(void) { return __atomic_add_fetch(&seed, 1, __ATOMIC_RELAXED); }

/* ---- Telling what happened ---- */

/* "byAge:8>6,byLogWindow:6>2,byLoad:2": each function with the servers before and after it. */
static const char *describe_chain(request_rec *r, const mb_directory *settings, const bh_decision_t *decision) {
    const bh_step_t *steps = (const bh_step_t *)(void *)settings->steps->elts;
    const char *text = "";
    for (int i = 0; i < settings->steps->nelts; i++) {
        int from = decision->counts[i], to = decision->counts[i + 1];
        text = apr_psprintf(r->pool, from == to ? "%s%s%s:%d" : "%s%s%s:%d>%d", text, i ? "," : "", steps[i].name, from, to);
    }
    return text;
}

/* Everything about one request's decision that is told to logs and traces. */
typedef struct telling {
    request_rec *r;
    const mb_directory *settings;
    const bh_decision_t *decision;
    int walked;                 /* whether <Directory> sections have had their say */
    uint32_t tried_count;       /* servers that refused or failed it so far */
    uint32_t tried[MOST_TRIED]; /* which; the first of them */
    int failures;               /* how many of them failed it: they had it, and gave no usable answer */
    int is_safe;                /* whether it may be done again after that */
    mb_attempt last;            /* of those failures */
} telling;

static void tell(const telling *about, const char *action, const char *server) {
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
                                    describe_chain(r, about->settings, about->decision));
    if (log) ap_log_rerror(APLOG_MARK, observe ? APLOG_INFO : APLOG_DEBUG, 0, r, "%s", line);
    if (about->settings->trace == MB_ON) apr_table_setn(r->err_headers_out, "Backhand-Trace", line);
}

static const char *endpoint_of(uint32_t id, bh_facts_t *facts) {
    return bh_row_copy(bh_segment_row(mb_segment, id), facts) ? mb_proxy_name(id, facts) : NULL;
}

/* ---- Acting ---- */

/* Of our own rows, none but the one that is "here" for the request is ever a candidate. */
int mb_balance_is_here(uint32_t id) { return bh_row_own(bh_segment_row(mb_segment, id)); }

static int serve_here(const telling *about) {
    if (!about->walked) return mb_walk_serve_here(about->r);
    if (about->tried_count) mb_proxy_give_back(about->r);
    return DECLINED;
}

static int nobody(const telling *about) {
    bh_facts_t facts;
    const char *here = endpoint_of(mb_site_row(about->r), &facts);
    tell(about, "none", here ? here : "-");
    if (about->settings->unavailable != MB_ON || about->settings->observe == MB_ON) return serve_here(about);
    apr_table_setn(about->r->err_headers_out, "Retry-After", RETRY_AFTER);
    return HTTP_SERVICE_UNAVAILABLE;
}

/* Nobody is left to try. A server's own 503 says more than ours. */
static int all_failed(telling *about) {
    if (about->last.held) return mb_attempt_give(&about->last, about->r);
    tell(about, "none", "-");
    if (about->failures)
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, about->r, "BH0408: no candidate answered, %d failed: answered with 503", about->failures);
    else
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, about->r, "BH0404: every candidate refused the connection: answered with 503");
    apr_table_setn(about->r->err_headers_out, "Retry-After", RETRY_AFTER);
    return HTTP_SERVICE_UNAVAILABLE;
}

/* Whether it is too late to try yet another server. */
static int is_late(const telling *about) {
    int seconds = about->settings->retry_timeout_s == MB_UNSET ? MB_RETRY_TIMEOUT_DEFAULT_S : about->settings->retry_timeout_s;
    return apr_time_now() - about->r->request_time >= apr_time_from_sec(seconds);
}

/* Whether, should this attempt fail, there would be another. */
static int may_fail(const telling *about) {
    int retries = about->settings->retries == MB_UNSET ? MB_RETRIES_DEFAULT : about->settings->retries;
    return about->is_safe && about->failures < retries && !is_late(about);
}

/* Whether somebody else's request has found the candidate silent since the decision: to find that out again takes seconds. */
static int is_hopeless(const telling *about, uint32_t id) {
    return !mb_balance_is_here(id) && about->tried_count && !about->decision->last_resort
           && bh_row_backoff(bh_segment_row(mb_segment, id)) > mb_now_ms();
}

/* What the next candidate must know of one that did not do it. */
static void note_failure(telling *about, uint32_t id, const char *server, mb_outcome outcome, mb_attempt *attempt) {
    if (about->tried_count < MOST_TRIED) about->tried[about->tried_count++] = id;
    if (outcome == MB_REFUSED) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, about->r, "%s refused the connection: trying the next candidate", server);
        return;
    }
    about->failures++;
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, about->r, "%s failed the request (%d): trying the next candidate", server,
                  attempt->held ? HTTP_SERVICE_UNAVAILABLE : attempt->result);
    mb_attempt_undo(attempt, about->r);
    about->last = *attempt;
}

/* Candidates in their order until one takes the request; NOBODY_TOOK_IT if none does. */
#define NOBODY_TOOK_IT (-1000)
static int carry_out(telling *about) {
    int observe = about->settings->observe == MB_ON;
    for (uint32_t i = 0; i < about->decision->count; i++) {
        uint32_t id = (uint32_t)about->decision->servers[i].id;
        bh_facts_t facts;
        if (is_hopeless(about, id)) continue;
        const char *server = endpoint_of(id, &facts);
        if (!server) continue; /* its row is being written all the time: as good as gone */
        tell(about, mb_balance_is_here(id) ? "local" : "proxy", server);
        if (mb_balance_is_here(id) || observe) return serve_here(about);
        if (about->tried_count && is_late(about)) return NOBODY_TOOK_IT;
        mb_attempt attempt;
        mb_outcome outcome = mb_proxy_forward(about->r, id, &facts, may_fail(about), &attempt);
        if (outcome == MB_ANSWERED || outcome == MB_LOST) return attempt.result;
        note_failure(about, id, server, outcome, &attempt);
    }
    return about->tried_count ? NOBODY_TOOK_IT : nobody(about);
}

int mb_balance_decide(request_rec *r, const mb_directory *settings, const uint32_t *tried, uint32_t tried_count,
                      bh_decision_t *decision) {
    const bh_step_t *steps = (const bh_step_t *)(void *)settings->steps->elts;
    size_t count = (size_t)settings->steps->nelts;
    size_t size = bh_chain_workspace(mb_segment, steps, count);
    bh_request_t request = {.now_ms = mb_now_ms(), .seed = next_seed(), .context = r, .tried = tried, .tried_count = tried_count};
    mb_site_describe(r, &request);
    mod_backhand_personal_arriba = bh_segment_arriba(mb_segment); /* loaded functions may look at it */
    if (bh_chain_decide(mb_segment, steps, count, &request, apr_palloc(r->pool, size), size, decision) != BH_OK) return 0;
    if (decision->fault) mb_loaded_fault(r, &steps[decision->fault_step], (bh_fault_t)decision->fault);
    return 1;
}

/* Only a chain in .htaccess comes so far: others are refused with the configuration. */
static void complain_of_proxy(request_rec *r) {
    static uint64_t next_ms;
    if (!mb_minute_passed(&next_ms)) return;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0405: the Backhand chain of an .htaccess file needs mod_proxy and "
                  "mod_proxy_http, which are not loaded: served here");
}

/* A client's own request only: what other modules do inside httpd stays here. TRACE asks about the way to us. */
static int is_clients_own(const request_rec *r) {
    return !r->main && !r->prev && r->proxyreq == PROXYREQ_NONE && r->method_number != M_TRACE
           && r->method_number != M_CONNECT && r->uri[0] == '/'
           && !(r->handler && strcmp(r->handler, MB_STATUS_HANDLER) == 0);
}

/* Logs look at the last of a chain of internal redirects; what happened is known at its first. */
static void pass_on(request_rec *r) {
    static const char *const names[] = {"BACKHAND_ACTION", "BACKHAND_SERVER", "BACKHAND_OBSERVED"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = apr_table_get(r->prev->subprocess_env, names[i]);
        if (value) apr_table_setn(r->subprocess_env, names[i], value);
    }
}

static int can_decide(void) {
    return mb_segment && !bh_segment_unattended(mb_segment) && mb_proxy_available();
}

int mb_balance_wants(request_rec *r, const mb_directory *settings) {
    return settings->steps && settings->steps->nelts && is_clients_own(r) && !mb_guard_stays_here(r) && can_decide();
}

/* The chain chooses among those that have not been tried, as often as somebody fails. */
static int insist(telling *about, bh_decision_t *decision) {
    int result = carry_out(about);
    for (int round = 1; result == NOBODY_TOOK_IT && round < MOST_ROUNDS && !is_late(about); round++) {
        if (!mb_balance_decide(about->r, about->settings, about->tried, about->tried_count, decision) || !decision->count) break;
        result = carry_out(about);
    }
    return result == NOBODY_TOOK_IT ? all_failed(about) : result;
}

static int balance(request_rec *r) {
    if (r->prev) pass_on(r);
    const mb_directory *settings = ap_get_module_config(r->per_dir_config, &backhand_module);
    const mb_request *kept = r->main || r->prev ? NULL : mb_request_find(r);
    int walked = !kept || !kept->decided;
    /* Without a chain after all (<If> may turn it off), nobody may serve what was not walked. */
    if (!settings->steps || !settings->steps->nelts || !is_clients_own(r)) return walked ? DECLINED : mb_walk_serve_here(r);
    if (mb_guard_stays_here(r)) {
        apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", "looped");
        return DECLINED;
    }
    if (!mb_proxy_available()) complain_of_proxy(r);
    bh_decision_t decision;
    telling about = {.r = r, .settings = settings, .decision = &decision, .walked = walked, .is_safe = mb_attempt_is_safe(r)};
    if (!walked) decision = *kept->decided;
    else if (!can_decide() || !mb_balance_decide(r, settings, NULL, 0, &decision)) {
        apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", "local");
        return DECLINED;
    }
    return insist(&about, &decision);
}

void mb_balance_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_child_init(begin_seed, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before mod_proxy's handler, which would take SetHandler proxy:… first. */
    ap_hook_handler(balance, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What happened to a request, for the environment, the trace and the log. */

#include "balance/mb_balance.h"

void mb_dispatch_log_action(const mb_dispatch_state *about, const char *action, const char *server) {
    request_rec *r = about->r;
    int observe = about->settings->observe == MB_ON;
    if (observe) {
        apr_table_setn(r->subprocess_env, "BACKHAND_OBSERVED", action);
        apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", "local");
    } else apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", action);
    apr_table_setn(r->subprocess_env, "BACKHAND_SERVER", server);
    int log = APLOG_R_IS_LEVEL(r, observe ? APLOG_INFO : APLOG_DEBUG);
    if (!log && about->settings->trace != MB_ON) return;
    const char *line = apr_psprintf(r->pool, "%saction=%s server=%s chain=%s", observe ? "mode=observe " : "", action,
                                    server, mb_trace_chain(r, about->settings, about->decision)),
               *why = mb_trace_servers(r);
    if (*why) line = apr_pstrcat(r->pool, line, " why=\"", why, "\"", NULL);
    if (log) ap_log_rerror(APLOG_MARK, observe ? APLOG_INFO : APLOG_DEBUG, 0, r, "%s", line);
    if (about->settings->trace == MB_ON) apr_table_setn(r->err_headers_out, "Backhand-Trace", line);
}

static void note_refusal(mb_dispatch_state *about, const char *server, int why) {
    char reason[128];
    if (about->refused++ >= MB_TRACE_MOST_NAMED) return;
    about->refusals =
        apr_pstrcat(about->r->pool, about->refusals ? about->refusals : "", about->refusals ? ", " : "", server,
                    why ? " (" : "", why ? apr_strerror(why, reason, sizeof reason) : "", why ? ")" : "", NULL);
}

void mb_dispatch_log_failure(mb_dispatch_state *about, const char *server, const mb_attempt *attempt) {
    char text[BH_ERROR_SIZE];
    bh_outcome_t outcome = attempt->shown.outcome;
    if (outcome == BH_OUTCOME_STARVED) return; /* a line has said what this process lacks */
    bh_outcome_text(outcome, attempt->held ? HTTP_SERVICE_UNAVAILABLE : attempt->result, text, sizeof text);
    int why = outcome == BH_OUTCOME_REFUSED ? attempt->why : 0;
    ap_log_rerror(APLOG_MARK, APLOG_INFO, why, about->r, "%s %s: trying the next candidate", server, text);
    if (outcome == BH_OUTCOME_REFUSED) note_refusal(about, server, why);
}

/* "; no connection to 10.0.0.4:80 (Connection refused), 10.0.0.5:80 (No route to host) and 3 more". */
static const char *refusals(const mb_dispatch_state *about) {
    int more = about->refused - MB_TRACE_MOST_NAMED;
    if (!about->refusals) return "";
    return more > 0 ? apr_psprintf(about->r->pool, "; no connection to %s and %d more", about->refusals, more)
                    : apr_pstrcat(about->r->pool, "; no connection to ", about->refusals, NULL);
}

/* Without this line, the system's reasons would be in no log if another server takes the request. Where mod_proxy
 * writes its own lines, those are enough. */
void mb_dispatch_log_refusals(const mb_dispatch_state *about) {
    if (about->refusals && !about->gave_up && mb_quiet_wants(about->r->server))
        MB_LOG_RARELY(about->r, APLOG_WARNING, "BH0491: the next candidate was asked%s", refusals(about));
}

void mb_dispatch_log_given_up(const mb_dispatch_state *about) {
    const bh_retry_t *retry = about->retry;
    if (retry->lacked && retry->lacked >= retry->tried_count) return; /* a line has said what this process lacks */
    if (retry->failures)
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, about->r,
                      "BH0408: no candidate answered, %u failed: answered with 503%s", retry->failures,
                      refusals(about));
    else if (retry->unknown)
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, about->r,
                      "BH0433: no candidate knows this httpd as a server: answered with 503. "
                      "They must hear its announcements, "
                      "and its connections must come from an address that it announces");
    else
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, about->r,
                      "BH0404: every candidate refused the connection: answered with 503%s", refusals(about));
}

/* One line a minute of each child, with what the others would have counted. */
void mb_dispatch_log_no_candidate(const mb_dispatch_state *about) {
    static uint64_t next_ms;
    static uint32_t untold;
    if (about->settings->observe == MB_ON) return;
    uint32_t times = __atomic_add_fetch(&untold, 1, __ATOMIC_RELAXED);
    if (!mb_minute_passed(&next_ms)) return;
    __atomic_sub_fetch(&untold, times, __ATOMIC_RELAXED);
    request_rec *r = about->r;
    const char *why = mb_trace_servers(r);
    ap_log_rerror(
        APLOG_MARK, APLOG_NOTICE, 0, r,
        "BH0490: the Backhand chain at %s left no server "
        "(%u times since the last line): %s; chain=%s; of the others: %s",
        about->settings->place, times, about->settings->unavailable == MB_ON ? "answered with 503" : "served here",
        mb_trace_chain(r, about->settings, about->decision), *why ? why : "none, or nothing speaks against them");
}

void mb_dispatch_log_no_own_address(request_rec *r) {
    MB_LOG_RARELY(r, APLOG_ERR,
                  "BH0422: BackhandSelfRedirect is On, but there is no own address, "
                  "because the moderator is not running: answered with 503");
}

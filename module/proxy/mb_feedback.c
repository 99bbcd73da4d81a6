/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What an attempt shows about its server: the core draws the conclusions (Feedback.swift), from what httpd and
 * mod_proxy know about the attempt. */

#include "proxy/mb_proxy.h"

/* Whether a server died in the middle of its answer: mod_proxy then breaks the client's connection too. */
static int is_broken_off(const request_rec *r, int result) {
    return result == DONE && !r->connection->aborted && r->status != HTTP_SWITCHING_PROTOCOLS;
}

static int has_body(const request_rec *r) {
    return apr_table_get(r->headers_in, "Content-Length") || apr_table_get(r->headers_in, "Transfer-Encoding");
}

/* Whether there was no connection; looked_up: perhaps because the lookup of the address needs a descriptor too.
 * mod_proxy answers 500 without one. */
static int is_unconnected(const request_rec *r, bh_outcome_t outcome, const mb_attempt *attempt, int *looked_up) {
    *looked_up = outcome != BH_OUTCOME_ANSWERED && attempt->result == HTTP_INTERNAL_SERVER_ERROR
                 && r->headers_out == attempt->before.headers_out;
    return outcome == BH_OUTCOME_REFUSED || *looked_up;
}

/* Finds out whether the server has nothing to do with a failed connection: this process lacks what one needs, or the
 * server takes connections again. */
static void look_for_shortage(request_rec *r, const mb_end *end, bh_result_t *result, mb_attempt *attempt) {
    int is_looked_up;
    if (!is_unconnected(r, result->outcome, attempt, &is_looked_up)) return;
    /* A body is waited for before the server is connected to. */
    int why = mb_shortage_find(end->server, end->ended_us - attempt->began_us);
    attempt->why = why == MB_REACHED || (why == ETIMEDOUT && result->has_body) ? 0 : why;
    if (why == MB_REACHED) {
        result->reached = !is_looked_up;
        return;
    }
    if (!mb_shortage_is_own(why)) return;
    result->lacks = true;
    attempt->lacks = why;
    mb_shortage_tell(r, mb_worker_name(r->pool, end->id, end->server), why);
    if (mb_shortage_is_general(why)) result->outcome = BH_OUTCOME_STARVED;
}

/* Each line at most once a minute. */
static void log_warnings(request_rec *r, const mb_end *end, const mb_attempt *attempt, uint32_t warnings) {
    static uint64_t untrusted_ms, silent_ms, unknown_ms;
    if (warnings & BH_WARNING_UNTRUSTED && mb_minute_passed(&untrusted_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "BH0416: the TLS handshake with %s failed: nothing was sent to it; LogLevel ssl:info "
                      "has mod_ssl's reason",
                      end->origin);
    if (warnings & BH_WARNING_SILENT && mb_minute_passed(&silent_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "BH0412: %s is silent on a request, and shows no other sign of life: given up after %lu ms",
                      end->origin, (unsigned long)((end->ended_us - attempt->began_us) / 1000));
    if (warnings & BH_WARNING_UNKNOWN && mb_minute_passed(&unknown_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "BH0434: %s does not know this httpd as a server, and refuses its requests: it must hear the "
                      "announcements, and connections must come from an address that is announced",
                      end->origin);
}

bh_outcome_t mb_feedback_report(request_rec *r, const mb_end *end, bh_outcome_t outcome, mb_attempt *attempt) {
    int is_error = attempt->result >= HTTP_INTERNAL_SERVER_ERROR,
        is_untrusted = end->untrusted && outcome == BH_OUTCOME_REFUSED;
    bh_result_t result = {.outcome = outcome,
                          .id = end->id,
                          .chain = attempt->chain,
                          .status = r->status,
                          .began_us = attempt->began_us,
                          .first_us = attempt->first_us,
                          .ended_us = end->ended_us,
                          .free = attempt->free,
                          .untrusted = is_untrusted,
                          .silent = !is_untrusted && end->silent,
                          .complete = !is_error && !is_broken_off(r, attempt->result),
                          .unreadable = attempt->unreadable,
                          .unknown = attempt->is_unknown,
                          .client_failed =
                              attempt->result > OK && !is_error && r->headers_out == attempt->before.headers_out};
    if (outcome != BH_OUTCOME_ANSWERED) result.has_body = has_body(r);
    if (attempt->free) result.asked = mb_asked(r);
    if (!is_untrusted && !end->silent) look_for_shortage(r, end, &result, attempt);
    else if (!is_untrusted && outcome != BH_OUTCOME_ANSWERED) attempt->result = HTTP_GATEWAY_TIME_OUT;
    uint32_t warnings = bh_feedback_report(mb_segment, &result);
    if (warnings) log_warnings(r, end, attempt, warnings);
    return result.outcome;
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What an attempt shows about its server: the core draws the conclusions (Feedback.swift), from what httpd and
 * mod_proxy know about the attempt. */

#include "proxy/mb_proxy.h"

/* Whether a server died in the middle of its answer: mod_proxy then breaks the client's connection too. */
static int is_broken_off(const request_rec *r, int result) {
    return result == DONE && !r->connection->aborted && r->status != HTTP_SWITCHING_PROTOCOLS;
}

/* Whether there was no connection; looked_up: perhaps because the lookup of the address needs a descriptor too.
 * mod_proxy answers 500 without one. */
static int is_unconnected(const request_rec *r, const mb_attempt *attempt, int *looked_up) {
    *looked_up = attempt->shown.outcome != BH_OUTCOME_ANSWERED && attempt->result == HTTP_INTERNAL_SERVER_ERROR
                 && r->headers_out == attempt->before->headers_out;
    return attempt->shown.outcome == BH_OUTCOME_REFUSED || *looked_up;
}

/* One line a minute. */
static void tell_shortage(request_rec *r, const mb_attempt *attempt, const char *lacking) {
    static uint64_t next_ms;
    if (mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, attempt->why, r,
                      "BH0411: no connection to %s, because this process lacks %s: the server is not left out "
                      "for it",
                      mb_worker_name(r->pool, attempt->shown.id, attempt->server), lacking);
}

/* Finds out whether the server has nothing to do with a failed connection: this process lacks what one needs, or the
 * server takes connections again. */
static void look_for_shortage(request_rec *r, mb_attempt *attempt) {
    int is_looked_up;
    if (!is_unconnected(r, attempt, &is_looked_up)) return;
    const char *lacking = bh_connection_explain(&attempt->shown, attempt->server, is_looked_up, &attempt->why);
    if (lacking) tell_shortage(r, attempt, lacking);
}

/* Each line at most once a minute. */
static void log_warnings(request_rec *r, const mb_attempt *attempt, uint32_t warnings) {
    if (warnings & BH_WARNING_UNTRUSTED)
        MB_LOG_RARELY(r, APLOG_WARNING,
                      "BH0416: the TLS handshake with %s failed: nothing was sent to it; LogLevel ssl:info "
                      "has mod_ssl's reason",
                      attempt->origin);
    if (warnings & BH_WARNING_SILENT)
        MB_LOG_RARELY(
            r, APLOG_WARNING, "BH0412: %s is silent on a request, and %s: given up after %lu ms", attempt->origin,
            bh_row_check_is_late(bh_segment_row(mb_segment, attempt->shown.id)) ? "its check has timed out"
                                                                                : "shows no other sign of life",
            (unsigned long)((attempt->shown.ended_us - attempt->shown.began_us) / 1000));
    if (warnings & BH_WARNING_UNKNOWN)
        MB_LOG_RARELY(r, APLOG_WARNING,
                      "BH0434: %s does not know this httpd as a server, and refuses its requests: it must hear the "
                      "announcements, and connections must come from an address that is announced",
                      attempt->origin);
}

void mb_feedback_report(request_rec *r, mb_attempt *attempt) {
    bh_result_t *shown = &attempt->shown;
    int is_error = attempt->result >= HTTP_INTERNAL_SERVER_ERROR, is_answered = shown->outcome == BH_OUTCOME_ANSWERED;
    shown->status = r->status;
    shown->complete = !is_error && !is_broken_off(r, attempt->result);
    shown->client_failed = attempt->result > OK && !is_error && r->headers_out == attempt->before->headers_out;
    if (!is_answered) shown->has_body = mb_attempt_has_body(r);
    if (shown->free) shown->asked = mb_local_asked(r);
    if (!(shown->untrusted && shown->outcome == BH_OUTCOME_REFUSED)) {
        if (!shown->silent) look_for_shortage(r, attempt);
        else if (!is_answered) attempt->result = HTTP_GATEWAY_TIME_OUT;
    }
    uint32_t warnings = bh_feedback_report(mb_segment, shown);
    if (warnings) log_warnings(r, attempt, warnings);
}

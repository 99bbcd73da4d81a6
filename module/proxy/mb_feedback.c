/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What an attempt says of its server: back-off, times, evidence. */

#include "proxy/mb_proxy.h"

/* Whether a server died in the middle of its answer: mod_proxy then breaks the client's connection too. */
int mb_feedback_broke_off(const request_rec *r, int result) {
    return result == DONE && !r->connection->aborted && r->status != HTTP_SWITCHING_PROTOCOLS;
}

/* What the functions that forecast go by, and what speaks against the server. A refusal is neither; a server that answers 500 and more has failed,
 * whatever is to blame. */
static void note_time(const request_rec *r, uint32_t id, bh_outcome_t outcome, int is_good, uint64_t ended_us, uint64_t us,
                      const mb_attempt *attempt) {
    if (outcome == BH_OUTCOME_REFUSED || !us) return;
    bh_class_t class = outcome == BH_OUTCOME_ANSWERED && is_good ? mb_evidence_class(r->status) : BH_CLASS_FAILED;
    bh_feedback_chain_time(mb_segment, id, attempt->chain, ended_us, attempt->first_us ? attempt->first_us - attempt->began_us : 0, us, class);
    if (attempt->free) mb_evidence_note(id, attempt->chain, class, mb_evidence_asked(r), ended_us / 1000);
}

static int has_body(const request_rec *r) {
    return apr_table_get(r->headers_in, "Content-Length") || apr_table_get(r->headers_in, "Transfer-Encoding");
}

/* How long it took to know that there is no connection. With a body it is not known: mod_proxy waits for the client's first. */
static uint64_t waited_ms(const request_rec *r, uint64_t us) { return has_body(r) ? 0 : us / 1000; }

void mb_feedback_answered(const request_rec *r, uint32_t id, bh_outcome_t outcome, int is_good, uint64_t ended_us, const mb_attempt *attempt) {
    /* A tunnel's time is that of its user, not of the server. */
    uint64_t us = r->status != HTTP_SWITCHING_PROTOCOLS ? ended_us - attempt->began_us : 0;
    /* Passed on, because the request may not be done again: a failure of the server all the same. */
    int is_unavailable = outcome == BH_OUTCOME_ANSWERED && r->status == HTTP_SERVICE_UNAVAILABLE;
    note_time(r, id, outcome, is_good, ended_us, us, attempt);
    if (outcome == BH_OUTCOME_ANSWERED && is_good && !is_unavailable) {
        bh_feedback_served(mb_segment, id, us);
        return;
    }
    bh_feedback_failed(mb_segment, id);
    if (outcome == BH_OUTCOME_REFUSED) bh_feedback_refused(mb_segment, id, ended_us / 1000, waited_ms(r, us));
}

/* No back-off: the name that mod_ssl looks for in the certificate is the client's Host, and no client must be able to take a server out. */
void mb_feedback_untrusted(request_rec *r, uint32_t id, const char *origin) {
    static uint64_t next_ms;
    bh_feedback_failed(mb_segment, id);
    if (mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "BH0416: the TLS handshake with %s failed: nothing was sent to it; LogLevel ssl:info "
                      "has mod_ssl's reason", origin);
}

/* A server that shows no sign of life is as one that refuses connections: the table says so, and no client's request. */
void mb_feedback_gone(const request_rec *r, uint32_t id, const char *origin, bh_outcome_t outcome, uint64_t ended_us, mb_attempt *attempt) {
    static uint64_t next_ms;
    uint64_t ended_ms = ended_us / 1000;
    bh_feedback_failed(mb_segment, id);
    bh_feedback_refused(mb_segment, id, ended_ms, (ended_us - attempt->began_us) / 1000);
    if (outcome != BH_OUTCOME_ANSWERED) attempt->result = HTTP_GATEWAY_TIME_OUT;
    if (mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "BH0412: %s is silent on a request, and shows no other sign of life: given up after %lu ms",
                      origin, (unsigned long)((ended_us - attempt->began_us) / 1000));
}

/* Milliseconds until a server that has just been started has heard the others: no line is worth that. */
#define USUAL_MS 5000

/* No back-off (docs/threat-model.md), but what cannot be sent twice goes elsewhere. */
void mb_feedback_unknown(request_rec *r, uint32_t id, const char *origin, uint64_t ended_ms) {
    static uint64_t next_ms;
    if (bh_feedback_unknown(mb_segment, id, ended_ms) >= USUAL_MS && mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "BH0434: %s does not know this httpd as a server, and refuses its requests: it must hear the announcements, "
                      "and connections must come from an address that is announced", origin);
}

/* Whether the server has nothing to do with the failure: this process lacks what a connection needs, or the server takes connections again. The
 * lookup of an address needs a descriptor too: mod_proxy answers 500 without one. */
int mb_feedback_is_starved(request_rec *r, uint32_t id, const bh_facts_t *facts, bh_outcome_t *outcome, uint64_t ended_us, mb_attempt *attempt) {
    int is_looked_up = *outcome != BH_OUTCOME_ANSWERED && attempt->result == HTTP_INTERNAL_SERVER_ERROR
                       && r->headers_out == attempt->before.headers_out;
    if (*outcome != BH_OUTCOME_REFUSED && !is_looked_up) return 0;
    /* A body is waited for before the server is connected to. */
    int why = mb_shortage_find(facts, ended_us - attempt->began_us);
    attempt->why = why == MB_REACHED || (why == ETIMEDOUT && has_body(r)) ? 0 : why;
    if (why == MB_REACHED ? is_looked_up : !mb_shortage_is_own(why)) return 0;
    if (why == MB_REACHED) {
        bh_feedback_failed(mb_segment, id);
        return 1;
    }
    attempt->lacks = why;
    mb_shortage_tell(r, mb_worker_name(r->pool, id, facts), why);
    if (mb_shortage_is_general(why)) *outcome = BH_OUTCOME_STARVED;
    return 1;
}

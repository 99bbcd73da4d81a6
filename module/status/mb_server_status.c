/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Our few figures on mod_status's page, for those who watch server-status anyway. docs/status.md describes them. */

#include "status/mb_status.h"

#include "apr_optional_hooks.h"
#include "mod_status.h"

/* What the table says of the other servers, taken together. */
typedef struct figures {
    int known;      /* rows in use that are not this httpd */
    int heard;      /* of these, how many byAge without an argument would keep */
    int backed_off; /* left out now for refused connections */
    uint64_t in_flight;
    uint64_t served;
    uint64_t failed;
} figures;

static void add(figures *sum, const bh_row_t *row, uint64_t now) {
    uint64_t heard = bh_row_heard(row);
    if (!heard || bh_row_own(row)) return;
    sum->known++;
    if (now < heard || now - heard <= (uint64_t)SERVER_TIMEOUT * 1000) sum->heard++;
    if (bh_row_backoff(row) > now) sum->backed_off++;
    sum->in_flight += bh_half_load(&row->in_flight);
    sum->served += bh_word_load(&row->served);
    sum->failed += bh_word_load(&row->failed);
}

static figures look(void) {
    figures sum = {0};
    uint64_t now = mb_now_ms();
    for (uint32_t id = 0; id < bh_segment_rows(mb_segment); id++) add(&sum, bh_segment_row(mb_segment, id), now);
    return sum;
}

/* ?auto: for programs, a line each. */
static void put_lines(request_rec *r, const figures *sum, uint64_t arrivals, int unattended) {
    ap_rprintf(r,
               "BackhandServersKnown: %d\nBackhandServersHeard: %d\nBackhandServersBackedOff: %d\n"
               "BackhandArrivals: %" APR_UINT64_T_FMT "\nBackhandProxied: %" APR_UINT64_T_FMT
               "\nBackhandFailed: %" APR_UINT64_T_FMT "\nBackhandInFlight: %" APR_UINT64_T_FMT
               "\nBackhandUnattended: %d\n",
               sum->known, sum->heard, sum->backed_off, arrivals, sum->served, sum->failed, sum->in_flight, unattended);
}

static void put_html(request_rec *r, const figures *sum, uint64_t arrivals, int unattended) {
    ap_rprintf(
        r,
        "<hr />\n<h1>Backhand</h1>\n<dl><dt>Other servers: %d known, %d heard within %d seconds, %d left out for "
        "refused connections</dt>\n"
        "<dt>Requests received: %" APR_UINT64_T_FMT "; sent to other servers: %" APR_UINT64_T_FMT
        " answered, %" APR_UINT64_T_FMT " failed, %" APR_UINT64_T_FMT " under way</dt>\n%s</dl>\n",
        sum->known, sum->heard, SERVER_TIMEOUT, sum->backed_off, arrivals, sum->served, sum->failed, sum->in_flight,
        unattended ? "<dt>No moderator keeps the table up to date: all requests are served here</dt>\n" : "");
}

static int show(request_rec *r, int flags) {
    if (!mb_segment) return DECLINED;
    figures sum = look();
    uint64_t arrivals = bh_word_load(&mb_segment->arrivals);
    (flags & AP_STATUS_SHORT ? put_lines : put_html)(r, &sum, arrivals, bh_segment_unattended(mb_segment));
    return OK;
}

void mb_server_status_register(apr_pool_t *pool) {
    (void)pool;
    APR_OPTIONAL_HOOK(ap, status_hook, show, NULL, NULL, APR_HOOK_MIDDLE);
}

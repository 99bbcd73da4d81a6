/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A decision as texts, for the trace and for log lines. */

#include "balance/mb_balance.h"

const char *mb_trace_chain(request_rec *r, const mb_directory *settings, const bh_decision_t *decision) {
    const bh_step_t *steps = (const bh_step_t *)(void *)settings->steps->elts;
    const char *text = "";
    if (!decision->counts) return "-"; /* none was run */
    for (int i = 0; i < settings->steps->nelts; i++) {
        int from = decision->counts[i], to = decision->counts[i + 1];
        text = apr_psprintf(r->pool, from == to ? "%s%s%s:%d" : "%s%s%s:%d>%d", text, i ? "," : "", steps[i].name, from,
                            to);
    }
    return text;
}

const char *mb_trace_servers(request_rec *r) {
    uint64_t now = mb_now_ms();
    uint32_t rows = bh_segment_rows(mb_segment), named = 0, more = 0;
    uint64_t longest = bh_segment_presence(mb_segment, rows, now);
    const char *text = "";
    for (uint32_t id = 1; id < rows; id++) {
        char why[BH_REASON_SIZE];
        bh_facts_t facts;
        if (mb_self_is(id) || !bh_row_reason(mb_segment, id, longest, now, why, sizeof why) || !mb_facts_of(id, &facts))
            continue;
        if (named == MB_TRACE_MOST_NAMED) more++;
        else
            text = apr_pstrcat(r->pool, text, named++ ? ", " : "", mb_endpoint(r->pool, &facts.address, facts.port),
                               " ", why, NULL);
    }
    return more ? apr_psprintf(r->pool, "%s and %u more", text, more) : text;
}

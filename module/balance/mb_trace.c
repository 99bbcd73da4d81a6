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
    char text[BH_REASONS_SIZE];
    bh_reasons_write(mb_segment, mb_now_ms(), text, sizeof text);
    return apr_pstrdup(r->pool, text);
}

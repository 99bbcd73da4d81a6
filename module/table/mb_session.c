/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Cookies of bySession: the keys that they are made with, and the header that sets one. */

#include "table/mb_table.h"

#include "apr_siphash.h"
#include "http_protocol.h"

bh_sessions_t mb_sessions = {.hash = apr_siphash24};

/* By the keys that all servers of the cluster have; otherwise by a number that this httpd has until it is stopped. */
void mb_session_prepare(void) {
    static const char purpose[] = "Backhand-Session"; /* whatever else is derived of the same key */
    const mb_keys *keys = mb_main_server()->keys;
    /* check_high and check_low */
    memcpy(mb_sessions.keys[0], (const char *)mb_segment + offsetof(bh_segment_t, check_high), BH_SESSION_KEY_SIZE);
    mb_sessions.count = 1;
    for (int i = 0; keys && i < keys->all.count; i++) {
        csignature_keys one = {{keys->all.contexts[i]}, 1};
        uint8_t derived[CSIGNATURE_SIZE];
        if (!csignature_make(&one, purpose, sizeof purpose - 1, derived)) return;
        memcpy(mb_sessions.keys[i], derived, BH_SESSION_KEY_SIZE);
        mb_sessions.count = (uint32_t)i + 1;
    }
}

void mb_session_keep(request_rec *r, apr_table_t *header, const char *cookie, uint32_t id) {
    if (!cookie) return;
    size_t size = strlen(cookie) + BH_SESSION_EXTRA_SIZE;
    int is_tls = ap_http_scheme(r)[4] == 's'; /* "http" or "https" */
    char *line = apr_palloc(r->pool, size);
    if (!bh_session_write(mb_segment, id, &mb_sessions, cookie, apr_table_get(r->headers_in, "Cookie"), is_tls, line,
                          size))
        return;
    apr_table_addn(header, "Set-Cookie", line);
    /* A cache may keep the answer, but not the cookie for other clients. */
    apr_table_mergen(header, "Cache-Control", "no-cache=\"Set-Cookie\"");
}

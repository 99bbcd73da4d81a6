/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The status page, SetHandler backhand-handler: the table as HTML with the columns of the original, or as JSON with ?format=json. It reads; it
 * never decides or changes anything. docs/status.md describes both. */

#include "mb_module.h"

#include "util_script.h"

#include <time.h>

/* Rows that were not heard for so long are shown as stale. */
#define STALE_MS ((uint64_t)SERVER_TIMEOUT * 1000)

/* Nothing from elsewhere, no scripts: the page is text in a table. The number is that of the style below (a test computes it too): another one,
 * that somebody got into the page, would not count. */
#define POLICY \
    "default-src 'none'; style-src 'sha256-ZT/oB9phSanGxut0R2FHDf8quC9UEFRCCULIJnqNVj0='; base-uri 'none'; form-action 'none'; " \
    "frame-ancestors 'none'"

static const char style[] =
    "body{font:14px/1.4 sans-serif;margin:1.5em;color:#222;background:#fff}"
    "table{border-collapse:collapse}th,td{padding:.2em .7em;text-align:right;white-space:nowrap}"
    "th{border-bottom:2px solid #888}td.text,th.text{text-align:left}"
    "tbody tr:nth-child(even){background:#eee}tbody tr.own{font-weight:bold}tbody tr.stale{background:#fcc}"
    "dl{display:grid;grid-template-columns:max-content auto;gap:.1em 1em}dt{color:#666}dd{margin:0}";

static const char *const columns[] = {
    "Entry", "Hostname", "Age", "Address", "Total Mem", "Avail Mem", "Ready/Total", "~ms/req [#req]", "Arriba", "CPUs",
    "Load/HWM", "CPU Idle", "State", NULL};

/* What each server announces of its own last second. */
static const char *const means[] = {
    "Entry", "Hostname", "Age", "Address", "In Flight", "Req/s", "First Byte", "Whole", "CPU Used", "Capacity", "Errors", "Dispatched", NULL};

/* By bh_state_t. */
static const char *const states[] = {"up", "draining", "maintenance", "leaving"};

static void put_figures(request_rec *r, uint32_t id, const bh_facts_t *facts) {
    (void)facts;
    const bh_row_t *row = bh_segment_row(mb_segment, id);
    const serverstat *stat = bh_segment_public(mb_segment, id);
    int load = bh_public_load(&stat->load), cpu = bh_public_load(&stat->cpu);
    ap_rprintf(r,
               "<td>%d MB</td><td>%d MB</td><td>%d/%d</td><td>%d [%d]</td><td>%d</td><td>%d</td>"
               "<td>%.3f/%d</td><td>%.3f</td><td class=\"text\">%s</td>",
               bh_public_load(&stat->tmem), bh_public_load(&stat->amem), bh_public_load(&stat->aservers),
               bh_public_load(&stat->nservers), bh_public_load(&stat->tatime), bh_public_load(&stat->numbacked),
               bh_public_load(&stat->arriba), bh_public_load(&stat->ncpu), load / 1000.0,
               bh_public_load(&stat->load_hwm) / 1000, cpu / 1000.0, states[bh_row_state(row) & 3]);
}

static void put_means(request_rec *r, uint32_t id, const bh_facts_t *facts) {
    (void)id;
    ap_rprintf(r,
               "<td>%.1f</td><td>%.0f</td><td>%.1f ms</td><td>%.1f ms</td><td>%.2f</td><td>%u</td><td>%.1f %%</td><td>%" APR_UINT64_T_FMT "</td>",
               facts->mean_in_flight / 1000.0, facts->arrival_rate / 1000.0, facts->first_byte_us / 1000.0, facts->latency_us / 1000.0,
               facts->cpu_used / 1000.0, facts->capacity, facts->error_ppm / 10000.0, facts->dispatched);
}

typedef void put_cells(request_rec *r, uint32_t id, const bh_facts_t *facts);

static void put_row(request_rec *r, uint32_t id, uint64_t now, put_cells *cells) {
    const bh_row_t *row = bh_segment_row(mb_segment, id);
    uint64_t heard = bh_row_heard(row);
    bh_facts_t facts;
    if (!heard || !mb_facts_of(id, &facts)) return;
    uint64_t age = now > heard ? now - heard : 0;
    ap_rprintf(r, "<tr%s><td>%u</td><td class=\"text\">%s</td><td>%" APR_UINT64_T_FMT "</td><td class=\"text\">%s</td>",
               age > STALE_MS ? " class=\"stale\"" : bh_row_own(row) ? " class=\"own\"" : "", id, ap_escape_html(r->pool, facts.hostname), age / 1000,
               ap_escape_html(r->pool, mb_endpoint(r->pool, &facts.address, facts.port)));
    cells(r, id, &facts);
    ap_rputs("</tr>\n", r);
}

static void put_table(request_rec *r, const char *const *names, put_cells *cells) {
    uint64_t now = mb_now_ms();
    ap_rputs("<table>\n<thead><tr>", r);
    for (int i = 0; names[i]; i++)
        ap_rvputs(r, i == 1 || i == 3 || i == 12 ? "<th class=\"text\">" : "<th>", names[i], "</th>", NULL);
    ap_rputs("</tr></thead>\n<tbody>\n", r);
    for (uint32_t id = 0; id < bh_segment_rows(mb_segment); id++) put_row(r, id, now, cells);
    ap_rputs("</tbody>\n</table>\n", r);
}

static void put_tables(request_rec *r) {
    put_table(r, columns, put_figures);
    ap_rputs("<h2>The last second</h2>\n", r);
    put_table(r, means, put_means);
}

static void put_page(request_rec *r) {
    ap_set_content_type(r, "text/html; charset=utf-8");
    ap_rvputs(r, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Backhand status</title><style>", style,
              "</style></head>\n<body>\n<h1>Backhand status</h1>\n<dl><dt>Server</dt><dd>",
              ap_escape_html(r->pool, r->server->server_hostname ? r->server->server_hostname : "-"),
              "</dd><dt>Version</dt><dd>mod_backhand " BACKHAND_VERSION "</dd><dt>Your address</dt><dd>",
              ap_escape_html(r->pool, r->useragent_ip), "</dd></dl>\n", NULL);
    if (mb_segment) put_tables(r);
    else ap_rputs("<p>No moderator is configured: UnixSocketDir is missing.</p>\n", r);
    ap_rputs("</body></html>\n", r);
}

static bool put_text(void *baton, const char *text, size_t length) {
    return ap_rwrite(text, (int)length, baton) >= 0;
}

static int put_json(request_rec *r) {
    if (!mb_segment) return HTTP_SERVICE_UNAVAILABLE;
    ap_set_content_type(r, "application/json");
    /* An error is the client's leaving: nobody is there to be told. */
    (void)bh_segment_json(mb_segment, mb_now_ms(), (int64_t)time(NULL), put_text, r);
    return OK;
}

static int wants_json(request_rec *r) {
    apr_table_t *arguments;
    ap_args_to_table(r, &arguments);
    const char *format = apr_table_get(arguments, "format");
    return format && strcmp(format, "json") == 0;
}

static int show(request_rec *r) {
    if (!r->handler || strcmp(r->handler, MB_STATUS_HANDLER) != 0) return DECLINED;
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
    if (r->method_number != M_GET) return HTTP_METHOD_NOT_ALLOWED;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "Content-Security-Policy", POLICY);
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    if (wants_json(r)) return put_json(r);
    put_page(r);
    return OK;
}

void mb_status_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_handler(show, NULL, NULL, APR_HOOK_MIDDLE);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The status page, SetHandler backhand-handler: the table as HTML with the columns of the original, or as JSON with
 * ?format=json. It reads; it never decides or changes anything. Where no moderator keeps the table up to date, both are
 * a 503 that says why. docs/status.md describes both. */

#include "status/mb_status.h"

#include "util_script.h"

#include <time.h>

/* Rows that were not heard for so long are shown as stale. */
#define STALE_MS ((uint64_t)SERVER_TIMEOUT * 1000)

/* Nothing from elsewhere, no scripts: the page is text in a table. The number is that of the style below (a test
 * computes it too): another one, that somebody got into the page, would not count. */
#define POLICY                                                                                                         \
    "default-src 'none'; style-src 'sha256-ZT/oB9phSanGxut0R2FHDf8quC9UEFRCCULIJnqNVj0='; base-uri 'none'; "           \
    "form-action 'none'; frame-ancestors 'none'"

static const char style[] =
    "body{font:14px/1.4 sans-serif;margin:1.5em;color:#222;background:#fff}"
    "table{border-collapse:collapse}th,td{padding:.2em .7em;text-align:right;white-space:nowrap}"
    "th{border-bottom:2px solid #888}td.text,th.text{text-align:left}"
    "tbody tr:nth-child(even){background:#eee}tbody tr.own{font-weight:bold}tbody tr.stale{background:#fcc}"
    "dl{display:grid;grid-template-columns:max-content auto;gap:.1em 1em}dt{color:#666}dd{margin:0}";

static const char *const columns[] = {"Entry",       "Hostname",       "Age",    "Address", "Total Mem", "Avail Mem",
                                      "Ready/Total", "~ms/req [#req]", "Arriba", "CPUs",    "Load/HWM",  "CPU Idle",
                                      "Kept",        "State",          "Why",    NULL};

/* What each server announces of its own last second. */
static const char *const means[] = {"Entry", "Hostname", "Age",      "Address", "In Flight",  "Req/s", "First Byte",
                                    "Whole", "CPU Used", "Capacity", "Errors",  "Dispatched", NULL};

/* By bh_state_t. */
static const char *const states[] = {"up", "draining", "maintenance", "shutdown"};

/* What rows are shown by. */
typedef struct moment {
    uint64_t now;
    uint64_t longest; /* bh_segment_presence */
} moment;

static void put_figures(request_rec *r, uint32_t id, const bh_facts_t *facts, const moment *at) {
    (void)facts;
    char why[BH_REASON_SIZE] = "";
    (void)bh_row_reason(mb_segment, id, at->longest, at->now, why, sizeof why);
    const bh_row_t *row = bh_segment_row(mb_segment, id);
    const serverstat *stat = bh_segment_public(mb_segment, id);
    int load = bh_public_load(&stat->load), cpu = bh_public_load(&stat->cpu);
    ap_rprintf(r,
               "<td>%d MB</td><td>%d MB</td><td>%d/%d</td><td>%d [%d]</td><td>%d</td><td>%d</td>"
               "<td>%.3f/%d</td><td>%.3f</td><td>%u</td><td class=\"text\">%s</td><td class=\"text\">%s</td>",
               bh_public_load(&stat->tmem), bh_public_load(&stat->amem), bh_public_load(&stat->aservers),
               bh_public_load(&stat->nservers), bh_public_load(&stat->tatime), bh_public_load(&stat->numbacked),
               bh_public_load(&stat->arriba), bh_public_load(&stat->ncpu), load / 1000.0,
               bh_public_load(&stat->load_hwm) / 1000, cpu / 1000.0, bh_row_kept(mb_segment, id),
               states[bh_row_state(row) & 3], why);
}

static void put_means(request_rec *r, uint32_t id, const bh_facts_t *facts, const moment *at) {
    (void)id, (void)at;
    ap_rprintf(r,
               "<td>%.1f</td><td>%.0f</td><td>%.1f ms</td><td>%.1f ms</td><td>%.2f</td><td>%u</td><td>%.1f %%</td>"
               "<td>%" APR_UINT64_T_FMT "</td>",
               facts->mean_in_flight / 1000.0, facts->arrival_rate / 1000.0, facts->first_byte_us / 1000.0,
               facts->latency_us / 1000.0, facts->cpu_used / 1000.0, facts->capacity, facts->error_ppm / 10000.0,
               facts->dispatched);
}

typedef void put_cells(request_rec *r, uint32_t id, const bh_facts_t *facts, const moment *at);

static void put_row(request_rec *r, uint32_t id, const moment *at, put_cells *cells) {
    const bh_row_t *row = bh_segment_row(mb_segment, id);
    uint64_t heard = bh_row_heard(row);
    bh_facts_t facts;
    if (!heard || !mb_facts_of(id, &facts)) return;
    uint64_t age = at->now > heard ? at->now - heard : 0;
    ap_rprintf(r, "<tr%s><td>%u</td><td class=\"text\">%s</td><td>%" APR_UINT64_T_FMT "</td><td class=\"text\">%s</td>",
               age > STALE_MS    ? " class=\"stale\""
               : bh_row_own(row) ? " class=\"own\""
                                 : "",
               id, ap_escape_html(r->pool, facts.hostname), age / 1000,
               ap_escape_html(r->pool, mb_endpoint(r->pool, &facts.address, facts.port)));
    cells(r, id, &facts, at);
    ap_rputs("</tr>\n", r);
}

static void put_table(request_rec *r, const char *const *names, const moment *at, put_cells *cells) {
    ap_rputs("<table>\n<thead><tr>", r);
    for (int i = 0; names[i]; i++)
        ap_rvputs(r, i == 1 || i == 3 || i >= 13 ? "<th class=\"text\">" : "<th>", names[i], "</th>", NULL);
    ap_rputs("</tr></thead>\n<tbody>\n", r);
    for (uint32_t id = 0; id < bh_segment_rows(mb_segment); id++) put_row(r, id, at, cells);
    ap_rputs("</tbody>\n</table>\n", r);
}

/* Who was heard lately, and is in neither table. */
static void put_senders(request_rec *r, uint64_t now) {
    bh_sender_t sender;
    int count = 0;
    for (uint32_t i = 0; i < BH_SENDERS; i++) {
        char address[BH_ADDRESS_SIZE];
        const char *why;
        if (!bh_segment_sender(mb_segment, i, &sender) || !(why = bh_refusal_text(sender.counter))
            || bh_address_format(&sender.address, address, sizeof address) != BH_OK)
            continue;
        if (!count++)
            ap_rputs("<h2>Heard, but not in the table</h2>\n<table>\n<thead><tr><th class=\"text\">Sender</th><th "
                     "class=\"text\">Why</th><th>Age</th>"
                     "<th>Datagrams</th></tr></thead>\n<tbody>\n",
                     r);
        ap_rprintf(r,
                   "<tr><td class=\"text\">%s</td><td class=\"text\">%s</td><td>%" APR_UINT64_T_FMT
                   "</td><td>%u</td></tr>\n",
                   ap_escape_html(r->pool, address), why, now > sender.heard_ms ? (now - sender.heard_ms) / 1000 : 0,
                   sender.times);
    }
    if (count) ap_rputs("</tbody>\n</table>\n", r);
}

static void put_tables(request_rec *r) {
    moment at = {.now = mb_now_ms()};
    at.longest = bh_segment_presence(mb_segment, bh_segment_rows(mb_segment), at.now);
    put_table(r, columns, &at, put_figures);
    ap_rputs("<h2>The last second</h2>\n", r);
    put_table(r, means, &at, put_means);
    put_senders(r, at.now);
}

/* Why the table tells nothing of now; "": it does. */
static const char *trouble_of(void) {
    if (mb_segment) return bh_trouble_text(bh_segment_trouble(mb_segment, mb_now_ms()));
    return mb_main_server()->directory ? bh_trouble_text(BH_TROUBLE_UNATTENDED)
                                       : "there is no moderator: UnixSocketDir is missing";
}

static void put_page(request_rec *r, const char *trouble) {
    ap_set_content_type(r, "text/html; charset=utf-8");
    ap_rvputs(r,
              "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Backhand status</title><style>",
              style, "</style></head>\n<body>\n<h1>Backhand status</h1>\n<dl><dt>Server</dt><dd>",
              ap_escape_html(r->pool, r->server->server_hostname ? r->server->server_hostname : "-"),
              "</dd><dt>Version</dt><dd>mod_backhand " BACKHAND_VERSION "</dd><dt>Your address</dt><dd>",
              ap_escape_html(r->pool, r->useragent_ip), "</dd></dl>\n", NULL);
    if (*trouble) ap_rvputs(r, "<p>This table tells nothing of now: ", trouble, ".</p>\n", NULL);
    if (mb_segment) put_tables(r);
    ap_rputs("</body></html>\n", r);
}

static bool put_text(void *baton, const char *text, size_t length) { return ap_rwrite(text, (int)length, baton) >= 0; }

static void put_json(request_rec *r, const char *trouble) {
    ap_set_content_type(r, "application/json");
    /* An error is the client's leaving: nobody is there to be told. */
    if (mb_segment) (void)bh_segment_json(mb_segment, mb_now_ms(), (int64_t)time(NULL), put_text, r);
    else
        ap_rprintf(r,
                   "{\"version\":\"" BACKHAND_VERSION "\",\"now\":%" APR_INT64_T_FMT
                   ",\"trouble\":\"%s\",\"servers\":[]}\n",
                   (apr_int64_t)time(NULL), trouble);
}

/* Letters of a value that a message repeats. */
#define MOST_REPEATED 64

static int refuse_format(request_rec *r, const char *format) {
    char *shown = apr_pstrndup(r->pool, format, MOST_REPEATED);
    for (char *each = shown; *each; each++)
        if (*each < ' ' || *each > '~') *each = '?';
    r->status = HTTP_BAD_REQUEST;
    ap_set_content_type(r, "text/plain; charset=utf-8");
    ap_rvputs(r, "There is no format '", shown, "': format is html (or not given) or json.\n", NULL);
    return OK;
}

static int show(request_rec *r) {
    if (!r->handler || strcmp(r->handler, MB_STATUS_HANDLER) != 0) return DECLINED;
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
    if (r->method_number != M_GET) return HTTP_METHOD_NOT_ALLOWED;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "Content-Security-Policy", POLICY);
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_t *arguments;
    ap_args_to_table(r, &arguments);
    const char *format = apr_table_get(arguments, "format");
    int is_json = format && strcmp(format, "json") == 0;
    if (format && !is_json && strcmp(format, "html") != 0) return refuse_format(r, format);
    const char *trouble = trouble_of();
    if (*trouble) r->status = HTTP_SERVICE_UNAVAILABLE;
    (is_json ? put_json : put_page)(r, trouble);
    return OK;
}

void mb_status_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_handler(show, NULL, NULL, APR_HOOK_MIDDLE);
}

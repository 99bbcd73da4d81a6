/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The status page, SetHandler backhand-handler: the table as HTML with the columns of the original, or as JSON with
 * ?format=json. It reads; it never decides or changes anything. Where no moderator keeps the table up to date, both are
 * a 503 that says why. The core writes the tables, and this file what surrounds them. docs/status.md describes both. */

#include "status/mb_status.h"

#include "util_script.h"

#include <time.h>

/* Nothing from elsewhere, no scripts: the page is text in a table. The number is that of the style below (a test
 * computes it too): another one, that an attacker got into the page, would not count. */
#define POLICY                                                                                                         \
    "default-src 'none'; style-src 'sha256-ZT/oB9phSanGxut0R2FHDf8quC9UEFRCCULIJnqNVj0='; base-uri 'none'; "           \
    "form-action 'none'; frame-ancestors 'none'"

static const char style[] =
    "body{font:14px/1.4 sans-serif;margin:1.5em;color:#222;background:#fff}"
    "table{border-collapse:collapse}th,td{padding:.2em .7em;text-align:right;white-space:nowrap}"
    "th{border-bottom:2px solid #888}td.text,th.text{text-align:left}"
    "tbody tr:nth-child(even){background:#eee}tbody tr.own{font-weight:bold}tbody tr.stale{background:#fcc}"
    "dl{display:grid;grid-template-columns:max-content auto;gap:.1em 1em}dt{color:#666}dd{margin:0}";

/* Why the table tells nothing of now; "": it does. */
static const char *trouble_of(void) {
    if (mb_segment) return bh_trouble_text(bh_segment_trouble(mb_segment, mb_now_ms()));
    return mb_main_server()->directory ? bh_trouble_text(BH_TROUBLE_UNATTENDED)
                                       : "there is no moderator: UnixSocketDir is missing";
}

static bool put_text(void *baton, const char *text, size_t length) { return ap_rwrite(text, (int)length, baton) >= 0; }

static void put_page(request_rec *r, const char *trouble) {
    ap_set_content_type(r, "text/html; charset=utf-8");
    ap_rvputs(r,
              "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Backhand status</title><style>",
              style, "</style></head>\n<body>\n<h1>Backhand status</h1>\n<dl><dt>Server</dt><dd>",
              ap_escape_html(r->pool, r->server->server_hostname ? r->server->server_hostname : "-"),
              "</dd><dt>Version</dt><dd>mod_backhand " BACKHAND_VERSION "</dd><dt>Your address</dt><dd>",
              ap_escape_html(r->pool, r->useragent_ip), "</dd></dl>\n", NULL);
    if (*trouble) ap_rvputs(r, "<p>This table tells nothing of now: ", trouble, ".</p>\n", NULL);
    if (mb_segment) (void)bh_segment_html(mb_segment, mb_now_ms(), put_text, r); /* as for the JSON */
    ap_rputs("</body></html>\n", r);
}

static void put_json(request_rec *r, const char *trouble) {
    ap_set_content_type(r, "application/json");
    /* An error is the client's leaving: there is no client to tell. */
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

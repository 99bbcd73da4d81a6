/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The status page, SetHandler backhand-handler: the table as HTML with the columns of the original, or as JSON with
 * ?format=json. It reads; it never decides or changes anything. Where no moderator keeps the table up to date, both are
 * a 503 that says why. The core writes both; docs/status.md describes them. */

#include "status/mb_status.h"

#include "util_script.h"

#include <time.h>

bool mb_status_put(void *baton, const char *text, size_t length) { return ap_rwrite(text, (int)length, baton) >= 0; }

static int refuse_format(request_rec *r, const char *why) {
    r->status = HTTP_BAD_REQUEST;
    ap_set_content_type(r, "text/plain; charset=utf-8");
    ap_rvputs(r, "There is no such format: ", why, ".\n", NULL);
    return OK;
}

static int show(request_rec *r) {
    static const char *const formats[] = {"html", "json"};
    char why[BH_ERROR_SIZE];
    uint32_t chosen = 0;
    apr_table_t *arguments;
    if (!r->handler || strcmp(r->handler, MB_STATUS_HANDLER) != 0) return DECLINED;
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
    if (r->method_number != M_GET) return HTTP_METHOD_NOT_ALLOWED;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "Content-Security-Policy", bh_page_policy());
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    ap_args_to_table(r, &arguments);
    const char *format = apr_table_get(arguments, "format");
    if (format && bh_word_choose(format, formats, 2, false, &chosen, why, sizeof why) != BH_OK)
        return refuse_format(r, why);
    bh_page_t page = {.now_ms = mb_now_ms(),
                      .wall_s = (int64_t)time(NULL),
                      .server = r->server->server_hostname ? r->server->server_hostname : "-",
                      .client = r->useragent_ip,
                      .has_directory = mb_main_server()->directory,
                      .json = chosen == 1,
                      .extension = mb_extension};
    page.trouble = bh_page_trouble(mb_segment, &page);
    if (*page.trouble) r->status = HTTP_SERVICE_UNAVAILABLE;
    ap_set_content_type(r, page.json ? "application/json" : "text/html; charset=utf-8");
    (void)bh_page_write(mb_segment, &page, mb_status_put, r); /* an error is the client's leaving */
    return OK;
}

void mb_status_register(apr_pool_t *pool) { ap_hook_handler(show, NULL, NULL, APR_HOOK_MIDDLE); }

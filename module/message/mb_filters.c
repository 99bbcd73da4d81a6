/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Answers that pass through two httpds go through the content filters of one.
 *
 * In a cluster whose nodes have one configuration, the front's filters would run on what the server's have made:
 * Substitute twice, and the front's mod_include on text that the server's application has printed. So a server tells a
 * front that it accepts, in a header of the answer, which filters were in the answer's way, and the front takes filters
 * with these names out of it. Others run: a server without the module names none.
 */

#include "message/mb_message.h"

#include "util_filter.h"

/* Filters before this one change the content; from it on they are httpd's way of saying it. */
#define CONTENT_END AP_FTYPE_PROTOCOL
/* In the place of names: which filters there were is not known. An answer of mod_cache's quick handler has passed them
 * when it was kept; a request that was refused early has not come to them. */
#define ALL "*"
/* Before the names: httpd itself has made the answer, an error page. Content filters and most of mod_headers are not
 * for these. */
#define OF_HTTPD "!"
#define NO_NAME "-"
/* Kept, never sent: nothing on this server's way has to do with the content. Then there is nothing that two could do,
 * and no mark, which would cost a front as much as any other line of the header. */
#define NOTHING ""

static ap_filter_rec_t *mark_filter;

/* FilterDeclare takes any text for a name. */
static int is_token(const char *name) { return *name && !name[strcspn(name, ", \t\"=\r\n")]; }

static int is_content(const ap_filter_t *filter, const request_rec *r) {
    return filter && filter->r == r && filter->frec->ftype < CONTENT_END;
}

/* ---- On the server ---- */

static const char *with(apr_pool_t *pool, const char *names, const char *name) {
    if (names && bh_list_has(names, name, false)) return names;
    return names ? apr_pstrcat(pool, names, ",", name, NULL) : name;
}

static int is_ours(const ap_filter_t *filter) {
    return strncmp(filter->frec->name, "backhand_", sizeof "backhand_" - 1) == 0;
}

/* The names of all that is in the answer's way, after these. */
static const char *name_filters(request_rec *r, const char *names) {
    int others = 0;
    for (const ap_filter_t *each = r->output_filters; is_content(each, r); each = each->next) {
        others |= !is_ours(each);
        if (!bh_filter_runs_in_both(each->frec->name) && is_token(each->frec->name))
            names = with(r->pool, names, each->frec->name);
    }
    return names ? names : others ? NO_NAME : NOTHING;
}

/* The last that has to do with content, after mod_cache's: what is kept must not have the mark, for others get it too.
 */
static apr_status_t mark(ap_filter_t *filter, apr_bucket_brigade *brigade) {
    request_rec *r = filter->r;
    const mb_request *kept = mb_request_find(r);
    const char *names = kept->filtered ? kept->filtered : ALL;
    apr_table_unset(r->headers_out, MB_FILTERED_HEADER);
    apr_table_unset(r->err_headers_out, MB_FILTERED_HEADER);
    /* Another httpd's, which this one asks as a proxy: it does not know this one, and that is not the front's affair.
     */
    apr_table_unset(r->headers_out, MB_UNKNOWN_HEADER);
    if (strcmp(names, NOTHING) == 0 && (kept->of_httpd || !apr_is_empty_table(r->err_headers_out))) names = NO_NAME;
    if (kept->of_httpd) names = apr_pstrcat(r->pool, OF_HTTPD ",", names, NULL);
    if (strcmp(names, NOTHING) != 0) apr_table_setn(r->headers_out, MB_FILTERED_HEADER, names);
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

static int is_from_peer(request_rec *r) {
    const mb_request *kept = r->main ? NULL : mb_request_find(r);
    return kept && kept->from_peer;
}

static int has_mark(const request_rec *r) {
    for (const ap_filter_t *each = r->output_filters; is_content(each, r); each = each->next)
        if (each->frec == mark_filter) return 1;
    return 0;
}

static void add_mark(request_rec *r) {
    if (!has_mark(r)) ap_add_output_filter_handle(mark_filter, NULL, r, r->connection);
}

/* mod_cache's quick handler answers before any filter is inserted. */
static int begin(request_rec *r) {
    if (is_from_peer(r) && !r->prev) add_mark(r);
    return DECLINED;
}

/* Before the handler. A page of ErrorDocument has filters of its own, and the front those of the page that was asked
 * for. */
static void insert(request_rec *r) {
    if (!is_from_peer(r)) return;
    mb_request *kept = mb_request_make(r);
    int is_document = r->prev && ap_is_HTTP_ERROR(r->prev->status);
    kept->filtered = name_filters(r, !is_document ? NULL : kept->filtered ? kept->filtered : ALL);
    kept->of_httpd = 0;
    add_mark(r);
}

/* httpd's own error pages have lost their filters. */
static void insert_for_error(request_rec *r) {
    if (!is_from_peer(r)) return;
    mb_request_make(r)->of_httpd = 1;
    add_mark(r);
}

/* ---- On the front ---- */

static int has_name(const char *names, const char *name) { return bh_list_has(names, name, false); }

static void leave_out(request_rec *r, const char *names) {
    int all = has_name(names, ALL);
    for (ap_filter_t *each = r->output_filters, *next; is_content(each, r); each = next) {
        next = each->next;
        if (!bh_filter_runs_in_both(each->frec->name) && (all || has_name(names, each->frec->name)))
            ap_remove_output_filter(each);
    }
}

/* As mod_headers does for error pages: only its "always" counts. */
static void set_headers_of_error(request_rec *r) {
    for (ap_filter_t *each = r->output_filters; is_content(each, r); each = each->next) {
        if (strcmp(each->frec->name, "fixup_headers_out") != 0) continue;
        ap_remove_output_filter(each);
        ap_add_output_filter("FIXUP_HEADERS_ERR", NULL, r, r->connection);
        return;
    }
}

/* What the server says between two hops, which no client gets: the value of the mark; NULL: there is none. A table
 * finds at once that it has no header with this letter. */
static const char *take_mark(request_rec *r) {
    const char *names = apr_table_get(r->headers_out, MB_FILTERED_HEADER);
    if (!names) return NULL;
    apr_table_unset(r->headers_out, MB_FILTERED_HEADER);
    apr_table_unset(r->headers_out, "Alt-Svc"); /* other ports of the server */
    apr_table_unset(r->headers_out, "Backhand-Trace");
    return names;
}

/* Whether there is anything that may set a header here. */
static int may_set_headers(const request_rec *r) {
    if (!apr_is_empty_table(r->err_headers_out)) return 1;
    for (const ap_filter_t *each = r->output_filters; is_content(each, r); each = each->next)
        if (!is_ours(each)) return 1;
    return 0;
}

void mb_filters_answer(request_rec *r, const apr_table_t *own) {
    const char *names = take_mark(r);
    if (!names) return;
    const mb_directory *settings = ap_get_module_config(r->per_dir_config, &backhand_module);
    if (settings->filters != MB_ON && strcmp(names, NO_NAME) != 0) {
        leave_out(r, names);
        if (has_name(names, OF_HTTPD)) set_headers_of_error(r);
    }
    /* What mod_mime and mod_negotiation have made of a file of this server's. */
    r->content_encoding = NULL;
    r->content_languages = NULL;
    if (may_set_headers(r) || apr_table_get(own, "Set-Cookie")) mb_merge_begin(r, own);
}

void mb_filters_register(apr_pool_t *pool) {
    mark_filter = ap_register_output_filter("BACKHAND_MARK", mark, NULL, CONTENT_END - 1);
    /* After mb_guard.c, which knows a peer. */
    ap_hook_post_read_request(begin, NULL, NULL, APR_HOOK_REALLY_FIRST + 1);
    ap_hook_insert_filter(insert, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_error_filter(insert_for_error, NULL, NULL, APR_HOOK_REALLY_LAST);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The header of an answer that both the server and this front have a say in: of what both set, the server's stays.
 *
 * mod_headers, mod_session and others change the header in output filters, when the answer passes. What they,
 * mod_negotiation and mod_usertrack put into err_headers_out is added to what the server sent when httpd writes the
 * header. So the server's header is remembered when it comes, and compared with what has become of it after the last
 * filter that sets headers, before mod_cache's and httpd's own HTTP_HEADER. docs/answers.md has the table.
 */

#include "message/mb_message.h"

#include "util_filter.h"

/* What two servers' values of one header are to each other. */
typedef enum kind {
    SINGLE,     /* there is one value: the server's stays; every header that the table does not name */
    LIST,       /* elements with commas: the front adds those that the server has not */
    DIRECTIVES, /* the same, but "max-age=60" and "max-age=5" are one */
    LINES,      /* each line stands for itself: the front adds those that the server has not */
    COOKIES,    /* the same by name, domain and path */
    CONTENT,    /* describes the body: filters of this front that have changed the body have changed it */
    OURS        /* between two hops: left to mod_proxy and this httpd */
} kind;

static const struct {
    const char *name;
    kind kind;
} kinds[] = {{"Accept-CH", LIST},
             {"Accept-Patch", LIST},
             {"Accept-Post", LIST},
             {"Access-Control-Allow-Headers", LIST},
             {"Access-Control-Allow-Methods", LIST},
             {"Access-Control-Expose-Headers", LIST},
             {"Allow", LIST},
             {"Clear-Site-Data", LIST},
             {"Link", LIST},
             {"Server-Timing", LIST},
             {"Timing-Allow-Origin", LIST},
             {"Vary", LIST},
             {"Cache-Control", DIRECTIVES},
             {"Pragma", DIRECTIVES},
             {"Content-Security-Policy", LINES},
             {"Content-Security-Policy-Report-Only", LINES},
             {"Proxy-Authenticate", LINES},
             {"Warning", LINES},
             {"WWW-Authenticate", LINES},
             {"Set-Cookie", COOKIES},
             {"Set-Cookie2", COOKIES},
             {"Accept-Ranges", CONTENT},
             {"Content-Encoding", CONTENT},
             {"Content-Language", CONTENT},
             {"Content-Length", CONTENT},
             {"Content-MD5", CONTENT},
             {"Content-Range", CONTENT},
             {"Content-Type", CONTENT},
             {"Digest", CONTENT},
             {"ETag", CONTENT},
             {"Last-Modified", CONTENT},
             {"Alt-Svc", OURS},
             {"Connection", OURS},
             {"Keep-Alive", OURS},
             {"TE", OURS},
             {"Trailer", OURS},
             {"Transfer-Encoding", OURS},
             {"Upgrade", OURS},
             {"Via", OURS}};

static ap_filter_rec_t *merge_filter;

static kind kind_of(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (ap_cstr_casecmp(kinds[i].name, name) == 0) return kinds[i].kind;
    return ap_cstr_casecmpn(name, "Backhand-", sizeof "Backhand-" - 1) == 0 ? OURS : SINGLE;
}

/* ---- Values ---- */

static int count_of(const apr_table_t *table, const char *name) {
    const apr_array_header_t *all = apr_table_elts(table);
    int count = 0;
    for (int i = 0; i < all->nelts; i++)
        count += ap_cstr_casecmp(APR_ARRAY_IDX(all, i, apr_table_entry_t).key, name) == 0;
    return count;
}

static int is_same(kind kind, const char *sent, const char *value) {
    return strcmp(sent, value) == 0 || (kind == COOKIES && bh_cookie_is_same(sent, value));
}

static int has_line(const apr_table_t *sent, const char *name, kind kind, const char *value) {
    const apr_array_header_t *all = apr_table_elts(sent);
    for (int i = 0; i < all->nelts; i++) {
        const apr_table_entry_t *each = &APR_ARRAY_IDX(all, i, apr_table_entry_t);
        if (ap_cstr_casecmp(each->key, name) == 0 && is_same(kind, each->val, value)) return 1;
    }
    return 0;
}

/* The table's lines of one name. */
static const char **lines_of(apr_pool_t *pool, const apr_table_t *table, const char *name, size_t *count) {
    const apr_array_header_t *all = apr_table_elts(table);
    const char **lines = apr_palloc(pool, (apr_size_t)(all->nelts + 1) * sizeof *lines);
    *count = 0;
    for (int i = 0; i < all->nelts; i++) {
        const apr_table_entry_t *each = &APR_ARRAY_IDX(all, i, apr_table_entry_t);
        if (ap_cstr_casecmp(each->key, name) == 0) lines[(*count)++] = each->val;
    }
    return lines;
}

/* What a line of the front's has beyond the server's; NULL: nothing. */
static const char *beyond(apr_pool_t *pool, const apr_table_t *sent, const char *name, kind kind, const char *value) {
    if (kind == LINES || kind == COOKIES) return has_line(sent, name, kind, value) ? NULL : value;
    if (kind != LIST && kind != DIRECTIVES) return NULL;
    size_t count, size = 2 * strlen(value) + 1;
    const char **lines = lines_of(pool, sent, name, &count);
    char *rest = apr_palloc(pool, size);
    return bh_list_beyond(value, lines, count, kind == DIRECTIVES, rest, size) ? rest : NULL;
}

/* ---- Tables ---- */

/* What the front has set beside the server's header; httpd would add it. A name that the front has unset in the
 * server's is the front's. */
static void merge_beside(request_rec *r, const apr_table_t *sent) {
    const apr_array_header_t *all = apr_table_elts(r->err_headers_out);
    apr_table_t *result = apr_table_make(r->pool, all->nelts + 1);
    for (int i = 0; i < all->nelts; i++) {
        const apr_table_entry_t *each = &APR_ARRAY_IDX(all, i, apr_table_entry_t);
        kind kind = kind_of(each->key);
        const char *value = each->val;
        if (kind != OURS && count_of(sent, each->key) && count_of(r->headers_out, each->key))
            value = beyond(r->pool, sent, each->key, kind, value);
        if (value) apr_table_addn(result, each->key, value);
    }
    r->err_headers_out = result;
}

/* Whether the front has not touched the server's header, which is the common case. */
static int is_untouched(const request_rec *r, const apr_table_t *sent) {
    const apr_array_header_t *now = apr_table_elts(r->headers_out), *then = apr_table_elts(sent);
    if (now->nelts != then->nelts) return 0;
    for (int i = 0; i < now->nelts; i++)
        if (APR_ARRAY_IDX(now, i, apr_table_entry_t).val != APR_ARRAY_IDX(then, i, apr_table_entry_t).val) return 0;
    return 1;
}

/* The server's cookie, with attributes that the front's line of the same cookie has beyond it ("Header edit Set-Cookie
 * ... Secure"). Its value stays. */
static const char *with_attributes(apr_pool_t *pool, const apr_table_t *now, const char *name, const char *cookie) {
    const apr_array_header_t *all = apr_table_elts(now);
    for (int i = 0; i < all->nelts; i++) {
        const apr_table_entry_t *each = &APR_ARRAY_IDX(all, i, apr_table_entry_t);
        if (ap_cstr_casecmp(each->key, name) != 0 || !bh_cookie_is_same(cookie, each->val)) continue;
        size_t size = strlen(cookie) + 2 * strlen(each->val) + 3;
        char *more = apr_palloc(pool, size);
        bh_cookie_with(cookie, each->val, more, size);
        cookie = more;
    }
    return cookie;
}

/* The server's lines of one name, and what the front's have beyond them, with its edits of cookies where it runs its
 * own filters anyway: in the last line of a list, as lines of their own otherwise. */
static void merge_name(apr_pool_t *pool, apr_table_t *result, const apr_table_t *sent, const apr_table_t *now,
                       const char *name, kind kind, int edits) {
    const apr_array_header_t *all = apr_table_elts(now), *then = apr_table_elts(sent);
    for (int i = 0; i < then->nelts; i++) {
        const apr_table_entry_t *each = &APR_ARRAY_IDX(then, i, apr_table_entry_t);
        if (ap_cstr_casecmp(each->key, name) == 0)
            apr_table_addn(result, each->key,
                           kind == COOKIES && edits ? with_attributes(pool, now, name, each->val) : each->val);
    }
    for (int i = 0; i < all->nelts; i++) {
        const apr_table_entry_t *each = &APR_ARRAY_IDX(all, i, apr_table_entry_t);
        const char *more = ap_cstr_casecmp(each->key, name) == 0 ? beyond(pool, sent, name, kind, each->val) : NULL;
        if (!more) continue;
        if (kind == LIST || kind == DIRECTIVES) apr_table_mergen(result, name, more);
        else apr_table_addn(result, each->key, more);
    }
}

/* What the front has made of the server's header itself. */
static void merge_within(request_rec *r, const apr_table_t *sent) {
    if (is_untouched(r, sent)) return;
    const mb_directory *settings = ap_get_module_config(r->per_dir_config, &backhand_module);
    const apr_array_header_t *all = apr_table_elts(r->headers_out);
    apr_table_t *result = apr_table_make(r->pool, all->nelts + 1);
    for (int i = 0; i < all->nelts; i++) {
        const apr_table_entry_t *each = &APR_ARRAY_IDX(all, i, apr_table_entry_t);
        kind kind = kind_of(each->key);
        if (kind == OURS || kind == CONTENT || !count_of(sent, each->key)) apr_table_addn(result, each->key, each->val);
        else if (!count_of(result, each->key))
            merge_name(r->pool, result, sent, r->headers_out, each->key, kind, settings->filters == MB_ON);
    }
    r->headers_out = result;
}

/* ---- The answer's way ---- */

static apr_status_t merge(ap_filter_t *filter, apr_bucket_brigade *brigade) {
    request_rec *r = filter->r;
    const apr_table_t *sent = filter->ctx;
    if (!apr_is_empty_table(r->err_headers_out)) merge_beside(r, sent);
    merge_within(r, sent);
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

/* mod_proxy puts cookies that were there before in front of the server's. */
static void remove_own_cookies(apr_table_t *sent, apr_pool_t *pool, const apr_table_t *own) {
    int own_cookies = count_of(own, "Set-Cookie");
    if (!own_cookies) return;
    const apr_table_t *all = apr_table_copy(pool, sent);
    const apr_array_header_t *lines = apr_table_elts(all);
    apr_table_unset(sent, "Set-Cookie");
    for (int i = 0; i < lines->nelts; i++) {
        const apr_table_entry_t *each = &APR_ARRAY_IDX(lines, i, apr_table_entry_t);
        if (ap_cstr_casecmp(each->key, "Set-Cookie") != 0) continue;
        if (own_cookies && has_line(own, "Set-Cookie", LINES, each->val)) own_cookies--;
        else apr_table_addn(sent, each->key, each->val);
    }
}

void mb_merge_begin(request_rec *r, const apr_table_t *own) {
    apr_table_t *sent = apr_table_copy(r->pool, r->headers_out);
    remove_own_cookies(sent, r->pool, own);
    ap_add_output_filter_handle(merge_filter, sent, r, r->connection);
}

void mb_merge_register(apr_pool_t *pool) {
    (void)pool;
    /* Of the same type as mod_headers', which were inserted before the handler ran, so that ours is behind them;
     * mod_cache's is one more. */
    merge_filter = ap_register_output_filter("BACKHAND_MERGE", merge, NULL, AP_FTYPE_CONTENT_SET);
}

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

static ap_filter_rec_t *merge_filter;

/* The core reads a table's lines where they are. */
_Static_assert(sizeof(bh_field_t) == sizeof(apr_table_entry_t)
                   && offsetof(bh_field_t, name) == offsetof(apr_table_entry_t, key)
                   && offsetof(bh_field_t, value) == offsetof(apr_table_entry_t, val)
                   && offsetof(bh_field_t, hash) == offsetof(apr_table_entry_t, key_checksum),
               "another apr_table_entry_t");

static bh_fields_t lines_of(const apr_table_t *table) {
    const apr_array_header_t *lines = apr_table_elts(table);
    return (bh_fields_t){(const bh_field_t *)(const void *)lines->elts, (size_t)lines->nelts};
}

/* A table that the core fills. */
typedef struct filled {
    apr_pool_t *pool;
    apr_table_t *table; /* NULL: it has no line so far */
} filled;

static void add(void *to, const char *name, const char *value) {
    filled *result = to;
    if (!result->table) result->table = apr_table_make(result->pool, 16);
    apr_table_addn(result->table, name, value);
}

static char *room(void *of, size_t size) { return apr_palloc(((const filled *)of)->pool, size); }

static apr_status_t merge(ap_filter_t *filter, apr_bucket_brigade *brigade) {
    request_rec *r = filter->r;
    const mb_directory *settings = ap_get_module_config(r->per_dir_config, &backhand_module);
    bh_answer_header_t answer = {lines_of(filter->ctx), lines_of(r->headers_out), settings->filters == MB_ON};
    filled within = {r->pool, NULL}, beside = {r->pool, NULL};
    if (!apr_is_empty_table(r->err_headers_out)) {
        bh_merge_beside(&answer, lines_of(r->err_headers_out), &(bh_header_t){&beside, add, room});
        r->err_headers_out = beside.table ? beside.table : apr_table_make(r->pool, 1);
    }
    bh_merge_within(&answer, &(bh_header_t){&within, add, room});
    if (within.table) r->headers_out = within.table;
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

void mb_merge_begin(request_rec *r, const apr_table_t *own) {
    filled sent = {r->pool, NULL};
    if (apr_table_get(own, "Set-Cookie"))
        bh_merge_sent(lines_of(r->headers_out), lines_of(own), &(bh_header_t){&sent, add, room});
    else sent.table = apr_table_copy(r->pool, r->headers_out);
    ap_add_output_filter_handle(merge_filter, sent.table ? sent.table : apr_table_make(r->pool, 1), r, r->connection);
}

void mb_merge_register(apr_pool_t *pool) {
    /* Of the same type as mod_headers', which were inserted before the handler ran, so that ours is after them;
     * mod_cache's is one more. */
    merge_filter = ap_register_output_filter("BACKHAND_MERGE", merge, NULL, AP_FTYPE_CONTENT_SET);
}

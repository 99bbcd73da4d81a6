/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* ProxyPassReverse and ProxyPassReverseCookieDomain with a farm's name: what a member says with its own name is as if
 * the farm had said it. mod_proxy maps what it knows before this; the member's names, it does not know. */

#include "athena/ma_athena.h"

#define FILTER "ATHENA_REVERSE"

static ap_filter_rec_t *filter;

/* Of one request. The parts of both URLs are only known where an answer has something to map. */
typedef struct ma_names {
    const char *from, *to_text;
    bh_ath_url_t farm; /* "http://farm_one/…" */
    bh_ath_url_t to;   /* the member's */
} ma_names;

static void map_location(request_rec *r, const ma_names *names, proxy_dir_conf *conf, const char *header) {
    bh_ath_url_t url;
    const char *text = apr_table_get(r->headers_out, header);
    if (!text || !bh_ath_url_split(text, &url) || !bh_ath_names_equal(url.host, names->to.host)
        || ma_url_port(&url) != ma_url_port(&names->to))
        return;
    const bh_piece_t *origin = &names->farm.origin;
    const char *of_farm =
        apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, origin->start, origin->length), url.rest.start, NULL);
    const char *shown = ma_mp.map_location(r, conf, of_farm);
    if (strcmp(shown, of_farm) != 0) apr_table_setn(r->headers_out, header, shown);
}

/* ---- Cookies ---- */

typedef struct ma_cookies {
    request_rec *r;
    const ma_names *names;
    proxy_dir_conf *conf;
    apr_array_header_t *values; /* const char * */
    int changed;
} ma_cookies;

static int map_cookie(void *data, const char *header, const char *value) {
    ma_cookies *cookies = data;
    bh_piece_t domain = bh_ath_cookie_domain(value), farm = cookies->names->farm.host;
    if (domain.start && bh_ath_names_equal(domain, cookies->names->to.host)) {
        apr_pool_t *pool = cookies->r->pool;
        value = apr_pstrcat(pool, apr_pstrmemdup(pool, value, (apr_size_t)(domain.start - value)),
                            apr_pstrmemdup(pool, farm.start, farm.length), domain.start + domain.length, NULL);
        value = ma_mp.map_cookie(cookies->r, cookies->conf, value);
        cookies->changed = 1;
    }
    APR_ARRAY_PUSH(cookies->values, const char *) = value;
    return 1;
}

static void map_cookies(request_rec *r, const ma_names *names, proxy_dir_conf *conf) {
    ma_cookies cookies = {r, names, conf, apr_array_make(r->pool, 2, sizeof(char *)), 0};
    apr_table_do(map_cookie, &cookies, r->headers_out, "Set-Cookie", NULL);
    if (!cookies.changed) return;
    apr_table_unset(r->headers_out, "Set-Cookie");
    for (int i = 0; i < cookies.values->nelts; i++)
        apr_table_addn(r->headers_out, "Set-Cookie", APR_ARRAY_IDX(cookies.values, i, const char *));
}

/* ---- The answer's first piece ---- */

static const char *const mapped[] = {"Location", "Content-Location", "URI", "Destination", "Set-Cookie"};
#define LOCATIONS 4

/* Whether the answer has one of these headers. */
static int has_something(const request_rec *r) {
    for (size_t i = 0; i < sizeof mapped / sizeof *mapped; i++)
        if (apr_table_get(r->headers_out, mapped[i])) return 1;
    return 0;
}

static apr_status_t map_all(ap_filter_t *f, apr_bucket_brigade *brigade) {
    request_rec *r = f->r;
    ma_names *names = f->ctx;
    proxy_dir_conf *conf = ap_get_module_config(r->per_dir_config, ma_mp.proxy);
    ap_remove_output_filter(f);
    if (conf && has_something(r) && bh_ath_url_split(names->from, &names->farm)
        && bh_ath_url_split(names->to_text, &names->to)) {
        for (size_t i = 0; i < LOCATIONS; i++) map_location(r, names, conf, mapped[i]);
        map_cookies(r, names, conf);
    }
    return ap_pass_brigade(f->next, brigade);
}

static ap_filter_t *begun(const request_rec *r) {
    for (ap_filter_t *each = r->output_filters; each; each = each->next)
        if (each->frec == filter && each->r == r) return each;
    return NULL;
}

void ma_reverse_begin(request_rec *r, const char *from, const char *to) {
    ma_names *names = apr_palloc(r->pool, sizeof *names);
    *names = (ma_names){.from = from, .to_text = to};
    ap_filter_t *known = begun(r);
    if (known) known->ctx = names; /* of the member before, which has not answered */
    else ap_add_output_filter_handle(filter, names, r, r->connection);
}

void ma_reverse_register(apr_pool_t *pool) {
    filter = ap_register_output_filter(FILTER, map_all, NULL, AP_FTYPE_CONTENT_SET);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* ProxyPassReverse and ProxyPassReverseCookieDomain with a farm's name: what a member says with its own name is as if
 * the farm had said it. mod_proxy maps what it knows before this; the member's names, it does not know. */

#include "athena/ma_athena.h"

static ap_filter_rec_t *filter;

/* Of one request: "http://farm_one/…", and the member's. */
typedef struct ma_names {
    bh_ath_url_t farm;
    const char *to;
} ma_names;

static void map_location(request_rec *r, const ma_names *names, proxy_dir_conf *conf, const char *header) {
    bh_ath_url_t url, to;
    const char *text = apr_table_get(r->headers_out, header);
    if (!text || !ma_core->url_split(text, &url) || !ma_core->url_split(names->to, &to)
        || !ma_core->names_equal(url.host, to.host) || ma_proxy_port(&url) != ma_proxy_port(&to))
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
    bh_piece_t domain = ma_core->cookie_domain(value), farm = cookies->names->farm.host;
    bh_ath_url_t to;
    if (domain.start && ma_core->url_split(cookies->names->to, &to) && ma_core->names_equal(domain, to.host)) {
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

static apr_status_t map_all(ap_filter_t *f, apr_bucket_brigade *brigade) {
    static const char *const locations[] = {"Location", "Content-Location", "URI", "Destination"};
    proxy_dir_conf *conf = ap_get_module_config(f->r->per_dir_config, ma_mp.proxy);
    ap_remove_output_filter(f);
    for (size_t i = 0; conf && i < sizeof locations / sizeof *locations; i++)
        map_location(f->r, f->ctx, conf, locations[i]);
    if (conf && apr_table_get(f->r->headers_out, "Set-Cookie")) map_cookies(f->r, f->ctx, conf);
    return ap_pass_brigade(f->next, brigade);
}

const char **ma_reverse_begin(request_rec *r, const bh_ath_url_t *url) {
    ma_names *names = apr_palloc(r->pool, sizeof *names);
    names->farm = *url;
    ap_add_output_filter_handle(filter, names, r, r->connection);
    return &names->to;
}

void ma_reverse_register(apr_pool_t *pool) {
    filter = ap_register_output_filter("ATHENA_REVERSE", map_all, NULL, AP_FTYPE_CONTENT_SET);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* URLs that name a farm. */

#include "athena/ma_athena.h"

apr_port_t ma_url_port(const bh_ath_url_t *url) {
    /* Those that mod_proxy knows, and two that are HTTP. */
    char scheme[16];
    if (url->port || url->scheme.length >= sizeof scheme) return url->port;
    apr_cpystrn(scheme, url->scheme.start, url->scheme.length + 1);
    if (ap_cstr_casecmp(scheme, "h2") == 0) return DEFAULT_HTTPS_PORT;
    if (ap_cstr_casecmp(scheme, "h2c") == 0) return DEFAULT_HTTP_PORT;
    return ma_mp.port_of_scheme(scheme);
}

char *ma_url_for(apr_pool_t *pool, const bh_ath_url_t *url, const ma_member *member) {
    apr_port_t port = member->port ? member->port : url->port;
    const char *scheme = apr_pstrmemdup(pool, url->scheme.start, url->scheme.length);
    const char *rest = apr_pstrmemdup(pool, url->rest.start, url->rest.length);
    return port ? apr_psprintf(pool, "%s://%s:%u%s", scheme, member->host, port, rest)
                : apr_pstrcat(pool, scheme, "://", member->host, rest, NULL);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

#include "athena/ma_athena.h"

ma_mod_proxy ma_mp;

#define FIND(member, name) BACKHAND_FIND(ma_core, ma_mp.member, ma_mp.proxy, name)

int ma_proxy_find(void) {
    memset(&ma_mp, 0, sizeof ma_mp);
    ma_mp.proxy = ap_find_linked_module("mod_proxy.c");
    if (!ma_mp.proxy || !ma_core) return 0;
    FIND(port_of_scheme, "ap_proxy_port_of_scheme");
    FIND(map_location, "ap_proxy_location_reverse_map");
    FIND(map_cookie, "ap_proxy_cookie_reverse_map");
    FIND(canon_url, "ap_proxy_canon_url");
    return ma_mp.port_of_scheme && ma_mp.map_location && ma_mp.map_cookie;
}

apr_port_t ma_proxy_port(const bh_ath_url_t *url) {
    /* Those that mod_proxy knows, and two that are HTTP. */
    char scheme[16];
    if (url->port || url->scheme.length >= sizeof scheme) return url->port;
    apr_cpystrn(scheme, url->scheme.start, url->scheme.length + 1);
    if (ap_cstr_casecmp(scheme, "h2") == 0) return DEFAULT_HTTPS_PORT;
    if (ap_cstr_casecmp(scheme, "h2c") == 0) return DEFAULT_HTTP_PORT;
    return ma_mp.port_of_scheme(scheme);
}

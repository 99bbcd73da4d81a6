/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* mod_proxy's functions. It may be loaded after us, so they are looked up once the configuration is read; a
 * configuration that needs what is not there is refused. */

#include "proxy/mb_proxy.h"

mb_mod_proxy mb_mp;

/* The minor number of httpd's interface that this is compiled for: a new one may append fields to structs. Set by a
 * test only. */
#ifndef MB_BUILT_MINOR
#define MB_BUILT_MINOR MODULE_MAGIC_NUMBER_MINOR
#endif

/* POSIX promises that a function's address survives in a data pointer; ISO C has no conversion. */
#define FIND(member, name) (*(void **)(void *)&mb_mp.member = mb_find(mb_mp.proxy, name))

int mb_mod_proxy_available(void) { return mb_mp.proxy && mb_mp.http; }

/* Looks up mod_proxy's functions. NULL, or the name of the module that is missing. */
static const char *find_all(void) {
    memset(&mb_mp, 0, sizeof mb_mp);
    module *proxy = ap_find_linked_module("mod_proxy.c");
    if (!proxy) return "mod_proxy";
    mb_mp.proxy = proxy;
    mb_mp.is_newer = proxy->minor_version > MB_BUILT_MINOR;
    mb_mp.http = ap_find_linked_module("mod_proxy_http.c");
    mb_mp.http2 = ap_find_linked_module("mod_proxy_http2.c");
    FIND(define_worker, "ap_proxy_define_worker");
    FIND(initialize_worker, "ap_proxy_initialize_worker");
    FIND(get_worker, "ap_proxy_get_worker");
    FIND(run_scheme_handler, "proxy_run_scheme_handler");
    FIND(run_request_status, "proxy_run_request_status");
    FIND(acquire_connection, "ap_proxy_acquire_connection");
    FIND(release_connection, "ap_proxy_release_connection");
    for (const module *each = ap_top_module; each; each = each->next)
        if (mb_mp.vector < ((size_t)each->module_index + 1) * sizeof(void *))
            mb_mp.vector = ((size_t)each->module_index + 1) * sizeof(void *);
    if (mb_mp.define_worker && mb_mp.initialize_worker && mb_mp.get_worker && mb_mp.run_scheme_handler
        && mb_mp.run_request_status && mb_mp.acquire_connection && mb_mp.release_connection)
        return mb_mp.http ? NULL : "mod_proxy_http";
    mb_mp.proxy = NULL;
    return "a mod_proxy of httpd 2.4";
}

/* NULL, or the name of what is missing for a scheme beside those. */
static const char *lacks(mb_scheme scheme) {
    int http2 = !mb_scheme_is_http2(scheme) || ap_find_linked_module("mod_proxy_http2.c");
    int tls = !mb_scheme_is_tls(scheme) || ap_find_linked_module("mod_ssl.c");
    if (http2) return tls ? NULL : "mod_ssl";
    return tls ? "mod_proxy_http2" : "mod_proxy_http2 and mod_ssl";
}

/* A chain without mod_proxy would serve everything here without a word: refuse the configuration instead. */
static int check_proxy(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    const char *missing = find_all(); /* for chains in .htaccess too */
    if (!missing || !mb_line_first(MB_FIRST_CHAIN)) return OK;
    ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, server,
                 "BH0101: the Backhand chain at %s needs %s, which is not loaded: add its LoadModule line "
                 "(on Debian: a2enmod proxy proxy_http)",
                 mb_line_first(MB_FIRST_CHAIN), missing);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* The same for a scheme that no module could speak. */
static int check_schemes(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server) {
    for (int scheme = 0; scheme < MB_SCHEMES; scheme++) {
        const char *missing = mb_line_first(MB_FIRST_SCHEME + scheme) ? lacks((mb_scheme)scheme) : NULL;
        if (!missing) continue;
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, server,
                     "BH0105: BackhandScheme %s at %s needs %s: add what is missing of its LoadModule lines "
                     "(on Debian: a2enmod ssl proxy_http2)",
                     mb_scheme_names[scheme], mb_line_first(MB_FIRST_SCHEME + scheme), missing);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

void mb_mod_proxy_register(apr_pool_t *pool) {
    ap_hook_check_config(check_proxy, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_schemes, NULL, NULL, APR_HOOK_MIDDLE);
}

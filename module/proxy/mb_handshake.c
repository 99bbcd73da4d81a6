/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* New connections to servers, at the moment when mod_proxy has made them and has sent nothing.
 *
 * mod_ssl shakes hands with the first bytes of the request: when it finds that a server cannot be trusted, part of the
 * client's body is gone, and mod_proxy says 500. So it is done before, and a server that fails it is one that has
 * refused the connection: nothing was sent, another may have the request.
 */

#include "proxy/mb_proxy.h"

#include "http_connection.h"
#include "util_filter.h"

/* A handshake that took this long tells that the server is silent, not that it is not trusted. */
#define LONG apr_time_from_sec(3)

/* The core's pre_connection is always the last: it gives the connection its socket, and ends the phase. */
static ap_HOOK_pre_connection_t *core_pre_connection(void) {
    const apr_array_header_t *hooks = ap_hook_get_pre_connection();
    for (int i = 0; hooks && i < hooks->nelts; i++) {
        const ap_LINK_pre_connection_t *hook = &APR_ARRAY_IDX(hooks, i, ap_LINK_pre_connection_t);
        if (strcmp(hook->szName, "core.c") == 0) return hook->pFunc;
    }
    return NULL;
}

/* An empty brigade with a flush: mod_ssl shakes hands before it passes it on. */
static int shake_hands(conn_rec *c) {
    apr_bucket_brigade *nothing = apr_brigade_create(c->pool, c->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(nothing, apr_bucket_flush_create(c->bucket_alloc));
    apr_status_t status = ap_pass_brigade(c->output_filters, nothing);
    apr_brigade_destroy(nothing);
    const char *verdict = apr_table_get(c->notes, "SSL_connect_rv"); /* "ok" or "err" */
    return status == APR_SUCCESS && !(verdict && strcmp(verdict, "err") == 0);
}

static int finish_connection(conn_rec *c, void *socket) {
    if (!mb_now.connects) return DECLINED;
    if (mb_now.resumed) return HTTP_BAD_GATEWAY; /* the request was sent over another one */
    mb_scheme scheme = mb_now.attempt->scheme;
    if (!mb_lend_is(socket)) mb_now.connected = 1;
    mb_quiet_connected();
    mb_keep_connected(c);
    /* Nothing is between the socket and the filter of answers, if there is no TLS: a filter less for each line. */
    if (!mb_scheme_is_http2(scheme)) mb_response_watch(c, scheme == MB_HTTP ? socket : NULL);
    mb_silence_watch(c, socket, scheme == MB_HTTP);
    /* mod_proxy_http2 sends a request again by itself if the connection breaks before the answer. */
    if (mb_scheme_is_http2(scheme) && !mb_now.repeatable && mb_attempt_is_sent(mb_now.r))
        return HTTP_SERVICE_UNAVAILABLE;
    if (!mb_scheme_is_tls(scheme)) return DECLINED;
    ap_HOOK_pre_connection_t *finish = core_pre_connection();
    if (!finish) return DECLINED;
    apr_interval_time_t timeout;
    apr_socket_timeout_get(socket, &timeout);
    int result = finish(c, socket);
    if (result != OK && result != DONE) return result;
    apr_socket_timeout_set(socket, timeout); /* mod_proxy's, which the core has replaced with a client's */
    /* mod_proxy_http2 asks for this too late for us. */
    if (scheme == MB_H2) apr_table_setn(c->notes, "proxy-request-alpn-protos", "h2");
    apr_time_t began = apr_time_now();
    if (shake_hands(c)) return DONE; /* the core's must not be run twice */
    mb_now.untrusted = apr_time_now() - began < LONG;
    return HTTP_SERVICE_UNAVAILABLE;
}

void mb_handshake_register(apr_pool_t *pool) {
    static const char *const before[] = {"core.c", NULL};
    ap_hook_pre_connection(finish_connection, NULL, before, APR_HOOK_REALLY_LAST);
}

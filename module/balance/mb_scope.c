/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The requests that a chain decides on. */

#include "balance/mb_balance.h"
#include "status/mb_status.h"

#include "mod_core.h"

/* Whether a page of this kind may have such a name at all: of most requests, which have none, "default-handler" or a
 * type, the first byte tells. */
static int may_show_this_server(const char *handler) {
    return handler && (*handler == 's' || *handler == 'b' || *handler == 'a' || *handler == 'l');
}

/* Pages about this very httpd: of another server they would show something else. */
int mb_scope_shows_this_server(const char *handler) {
    static const char *const names[] = {MB_STATUS_HANDLER, "server-status",    "application/x-httpd-status",
                                        "server-info",     "balancer-manager", "ldap-status"};
    if (!may_show_this_server(handler)) return 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(handler, names[i]) == 0) return 1;
    return 0;
}

/* OPTIONS may say how many servers it may still pass (RFC 9110, 7.6.2): at 0 it is answered here. */
int mb_scope_has_arrived(const request_rec *r) {
    const char *most = r->method_number == M_OPTIONS ? apr_table_get(r->headers_in, "Max-Forwards") : NULL;
    return most && *most && strspn(most, "0") == strlen(most);
}

/* A client's own request only: what other modules do inside httpd stays here. TRACE asks about the way to us. A
 * ProxyPass or [P] that covers the request is what "here" means for it; forward proxies are not ours. */
int mb_scope_is_clients_own(const request_rec *r) {
    return !r->main && !r->prev && (r->proxyreq == PROXYREQ_NONE || r->proxyreq == PROXYREQ_REVERSE)
           && r->method_number != M_TRACE && r->method_number != M_CONNECT && r->uri[0] == '/'
           && !mb_scope_has_arrived(r) && !mb_scope_shows_this_server(r->handler);
}

int mb_scope_can_decide(void) { return mb_segment && !bh_segment_unattended(mb_segment) && mb_mod_proxy_available(); }

/* The handler that a section sets is known before r->handler has it. */
static int is_to_show_this_server(const request_rec *r) {
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    return mb_scope_shows_this_server(core->handler);
}

int mb_scope_wants(request_rec *r, const mb_directory *settings) {
    return settings->steps && settings->steps->nelts && mb_scope_is_clients_own(r) && !is_to_show_this_server(r)
           && !mb_guard_stays_here(r) && mb_scope_can_decide();
}

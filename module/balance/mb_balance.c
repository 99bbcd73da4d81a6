/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The handler: what becomes of a request in a section with a chain. */

#include "balance/mb_balance.h"

#include "mod_core.h"

/* Only a chain in .htaccess comes so far: others are refused with the configuration. */
static void complain_of_proxy(request_rec *r) {
    MB_LOG_RARELY(r, APLOG_ERR,
                  "BH0405: the Backhand chain of an .htaccess file needs mod_proxy and "
                  "mod_proxy_http, which are not loaded: no chain is run");
}

/* Logs look at the last of a chain of internal redirects; what happened is known at its first. */
static void pass_on(request_rec *r) {
    static const char *const names[] = {"BACKHAND_ACTION", "BACKHAND_SERVER", "BACKHAND_OBSERVED"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = apr_table_get(r->prev->subprocess_env, names[i]);
        if (value) apr_table_setn(r->subprocess_env, names[i], value);
    }
}

/* Whether nothing that has a chain is served here. */
static int is_self_redirect(const mb_directory *settings) {
    return settings->self_redirect == MB_ON && settings->observe != MB_ON;
}

/* Whether what no candidate takes is not served here. */
static int is_unavailable(const mb_directory *settings) {
    return settings->unavailable == MB_ON && settings->observe != MB_ON;
}

/* A request that no chain is run for: it has been passed on already. A stranger can say that, too: it is not a way to
 * files which this server must not serve. */
static int stays_here(request_rec *r, const mb_directory *settings) {
    apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", "looped");
    if (mb_request_is_for_us(mb_request_find(r))) return DECLINED;
    if (is_self_redirect(settings)) return HTTP_LOOP_DETECTED;
    return is_unavailable(settings) ? mb_dispatch_unavailable(r) : DECLINED;
}

/* No chain can be run. walked: whether <Directory> sections have had their say. */
static int is_undecided(request_rec *r, const mb_directory *settings, int walked) {
    if (is_self_redirect(settings)) return mb_dispatch_no_own_address(r);
    apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", is_unavailable(settings) ? "none" : "local");
    if (is_unavailable(settings)) return mb_dispatch_unavailable(r);
    return walked ? DECLINED : mb_early_serve_here(r);
}

/* With BackhandSelfRedirect, what other modules make of a request inside httpd is not served here either. A rewritten
 * one goes to the announced address as its client sent it: there it is rewritten again. Parts of pages and error pages
 * have no client that could be sent there. */
static int keep_from_files(request_rec *r, const mb_directory *settings) {
    const mb_request *kept = mb_request_find(r);
    if (!is_self_redirect(settings) || r->proxyreq != PROXYREQ_NONE || (kept && mb_request_is_for_us(kept))
        || mb_scope_shows_this_server(r->handler))
        return DECLINED;
    if (!r->main && !ap_is_HTTP_ERROR(r->prev->status))
        return mb_scope_can_decide() ? mb_dispatch_home(r, settings) : mb_dispatch_no_own_address(r);
    MB_LOG_RARELY(r, APLOG_ERR,
                  "BH0423: BackhandSelfRedirect is On: %s, part of a page or an error page, is not served here",
                  r->uri);
    return HTTP_SERVICE_UNAVAILABLE;
}

static int is_for_mod_proxy(const request_rec *r) {
    return r->proxyreq != PROXYREQ_NONE
           || (r->handler && *r->handler == 'p' && strncmp(r->handler, "proxy:", sizeof "proxy:" - 1) == 0);
}

int (*mb_balance_is_for_farm)(const request_rec *r);

/* A farm has members of its own. */
static int is_for_farm(const request_rec *r, const mb_directory *settings) {
    return mb_balance_is_for_farm && settings->steps && settings->steps->nelts && mb_balance_is_for_farm(r);
}

/* OPTIONS that may go no further, where nothing is served here: this httpd says what it can itself. */
static int answer_options(request_rec *r, const mb_directory *settings) {
    if (!is_self_redirect(settings) || !mb_scope_has_arrived(r)) return DECLINED;
    ap_allow_standard_methods(r, MERGE_ALLOW, M_GET, M_POST, M_OPTIONS, -1);
    return ap_send_http_options(r);
}

static int balance(request_rec *r) {
    if (r->prev) pass_on(r);
    if (is_for_mod_proxy(r)) mb_guard_leave(r);
    const mb_directory *settings = ap_get_module_config(r->per_dir_config, &backhand_module);
    const mb_request *kept = r->main || r->prev ? NULL : mb_request_find(r);
    if (kept && kept->stays) return DECLINED;
    int walked = !kept || !kept->decided;
    if (is_for_mod_proxy(r) && is_for_farm(r, settings)) return walked ? DECLINED : mb_early_serve_here(r);
    if (kept && kept->local) mb_local_in_chain(kept->local, settings->chain);
    /* Without a chain after all (<If> may turn it off), no handler may serve what was not walked. */
    if (settings->steps && settings->steps->nelts && (r->main || r->prev)) return keep_from_files(r, settings);
    if (!settings->steps || !settings->steps->nelts) return walked ? DECLINED : mb_early_serve_here(r);
    if (!mb_scope_is_clients_own(r))
        return answer_options(r, settings) == DECLINED ? (walked ? DECLINED : mb_early_serve_here(r)) : OK;
    if (mb_guard_stays_here(r)) return stays_here(r, settings);
    if (!mb_mod_proxy_available()) complain_of_proxy(r);
    bh_decision_t decision;
    /* <If> may have brought another chain since: then what the first one has decided is void, and its figures are not
     * this one's. */
    if (!walked && kept->steps == settings->steps) decision = *kept->decided;
    else if (!mb_scope_can_decide() || !mb_decide(r, settings, NULL, 0, &decision))
        return is_undecided(r, settings, walked);
    return mb_dispatch(r, settings, &decision, walked);
}

void mb_balance_register(apr_pool_t *pool) {
    /* Before mod_proxy's handler, which would take SetHandler proxy:… first. */
    ap_hook_handler(balance, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

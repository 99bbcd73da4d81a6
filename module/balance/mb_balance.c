/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The handler: whose request is decided on, and the chain run over it. */

#include "mb_module.h"

#include "mod_core.h"

#include <time.h>
#include <unistd.h>

uint64_t mb_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t mb_now_ms(void) { return mb_now_us() / 1000; }

int mb_minute_passed(uint64_t *next_ms) {
    uint64_t now = mb_now_ms(), next = bh_word_load(next_ms);
    /* Of threads that come at once, one writes the line. */
    return next <= now && __atomic_compare_exchange_n(next_ms, &next, now + 60000, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

const char *mb_endpoint(apr_pool_t *pool, const bh_address_t *address, uint16_t port) {
    char text[BH_ADDRESS_SIZE];
    if (bh_address_format(address, text, sizeof text) != BH_OK) return "unknown";
    return apr_psprintf(pool, strchr(text, ':') ? "[%s]:%d" : "%s:%d", text, port);
}

/* Counts a child's requests from where the child begins: asking for the process id each time would be a system call. */
static uint64_t seed;

static void begin_seed(apr_pool_t *pool, server_rec *server) {
    (void)pool, (void)server;
    seed = (uint64_t)getpid() << 40;
}

/* Different for every request of every child; the core's generator spreads it. */
static uint64_t next_seed(void) { return __atomic_add_fetch(&seed, 1, __ATOMIC_RELAXED); }

/* Of our own rows, none but the one that is "here" for the request is ever a candidate. */
int mb_balance_is_here(uint32_t id) { return bh_row_own(bh_segment_row(mb_segment, id)); }

/* Stopped, starved of CPU, or hanging; a dead one is replaced within a second. One line a minute for all children. */
static void tell_late(request_rec *r, uint64_t now) {
    if (!mb_minute_passed(&mb_segment->late_told_ms)) return;
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "BH0410: the moderator's last round was %lu ms ago: ages count to it",
                  (unsigned long)(now - bh_word_load(&mb_segment->beat_ms)));
}

int mb_balance_decide(request_rec *r, const mb_directory *settings, const uint32_t *tried, uint32_t tried_count,
                      bh_decision_t *decision) {
    const bh_step_t *steps = (const bh_step_t *)(void *)settings->steps->elts;
    size_t count = (size_t)settings->steps->nelts;
    size_t size = bh_chain_workspace(mb_segment, steps, count);
    bh_request_t request = {.now_ms = mb_now_ms(), .seed = next_seed(), .context = r, .cookie = apr_table_get(r->headers_in, "Cookie"),
                            .query = r->parsed_uri.query, .tried = tried, .tried_count = tried_count, .chain = settings->chain,
                            .once = !mb_attempt_is_safe(r)};
    request.slow_start_ms = 1000u * (uint32_t)(settings->slow_start_s == MB_UNSET ? MB_SLOW_START_DEFAULT_S : settings->slow_start_s);
    /* With BackhandSelfRedirect what is served here takes a second worker of ours. */
    if (settings->self_redirect != MB_ON) request.idle_workers = mb_scoreboard_idle;
    mb_site_describe(r, &request);
    if (bh_segment_is_late(mb_segment, request.now_ms)) tell_late(r, request.now_ms);
    mod_backhand_personal_arriba = bh_segment_arriba(mb_segment); /* loaded functions may look at it */
    if (bh_chain_decide(mb_segment, steps, count, &request, apr_palloc(r->pool, size), size, decision) != BH_OK) return 0;
    if (decision->fault) mb_loaded_fault(r, &steps[decision->fault_step], (bh_fault_t)decision->fault);
    return 1;
}

/* Only a chain in .htaccess comes so far: others are refused with the configuration. */
static void complain_of_proxy(request_rec *r) {
    static uint64_t next_ms;
    if (!mb_minute_passed(&next_ms)) return;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0405: the Backhand chain of an .htaccess file needs mod_proxy and "
                  "mod_proxy_http, which are not loaded: no chain is run");
}

/* Whether a page of this kind may have such a name at all: of most requests, which have none, "default-handler" or a type, the first byte tells. */
static int may_show_this_server(const char *handler) {
    return handler && (*handler == 's' || *handler == 'b' || *handler == 'a' || *handler == 'l');
}

/* Pages about this very httpd: of another server they would show something else. */
static int shows_this_server(const char *handler) {
    static const char *const names[] = {MB_STATUS_HANDLER, "server-status", "application/x-httpd-status", "server-info", "balancer-manager",
                                        "ldap-status"};
    if (!may_show_this_server(handler)) return 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(handler, names[i]) == 0) return 1;
    return 0;
}

/* OPTIONS may say how many servers it may still pass (RFC 9110, 7.6.2): at 0 it is answered here. */
static int has_arrived(const request_rec *r) {
    const char *most = r->method_number == M_OPTIONS ? apr_table_get(r->headers_in, "Max-Forwards") : NULL;
    return most && *most && strspn(most, "0") == strlen(most);
}

/* A client's own request only: what other modules do inside httpd stays here. TRACE asks about the way to us. A ProxyPass or [P] that covers
 * the request is what "here" means for it; forward proxies are not ours. */
static int is_clients_own(const request_rec *r) {
    return !r->main && !r->prev && (r->proxyreq == PROXYREQ_NONE || r->proxyreq == PROXYREQ_REVERSE) && r->method_number != M_TRACE
           && r->method_number != M_CONNECT && r->uri[0] == '/' && !has_arrived(r) && !shows_this_server(r->handler);
}

/* Logs look at the last of a chain of internal redirects; what happened is known at its first. */
static void pass_on(request_rec *r) {
    static const char *const names[] = {"BACKHAND_ACTION", "BACKHAND_SERVER", "BACKHAND_OBSERVED"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = apr_table_get(r->prev->subprocess_env, names[i]);
        if (value) apr_table_setn(r->subprocess_env, names[i], value);
    }
}

static int can_decide(void) {
    return mb_segment && !bh_segment_unattended(mb_segment) && mb_proxy_available();
}

/* The handler that a section sets is known before r->handler has it. */
static int is_to_show_this_server(const request_rec *r) {
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    return shows_this_server(core->handler);
}

int mb_balance_wants(request_rec *r, const mb_directory *settings) {
    return settings->steps && settings->steps->nelts && is_clients_own(r) && !is_to_show_this_server(r) && !mb_guard_stays_here(r)
           && can_decide();
}

/* Whether nothing that has a chain is served here. */
static int is_self_redirect(const mb_directory *settings) { return settings->self_redirect == MB_ON && settings->observe != MB_ON; }

/* Whether what no candidate takes is not served here. */
static int is_unavailable(const mb_directory *settings) { return settings->unavailable == MB_ON && settings->observe != MB_ON; }

/* A request that no chain is run for: it has been passed on already. A stranger can say that, too: it is no way to files which this server must
 * not serve. */
static int stays_here(request_rec *r, const mb_directory *settings) {
    apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", "looped");
    if (mb_request_find(r)->from_peer) return DECLINED;
    if (is_self_redirect(settings)) return HTTP_LOOP_DETECTED;
    return is_unavailable(settings) ? mb_carry_unavailable(r) : DECLINED;
}

/* No chain can be run. walked: whether <Directory> sections have had their say. */
static int is_undecided(request_rec *r, const mb_directory *settings, int walked) {
    if (is_self_redirect(settings)) return mb_carry_no_own_address(r);
    apr_table_setn(r->subprocess_env, "BACKHAND_ACTION", is_unavailable(settings) ? "none" : "local");
    if (is_unavailable(settings)) return mb_carry_unavailable(r);
    return walked ? DECLINED : mb_walk_serve_here(r);
}

/* With BackhandSelfRedirect, what other modules make of a request inside httpd is not served here either. A rewritten one goes to the announced
 * address as its client sent it: there it is rewritten again. Parts of pages and error pages have no client who could be sent there. */
static int keep_from_files(request_rec *r, const mb_directory *settings) {
    static uint64_t next_ms;
    const mb_request *kept = mb_request_find(r);
    if (!is_self_redirect(settings) || r->proxyreq != PROXYREQ_NONE || (kept && kept->from_peer)
        || shows_this_server(r->handler)) return DECLINED;
    if (!r->main && !ap_is_HTTP_ERROR(r->prev->status)) return can_decide() ? mb_carry_home(r, settings) : mb_carry_no_own_address(r);
    if (mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0423: BackhandSelfRedirect is On: %s, part of a page or an error page, is not served here", r->uri);
    return HTTP_SERVICE_UNAVAILABLE;
}

static int is_for_mod_proxy(const request_rec *r) {
    return r->proxyreq != PROXYREQ_NONE || (r->handler && *r->handler == 'p' && strncmp(r->handler, "proxy:", sizeof "proxy:" - 1) == 0);
}

/* OPTIONS that may go no further, where nothing is served here: this httpd says what it can itself. */
static int answer_options(request_rec *r, const mb_directory *settings) {
    if (!is_self_redirect(settings) || !has_arrived(r)) return DECLINED;
    ap_allow_standard_methods(r, MERGE_ALLOW, M_GET, M_POST, M_OPTIONS, -1);
    return ap_send_http_options(r);
}

static int balance(request_rec *r) {
    if (r->prev) pass_on(r);
    if (is_for_mod_proxy(r)) mb_guard_leave(r);
    const mb_directory *settings = ap_get_module_config(r->per_dir_config, &backhand_module);
    const mb_request *kept = r->main || r->prev ? NULL : mb_request_find(r);
    int walked = !kept || !kept->decided;
    if (kept && kept->here) mb_here_in_chain(kept->here, settings->chain);
    /* Without a chain after all (<If> may turn it off), nobody may serve what was not walked. */
    if (settings->steps && settings->steps->nelts && (r->main || r->prev)) return keep_from_files(r, settings);
    if (!settings->steps || !settings->steps->nelts) return walked ? DECLINED : mb_walk_serve_here(r);
    if (!is_clients_own(r)) return answer_options(r, settings) == DECLINED ? (walked ? DECLINED : mb_walk_serve_here(r)) : OK;
    if (mb_guard_stays_here(r)) return stays_here(r, settings);
    if (!mb_proxy_available()) complain_of_proxy(r);
    bh_decision_t decision;
    /* <If> may have brought another chain since: then what the first one has decided is void, and its figures are not this one's. */
    if (!walked && kept->steps == settings->steps) decision = *kept->decided;
    else if (!can_decide() || !mb_balance_decide(r, settings, NULL, 0, &decision)) return is_undecided(r, settings, walked);
    return mb_carry_out(r, settings, &decision, walked);
}

void mb_balance_register(apr_pool_t *pool) {
    (void)pool;
    ap_hook_child_init(begin_seed, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before mod_proxy's handler, which would take SetHandler proxy:… first. */
    ap_hook_handler(balance, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Requests to a farm: sent to one member after the other, until one takes it. mod_proxy carries the bytes. */

#include "athena/ma_athena.h"

#define PROXY "proxy:"

/* ---- Whose turn it is ---- */

/* No member can take the request: the whole URL is replaced. member: its place, if the request is for no other one; -1:
 * any. */
static int give_up(request_rec *r, const ma_choice *choice, int member) {
    const ma_farm *farm = choice->farm;
    const char *name = farm->config.name, *forward = ma_choice_forward(choice, member);
    if (!forward && !farm->forward) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0166: no member of the farm %s can take the request", name);
        return ma_core->unavailable(r);
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "%s of the farm %s takes the request: it goes to %s",
                  forward ? "no other member" : "no member", name, forward ? forward : farm->forward);
    if (forward || !farm->redirects) {
        backhand_target to = {.url = apr_pstrdup(r->pool, forward ? forward : farm->forward)};
        int result;
        ma_core->send(&ma_door, r, &to, &result);
        return result;
    }
    apr_table_setn(r->headers_out, "Location", farm->forward);
    return HTTP_MOVED_TEMPORARILY;
}

/* A request to a farm. */
typedef struct ma_order {
    request_rec *r;
    const ma_farm *farm;
    const char *whole; /* its URL, with the farm's name */
    bh_ath_url_t url;
    const char **to; /* the URL with the member's name */
} ma_order;

/* The URL with the member's host in the place of the farm's. */
static char *url_for(const ma_order *order, const ma_member *member) {
    apr_pool_t *pool = order->r->pool;
    const char *scheme = apr_pstrmemdup(pool, order->url.scheme.start, order->url.scheme.length);
    return member->port || !order->url.port
               ? apr_pstrcat(pool, scheme, "://", member->text, order->url.rest.start, NULL)
               : apr_psprintf(pool, "%s://%s:%u%s", scheme, member->host, order->url.port, order->url.rest.start);
}

/* The request at one member. 0: another one may have it. */
static int ask(const ma_order *order, const ma_member *member, int *result) {
    backhand_target to = {.url = url_for(order, member),
                          .like = order->whole,
                          .member = &member->named,
                          .section = order->farm->section,
                          .port = member->port ? 0 : ma_proxy_port(&order->url),
                          .shown = order->to};
    return ma_core->send(&ma_door, order->r, &to, result);
}

static int dispatch(ma_order *order, ma_steering steering) {
    request_rec *r = order->r;
    ma_choice choice = ma_choice_make(r->pool, order->farm);
    int result = HTTP_SERVICE_UNAVAILABLE, taken = 0;
    if (!ma_choice_narrow(&choice)) return give_up(r, &choice, steering.member);
    order->to = ma_reverse_begin(r, &order->url);
    /* One is asked once more after a wait for descriptors. */
    for (int attempt = 0; attempt <= choice.count && !taken; attempt++) {
        int chosen = ma_cookie_choose(r, &steering, &choice);
        if (chosen == MB_NOBODY || chosen == MB_LAST_RESORT) break;
        taken = ask(order, ma_choice_member(r->pool, &choice, (int)choice.places[chosen]), &result);
    }
    /* Where a member has had the request and given no answer, it would not be true that no member takes it. */
    if (taken || ma_core->give(&ma_door, r, &result) || result != HTTP_SERVICE_UNAVAILABLE) return result;
    return give_up(r, &choice, steering.member);
}

/* ---- Requests that name a farm ---- */

/* The URL, if this is a request for a reverse proxy; NULL: it is not. */
static const char *url_of(const request_rec *r) {
    const char *name = r->proxyreq == PROXYREQ_REVERSE ? r->filename : r->proxyreq ? NULL : r->handler;
    return name && strncmp(name, PROXY, sizeof PROXY - 1) == 0 ? name + sizeof PROXY - 1 : NULL;
}

/* SetHandler "proxy:…" becomes what a ProxyPass is, as mod_proxy's handler does it. */
static int begin_forced(request_rec *r, bh_ath_url_t *url) {
    char *file = r->filename;
    if (r->proxyreq) return OK;
    if (!ma_mp.canon_url) return HTTP_INTERNAL_SERVER_ERROR;
    r->proxyreq = PROXYREQ_REVERSE;
    r->filename = apr_pstrcat(r->pool, r->handler, file, NULL);
    int result = ma_mp.canon_url(r);
    if (result == OK && ma_core->url_split(url_of(r), url)) return OK;
    r->filename = file;
    r->proxyreq = PROXYREQ_NONE;
    return result == OK ? HTTP_BAD_REQUEST : result;
}

/* As mod_proxy's handler, which is passed by, does it. OK: the request goes on. */
static int count_down(request_rec *r) {
    const char *text = apr_table_get(r->headers_in, "Max-Forwards");
    if (r->method_number == M_TRACE) return HTTP_METHOD_NOT_ALLOWED;
    if (!text) return OK;
    apr_int64_t most = ma_core->max_forwards(text);
    if (most <= 0) return HTTP_BAD_REQUEST;
    apr_table_setn(r->headers_in, "Max-Forwards", apr_psprintf(r->pool, "%" APR_INT64_T_FMT, most - 1));
    return OK;
}

static const ma_farm *farm_of(const request_rec *r, bh_ath_url_t *url) {
    const char *text = url_of(r);
    return text && ma_core->url_split(text, url) ? ma_farm_find(url->host) : NULL;
}

/* mod_backhand asks where there is a chain too. */
static int backhand_is_for_farm(const request_rec *r) {
    static int has_told;
    bh_ath_url_t url;
    const ma_farm *farm = ma_farm_count() ? farm_of(r, &url) : NULL;
    if (farm && !__atomic_exchange_n(&has_told, 1, __ATOMIC_RELAXED))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "BH0195: %s goes to the farm %s, so its chain of Backhand lines has no effect", r->uri,
                      farm->config.name);
    return farm != NULL;
}

static int handle(request_rec *r) {
    ma_order order = {.r = r};
    const ma_farm *farm = ma_farm_count() ? farm_of(r, &order.url) : NULL;
    if (!farm) return DECLINED;
    if (ma_server_of(r->server)->engine != 1) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0167: the farm %s is asked for, and AthEngine is Off",
                      farm->config.name);
        return HTTP_SERVICE_UNAVAILABLE;
    }
    int result = begin_forced(r, &order.url);
    if (result == OK) result = count_down(r);
    if (result != OK) return result;
    ma_steering steering = ma_cookie_read(r, farm);
    order.farm = steering.farm;
    order.whole = url_of(r);
    return dispatch(&order, steering);
}

void ma_request_register(apr_pool_t *pool) {
    static const char *const before[] = {"mod_proxy.c", NULL};
    APR_REGISTER_OPTIONAL_FN(backhand_is_for_farm);
    ap_hook_handler(handle, NULL, before, APR_HOOK_FIRST);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Requests to a farm: sent to one member after the other, until one takes it. mod_proxy carries the bytes. */

#include "athena/ma_athena.h"

#define PROXY "proxy:"
#define PROXY_HANDLER "proxy-server"
/* Seconds after which a client should come again: by then the shortest back-off is over. */
#define RETRY_AFTER "1"

/* ---- The request as mod_proxy gets it ---- */

/* What an attempt that gave no answer may have changed. */
typedef struct ma_before {
    const char *status_line;
    int status;
    int keepalives;
} ma_before;

/* With the count of kept-alive requests at 0 mod_proxy answers 502 when a server dies before its first byte; otherwise
 * it closes the client's connection unanswered. */
static ma_before prepare(request_rec *r) {
    ma_before before = {r->status_line, r->status, r->connection->keepalives};
    int most = r->server->keep_alive_max;
    if (most && before.keepalives >= most) r->connection->keepalive = AP_CONN_CLOSE;
    r->connection->keepalives = 0;
    return before;
}

static void undo(request_rec *r, const ma_before *before) {
    r->status_line = before->status_line;
    r->status = before->status;
    apr_table_unset(r->notes, "error-notes");
    apr_table_unset(r->notes, "verbose-error-to");
}

/* 503: no server has seen the request; 502: one has, and has given no answer. HTTP's modules and AJP's say so
 * themselves, and the others say 503 or 500 of both. sent: bytes that were sent to the server meanwhile, by all
 * requests of this child: if another one has sent some, one that the server has refused counts as lost. */
static int settle(const request_rec *r, const char *url, int result, apr_off_t sent) {
    const char *note = apr_table_get(r->notes, "error-notes");
    if (result != HTTP_SERVICE_UNAVAILABLE && result != HTTP_INTERNAL_SERVER_ERROR) return result;
    if (!sent && note && strstr(note, "DNS lookup failure")) return HTTP_SERVICE_UNAVAILABLE;
    if (note && strstr(note, "SSL Handshake")) return HTTP_BAD_GATEWAY;
    int is_other = ap_cstr_casecmpn(url, "fcgi:", 5) == 0 || ap_cstr_casecmpn(url, "scgi:", 5) == 0
                   || ap_cstr_casecmpn(url, "uwsgi:", 6) == 0;
    return sent && is_other ? HTTP_BAD_GATEWAY : result;
}

/* url: with the member's name, or where a farm's requests go that has none left. */
static int run(request_rec *r, char *url, const char *like) {
    proxy_server_conf *conf = ap_get_module_config(r->server->module_config, ma_mp.proxy);
    proxy_worker *worker = ma_proxy_worker(r, url, like);
    if (!worker) return HTTP_INTERNAL_SERVER_ERROR;
    ma_before before = prepare(r);
    apr_off_t sent = worker->s->transferred;
    r->filename = apr_pstrcat(r->pool, PROXY, url, NULL);
    r->handler = PROXY_HANDLER;
    int result = ma_mp.run_scheme_handler(r, worker, conf, url, NULL, 0);
    r->connection->keepalives += before.keepalives;
    result = settle(r, url, result, worker->s->transferred - sent);
    if (result >= HTTP_INTERNAL_SERVER_ERROR && !apr_table_get(r->notes, "proxy-error-override")) undo(r, &before);
    if (result != DECLINED) return result;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "BH0165: no module speaks the scheme of %s: load the one that does, such as mod_proxy_http", url);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* ---- Whose turn it is ---- */

static int has_failed(const request_rec *r, int result) {
    return (result == HTTP_BAD_GATEWAY || result == HTTP_GATEWAY_TIME_OUT || result == HTTP_SERVICE_UNAVAILABLE)
           && !r->sent_bodyct && !apr_table_get(r->notes, "proxy-error-override");
}

/* No member can take the request: the whole URL is replaced. member: its place, if the request is for no other one; -1:
 * any. */
static int give_up(request_rec *r, const ma_choice *choice, int member) {
    const ma_farm *farm = choice->farm;
    const char *forward = member < 0 ? NULL : ma_member_forward(choice, member);
    if (!forward) forward = ma_farm_forward(choice);
    if (forward) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "a member of the farm %s is out of service: the request goes to %s",
                      farm->name, forward);
        return run(r, apr_pstrdup(r->pool, forward), NULL);
    }
    if (!farm->forward) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0166: no member of the farm %s can take the request", farm->name);
        apr_table_setn(r->err_headers_out, "Retry-After", RETRY_AFTER);
        return HTTP_SERVICE_UNAVAILABLE;
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "no member of the farm %s can take the request: it goes to %s",
                  farm->name, farm->forward);
    if (!farm->forward_redirects) return run(r, apr_pstrdup(r->pool, farm->forward), NULL);
    apr_table_setn(r->headers_out, "Location", farm->forward);
    return HTTP_MOVED_TEMPORARILY;
}

int ma_choice_turn(int count) {
    static uint32_t turn;
    return (int)(__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % (uint32_t)count);
}

/* The request at one member. 0: another one may have it. */
static int ask(request_rec *r, const ma_farm *farm, const char *whole, const ma_member *member, int *result) {
    bh_ath_url_t url;
    bh_ath_url_split(whole, &url); /* as before: mod_proxy's canonical form is a URL */
    char *to = ma_url_for(r->pool, &url, member);
    ma_reverse_begin(r, whole, to);
    mb_passage_begin(r, farm->section, &member->named, member->port ? 0 : ma_url_port(&url));
    *result = run(r, to, whole);
    if (!has_failed(r, *result)) return 1;
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "%s has not taken the request: %d", member->text, *result);
    if (*result == HTTP_SERVICE_UNAVAILABLE) {
        mb_passage_end(r, *result);
        return 0;
    }
    return !mb_passage_lost(r);
}

static int dispatch(request_rec *r, ma_steering steering, const char *whole) {
    const ma_farm *farm = steering.farm;
    ma_choice choice = ma_choice_make(r->pool, farm);
    int result = HTTP_SERVICE_UNAVAILABLE;
    if (!ma_choice_narrow(r->pool, farm, &choice)) return give_up(r, &choice, steering.member);
    for (int attempt = 0; attempt < choice.count; attempt++) {
        int chosen = ma_cookie_choose(r, &steering, &choice);
        if (chosen == MB_NOBODY || chosen == MB_LAST_RESORT) break;
        if (!ask(r, farm, whole, ma_choice_member(r->pool, &choice, (int)choice.places[chosen]), &result)) continue;
        mb_passage_end(r, result);
        return result;
    }
    mb_passage_end(r, result);
    /* A member has had the request and given no answer: that no member takes it would not be true. */
    return result == HTTP_SERVICE_UNAVAILABLE ? give_up(r, &choice, steering.member) : result;
}

/* ---- Requests that name a farm ---- */

/* The URL, if this is a request for a reverse proxy; NULL: it is not. */
static const char *url_of(const request_rec *r) {
    const char *name = r->proxyreq == PROXYREQ_REVERSE ? r->filename : r->proxyreq ? NULL : r->handler;
    return name && strncmp(name, PROXY, sizeof PROXY - 1) == 0 ? name + sizeof PROXY - 1 : NULL;
}

/* SetHandler "proxy:…" becomes what a ProxyPass is, as mod_proxy's handler does it. */
static int begin_forced(request_rec *r) {
    char *file = r->filename;
    if (r->proxyreq) return OK;
    if (!ma_mp.canon_url) return HTTP_INTERNAL_SERVER_ERROR;
    r->proxyreq = PROXYREQ_REVERSE;
    r->filename = apr_pstrcat(r->pool, r->handler, file, NULL);
    int result = ma_mp.canon_url(r);
    if (result == OK) return OK;
    r->filename = file;
    r->proxyreq = PROXYREQ_NONE;
    return result;
}

/* As mod_proxy's handler, which is passed by, does it. OK: the request goes on. */
static int count_down(request_rec *r) {
    const char *text = apr_table_get(r->headers_in, "Max-Forwards");
    if (r->method_number == M_TRACE) return HTTP_METHOD_NOT_ALLOWED;
    if (!text) return OK;
    apr_int64_t most = mb_passage_core()->max_forwards(text);
    if (most <= 0) return HTTP_BAD_REQUEST;
    apr_table_setn(r->headers_in, "Max-Forwards", apr_psprintf(r->pool, "%" APR_INT64_T_FMT, most - 1));
    return OK;
}

static const ma_farm *farm_of(const request_rec *r) {
    bh_ath_url_t url;
    const char *text = url_of(r);
    return text && bh_ath_url_split(text, &url) ? ma_farm_find(url.host) : NULL;
}

/* mod_backhand asks where there is a chain too. */
static int backhand_is_for_farm(const request_rec *r) {
    static int has_told;
    const ma_farm *farm = farm_of(r);
    if (farm && !__atomic_exchange_n(&has_told, 1, __ATOMIC_RELAXED))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "BH0195: %s goes to the farm %s, so its chain of Backhand lines has no effect", r->uri,
                      farm->name);
    return farm != NULL;
}

static int handle(request_rec *r) {
    const ma_farm *farm = farm_of(r);
    if (!farm) return DECLINED;
    if (ma_server_of(r->server)->engine != 1) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0167: the farm %s is asked for, and AthEngine is Off",
                      farm->name);
        return HTTP_SERVICE_UNAVAILABLE;
    }
    int result = begin_forced(r);
    if (result == OK) result = count_down(r);
    return result == OK ? dispatch(r, ma_cookie_read(r, farm), r->filename + sizeof PROXY - 1) : result;
}

void ma_request_register(apr_pool_t *pool) {
    static const char *const before[] = {"mod_proxy.c", NULL};
    APR_REGISTER_OPTIONAL_FN(backhand_is_for_farm);
    ap_hook_handler(handle, NULL, before, APR_HOOK_FIRST);
}

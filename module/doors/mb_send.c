/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Requests of other modules at work: mod_proxy carries the bytes. */

#include "doors/mb_doors.h"
#include "balance/mb_balance.h"

#define PROXY "proxy:"

/* ---- The request as mod_proxy gets it ---- */

/* What an attempt that gave no answer may have changed. */
typedef struct before {
    const char *status_line;
    int status;
    int keepalives;
    int headers; /* how many the answer has */
} before;

static int count_headers(const request_rec *r) { return apr_table_elts(r->headers_out)->nelts; }

static before prepare(request_rec *r) {
    before before = {r->status_line, r->status, r->connection->keepalives, count_headers(r)};
    mb_prepare_keepalives(r);
    return before;
}

static void undo(request_rec *r, const before *before) {
    r->status_line = before->status_line;
    r->status = before->status;
}

/* Nor does an error page, or the next attempt, have what mod_proxy has noted about it. */
static void forget_notes(request_rec *r, int result) {
    if (result < HTTP_INTERNAL_SERVER_ERROR) return;
    apr_table_unset(r->notes, "error-notes");
    apr_table_unset(r->notes, "verbose-error-to");
}

/* mod_proxy_uwsgi does not note that it has read a whole header, and returns its status for ProxyErrorOverride. Where
 * it fails, there is no header, or a status line. */
static void note_override(request_rec *r, const char *scheme, int result, const before *before) {
    if (strcmp(scheme, "uwsgi") == 0 && ap_is_HTTP_ERROR(result) && !r->status_line
        && count_headers(r) > before->headers)
        apr_table_setn(r->notes, "proxy-error-override", "1");
}

/* 503: no server has seen the request; 502: one has, and has given no answer. HTTP's modules and AJP's say so
 * themselves, and the others say 503 or 500 of both. sent: bytes that were sent to the server meanwhile, by all
 * requests of this child: if another one has sent some, one that the server has refused counts as lost. */
static int settle(const request_rec *r, const char *url, int result, apr_off_t sent) {
    const char *note = apr_table_get(r->notes, "error-notes");
    if (apr_table_get(r->notes, "proxy-error-override")) return result; /* a server's */
    if (result != HTTP_SERVICE_UNAVAILABLE && result != HTTP_INTERNAL_SERVER_ERROR) return result;
    if (mb_passage_is_nameless(r)) return HTTP_SERVICE_UNAVAILABLE;
    if (note && strstr(note, "SSL Handshake")) return HTTP_BAD_GATEWAY;
    int is_other = ap_cstr_casecmpn(url, "fcgi:", 5) == 0 || ap_cstr_casecmpn(url, "scgi:", 5) == 0
                   || ap_cstr_casecmpn(url, "uwsgi:", 6) == 0;
    return sent && is_other ? HTTP_BAD_GATEWAY : result;
}

static int run(const backhand_door *door, request_rec *r, const backhand_target *to) {
    proxy_server_conf *conf = ap_get_module_config(r->server->module_config, mb_mp.proxy);
    proxy_worker *worker = mb_origin_worker(r, to);
    if (!worker) return HTTP_INTERNAL_SERVER_ERROR;
    before before = prepare(r);
    apr_off_t sent = worker->s->transferred;
    r->filename = apr_pstrcat(r->pool, PROXY, to->url, NULL);
    r->handler = MB_PROXY_HANDLER;
    mb_hold_begin(door, r, worker->s->scheme);
    void *kept = mb_passage_keep(door, r, worker);
    int result = mb_mp.run_scheme_handler(r, worker, conf, to->url, NULL, 0);
    mb_passage_release(r, kept);
    r->connection->keepalives += before.keepalives;
    note_override(r, worker->s->scheme, result, &before);
    result = settle(r, to->url, result, worker->s->transferred - sent);
    if (result >= HTTP_INTERNAL_SERVER_ERROR && !apr_table_get(r->notes, "proxy-error-override")) undo(r, &before);
    if (result != DECLINED) return result;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "BH0165: no module speaks the scheme of %s: load the one that does, such as mod_proxy_http", to->url);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* ---- What comes of it ---- */

static int has_failed(const request_rec *r, int result) {
    return (result == HTTP_BAD_GATEWAY || result == HTTP_GATEWAY_TIME_OUT || result == HTTP_SERVICE_UNAVAILABLE)
           && !r->sent_bodyct && !apr_table_get(r->notes, "proxy-error-override");
}

/* Whether another server may have the request. */
static int goes_on(const backhand_door *door, request_rec *r, const backhand_target *to, int *result) {
    if (mb_hold_end(door, r, to, result)) return mb_passage_lost(door, r);
    return has_failed(r, *result) && (*result == HTTP_SERVICE_UNAVAILABLE || mb_passage_lost(door, r));
}

/* The request at one of the servers. Returns 0 if another one may have it. */
static int ask(const backhand_door *door, request_rec *r, const backhand_target *to, int *result) {
    mb_passage_begin(door, r, to->section, to->member, to->port);
    *result = run(door, r, to);
    int is_taken = !goes_on(door, r, to, result);
    if (!is_taken)
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "%s has not taken the request: %d", to->member->name, *result);
    mb_passage_end(door, r, *result);
    /* One that has failed it last says less than a 503 before it. */
    if (is_taken && has_failed(r, *result)) mb_hold_give(door, r, result);
    return is_taken;
}

int mb_send(const backhand_door *door, request_rec *r, const backhand_target *to, int *result) {
    int is_taken = 1;
    if (to->shown) *to->shown = to->url;
    if (to->member) is_taken = ask(door, r, to, result);
    else *result = run(door, r, to);
    forget_notes(r, *result);
    /* As mod_proxy's handler does it: mod_proxy_scgi waits for this where an answer names a file or another URL. */
    if (is_taken) mb_mp.run_request_status(result, r);
    return is_taken;
}

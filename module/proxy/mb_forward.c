/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A request sent to a server: mod_proxy's scheme handler is run with a worker of our own for each server (mb_worker.c).
 */

#include "proxy/mb_proxy.h"

static int wants_websocket(const request_rec *r) {
    const char *protocol = apr_table_get(r->headers_in, "Upgrade");
    return protocol && ap_cstr_casecmp(protocol, "websocket") == 0;
}

mb_pooling mb_forward_pooling(const request_rec *r, const mb_directory *settings, const bh_facts_t *facts) {
    /* An upgraded connection is never one for another request: it takes no right to be kept where those are few. */
    if (facts->idle_cost != BH_IDLE_FREE && wants_websocket(r)) return MB_POOL_NONE;
    return settings->pools == MB_UNSET ? MB_POOL_AUTO : (mb_pooling)settings->pools;
}

/* HTTP/2 knows no Upgrade; a server that speaks it speaks HTTP/1.1 too. */
static mb_scheme scheme_of(const request_rec *r, const mb_directory *settings) {
    mb_scheme scheme = settings->scheme == MB_UNSET ? MB_HTTP : (mb_scheme)settings->scheme;
    if (!mb_scheme_is_http2(scheme) || !wants_websocket(r)) return scheme;
    return scheme == MB_H2C ? MB_HTTP : MB_HTTPS;
}

/* What mod_proxy says before it has a connection may be quiet, too. An error below 500 is the client's doing. */
static void tell_unasked(request_rec *r, int result) {
    if (result >= HTTP_INTERNAL_SERVER_ERROR)
        MB_LOG_RARELY(
            r, APLOG_ERR,
            "BH0492: mod_proxy answers with %d and has asked no server; LogLevel proxy:info proxy_http:info has its "
            "reason",
            result);
}

/* mod_proxy at work. */
static int run(request_rec *r, mb_attempt *attempt) {
    const mb_route *way = &attempt->way;
    server_rec *own = r->server;
    proxy_server_conf *settings = ap_get_module_config(way->from->module_config, mb_mp.proxy);
    r->server = way->from; /* mod_proxy connects as this says */
    const struct ap_logconf *log = mb_quiet_begin(r, own, way->from);
    int result = mb_park_run(attempt->park, r, way, settings, attempt->url);
    int is_unconnected = mb_quiet_end(r, log);
    r->server = own;
    if (mb_now.parked) return SUSPENDED;
    if (is_unconnected && result != HTTP_SERVICE_UNAVAILABLE) tell_unasked(r, result);
    return result;
}

/* The attempt is over: the counts go back. */
static int end(mb_attempt *attempt, int result) {
    const mb_route *way = &attempt->way;
    uint32_t id = attempt->shown.id;
    uint64_t ended_us = attempt->shown.ended_us = mb_now_us();
    if (way->shared) mb_lend_end(way, id, attempt->server, ended_us / 1000);
    mb_keep_end(ended_us / 1000);
    bh_feedback_end(mb_segment, mb_child_slot, id, ended_us);
    return result == DECLINED ? HTTP_SERVICE_UNAVAILABLE : result; /* no module speaks the scheme after all */
}

#define PROXY "proxy:"

/* "proxy:http://10.0.0.4:80/path?query". */
static char *proxy_name(request_rec *r, const char *origin) {
    const char *path = mb_request_as_sent(r);
    size_t first = strlen(PROXY), second = strlen(origin), third = strlen(path);
    char *name = apr_palloc(r->pool, first + second + third + 1);
    memcpy(name, PROXY, first);
    memcpy(name + first, origin, second);
    memcpy(name + first + second, path, third + 1);
    return name;
}

/* What follows, an error page, a local file or a log, finds the client's header: it must not take ours for a peer's,
 * and shows no script a signature. With MergeTrailers, httpd has put another table in the place of ours when it read
 * the body, with the trailers in it. */
static void give_header_back(request_rec *r, const request_rec *before, const apr_table_t *ours) {
    r->headers_in =
        r->headers_in == ours ? before->headers_in : apr_table_overlay(r->pool, before->headers_in, r->trailers_in);
}

/* What the client gets, or the next server. */
static bh_outcome_t finish(request_rec *r, mb_attempt *attempt, int result) {
    result = end(attempt, result);
    attempt->shown.parts_us = mb_spent_end(attempt->mark, attempt->shown.ended_us - attempt->shown.began_us);
    mb_now.connects = 0;
    attempt->shown.untrusted = mb_now.untrusted;
    attempt->shown.silent = mb_now.gone;
    attempt->reused = !mb_now.connected;
    give_header_back(r, attempt->before, attempt->header);
    attempt->shown.outcome = mb_attempt_end(attempt, r, result);
    /* This thread reads connections of others, too, when the request is gone. */
    mb_now = (mb_exchange){.r = NULL};
    /* mod_proxy counts one more request where it keeps the client's connection. */
    r->connection->keepalives += attempt->keepalives;
    mb_feedback_report(r, attempt);
    if (attempt->shown.outcome != BH_OUTCOME_ANSWERED) mb_prepare_undo(r, attempt->before, attempt->socket);
    mb_worker_release(&attempt->way);
    return attempt->shown.outcome;
}

/* The request was sent, and no thread waits for its answer. */
static bh_outcome_t leave(request_rec *r, mb_attempt *attempt) {
    apr_table_unset(r->notes, "error-notes");
    apr_table_unset(r->notes, "verbose-error-to");
    r->status_line = attempt->before->status_line;
    attempt->waits = 1;
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "waits for %s without a thread", attempt->origin);
    mb_park_begin(attempt->park);
    return BH_OUTCOME_ANSWERED;
}

mb_park_state mb_forward_look(const mb_attempt *attempt) {
    unsigned second;
    for (;;) {
        mb_park_state state = mb_park_look(attempt->park, &second);
        if (!second) return state;
        if (!mb_silence_shows(attempt, mb_park_socket(attempt->park), second)) continue;
        mb_park_give_up(attempt->park);
        return MB_PARK_LATE;
    }
}

bh_outcome_t mb_forward_again(request_rec *r, mb_attempt *attempt, int is_ended) {
    attempt->waits = 0;
    attempt->mark = mb_spent_us; /* another thread's */
    r->handler = MB_PROXY_HANDLER;
    if (!is_ended) return finish(r, attempt, run(r, attempt));
    mb_park_close(attempt->park, &attempt->way);
    return finish(r, attempt, mb_now.gone ? HTTP_GATEWAY_TIME_OUT : HTTP_BAD_GATEWAY);
}

void mb_forward_abandon(mb_attempt *attempt) {
    mb_park_close(attempt->park, &attempt->way);
    end(attempt, 0);
    mb_now = (mb_exchange){.r = NULL};
    mb_worker_release(&attempt->way);
}

bh_outcome_t mb_forward(request_rec *r, const mb_directory *settings, uint32_t id, const bh_facts_t *facts,
                        bh_next_attempt_t how, mb_attempt *attempt) {
    mb_scheme scheme = scheme_of(r, settings);
    int repeatable = mb_attempt_is_repeatable(r);
    /* mb_handshake.c sees new connections only, and with HTTP/2 it keeps mod_proxy from sending the request again. */
    int new_connection = how.new_connection || (mb_scheme_is_http2(scheme) && !repeatable);
    *attempt = (mb_attempt){.before = apr_pmemdup(r->pool, r, sizeof *r),
                            .how = how,
                            .server = facts,
                            .scheme = scheme,
                            .shown = {.id = id, .chain = settings->chain, .free = how.free}};
    mb_pooling pooling = new_connection ? MB_POOL_NONE : mb_forward_pooling(r, settings, facts);
    if (!mb_worker_find(r, id, facts, scheme, pooling, &attempt->way)) {
        /* It has said why, and the server has nothing to do with it. */
        attempt->shown.began_us = mb_now_us();
        return attempt->shown.outcome = BH_OUTCOME_REFUSED;
    }
    attempt->park = repeatable ? mb_park_make(r, settings, &attempt->way) : NULL;
    attempt->origin = attempt->way.origin;
    char *file = proxy_name(r, attempt->origin);
    attempt->url = file + strlen(PROXY);
    attempt->keepalives = r->connection->keepalives;
    mb_form_give_back(r);
    attempt->socket = mb_prepare(r, file);
    mb_dav_rename(r, scheme);
    attempt->header = r->headers_in;
    mb_attempt_begin(attempt, r);
    mb_now = (mb_exchange){.r = r,
                           .attempt = attempt,
                           .repeatable = repeatable,
                           .has_body = !how.may_retry && !repeatable,
                           .connects = 1,
                           .learns = !facts->keepalive_ms,
                           .ended = 1};
    attempt->mark = mb_spent_us;
    attempt->shown.began_us = mb_now_us();
    bh_feedback_begin(mb_segment, mb_child_slot, id, attempt->shown.began_us);
    int result = run(r, attempt);
    return result == SUSPENDED && mb_now.parked ? leave(r, attempt) : finish(r, attempt, result);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* mod_proxy carries the bytes: its scheme handler is run with a worker of our own for each server (mb_worker.c). */

#include "proxy/mb_proxy.h"

#include "util_filter.h"

#define FORWARDED_PROTO "X-Forwarded-Proto"

static int is_http2(mb_scheme scheme) { return scheme == MB_H2C || scheme == MB_H2; }

static int wants_websocket(const request_rec *r) {
    const char *protocol = apr_table_get(r->headers_in, "Upgrade");
    return protocol && ap_cstr_casecmp(protocol, "websocket") == 0;
}

static mb_pooling pooling_of(const request_rec *r, const mb_directory *settings, const bh_facts_t *facts, int fresh) {
    if (fresh) return MB_POOL_NONE;
    /* An upgraded connection is never one for another request: it takes no right to be kept where those are few. */
    if (facts->idle_cost != BH_IDLE_FREE && wants_websocket(r)) return MB_POOL_NONE;
    return settings->pools == MB_UNSET ? MB_POOL_AUTO : (mb_pooling)settings->pools;
}

/* ---- Forwarding ---- */

/* mod_proxy's note of a Unix socket, which it connects to in place of what the URL names. */
#define SOCKET_NOTE "uds_path"

/* What mod_proxy looks at in the request, as it was before us. */
typedef struct before {
    char *filename;
    const char *handler;
    int proxyreq;
    ap_conf_vector_t *per_dir_config;
    const char *forwarded_proto;
    const char *host; /* mod_proxy_http2 takes it away */
    const char *max_forwards;
    const char *socket; /* the local application's that a [P] names; a connection to a server must not become one to it */
    int keepalives;
} before;

/* mod_proxy's settings for this directory, but with the client's Host header kept: the servers are one site. */
static ap_conf_vector_t *preserving_host(request_rec *r) {
    const proxy_dir_conf *old = ap_get_module_config(r->per_dir_config, mb_mp.proxy);
    if (old->preserve_host && !old->interpolate_env) return r->per_dir_config;
    /* mod_proxy knows how large its own are. */
    proxy_dir_conf *changed = mb_mp.is_newer ? mb_mp.proxy->create_dir_config(r->pool, NULL) : apr_pmemdup(r->pool, old, sizeof *changed);
    changed->preserve_host = changed->preserve_host_set = 1;
    changed->interpolate_env = 0; /* mod_proxy interpolates ahead of its own handler only, and would look for the result */
    /* It changes neither. */
    if (mb_mp.is_newer) changed = mb_mp.proxy->merge_dir_config(r->pool, (void *)(intptr_t)old, changed);
    /* A vector of pointers, one for each module; merging it with an empty one would copy it too, for 2,000 instructions. */
    ap_conf_vector_t *copy = apr_pmemdup(r->pool, r->per_dir_config, mb_mp.vector);
    ap_set_module_config(copy, mb_mp.proxy, changed);
    return copy;
}

/* mod_proxy drops every header that the client's Connection names. It must not take ours away: a server would believe the request to be this
 * server's own (CVE-2022-31813 was the same with X-Forwarded-For). */
static void protect(request_rec *r, const char *header) {
    static const char *const ours[] = {MB_GUARD_HEADER, MB_HOPS_HEADER, FORWARDED_PROTO, NULL};
    const char *list = apr_table_get(r->headers_in, header);
    if (!list || !mb_tokens_name(list, ours)) return;
    char *kept = apr_palloc(r->pool, 2 * strlen(list) + 1);
    if (mb_tokens_without(list, ours, kept)) apr_table_setn(r->headers_in, header, kept);
    else apr_table_unset(r->headers_in, header);
}

/* With the count of kept-alive requests at 0 mod_proxy answers 502 when a server dies before its first byte; otherwise it closes the client's
 * connection unanswered. Then httpd itself would not see that this is the last request of the connection. */
static void forget_keepalives(conn_rec *connection, int most) {
    if (most && connection->keepalives >= most) connection->keepalive = AP_CONN_CLOSE;
    connection->keepalives = 0;
}

/* As mod_proxy's handler, which is passed by, does it. What is not a number goes on as it is: the server may mind. */
static void count_down(request_rec *r, const char *text) {
    char *end;
    errno = 0;
    apr_int64_t most = apr_strtoi64(text, &end, 10);
    if (r->method_number == M_OPTIONS && !errno && end != text && !*end && most > 0)
        apr_table_setn(r->headers_in, "Max-Forwards", apr_psprintf(r->pool, "%" APR_INT64_T_FMT, most - 1));
}

/* Whether mod_remoteip, or another module, takes the sender for a proxy that says who its client is: then what it says of the scheme counts, too. With
 * the PROXY protocol the headers may be the client's own. */
static int is_by_proxy(request_rec *r) {
    return r->useragent_addr != r->connection->client_addr && !mb_sender_is_relayed(r);
}

static before dress(request_rec *r, char *filename) {
    before old = {r->filename, r->handler, r->proxyreq, r->per_dir_config, apr_table_get(r->headers_in, FORWARDED_PROTO),
                  apr_table_get(r->headers_in, "Host"), apr_table_get(r->headers_in, "Max-Forwards"),
                  apr_table_get(r->notes, SOCKET_NOTE), r->connection->keepalives};
    if (old.socket) apr_table_unset(r->notes, SOCKET_NOTE);
    r->filename = filename;
    r->handler = "proxy-server";
    r->proxyreq = PROXYREQ_REVERSE;
    r->per_dir_config = preserving_host(r);
    forget_keepalives(r->connection, r->server->keep_alive_max);
    protect(r, "Connection");
    protect(r, "Proxy-Connection");
    apr_table_setn(r->headers_in, MB_GUARD_HEADER, mb_guard_value(r));
    mb_guard_count_hop(r);
    if (old.max_forwards) count_down(r, old.max_forwards);
    if (strcmp(ap_http_scheme(r), "https") == 0) apr_table_setn(r->headers_in, FORWARDED_PROTO, "https");
    else if (old.forwarded_proto && !is_by_proxy(r)) apr_table_unset(r->headers_in, FORWARDED_PROTO);
    return old;
}

static void undress_headers(request_rec *r, const before *old) {
    apr_table_unset(r->headers_in, MB_GUARD_HEADER);
    apr_table_unset(r->headers_in, MB_HOPS_HEADER);
    if (old->host) apr_table_setn(r->headers_in, "Host", old->host);
    if (old->max_forwards) apr_table_setn(r->headers_in, "Max-Forwards", old->max_forwards);
    if (old->forwarded_proto) apr_table_setn(r->headers_in, FORWARDED_PROTO, old->forwarded_proto);
    else apr_table_unset(r->headers_in, FORWARDED_PROTO);
}

static void undress(request_rec *r, const before *old) {
    r->filename = old->filename;
    r->handler = old->handler;
    r->proxyreq = old->proxyreq;
    r->per_dir_config = old->per_dir_config;
    if (old->socket) apr_table_setn(r->notes, SOCKET_NOTE, old->socket);
    undress_headers(r, old);
}

/* Whether a server died in the middle of its answer: mod_proxy then breaks the client's connection too. */
static int broke_off(const request_rec *r, int result) {
    return result == DONE && !r->connection->aborted && r->status != HTTP_SWITCHING_PROTOCOLS;
}

/* What the functions that forecast go by, and what speaks against the server. A refusal is neither; a server that answers 500 and more has failed,
 * whatever is to blame. */
static void note_time(const request_rec *r, uint32_t id, mb_outcome outcome, int is_good, uint64_t ended_us, uint64_t us, const mb_attempt *attempt) {
    if (outcome == MB_REFUSED || !us) return;
    bh_class_t class = outcome == MB_ANSWERED && is_good ? mb_evidence_class(r->status) : BH_CLASS_FAILED;
    bh_feedback_chain_time(mb_segment, id, attempt->chain, ended_us, attempt->first_us ? attempt->first_us - attempt->began_us : 0, us, class);
    if (attempt->free) mb_evidence_note(id, attempt->chain, class, mb_evidence_asked(r), ended_us / 1000);
}

static int has_body(const request_rec *r) {
    return apr_table_get(r->headers_in, "Content-Length") || apr_table_get(r->headers_in, "Transfer-Encoding");
}

/* How long it took to know that there is no connection. With a body it is not known: mod_proxy waits for the client's first. */
static uint64_t waited_ms(const request_rec *r, uint64_t us) { return has_body(r) ? 0 : us / 1000; }

static void count(const request_rec *r, uint32_t id, mb_outcome outcome, int is_good, uint64_t ended_us, const mb_attempt *attempt) {
    /* A tunnel's time is that of its user, not of the server. */
    uint64_t us = r->status != HTTP_SWITCHING_PROTOCOLS ? ended_us - attempt->began_us : 0;
    /* Passed on, because the request may not be done again: a failure of the server all the same. */
    int is_unavailable = outcome == MB_ANSWERED && r->status == HTTP_SERVICE_UNAVAILABLE;
    note_time(r, id, outcome, is_good, ended_us, us, attempt);
    if (outcome == MB_ANSWERED && is_good && !is_unavailable) {
        bh_feedback_served(mb_segment, id, us);
        return;
    }
    bh_feedback_failed(mb_segment, id);
    if (outcome == MB_REFUSED) bh_feedback_refused(mb_segment, id, ended_us / 1000, waited_ms(r, us));
}

/* No back-off: the name that mod_ssl looks for in the certificate is the client's Host, and no client must be able to take a server out. */
static void distrust(request_rec *r, uint32_t id, const char *origin) {
    static uint64_t next_ms;
    bh_feedback_failed(mb_segment, id);
    if (mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "BH0416: the TLS handshake with %s failed: nothing was sent to it; LogLevel ssl:info "
                      "has mod_ssl's reason", origin);
}

/* A server that shows no sign of life is as one that refuses connections: the table says so, and no client's request. */
static void note_gone(const request_rec *r, uint32_t id, const char *origin, mb_outcome outcome, uint64_t ended_us, mb_attempt *attempt) {
    static uint64_t next_ms;
    uint64_t ended_ms = ended_us / 1000;
    bh_feedback_failed(mb_segment, id);
    bh_feedback_refused(mb_segment, id, ended_ms, (ended_us - attempt->began_us) / 1000);
    if (outcome != MB_ANSWERED) attempt->result = HTTP_GATEWAY_TIME_OUT;
    if (mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "BH0412: %s is silent on a request, and shows no other sign of life: given up after %lu ms",
                      origin, (unsigned long)((ended_us - attempt->began_us) / 1000));
}

/* Milliseconds until a server that has just been started has heard the others: no line is worth that. */
#define USUAL_MS 5000

/* No back-off (docs/threat-model.md), but what cannot be sent twice goes elsewhere. */
static void note_unknown(request_rec *r, uint32_t id, const char *origin, uint64_t ended_ms) {
    static uint64_t next_ms;
    if (bh_feedback_unknown(mb_segment, id, ended_ms) >= USUAL_MS && mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "BH0434: %s does not know this httpd as a server, and refuses its requests: it must hear the announcements, "
                      "and connections must come from an address that is announced", origin);
}

/* Whether the server has nothing to do with the failure: this process lacks what a connection needs, or the server takes connections again. The
 * lookup of an address needs a descriptor too: mod_proxy answers 500 without one. */
static int is_starved(request_rec *r, uint32_t id, const bh_facts_t *facts, mb_outcome *outcome, uint64_t ended_us, mb_attempt *attempt) {
    int is_looked_up = *outcome != MB_ANSWERED && attempt->result == HTTP_INTERNAL_SERVER_ERROR && r->headers_out == attempt->before.headers_out;
    if (*outcome != MB_REFUSED && !is_looked_up) return 0;
    /* A body is waited for before the server is connected to. */
    int why = mb_shortage_find(facts, ended_us - attempt->began_us);
    attempt->why = why == MB_REACHED || (why == ETIMEDOUT && has_body(r)) ? 0 : why;
    if (why == MB_REACHED ? is_looked_up : !mb_shortage_is_own(why)) return 0;
    if (why == MB_REACHED) {
        bh_feedback_failed(mb_segment, id);
        return 1;
    }
    attempt->lacks = why;
    mb_shortage_tell(r, mb_worker_name(r->pool, id, facts), why);
    if (mb_shortage_is_general(why)) *outcome = MB_STARVED;
    return 1;
}

/* HTTP/2 knows no Upgrade; whoever speaks it speaks HTTP/1.1 too. */
static mb_scheme scheme_of(const request_rec *r, const mb_directory *settings) {
    mb_scheme scheme = settings->forward == MB_UNSET ? MB_HTTP : (mb_scheme)settings->forward;
    if (!is_http2(scheme) || !wants_websocket(r)) return scheme;
    return scheme == MB_H2C ? MB_HTTP : MB_HTTPS;
}

/* What mod_proxy says before it has a connection may be quiet, too. An error below 500 is the client's doing. */
static void tell_unasked(request_rec *r, int result) {
    static uint64_t next_ms;
    if (result >= HTTP_INTERNAL_SERVER_ERROR && mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0492: mod_proxy answers with %d and has asked no server; LogLevel proxy:info proxy_http:info has its "
                      "reason", result);
}

/* mod_proxy at work. */
static int run(request_rec *r, const mb_route *way, char *url, uint32_t id, mb_attempt *attempt, uint64_t *ended_us) {
    server_rec *own = r->server;
    proxy_server_conf *settings = ap_get_module_config(way->from->module_config, mb_mp.proxy);
    attempt->began_us = mb_now_us();
    bh_feedback_begin(mb_segment, mb_child_slot, id, attempt->began_us);
    r->server = way->from; /* mod_proxy connects as this says */
    const struct ap_logconf *log = mb_quiet_begin(r, own, way->from);
    int result = mb_mp.run_scheme_handler(r, way->worker, settings, url, NULL, 0);
    int is_unconnected = mb_quiet_end(r, log);
    r->server = own;
    if (is_unconnected && result != HTTP_SERVICE_UNAVAILABLE) tell_unasked(r, result);
    *ended_us = mb_now_us();
    if (way->shared) mb_lend_end(way, id, attempt->server, *ended_us / 1000);
    mb_keep_end(*ended_us / 1000);
    bh_feedback_end(mb_segment, mb_child_slot, id, *ended_us);
    return result == DECLINED ? HTTP_SERVICE_UNAVAILABLE : result; /* nobody speaks the scheme after all */
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

mb_outcome mb_forward(request_rec *r, const mb_directory *settings, uint32_t id, const bh_facts_t *facts, mb_sending how, mb_attempt *attempt) {
    mb_scheme scheme = scheme_of(r, settings);
    int once = is_http2(scheme) && !mb_attempt_is_safe(r);
    mb_route way;
    /* Without a pool, what must be sent once goes over a connection that mb_handshake.c sees. */
    if (!mb_worker_find(r, id, facts, scheme, pooling_of(r, settings, facts, once || how.fresh), &way)) {
        /* It has said why, and the server has nothing to do with it. */
        memset(attempt, 0, sizeof *attempt);
        attempt->chain = settings->chain;
        attempt->began_us = mb_now_us();
        return MB_REFUSED;
    }
    char *file = proxy_name(r, way.origin), *url = file + strlen(PROXY);
    before old = dress(r, file);
    mb_dav dav = mb_dav_begin(r, scheme);
    mb_form_give_back(r);
    mb_attempt_begin(attempt, r, how.repeatable, facts, scheme);
    attempt->chain = settings->chain;
    attempt->free = how.free;
    mb_handshake_begin(r, scheme, once);
    mb_response_begin(r, !facts->keepalive_ms);
    mb_silence_begin(r, id, facts, how.repeatable, !how.repeatable && !mb_attempt_is_safe(r));
    uint64_t ended_us;
    int result = run(r, &way, url, id, attempt, &ended_us);
    int untrusted = mb_handshake_end(), gone = mb_silence_end();
    mb_dav_end(r, &dav);

    mb_outcome outcome = mb_attempt_end(attempt, r, result);
    mb_response_end();
    result = attempt->result;
    /* mod_proxy counts one more request where it keeps the client's connection. */
    r->connection->keepalives += old.keepalives;
    if (untrusted && outcome == MB_REFUSED) distrust(r, id, way.origin);
    else if (gone) note_gone(r, id, way.origin, outcome, ended_us, attempt);
    else if (is_starved(r, id, facts, &outcome, ended_us, attempt)) {}
    /* An error of mod_proxy's below 500 is the client's doing, such as an upload that it broke off: it says nothing of the server, as an answer
     * that cannot be read does not, and one that does not know us: a client can have it refuse (docs/threat-model.md). */
    else if (!attempt->unreadable && !attempt->is_unknown
             && (result <= OK || result >= HTTP_INTERNAL_SERVER_ERROR || r->headers_out != attempt->before.headers_out))
        count(r, id, outcome, result < HTTP_INTERNAL_SERVER_ERROR && !broke_off(r, result), ended_us, attempt);
    if (attempt->is_unknown) note_unknown(r, id, way.origin, ended_us / 1000);
    else if (outcome == MB_ANSWERED) bh_feedback_known(mb_segment, id);
    attempt->was_kept = !mb_handshake_connected();
    if (outcome != MB_ANSWERED) undress(r, &old);
    /* An error page begins with the headers of the request: it must not take ours for a peer's, and shows no script a signature. */
    else if (ap_is_HTTP_ERROR(result)) undress_headers(r, &old);
    mb_worker_release(&way);
    return outcome;
}

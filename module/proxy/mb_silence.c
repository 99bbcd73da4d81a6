/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* A server that is silent on a request: is it at work, or is it gone?
 *
 * Silence alone ends nothing before ProxyTimeout or Timeout: a report may take minutes. mod_proxy waits for an answer
 * in one read that lasts as long. A filter on the connections to servers, just above the socket, has it wait a second
 * at a time, and looks in between whether the server shows another sign of life: its announcements (bh_row_life), its
 * port, and the connection itself, which the kernel is asked to keep alive. A server that shows none is gone: the read
 * ends as if its time were up. So does a write, where a large body is sent to a server that takes no more of it.
 *
 * In a tunnel mod_proxy waits for both sides, and ends it when both are silent for as long as the timeout. A client
 * that goes on talking to a server that is gone would keep it for ever, because the kernel takes what it says: so each
 * write looks, too.
 */

#include "proxy/mb_proxy.h"

#include "apr_portable.h"

/* A read waits for this long at a time. */
#define SLICE apr_time_from_sec(1)

/* Seconds of silence for which a tunnel's server needs no other sign of life, because it may have nothing to say:
 * enough for it to answer a ping. */
#define LEAST_TUNNEL_SILENCE_S 10

/* Bytes that go out without a look at the socket: a request without a large body costs no system call more. No socket's
 * buffer is smaller. */
#define MOST_UNSEEN (64 * 1024)

static ap_filter_rec_t *silence_filter, *patience_filter;

/* Only where there was silence: others are spared the system calls. */
static void keep_alive(apr_socket_t *socket) {
    apr_os_sock_t descriptor;
    if (apr_os_sock_get(&descriptor, socket) == APR_SUCCESS) bh_socket_keep_alive(descriptor);
}

/* Whether the server has been silent for long enough to show that it is gone. */
static int is_gone(const mb_attempt *attempt, unsigned seconds) {
    uint64_t now_ms = mb_now_ms();
    bh_silence_t shown =
        bh_silence_after(mb_segment, attempt->shown.id, attempt->server, seconds, &attempt->how, now_ms);
    if (shown == BH_SILENCE_PROBE) return bh_connection_refuses(attempt->way.probed, attempt->server, now_ms);
    return shown == BH_SILENCE_GONE;
}

int mb_silence_shows(const mb_attempt *attempt, apr_socket_t *socket, unsigned seconds) {
    if (seconds == 1) keep_alive(socket);
    return is_gone(attempt, seconds);
}

/* Whether the kernel's probes of the connection have failed. */
static int is_unreachable(apr_status_t status) {
    return APR_STATUS_IS_ETIMEDOUT(status) || APR_STATUS_IS_EHOSTUNREACH(status) || APR_STATUS_IS_ENETUNREACH(status);
}

/* Reads, a second at a time. What a read in vain has brought of a line stays in the brigade, and the next goes on
 * there. */
static apr_status_t wait_for_it(ap_filter_t *filter, apr_bucket_brigade *to, ap_input_mode_t mode, apr_off_t bytes,
                                apr_socket_t *socket, apr_interval_time_t timeout) {
    apr_status_t status = APR_TIMEUP;
    apr_interval_time_t left = timeout;
    for (unsigned seconds = 1; left > 0; seconds++) {
        apr_interval_time_t slice = left < SLICE ? left : SLICE;
        apr_socket_timeout_set(socket, slice);
        status = ap_get_brigade(filter->next, to, mode, APR_BLOCK_READ, bytes);
        left -= slice;
        if (!APR_STATUS_IS_TIMEUP(status) || left <= 0) break;
        if (seconds == 1) keep_alive(socket);
        if (is_gone(mb_now.attempt, seconds)) {
            mb_now.gone = 1;
            break;
        }
    }
    apr_socket_timeout_set(socket, timeout);
    if (is_unreachable(status)) mb_now.gone = 1;
    return mb_now.gone ? APR_TIMEUP : status;
}

/* Whether this read may wait for the server. Of an answer's header the first line does, and with it come the others,
 * each read after a look ahead: they are not worth ours; after an interim answer (100, 103) it waits again. */
static int may_wait(ap_input_mode_t mode, apr_read_type_e block) {
    if (block != APR_BLOCK_READ || !mb_now.r) return 0;
    return mode == AP_MODE_READBYTES || !mb_now.begun || ap_is_HTTP_INFO(mb_now.r->status);
}

apr_status_t mb_silence_read(ap_filter_t *filter, apr_socket_t *socket, apr_bucket_brigade *to, ap_input_mode_t mode,
                             apr_read_type_e block, apr_off_t bytes) {
    apr_interval_time_t timeout;
    if (mb_now.heard_ms) mb_now.heard_ms = mb_now_ms();
    /* what mod_proxy finds before it sends the request is the answer to it, which is there already */
    if (mb_now.resumed && mode == AP_MODE_SPECULATIVE) return APR_SUCCESS;
    if (!may_wait(mode, block)) return ap_get_brigade(filter->next, to, mode, block, bytes);
    mb_now.resumed = 0;
    if (mb_now.park && mb_park_leaves(socket)) return APR_EGENERAL;
    if (mb_now.gone || mb_now.late) return APR_TIMEUP; /* mod_proxy_http2 tries again, for its farewell */
    mb_now.begun = 1;
    if (apr_socket_timeout_get(socket, &timeout) != APR_SUCCESS || timeout <= SLICE)
        return ap_get_brigade(filter->next, to, mode, block, bytes);
    return wait_for_it(filter, to, mode, bytes, socket, timeout);
}

static apr_status_t read_patiently(ap_filter_t *filter, apr_bucket_brigade *to, ap_input_mode_t mode,
                                   apr_read_type_e block, apr_off_t bytes) {
    return mb_silence_read(filter, filter->ctx, to, mode, block, bytes);
}

/* Whether more can be written, without a wait of the core's that would last until the timeout. */
static int is_writable(apr_socket_t *socket, apr_interval_time_t timeout) {
    apr_os_sock_t descriptor;
    if (apr_os_sock_get(&descriptor, socket) != APR_SUCCESS) return 1;
    for (unsigned seconds = 0; seconds < timeout / SLICE; seconds++) {
        /* or an error, which the core meets too */
        if (bh_socket_is_ready(descriptor, true, (int)(SLICE / 1000))) return 1;
        if (seconds == 0) bh_socket_keep_alive(descriptor);
        if ((mb_now.gone = is_gone(mb_now.attempt, seconds + 1))) return 0;
    }
    return 0;
}

/* Whether this is a tunnel to a server that says nothing more, and is gone. */
static int is_dead_end(void) {
    if (mb_now.r->status != HTTP_SWITCHING_PROTOCOLS) return 0;
    uint64_t now_ms = mb_now_ms();
    if (!mb_now.heard_ms) mb_now.heard_ms = now_ms;
    if (now_ms < mb_now.heard_ms + LEAST_TUNNEL_SILENCE_S * 1000) return 0;
    return mb_now.gone =
               bh_row_life(mb_segment, mb_now.attempt->shown.id, mb_now.attempt->server, now_ms) == BH_LIFE_NONE;
}

static apr_status_t write_slowly(ap_filter_t *filter, apr_bucket_brigade *brigade) {
    apr_socket_t *socket = filter->ctx;
    apr_interval_time_t timeout;
    apr_off_t length = 0;
    mb_quiet_connected();
    if (mb_now.resumed) {
        apr_brigade_cleanup(brigade);
        return APR_SUCCESS;
    }
    if (mb_now.r && is_dead_end()) {
        filter->c->aborted = 1;
        return APR_TIMEUP;
    }
    if (!mb_now.r || !mb_now.has_body) return ap_pass_brigade(filter->next, brigade);
    if (apr_brigade_length(brigade, 0, &length) == APR_SUCCESS && length > 0) mb_now.written += length;
    if (mb_now.written > MOST_UNSEEN && apr_socket_timeout_get(socket, &timeout) == APR_SUCCESS && timeout > SLICE
        && !is_writable(socket, timeout)) {
        filter->c->aborted = 1; /* a part has gone: it is of no use for another request */
        return APR_TIMEUP;
    }
    return ap_pass_brigade(filter->next, brigade);
}

void mb_silence_watch(conn_rec *c, apr_socket_t *socket, int is_read) {
    if (!is_read) ap_add_input_filter_handle(silence_filter, socket, NULL, c);
    ap_add_output_filter_handle(patience_filter, socket, NULL, c);
}

void mb_silence_register(apr_pool_t *pool) {
    (void)pool;
    /* Just above the core's, which reads the socket, and below mod_ssl's. */
    silence_filter = ap_register_input_filter("BACKHAND_SILENCE", read_patiently, NULL, AP_FTYPE_NETWORK - 1);
    patience_filter = ap_register_output_filter("BACKHAND_PATIENCE", write_slowly, NULL, AP_FTYPE_NETWORK - 1);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The lines of a server's header that have arrived already.
 *
 * mod_proxy reads a header line by line, each with a look at the byte after it, and httpd's core cuts and joins buckets
 * for both: for a short answer that is a tenth of all instructions of the request. So one look ahead brings the bytes
 * of many lines, and lines and looks are served from there. The core keeps all of the bytes meanwhile. It drops those
 * that were served before anything else is read, the empty line that ends the header too: so nothing is kept from one
 * answer to the next.
 */

#include "proxy/mb_proxy.h"

/* Bytes of one look ahead. If fewer have arrived, the core asks the socket once more, without waiting. */
#define MOST_AHEAD 512

mb_ahead *mb_ahead_make(conn_rec *c, apr_socket_t *socket) {
    mb_ahead *ahead = apr_pcalloc(c->pool, sizeof *ahead);
    ahead->socket = socket;
    ahead->seen = apr_brigade_create(c->pool, c->bucket_alloc);
    return ahead;
}

void mb_ahead_end(mb_ahead *ahead, ap_filter_t *filter) {
    apr_brigade_cleanup(ahead->seen);
    /* It has them all, so that this does not wait. */
    if (ahead->served) {
        ap_get_brigade(filter->next, ahead->seen, AP_MODE_READBYTES, APR_NONBLOCK_READ, (apr_off_t)ahead->served);
        apr_brigade_cleanup(ahead->seen);
    }
    ahead->left = ahead->served = 0;
}

static void look(mb_ahead *ahead, ap_filter_t *filter) {
    mb_ahead_end(ahead, filter);
    apr_status_t status = ap_get_brigade(filter->next, ahead->seen, AP_MODE_SPECULATIVE, APR_NONBLOCK_READ, MOST_AHEAD);
    if (status == APR_SUCCESS && !APR_BRIGADE_EMPTY(ahead->seen))
        apr_bucket_read(APR_BRIGADE_FIRST(ahead->seen), &ahead->begin, &ahead->left, APR_NONBLOCK_READ);
}

static void serve(const mb_ahead *ahead, apr_bucket_brigade *to, apr_size_t length) {
    APR_BRIGADE_INSERT_TAIL(to, apr_bucket_transient_create(ahead->begin, length, to->bucket_alloc));
}

int mb_ahead_byte(mb_ahead *ahead, ap_filter_t *filter, apr_bucket_brigade *to) {
    if (!ahead->left) look(ahead, filter);
    if (ahead->left) serve(ahead, to, 1);
    return ahead->left != 0;
}

static const char *first_end(const mb_ahead *ahead) {
    return ahead->left ? memchr(ahead->begin, '\n', ahead->left) : NULL;
}

int mb_ahead_line(mb_ahead *ahead, ap_filter_t *filter, apr_bucket_brigade *to) {
    const char *end = first_end(ahead);
    if (!end) {
        look(ahead, filter);
        end = first_end(ahead);
    }
    apr_size_t length = end ? (apr_size_t)(end - ahead->begin) + 1 : 0;
    if (length <= 2) {
        mb_ahead_end(ahead, filter);
        return 0;
    }
    serve(ahead, to, length);
    ahead->begin += length;
    ahead->left -= length;
    ahead->served += length;
    return 1;
}

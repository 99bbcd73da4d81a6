/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* mod_proxy and the pool of all children: the connection of a worker is changed between two requests, when no request
 * has it.
 *
 * In a process with one thread mod_proxy keeps one connection for each worker (worker->cp->conn). Before a request it
 * gets the socket that came out of the pool: mod_proxy takes a record with a socket and without a conn_rec for a
 * connection that is there, looks whether it is open, and makes the conn_rec. After the request the pool gets a copy of
 * the descriptor, and mod_proxy closes its own, as it closes any connection: nothing is shut down by that, so the copy
 * goes on.
 */

#include "proxy/mb_proxy.h"

#include "apr_portable.h"

#include <sys/socket.h>
#include <unistd.h>

#define SCHEME "http"

/* The one that this process works with. */
static const apr_socket_t *lent;

int mb_lend_is(const apr_socket_t *socket) { return socket == lent; }

/* mod_proxy has closed it: the next one may lie at the same place in memory. */
static apr_status_t forget(void *nothing) {
    (void)nothing;
    lent = NULL;
    return APR_SUCCESS;
}

/* As mod_proxy takes it for its own. */
static apr_interval_time_t timeout_of(const mb_route *way) {
    const proxy_server_conf *settings = ap_get_module_config(way->from->module_config, mb_mp.proxy);
    if (way->worker->s->timeout_set) return way->worker->s->timeout;
    return settings->timeout_set ? settings->timeout : way->from->timeout;
}

/* The worker's record, without a connection; NULL: there is none. */
static proxy_conn_rec *empty_record(const mb_route *way) {
    proxy_conn_rec *record;
    if (!way->worker || !way->worker->cp) return NULL;
    /* mod_proxy makes it for the first request. */
    if (!way->worker->cp->conn && mb_mp.acquire_connection(SCHEME, &record, way->worker, way->from) == OK)
        mb_mp.release_connection(SCHEME, record, way->from);
    record = way->worker->cp->conn;
    return record && !record->sock && !record->connection ? record : NULL;
}

void mb_lend_begin(const mb_route *way, int fd) {
    apr_os_sock_info_t info = {.os_sock = &fd, .type = SOCK_STREAM, .protocol = APR_PROTO_TCP};
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    proxy_conn_rec *record = empty_record(way);
    lent = NULL;
    if (record && getsockname(fd, (struct sockaddr *)(void *)&own, &size) == 0) {
        info.family = own.ss_family;
        info.local = (struct sockaddr *)(void *)&own;
        if (apr_os_sock_make(&record->sock, &info, record->scpool) == APR_SUCCESS) {
            apr_socket_timeout_set(record->sock, timeout_of(way));
            apr_pool_cleanup_register(record->scpool, NULL, forget, apr_pool_cleanup_null);
            lent = record->sock;
            return;
        }
        record->sock = NULL;
    }
    close(fd);
}

/* Whether nothing of an answer is left: neither in its filters nor in the kernel. That it has ended is found when it is
 * taken. */
static int is_read(conn_rec *c) {
    apr_bucket_brigade *rest = apr_brigade_create(c->pool, c->bucket_alloc);
    apr_status_t status = ap_get_brigade(c->input_filters, rest, AP_MODE_SPECULATIVE, APR_NONBLOCK_READ, 1);
    int is = APR_BRIGADE_EMPTY(rest) && (status == APR_SUCCESS || APR_STATUS_IS_EAGAIN(status));
    apr_brigade_destroy(rest);
    return is;
}

/* mod_proxy has released it and has not closed it: the answer is complete, and the server keeps it. */
static int is_reusable(const proxy_conn_rec *record) {
    conn_rec *c = record->connection;
    return c && !record->close && !record->is_ssl && !c->aborted && c->keepalive != AP_CONN_CLOSE
           && !c->data_in_output_filters && is_read(c);
}

void mb_lend_end(const mb_route *way, uint32_t id, const bh_facts_t *server, uint64_t now_ms) {
    proxy_conn_rec *record = way->worker->cp ? way->worker->cp->conn : NULL;
    apr_os_sock_t fd;
    lent = NULL;
    if (!record || !record->sock) return;
    if (is_reusable(record) && apr_os_sock_get(&fd, record->sock) == APR_SUCCESS
        && bh_pool_put(mb_pool_queues(), mb_segment, id, server, fd, now_ms))
        record->connection->aborted = 1; /* the connection goes on: no farewell */
    way->worker->cp->conn = NULL;
    record->inreslist = 0;
    record->close = 1;
    mb_mp.release_connection(SCHEME, record, way->from);
}

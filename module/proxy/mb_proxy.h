/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What the files that work with mod_proxy share. */
#ifndef MB_PROXY_H
#define MB_PROXY_H

#include "mb_module.h"

#include "apr_thread_mutex.h"
#include "mod_proxy.h"
#include "util_filter.h"

/* mod_proxy, looked up by mb_proxy_find: it may be loaded after us, so that we cannot be linked with it. */
typedef struct mb_mod_proxy {
    module *proxy; /* NULL: not found */
    module *http;
    module *http2; /* NULL: not loaded */
    size_t vector; /* bytes of a configuration vector up to the last module */
    int is_newer;  /* than the headers that this was compiled with: its structs may be longer than we know, and are not copied */
    __typeof__(&ap_proxy_define_worker) define_worker;
    __typeof__(&ap_proxy_initialize_worker) initialize_worker;
    __typeof__(&proxy_run_scheme_handler) run_scheme_handler;
    __typeof__(&ap_proxy_acquire_connection) acquire_connection;
    __typeof__(&ap_proxy_release_connection) release_connection;
} mb_mod_proxy;
extern mb_mod_proxy mb_mp;

/* ---- Connections that are kept: mb_keep.c ---- */

/* What this child keeps of one server, with one scheme; all of it is atomic. */
typedef struct mb_kept {
    uint32_t id;      /* the server's row */
    uint32_t open;    /* connections that are kept, idle or in use */
    uint32_t in_use;  /* requests that have one of them, or will have one more */
    uint32_t most;    /* what bounded them at the last request: as bh_row_t.may_keep */
    uint64_t used_ms; /* when one was in use last */
    uint32_t said_ms; /* for so long the server waits for the next request, by its answers; 0: they do not say */
} mb_kept;

/* The last milliseconds of a server's KeepAliveTimeout: a request that begins in them may meet the connection's end on its way. */
#define MB_KEEP_MARGIN_MS 1000

/* How a request is to be sent. */
typedef enum mb_keep {
    MB_KEEP_NONE = 0, /* on a connection of its own, which ends with it */
    MB_KEEP = 1,      /* on one that is kept */
    MB_KEEP_STALE = 2 /* those that were kept are too old, or too many: forget them all, and choose again */
} mb_keep;

/* The answer to this thread's request says how long its server waits for the next one. */
void mb_keep_heard(unsigned long timeout_s);
/* Whether there are connections, and all of them are idle and too old. */
int mb_keep_is_past(mb_kept *kept, const bh_facts_t *server, uint64_t now_ms);
/* Before a request is sent. After MB_KEEP mb_keep_end must be called. lent: a connection from the pool of all children, to be closed by the caller; -1:
 * none. */
mb_keep mb_keep_choose(mb_kept *kept, uint32_t id, const bh_facts_t *server, mb_pooling pooling, uint64_t now_ms, int *lent);
/* Whether connections may go into the pool of all children. */
int mb_keep_is_shared(mb_pooling pooling);
/* mod_proxy has made a connection for it. */
void mb_keep_connected(const conn_rec *c);
/* The request is over. */
void mb_keep_end(uint64_t now_ms);

/* ---- Workers: mb_worker.c ---- */

/* How a server is asked. */
typedef struct mb_route {
    struct mb_peer *peer; /* held until mb_worker_release */
    proxy_worker *worker;
    const char *origin;   /* "http://10.0.0.4:80" */
    server_rec *from;     /* the request's server, or a copy in which mod_proxy binds to an address */
    int shared;           /* whether its connection may go into the pool of all children */
} mb_route;
/* 0: there is no worker, and it has been logged why. */
int mb_worker_find(request_rec *r, uint32_t id, const bh_facts_t *facts, mb_scheme scheme, mb_pooling pooling, mb_route *way);
/* The request is over. If the server is gone meanwhile, its connections and memory go with the last request. */
void mb_worker_release(const mb_route *way);
void mb_worker_register(apr_pool_t *pool);
void mb_keep_register(apr_pool_t *pool);

/* ---- mod_proxy and the pool of all children: mb_lend.c ---- */

/* Gives the worker, which has no connection, this one. Owns the descriptor. */
void mb_lend_begin(const mb_route *way, int fd);
/* After the request: puts the worker's connection into the pool, if its answer is complete and there is room. The worker then has none. */
void mb_lend_end(const mb_route *way, uint32_t id, const bh_facts_t *server, uint64_t now_ms);
/* Whether this is the connection that was given to this thread's request. */
int mb_lend_is(const apr_socket_t *socket);

/* ---- What mod_proxy does not write: mb_quiet.c ---- */

/* What mod_proxy gets in the place of httpd's server_rec. */
typedef struct mb_copy {
    server_rec server;       /* first: one leads to the other */
    struct ap_logconf muted; /* of requests without levels of their own; nothing if mb_quiet_wants is false */
} mb_copy;
/* Where it is wanted: with a server_rec copied already. */
void mb_quiet_make(apr_pool_t *pool, mb_copy *copy);
/* Until there is a connection. own: the request's server; from: what mod_proxy gets for it. Returns what mb_quiet_end wants. */
const struct ap_logconf *mb_quiet_begin(request_rec *r, const server_rec *own, const server_rec *from);
/* This thread has one: what is written from now on is no attempt to connect. */
void mb_quiet_connected(void);
/* Returns whether it was quiet to the end. */
int mb_quiet_end(request_rec *r, const struct ap_logconf *before);

/* ---- What this process lacks: mb_shortage.c ---- */

/* The server takes connections. No errno has this value. */
#define MB_REACHED (-1)
/* Why there was no connection to the server: an errno, MB_REACHED if there is one now; 0: not known. Asks the kernel, so it is for refusals
 * only. took_us: how long it took to know of the refusal; 0: not known. */
int mb_shortage_find(const bh_facts_t *server, uint64_t took_us);
/* Whether the errno says that this process or this machine lacks something, and nothing of the server. */
int mb_shortage_is_own(int why);
/* What the kernel says to another connection to the server, which is closed at once: an errno; 0: there was one. */
int mb_shortage_connect(const bh_facts_t *server, int wait_ms);
/* Whether no other server can be connected to either. */
int mb_shortage_is_general(int why);
/* Waits until there is a descriptor again, 1.5 s at most; 0: there is none. */
int mb_shortage_is_over(void);
/* One line a minute. */
void mb_shortage_tell(request_rec *r, const char *server, int why);

/* ---- Servers that are silent: mb_silence.c ---- */

/* From now on this thread waits for an answer of the server of the row. server: valid until mb_silence_end. */
void mb_silence_begin(const request_rec *r, uint32_t id, const bh_facts_t *server, int repeatable, int has_body);
/* The opposite. Returns whether the server was gone. */
int mb_silence_end(void);
/* For each new connection to a server. is_read: another filter, just above the socket, reads by mb_silence_read. */
void mb_silence_watch(conn_rec *c, apr_socket_t *socket, int is_read);
/* An input filter's function; its context is the socket. */
apr_status_t mb_silence_read(ap_filter_t *filter, apr_bucket_brigade *to, ap_input_mode_t mode, apr_read_type_e block, apr_off_t bytes);
void mb_silence_register(apr_pool_t *pool);
/* ---- Where connections come from: mb_source.c ---- */

/* What was found out about one server, for each of httpd's servers whose requests went there. */
typedef struct mb_source mb_source;
/* The server_rec with which mod_proxy connects: the request's, or a copy of it. New ones come into the list, under the lock, from the pool that
 * the server's peer has; copies live as long as the child, because kept connections of several servers point to them. */
server_rec *mb_source_find(request_rec *r, mb_source **list, const bh_facts_t *server, apr_pool_t *pool, apr_pool_t *for_ever,
                           apr_thread_mutex_t *lock);

/* ---- Connections to servers while mod_proxy makes them: mb_handshake.c ---- */

/* Whether mod_proxy has begun to send the request, or may have. */
int mb_handshake_is_sent(request_rec *r);
/* From now on this thread's new connections to servers are for this request. once: it must not be sent twice. */
void mb_handshake_begin(request_rec *r, mb_scheme scheme, int once);
/* The answer has begun: they are not any more. */
void mb_handshake_answered(void);
/* The opposite of mb_handshake_begin. Returns whether a server was refused because of its TLS handshake, and not because it took too long. */
int mb_handshake_end(void);
/* After that: whether mod_proxy has made a new connection, instead of one that it had kept. */
int mb_handshake_connected(void);
void mb_handshake_register(apr_pool_t *pool);

/* ---- Headers of answers: mb_response.c ---- */

/* Before a server is asked. */
/* learns: whether its server says in its answers alone how long it keeps connections. */
void mb_response_begin(request_rec *r, int learns);
/* After it, and after mb_attempt_end: this thread reads connections of others, too, when the request is gone. */
void mb_response_end(void);
/* Before anybody looks at the header: long lines are whole again. */
void mb_response_restore(request_rec *r);
/* A new connection to a server, on which no HTTP/2 is spoken. */
void mb_response_watch(conn_rec *c, apr_socket_t *socket);
/* Whether the server's connection has ended or was silent when this thread read from it last. */
int mb_response_ended(void);
void mb_response_register(apr_pool_t *pool);

#endif

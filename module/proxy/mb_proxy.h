/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* mod_proxy at work for us: it carries the bytes. */
#ifndef MB_PROXY_H
#define MB_PROXY_H

#include "connections/mb_connections.h"
#include "message/mb_message.h"
#include "request/mb_request.h"

#include "apr_thread_mutex.h"
#include "mod_proxy.h"
#include "util_filter.h"

/* ---- mod_proxy: mb_mod_proxy.c ---- */

/* mod_proxy, looked up when the configuration has been read: it may be loaded after us, so that we cannot be linked
 * with it. */
typedef struct mb_mod_proxy {
    module *proxy; /* NULL: not found */
    module *http;  /* NULL: not loaded */
    module *http2; /* NULL: not loaded */
    size_t vector; /* bytes of a configuration vector up to the last module */
    /* than the headers that this was compiled with: its structs may be longer than we know, and are not copied */
    int is_newer;
    __typeof__(&ap_proxy_define_worker) define_worker;
    __typeof__(&ap_proxy_initialize_worker) initialize_worker;
    __typeof__(&ap_proxy_get_worker) get_worker;
    __typeof__(&proxy_run_scheme_handler) run_scheme_handler;
    __typeof__(&proxy_run_request_status) run_request_status;
    __typeof__(&ap_proxy_acquire_connection) acquire_connection;
    __typeof__(&ap_proxy_release_connection) release_connection;
} mb_mod_proxy;
extern mb_mod_proxy mb_mp;
/* Whether it is there, with all that a chain needs. */
int mb_mod_proxy_available(void);
void mb_mod_proxy_register(apr_pool_t *pool);

/* ---- Answers that may not be the client's: mb_answer.c ---- */

/* Puts the request back to what it was before an answer. before: a copy of the request. */
void mb_answer_undo(request_rec *r, const request_rec *before);
/* Makes an answer that was undone the request's again: its body is sent after this. answer: a copy of the request. */
void mb_answer_put(request_rec *r, const request_rec *answer);
/* Adds a piece to a body that is held back. If it is too long now, *held is NULL, and *brigade is all of it. */
apr_status_t mb_answer_hold(ap_filter_t *filter, apr_bucket_brigade **held, apr_bucket_brigade **brigade);
/* Whether a body that is held back (NULL: none is) has no end. Such an answer is lost: given to the client, it would
 * look whole. result: what mod_proxy's scheme handler has returned. */
int mb_answer_is_broken_off(const apr_bucket_brigade *held, int result);

/* ---- Attempts to have a server answer: mb_attempt.c ---- */

/* How a server is asked. */
typedef struct mb_route {
    struct mb_peer *peer; /* held until mb_worker_release */
    proxy_worker *worker;
    const char *origin; /* "http://10.0.0.4:80" */
    server_rec *from;   /* the request's server, or a copy in which mod_proxy binds to an address */
    int shared;         /* whether its connection may go into the pool of all children */
    uint64_t *probed;   /* of the peer, for bh_connection_refuses */
} mb_route;

typedef struct mb_park mb_park;
typedef struct mb_attempt {
    const request_rec *before; /* a copy of the request as it was: what mod_proxy changes is put back from there */
    const request_rec *answer; /* the same with the answer that was undone */
    apr_bucket_brigade *held;  /* the body of a 503 that has not gone to the client; NULL: there is none */
    ap_filter_t *filter;
    bh_next_attempt_t how;    /* what the core wants of it */
    int passed;               /* something has gone on to the client */
    int reused;               /* over a connection that mod_proxy had kept alive from an earlier request */
    const bh_facts_t *server; /* the server that is asked, and how */
    const char *origin;       /* the same for log lines: "http://10.0.0.4:80" */
    mb_scheme scheme;
    int result;        /* what mod_proxy returned */
    int32_t why;       /* errno of a refusal, as the kernel says it to another connection; 0: not known */
    bh_result_t shown; /* what it has shown about the server so far */
    /* mb_forward.c */
    mb_route way;
    char *url;
    const char *socket; /* what mb_prepare_undo wants */
    const apr_table_t *header;
    int keepalives;
    struct mb_park *park; /* NULL: its thread waits for the answer */
    int waits;            /* it is not over: no thread has it */
    uint64_t mark;        /* what mb_spent_end wants */
} mb_attempt;

/* Whether the request is repeatable: another server may do it, although the first one may have had it. */
int mb_attempt_is_repeatable(request_rec *r);
/* Whether mod_proxy has begun to send the request, or may have. */
int mb_attempt_is_sent(request_rec *r);
/* A HEAD may have a body too, which httpd's own function denies. */
int mb_attempt_has_body(request_rec *r);
/* Before mod_proxy runs. The server that the attempt names: valid until mb_attempt_end. */
void mb_attempt_begin(mb_attempt *attempt, request_rec *r);
/* After it has: what became of it. */
bh_outcome_t mb_attempt_end(mb_attempt *attempt, request_rec *r, int result);
/* Puts the request back to what it was before, for the next attempt. */
void mb_attempt_undo(mb_attempt *attempt, request_rec *r);
/* The attempt lies in another place than before: what points to it. */
void mb_attempt_move(mb_attempt *attempt);
/* Gives the client the answer that was held back and undone. Returns what a handler returns. */
int mb_attempt_give(mb_attempt *attempt, request_rec *r);
void mb_attempt_register(apr_pool_t *pool);

/* ---- What this thread sends to a server now: mb_exchange.c ---- */

/* A request is worked on by one thread, from the beginning of an attempt to its end; hooks and filters of connections
 * to servers look here for what they work for. */
typedef struct mb_exchange {
    request_rec *r; /* NULL: nothing */
    const mb_attempt *attempt;
    int repeatable; /* it may be sent again */
    int has_body;   /* the request may be large */
    /* mb_handshake.c */
    int connects;  /* new connections are for this request: its answer has not begun */
    int connected; /* there was a new connection */
    int untrusted; /* the server's TLS handshake failed, and not because it took too long */
    /* mb_response.c */
    int ended;    /* the last reading brought nothing, or there was none */
    int inside;   /* the header has begun, and is not whole: its lines are there already, as a rule */
    int given_up; /* a line was too long */
    int learns;   /* Keep-Alive is looked for, because the server does not announce it: mod_proxy takes it away */
    /* const char *: of shortened lines, by the numbers in their marks; NULL: there are none */
    apr_array_header_t *rests;
    /* mb_park.c */
    struct mb_park *park; /* the request may wait without this thread */
    char parked;          /* and does */
    char resumed;         /* the request was sent before, and mod_proxy must not send it again */
    char late;            /* there is no answer in time */
    /* mb_silence.c */
    int begun; /* a line has been read */
    int gone;  /* the server shows no sign of life */
    apr_off_t written;
    /* when a tunnel's server said something last; 0: it is none, or nothing was written there */
    uint64_t heard_ms;
} mb_exchange;
/* The model makes the linker's own library no dependency of the module. */
extern __thread __attribute__((tls_model("initial-exec"))) mb_exchange mb_now;

/* Microseconds that this thread's requests have spent at servers. A part of a page is a request within the request for
 * the page, whose server must not be charged with the part's time. */
extern __thread __attribute__((tls_model("initial-exec"))) uint64_t mb_spent_us;
/* At the end of a request. mark: mb_spent_us when it began. Returns the time of the requests within it. */
uint64_t mb_spent_end(uint64_t mark, uint64_t took_us);

/* What an attempt that waits without a thread has come to. */
typedef enum mb_park_state { MB_PARK_WAITS, MB_PARK_ANSWERED, MB_PARK_ENDED, MB_PARK_LATE } mb_park_state;

/* ---- Requests that go to a server: mb_forward.c ---- */

/* Sends the request to the server of the row, as the core wants it. */
bh_outcome_t mb_forward(request_rec *r, const mb_directory *settings, uint32_t id, const bh_facts_t *facts,
                        bh_next_attempt_t how, mb_attempt *attempt);
/* Which connections to the server the request may use, and leave. */
mb_pooling mb_forward_pooling(const request_rec *r, const mb_directory *settings, const bh_facts_t *facts);
/* Whether an attempt that waits goes on. */
mb_park_state mb_forward_look(const mb_attempt *attempt);
/* Goes on after attempt.waits. is_ended: the server has ended the connection, and has said nothing. */
bh_outcome_t mb_forward_again(request_rec *r, mb_attempt *attempt, int is_ended);
/* The request will not be answered. */
void mb_forward_abandon(mb_attempt *attempt);

/* ---- Requests that wait without a thread: mb_park.c ---- */

/* Requests of a child that wait without one of its threads, for each thread. */
#define MB_PARK_MOST 8
int mb_park_is_possible(void);
/* Whether the request may wait so, if threads are scarce. */
int mb_park_can(request_rec *r, const mb_directory *settings);
/* From now on this thread serves requests of this connection as the MPM asked it to, and those may wait; NULL: none. */
void mb_park_serve(const conn_rec *c);
/* Whether threads are scarce. */
int mb_park_wants(const conn_rec *c);
/* NULL: its thread waits. */
mb_park *mb_park_make(request_rec *r, const mb_directory *settings, const mb_route *way);
int mb_park_leaves(apr_socket_t *socket);
int mb_park_run(mb_park *park, request_rec *r, const mb_route *way, proxy_server_conf *settings, char *url);
void mb_park_begin(mb_park *park);
void mb_park_move(mb_park *park, const mb_attempt *attempt);
void mb_park_wait(mb_park *park, conn_rec *c);
void mb_park_return(mb_park *park, conn_rec *c);
/* second: of silence, after which the server must be looked at; 0: not now. */
mb_park_state mb_park_look(mb_park *park, unsigned *second);
/* The server is gone. */
void mb_park_give_up(mb_park *park);
apr_socket_t *mb_park_socket(const mb_park *park);
void mb_park_end(mb_park *park, mb_park_state state);
void mb_park_close(mb_park *park, const mb_route *way);
void mb_park_register(apr_pool_t *pool);

#define MB_PROXY_HANDLER "proxy-server"

/* ---- The request as mod_proxy gets it: mb_prepare.c ---- */

/* Prepares the request for mod_proxy's handler; filename: "proxy:" and the URL. Its header is then a copy. Returns the
 * local application's socket that a [P] names, which a connection to a server must not become one to; NULL: none. */
const char *mb_prepare(request_rec *r, char *filename);
/* A copy of the request's settings for its directory, whose settings of mod_proxy can be changed. */
ap_conf_vector_t *mb_prepare_section(request_rec *r, proxy_dir_conf **changed);
/* With the count of kept-alive requests at 0 mod_proxy answers 502 when a server dies before its first byte; otherwise
 * it closes the client's connection unanswered. httpd itself would then not see that this is the last request of the
 * connection, so it is told. The caller adds what was counted after the attempt. */
void mb_prepare_keepalives(request_rec *r);
/* before: a copy of the request. */
void mb_prepare_undo(request_rec *r, const request_rec *before, const char *socket);

/* ---- What an attempt shows about its server: mb_feedback.c ---- */

/* Finds out the rest, and writes it into the table. The outcome becomes BH_OUTCOME_STARVED if it was the fault of this
 * process. */
void mb_feedback_report(request_rec *r, mb_attempt *attempt);

/* ---- Bodies after a refusal: mb_body.c ---- */

/* After BH_OUTCOME_REFUSED, before the request is served here: what mod_proxy has read of its body can be read again.
 */
void mb_body_give_back(request_rec *r);
void mb_body_register(apr_pool_t *pool);

/* ---- Workers: mb_worker.c ---- */

/* A worker that is not initialised yet, and waits for a connection as long as another server can still have the
 * request. NULL: wrong says why mod_proxy refuses it. */
proxy_worker *mb_worker_define(apr_pool_t *pool, const char *origin, const char **wrong);

/* 0: there is no worker, and it has been logged why. */
int mb_worker_find(request_rec *r, uint32_t id, const bh_facts_t *facts, mb_scheme scheme, mb_pooling pooling,
                   mb_route *way);
/* The request is over. If the server is gone meanwhile, its connections and memory go with the last request. */
void mb_worker_release(const mb_route *way);
void mb_worker_register(apr_pool_t *pool);
/* "10.0.0.4:80" for the server of the row. */
const char *mb_worker_name(apr_pool_t *pool, uint32_t id, const bh_facts_t *facts);
/* Lets go of servers that the table has no more; once a second. now_ms: CLOCK_MONOTONIC. */
void mb_worker_sweep(uint64_t now_ms);

/* ---- Requests of other modules: mb_guest.c ---- */

/* Such a request, while mod_proxy's scheme handler works on it, on one thread. */
typedef struct mb_guest mb_guest;
/* Before the handler runs, with a worker of the configuration or of the other module that lives as long as this child.
 * port: where it goes. NULL: mod_proxy alone decides about its connection, as the row's server has not announced what
 * one costs, or is at another port. */
mb_guest *mb_guest_begin(request_rec *r, uint32_t row, uint16_t port, proxy_worker *worker);
/* After it has. */
void mb_guest_end(request_rec *r, mb_guest *guest);
void mb_guest_register(apr_pool_t *pool);

/* ---- mod_proxy and the pool of all children: mb_lend.c ---- */

/* Gives the worker, which has no connection, this one. Owns the descriptor. */
void mb_lend_begin(const mb_route *way, int fd);
/* After the request: puts the worker's connection into the pool, if its answer is complete and there is room. The
 * worker then has none. */
void mb_lend_end(const mb_route *way, uint32_t id, const bh_facts_t *server, uint64_t now_ms);
/* Whether this is the connection that was given to this thread's request. */
int mb_lend_is(const apr_socket_t *socket);

/* ---- What mod_proxy does not write: mb_quiet.c ---- */

/* What mod_proxy gets in the place of httpd's server_rec. */
typedef struct mb_copy {
    server_rec server;       /* first: one leads to the other */
    struct ap_logconf muted; /* of requests without levels of their own; nothing if mb_quiet_wants is false */
} mb_copy;
/* Whether it is quiet of this server's attempts to connect, as LogLevel asks for nothing else. */
int mb_quiet_wants(const server_rec *server);
/* Where it is wanted: with a server_rec copied already. */
void mb_quiet_make(apr_pool_t *pool, mb_copy *copy);
/* Until there is a connection. own: the request's server; from: what mod_proxy gets for it. Returns what mb_quiet_end
 * wants. */
const struct ap_logconf *mb_quiet_begin(request_rec *r, const server_rec *own, const server_rec *from);
/* This thread has one: what is written from now on is not an attempt to connect. */
void mb_quiet_connected(void);
/* Returns whether it was quiet to the end. */
int mb_quiet_end(request_rec *r, const struct ap_logconf *before);

/* ---- Servers that are silent: mb_silence.c ---- */

/* For each new connection to a server. is_read: another filter, just above the socket, reads by mb_silence_read. */
void mb_silence_watch(conn_rec *c, apr_socket_t *socket, int is_read);
/* Reads from the next filter, which reads the socket. */
apr_status_t mb_silence_read(ap_filter_t *filter, apr_socket_t *socket, apr_bucket_brigade *to, ap_input_mode_t mode,
                             apr_read_type_e block, apr_off_t bytes);
/* Whether a server that has been silent for these seconds is gone. */
int mb_silence_shows(const mb_attempt *attempt, apr_socket_t *socket, unsigned seconds);
void mb_silence_register(apr_pool_t *pool);

/* ---- Where connections come from: mb_source.c ---- */

/* What was found out about one server, for each of httpd's servers whose requests went there. */
typedef struct mb_source mb_source;
/* The server_rec with which mod_proxy connects: the request's, or a copy of it. New ones come into the list, under the
 * lock, from the pool that the server's peer has; copies live as long as the child, because kept connections of several
 * servers point to them. */
server_rec *mb_source_find(request_rec *r, mb_source **list, const bh_facts_t *server, apr_pool_t *pool,
                           apr_pool_t *for_ever, apr_thread_mutex_t *lock);

/* ---- Connections to servers while mod_proxy makes them: mb_handshake.c ---- */

void mb_handshake_register(apr_pool_t *pool);

/* ---- Lines of a header that have arrived: mb_ahead.c ---- */

/* Of one connection without TLS. */
typedef struct mb_ahead {
    apr_socket_t *socket;
    apr_bucket_brigade *seen; /* copies of the core's buckets; begin and left: of the first */
    const char *begin;        /* what is served next */
    apr_size_t left;          /* bytes from there that have arrived */
    apr_size_t served;        /* bytes that the core has yet to drop */
} mb_ahead;
mb_ahead *mb_ahead_make(conn_rec *c, apr_socket_t *socket);
/* The next byte, which stays the next one. Returns 0: none has arrived. Neither function waits. */
int mb_ahead_byte(mb_ahead *ahead, ap_filter_t *filter, apr_bucket_brigade *to);
/* The next line, which is then read. Returns 0: it is empty, or has not arrived as a whole. */
int mb_ahead_line(mb_ahead *ahead, ap_filter_t *filter, apr_bucket_brigade *to);
/* Before anything is read past them. */
void mb_ahead_end(mb_ahead *ahead, ap_filter_t *filter);

/* ---- Headers of answers: mb_response.c ---- */

/* Before any module looks at the header: long lines are whole again. */
void mb_response_restore(request_rec *r);
/* A new connection to a server, on which no HTTP/2 is spoken. socket: its filters read it themselves; NULL: there is
 * TLS between. */
void mb_response_watch(conn_rec *c, apr_socket_t *socket);
void mb_response_register(apr_pool_t *pool);

#endif

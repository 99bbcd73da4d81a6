/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The lowest layer: httpd, the core, and what all other files need of the machine. httpd's types live in module/ and
 * nowhere in the core; mb_ is the shim's prefix, bh_ the core's. docs/architecture.md has the layers. */
#ifndef MB_BASE_H
#define MB_BASE_H

#include "ap_mpm.h"
#include "apr_strings.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_request.h"
#include "httpd.h"

#include "backhand.h"

extern module AP_MODULE_DECLARE_DATA backhand_module;
APLOG_USE_MODULE(backhand);

/* ---- The core's lines for the log: mb_log.c ---- */

/* A bh_log_fn. */
void mb_log_line(void *server, int32_t level, int32_t number, const char *text);

/* ---- The clock: mb_clock.c ---- */

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t mb_now_ms(void);
/* Microseconds of it. */
uint64_t mb_now_us(void);
/* Whether a minute has passed since it was last true for this word; for log lines that a client could repeat at will.
 * One word for each line, of each child. */
int mb_minute_passed(uint64_t *next_ms);
/* A line of a request, which this child writes at most once a minute. level, and what follows: as ap_log_rerror has
 * them. */
#define MB_LOG_RARELY(r, level, ...)                                                                                   \
    do {                                                                                                               \
        static uint64_t next_ms;                                                                                       \
        if (mb_minute_passed(&next_ms)) ap_log_rerror(APLOG_MARK, level, 0, r, __VA_ARGS__);                           \
    } while (0)

/* ---- Functions of modules that may be loaded later: mb_find.c ---- */

/* A function of a module that we cannot be linked with for that reason. NULL: it has none of this name. */
void *mb_find(const module *host, const char *name);

/* ---- Addresses between httpd and the core: mb_address.c ---- */

/* The address alone, without port and zone; 0: it is not an address of the Internet protocols. */
int mb_address_of(const apr_sockaddr_t *name, bh_address_t *address);
/* In APR's form. */
void mb_address_fill(apr_sockaddr_t *name, const bh_address_t *address, uint16_t port);
/* The same, made of the pool's memory and without a port. */
apr_sockaddr_t *mb_address_for_apr(apr_pool_t *pool, const bh_address_t *address);
/* "10.0.0.4:80" or "[2001:db8::4]:80". */
const char *mb_endpoint(apr_pool_t *pool, const bh_address_t *address, uint16_t port);

/* ---- The MPM: mb_mpm.c ---- */

/* Children that there may be at once, and threads in each, whatever a later configuration says; 0: not known. */
int mb_mpm_most_children(void);
int mb_mpm_most_threads(void);
/* Threads of each child by this configuration; at least 1. */
int mb_mpm_threads(void);
/* Whether a connection that waits for its next request holds no worker. */
int mb_mpm_is_async(void);
/* Whether the MPM waits for what a connection's socket has, and then calls the hooks of process_connection. */
int mb_mpm_can_wait(void);
/* Has it do so, after such a hook. */
void mb_mpm_wait(conn_rec *c);
/* Whether the children have one thread each. */
int mb_mpm_is_prefork(void);
int mb_mpm_is_stopping(void);
/* Of this process; -1: not known. */
int mb_mpm_generation(void);

/* ---- Workers: mb_scoreboard.c ---- */

/* A bh_workers_fn, whose first call in a process waits until httpd has started its workers. */
void mb_scoreboard_workers(void *baton, bh_workers_t *workers);
/* Workers that are idle at this moment, counted up to enough. */
uint32_t mb_scoreboard_idle(uint32_t enough);
/* The same of one process, whether it takes new connections or not. threads: how many of its entries are looked at. */
uint32_t mb_scoreboard_idle_of(int slot, int threads, uint32_t enough);

#endif

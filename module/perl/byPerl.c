/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* byPerl: a candidacy function that calls a sub of Perl.
 *
 *     BackhandFromSO modules/byPerl.so byPerl Package::function
 *
 * With a threaded MPM, mod_perl keeps a pool of interpreters, and a connection that runs Perl has one of them. The same
 * one is used here: a request that holds the last interpreter, or one that runs inside of a Perl handler, does not wait
 * for another.
 */

#include "byPerl.h"

/* The lines are mod_backhand's. mod_perl's headers say that they are mod_perl's. */
extern module AP_MODULE_DECLARE_DATA backhand_module;
#undef APLOG_MODULE_INDEX
#define APLOG_MODULE_INDEX backhand_module.module_index

/* Lines of the configuration whose faults are logged separately. Further ones share the places. */
#define LINES 256

__attribute__((visibility("default"))) int byPerl(request_rec *r, ServerSlot *servers, int *n, char *arg);

/* When the next fault of a line may be logged, in seconds since 1970. A line is known by the address of its argument.
 */
static uint32_t *next_of(const char *arg) {
    static struct {
        const char *arg;
        uint32_t next_s;
    } lines[LINES];
    size_t place = (uintptr_t)arg / 8 % LINES;
    for (int tries = 0; tries < LINES; tries++, place = (place + 1) % LINES) {
        const char *is = NULL;
        __atomic_compare_exchange_n(&lines[place].arg, &is, arg, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
        if (!is || is == arg) break;
    }
    return &lines[place].next_s;
}

/* Whether the last logged fault of the line is a minute ago, or longer. */
static int is_time_to_log(const char *arg) {
    uint32_t *next = next_of(arg ? arg : "");
    uint32_t now = (uint32_t)apr_time_sec(apr_time_now()), planned = __atomic_load_n(next, __ATOMIC_RELAXED);
    return planned <= now
           && __atomic_compare_exchange_n(next, &planned, now + 60, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* Whether the server has interpreters: not with PerlOptions -Enable. */
static int has_perl(const server_rec *server) {
    MP_dSCFG(server);
    return modperl_is_running() && scfg && MpSrvENABLE(scfg);
}

static const char *call(request_rec *r, const char *text, ServerSlot *servers, int *n) {
    if (!has_perl(r->server)) return "is not called: PerlOptions -Enable turns Perl off";
    MP_dINTERPa(r, r->connection, r->server);
    const char *wrong = bp_call(aTHX_ r, text, servers, n);
    MP_INTERP_PUTBACK(interp, aTHX);
    return wrong;
}

int byPerl(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    if (!arg || !*arg) {
        if (is_time_to_log(arg))
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                          "BH0171: a byPerl line names no sub: BackhandFromSO …/byPerl.so byPerl Package::function");
        return *n;
    }
    const char *wrong = call(r, arg, servers, n);
    if (wrong && is_time_to_log(arg))
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "BH0170: byPerl ignores %.100s, which %s", arg, wrong);
    return *n;
}

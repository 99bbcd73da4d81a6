/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What the MPM says of itself. */

#include "base/mb_base.h"

/* 0: it does not say. */
static int ask(int what) {
    int value = 0;
    return ap_mpm_query(what, &value) == APR_SUCCESS ? value : 0;
}

int mb_mpm_most_children(void) { return ask(AP_MPMQ_HARD_LIMIT_DAEMONS); }

int mb_mpm_most_threads(void) { return ask(AP_MPMQ_HARD_LIMIT_THREADS); }

int mb_mpm_threads(void) {
    int threads = ask(AP_MPMQ_MAX_THREADS);
    return threads > 1 ? threads : 1;
}

int mb_mpm_is_async(void) { return ask(AP_MPMQ_IS_ASYNC) != AP_MPMQ_NOT_SUPPORTED; }

#ifdef AP_MPMQ_CAN_WAITIO
int mb_mpm_can_wait(void) { return ask(AP_MPMQ_CAN_WAITIO) != 0; }

void mb_mpm_wait(conn_rec *c) {
    c->cs->state = CONN_STATE_ASYNC_WAITIO;
    c->cs->sense = CONN_SENSE_WANT_READ;
}
#else /* before httpd 2.4.63 */
int mb_mpm_can_wait(void) { return 0; }

void mb_mpm_wait(conn_rec *c) { (void)c; }
#endif

int mb_mpm_is_prefork(void) {
    int threaded = 0;
    return ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded) == APR_SUCCESS && threaded == AP_MPMQ_NOT_SUPPORTED;
}

int mb_mpm_is_stopping(void) {
    int state;
    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING;
}

int mb_mpm_generation(void) {
    int generation;
    return ap_mpm_query(AP_MPMQ_GENERATION, &generation) == APR_SUCCESS ? generation : -1;
}

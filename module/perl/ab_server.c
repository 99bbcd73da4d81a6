/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* One server's extended row as a hash. What the server announced is of one announcement: the row is copied at once.
 * Names and units are those of the JSON of the status page. */

#include "ab.h"

#include <arpa/inet.h>

/* An argument of put_numbers. */
#define N(name, value) name, (NV)(value)

static void put(pTHX_ HV *row, const char *name, SV *value) { (void)hv_store(row, name, (I32)strlen(name), value, 0); }

/* N(…) …, NULL. Whole numbers become integers: perl's floating-point numbers are exact up to 2^53. */
static void put_numbers(pTHX_ HV *row, ...) {
    va_list numbers;
    va_start(numbers, row);
    for (const char *name; (name = va_arg(numbers, const char *));) {
        NV value = va_arg(numbers, NV);
        bool is_whole = value > -0x1p53 && value < 0x1p53 && value == (NV)(IV)value;
        put(aTHX_ row, name, is_whole ? newSViv((IV)value) : newSVnv(value));
    }
    va_end(numbers);
}

static SV *address_text(pTHX_ bh_address_t address) {
    uint32_t parts[4] = {htonl((uint32_t)(address.high >> 32)), htonl((uint32_t)address.high),
                         htonl((uint32_t)(address.low >> 32)), htonl((uint32_t)address.low)};
    char text[INET6_ADDRSTRLEN];
    bool is_ipv4 = bh_address_is_ipv4(address);
    return newSVpv(inet_ntop(is_ipv4 ? AF_INET : AF_INET6, is_ipv4 ? &parts[3] : parts, text, sizeof text), 0);
}

SV *ab_contact(pTHX_ const bh_facts_t *facts) {
    SV *address = sv_2mortal(address_text(aTHX_ facts->address));
    return newSVpvf(bh_address_is_ipv4(facts->address) ? "%" SVf ":%d" : "[%" SVf "]:%d", SVfARG(address),
                    (int)facts->port);
}

/* The means are those of the second before the announcement. */
static void put_announced(pTHX_ HV *row, const bh_facts_t *from) {
    static const char *const costs[] = {"unknown", "free", "worker", "closed"};
    put_numbers(aTHX_ row, N("port", from->port), N("last_announced", from->changed_wall), N("load", from->load / 1e3),
                N("cpu_idle", from->cpu / 1e3), N("ncpu", from->ncpu), N("arriba", from->arriba),
                N("memory_total", from->total_memory), N("memory_available", from->free_memory),
                N("workers", from->workers), N("workers_idle", from->idle_workers),
                N("workers_kept", from->kept_workers), N("keepalive_ms", from->keepalive_ms),
                N("arrivals", from->arrivals), N("capacity", from->capacity),
                N("mean_in_flight", from->mean_in_flight / 1e3), N("arrival_rate", from->arrival_rate / 1e3),
                N("first_byte_ms", from->first_byte_us / 1e3), N("latency_ms", from->latency_us / 1e3),
                N("error_share", from->error_ppm / 1e6), NULL);
    put(aTHX_ row, "cpu_used", from->cpu_used == BH_CPU_UNKNOWN ? newSV(0) : newSVnv(from->cpu_used / 1e3));
    put(aTHX_ row, "hostname", newSVpv(from->hostname, 0));
    put(aTHX_ row, "address", address_text(aTHX_ from->address));
    put(aTHX_ row, "contact", ab_contact(aTHX_ from));
    put(aTHX_ row, "idle_cost", newSVpv(costs[from->idle_cost % C_ARRAY_LENGTH(costs)], 0));
}

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static NV since(uint64_t then_ms, uint64_t now) { return then_ms && then_ms < now ? (NV)(now - then_ms) : 0; }

/* What this httpd itself knows of the server. */
static void put_own(pTHX_ HV *row, bh_segment_t *segment, uint32_t id, uint64_t heard_ms) {
    static const char *const states[] = {"up", "draining", "maintenance", "shutdown"};
    const bh_row_t *from = bh_segment_row(segment, id);
    uint64_t now = now_ms();
    uint32_t in_flight = bh_half_load(&from->in_flight), kept = bh_row_kept(segment, id);
    put_numbers(
        aTHX_ row, N("id", id), N("own", bh_row_own(from)),
        N("age_ms", since(heard_ms, bh_segment_age_clock(segment, now))), N("up_ms", since(bh_row_came(from), now)),
        N("in_flight", in_flight), N("kept", kept), N("idle_connections", kept > in_flight ? kept - in_flight : 0),
        N("served", bh_word_load(&from->served)), N("failed", bh_word_load(&from->failed)),
        N("mean_ms", bh_row_mean_us(from) / 1e3), N("backoff_ms", bh_backoff_left(bh_row_backoff(from), now)), NULL);
    put(aTHX_ row, "state", newSVpv(states[bh_row_state(from) % C_ARRAY_LENGTH(states)], 0));
}

SV *ab_server(pTHX_ IV id) {
    bh_segment_t *segment = ab_segment(aTHX);
    bh_facts_t facts;
    if (id < 0 || id >= (IV)bh_segment_rows(segment)) return &PL_sv_undef;
    const bh_row_t *from = bh_segment_row(segment, (uint32_t)id);
    uint64_t heard_ms = bh_row_heard(from);
    if (!heard_ms || !bh_row_copy(from, &facts)) return &PL_sv_undef;
    HV *row = newHV();
    put_announced(aTHX_ row, &facts);
    put_own(aTHX_ row, segment, (uint32_t)id, heard_ms);
    return newRV_noinc((SV *)row);
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Decides so many times over a table of so many servers: `decide SERVERS TIMES`. Run under callgrind with two values of
 * TIMES, the difference is what a decision costs. Exits with 1 if deciding allocates: malloc and its kin are wrapped by
 * the linker (Tests/Budget/README.md). */

#include "backhand.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static int counting;
static unsigned long allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_posix_memalign(void **result, size_t alignment, size_t size);

void *__wrap_malloc(size_t size) {
    if (counting) allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    if (counting) allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    if (counting) allocations++;
    return __real_realloc(old, size);
}

int __wrap_posix_memalign(void **result, size_t alignment, size_t size) {
    if (counting) allocations++;
    return __real_posix_memalign(result, alignment, size);
}

/* The chain of old, or with a third argument the recommended one; what is not as usual, by a fourth: "untimed" (of a
 * third of the servers no time is known) or "newcomers" (all have come in the last 10 s, one after the other). */
static const char *const functions[][2] = {
    {"byAge", "6"}, {"byRandom", NULL}, {"byLogWindow", NULL}, {"byLoad", NULL}, {"default", NULL}};
#define STEPS 4u
#define NOW 1000000u

static bh_segment_t *table(uint32_t servers, const char *state) {
    int is_untimed = strcmp(state, "untimed") == 0, is_new = strcmp(state, "newcomers") == 0;
    size_t size = bh_segment_size(1);
    bh_segment_t *segment = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (segment == MAP_FAILED || bh_segment_format(segment, size, 1, 1) != BH_OK) exit(2);
    for (uint32_t id = 0; id < servers; id++) {
        bh_public_store(&bh_segment_public_mutable(segment, id)->load, (int)(id * 7919 % 4000));
        bh_row_t *row = bh_segment_row_mutable(segment, id);
        bh_word_store(&row->heard_ms, NOW - id % 8 * 500); /* the oldest 3.5 s */
        row->facts.arriba = 400000;
        row->effective_capacity = row->facts.capacity = 400 * (1 + id % 8);
        row->facts.mean_in_flight = id * 7919 % 5000;
        row->came_ms = is_new ? NOW - 10000 + id * 104729 % 10000 : 1;
        row->in_flight = id % 3;
        if (is_untimed && id % 3 == 0) continue;
        row->facts.latency_us = 15000;
        bh_mean_add(&row->latency, NOW * UINT64_C(1000), 10000 + id * 104729 % 20000, BH_LATENCY_TAU_US,
                    BH_LATENCY_CLIP);
        bh_mean_add(&row->first_byte, NOW * UINT64_C(1000), 1000, BH_LATENCY_TAU_US, BH_LATENCY_CLIP);
        /* Not so many that the server is dropped: it is to cost something. */
        if (id % 5 == 0) bh_word_store(bh_row_failing(row, 0), bh_mean_word(300000, NOW * UINT64_C(1000)));
    }
    segment->balancers = 4000;
    bh_half_store(&segment->rows, servers);
    return segment;
}

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int main(int count, char **arguments) {
    if (count < 3 || count > 5) return 2;
    const char *const(*wanted)[2] = count > 3 ? functions + STEPS : functions;
    size_t steps = count > 3 ? 1 : STEPS;
    uint32_t servers = (uint32_t)atoi(arguments[1]);
    unsigned times = (unsigned)atoi(arguments[2]);
    bh_step_t chain[STEPS];
    char error[BH_ERROR_SIZE];
    for (size_t i = 0; i < steps; i++)
        if (bh_step_parse(wanted[i][0], wanted[i][1], &chain[i], error, sizeof error) != BH_OK) {
            fprintf(stderr, "%s\n", error);
            return 2;
        }
    bh_segment_t *segment = table(servers, count == 5 ? arguments[4] : "");
    size_t size = bh_chain_workspace(segment, chain, steps);
    void *workspace = __real_malloc(size);
    unsigned long picked = 0;
    double began = now_us();
    counting = 1;
    for (unsigned i = 0; i < times; i++) {
        bh_request_t request = {.now_ms = NOW, .seed = i, .slow_start_ms = 10000, .repeatable = true};
        bh_decision_t decision;
        if (bh_chain_decide(segment, chain, steps, &request, workspace, size, &decision) != BH_OK) return 2;
        picked += (unsigned long)decision.servers[0].id;
    }
    counting = 0;
    printf("servers %u decisions %u microseconds %.3f allocations %lu picked %lu\n", servers, times,
           times ? (now_us() - began) / times : 0, allocations, picked);
    return allocations != 0;
}

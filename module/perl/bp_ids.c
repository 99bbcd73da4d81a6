/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The array that a sub returned: checked wholly before anything of the list is replaced. */

#include "byPerl.h"

static bool has(const uint64_t *ids, int id) { return ids[id / 64] >> id % 64 & 1; }

/* given: the ids that the sub got, which may lose their rows meanwhile. Runs no Perl code, because the eval is over: a
 * tied value or an object is not a number here. */
static const char *read_id(pTHX_ apr_pool_t *pool, SV *value, const uint64_t *given, int *id) {
    NV number;
    if (value && SvIOK(value) && !SvGMAGICAL(value) && !SvIsUV(value)) number = (NV)SvIVX(value);
    else if (!value || SvROK(value) || (SvGMAGICAL(value) && !SvTAINTED(value)) || !looks_like_number(value))
        return "returned an id that is not a number";
    else number = SvNV_nomg(value);
    if (number != number || (number < MAXSERVERS && number > -1 && number != (int)number))
        return "returned an id that is not a whole number";
    if (!(number >= 0 && number < MAXSERVERS) || !(serverstats[(int)number].mtime || has(given, (int)number)))
        return apr_psprintf(pool, "returned the id %.0f, which no server has", (double)number);
    *id = (int)number;
    return NULL;
}

static const char *read_all(pTHX_ apr_pool_t *pool, AV *from, SSize_t count, const uint64_t *given, int *ids) {
    uint64_t named[MAXSERVERS / 64] = {0};
    for (SSize_t i = 0; i < count; i++) {
        const char *wrong = read_id(aTHX_ pool, AvARRAY(from)[i], given, &ids[i]);
        if (wrong) return wrong;
        if (has(named, ids[i])) return apr_psprintf(pool, "returned the id %d twice", ids[i]);
        named[ids[i] / 64] |= UINT64_C(1) << ids[i] % 64;
    }
    return NULL;
}

static void keep_modes(ServerSlot *servers, SSize_t count, const ServerSlot *before, int n) {
    const ServerSlot *was[MAXSERVERS] = {NULL};
    for (int i = 0; i < n; i++) was[before[i].id] = &before[i];
    for (SSize_t i = 0; i < count; i++)
        if (was[servers[i].id]) servers[i] = *was[servers[i].id];
}

const char *bp_ids_take(pTHX_ apr_pool_t *pool, AV *from, ServerSlot *servers, int *n) {
    int ids[MAXSERVERS];
    ServerSlot before[MAXSERVERS];
    bool has_modes = false;
    uint64_t given[MAXSERVERS / 64] = {0};
    for (int i = 0; i < *n; i++) {
        before[i] = servers[i];
        has_modes |= servers[i].mode || servers[i].hostheader;
        given[servers[i].id / 64] |= UINT64_C(1) << servers[i].id % 64;
    }
    if (SvMAGICAL((SV *)from) && !SvTAINTED((SV *)from)) return "returned a tied array";
    SSize_t count = AvFILLp(from) + 1;
    if (count > MAXSERVERS)
        return apr_psprintf(pool, "returned %ld ids, and there is room for %d", (long)count, MAXSERVERS);
    const char *wrong = read_all(aTHX_ pool, from, count, given, ids);
    if (wrong) return wrong;
    for (SSize_t i = 0; i < count; i++) servers[i] = (ServerSlot){.id = ids[i]};
    if (has_modes) keep_modes(servers, count, before, *n);
    *n = (int)count;
    return NULL;
}

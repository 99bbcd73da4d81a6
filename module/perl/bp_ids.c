/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The array that a sub returned: checked wholly before anything of the list is replaced. */

#include "byPerl.h"

/* Marks a server that the array has named already. Places in the list are smaller. */
#define NAMED 0x8000
#define PLACE 0x7fff

static const char *none_has(apr_pool_t *pool, NV id) {
    return apr_psprintf(pool, "returned the id %.0f, which no server has", (double)id);
}

/* Runs no Perl code, because the eval is over: a tied value or an object is not a number here. */
static const char *read_id(pTHX_ apr_pool_t *pool, SV *value, int *id) {
    NV number;
    if (value && SvIOK(value) && !SvGMAGICAL(value) && !SvIsUV(value)) number = (NV)SvIVX(value);
    else if (!value || SvROK(value) || (SvGMAGICAL(value) && !SvTAINTED(value)) || !looks_like_number(value))
        return "returned an id that is not a number";
    else number = SvNV_nomg(value);
    if (number != number || (number < MAXSERVERS && number > -1 && number != (int)number))
        return "returned an id that is not a whole number";
    if (!(number >= 0 && number < MAXSERVERS)) return none_has(pool, number);
    *id = (int)number;
    return NULL;
}

/* Reads the ids. place: by id, 1 more than where the server is in the list, 0: it is not there; NAMED is added. */
static const char *read_all(pTHX_ apr_pool_t *pool, AV *from, SSize_t count, int *ids, uint16_t *place) {
    for (SSize_t i = 0; i < count; i++) {
        const char *wrong = read_id(aTHX_ pool, AvARRAY(from)[i], &ids[i]);
        if (wrong) return wrong;
        if (!place[ids[i]] && !serverstats[ids[i]].mtime) return none_has(pool, ids[i]);
        if (place[ids[i]] & NAMED) return apr_psprintf(pool, "returned the id %d twice", ids[i]);
        place[ids[i]] |= NAMED;
    }
    return NULL;
}

const char *bp_ids_take(pTHX_ apr_pool_t *pool, AV *from, ServerSlot *servers, int *n) {
    uint16_t place[MAXSERVERS] = {0};
    int ids[MAXSERVERS];
    ServerSlot before[MAXSERVERS];
    if (SvMAGICAL((SV *)from) && !SvTAINTED((SV *)from)) return "returned a tied array";
    SSize_t count = AvFILLp(from) + 1;
    if (count > MAXSERVERS)
        return apr_psprintf(pool, "returned %ld ids, and there is room for %d", (long)count, MAXSERVERS);
    for (int i = 0; i < *n; i++) place[servers[i].id] = (uint16_t)(i + 1);
    const char *wrong = read_all(aTHX_ pool, from, count, ids, place);
    if (wrong) return wrong;
    memcpy(before, servers, sizeof *servers * (size_t)*n);
    for (SSize_t i = 0; i < count; i++) {
        int was = place[ids[i]] & PLACE;
        servers[i] = was ? before[was - 1] : (ServerSlot){.id = ids[i]};
    }
    *n = (int)count;
    return NULL;
}

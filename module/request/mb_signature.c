/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The loop guard's header and its signature where there is a BackhandKey. docs/protocol.md describes both; the core
 * reads and writes them. */

#include "request/mb_request.h"

static const char *signed_text(request_rec *r, const bh_claim_t *claim, size_t *length) {
    const char *path = mb_request_as_sent(r);
    size_t size = strlen(r->method) + strlen(path) + claim->client.length + BH_CLAIM_EXTRA_SIZE;
    char *text = apr_palloc(r->pool, size);
    *length = bh_claim_text(claim, r->method, path, text, size);
    return text;
}

static int sign(request_rec *r, const mb_keys *keys, bh_claim_t *claim) {
    uint8_t signature[BH_SIGNATURE_SIZE];
    size_t length;
    const char *text = signed_text(r, claim, &length);
    if (!csignature_make(&keys->all, text, length, signature)) return 0;
    memcpy(claim->signature, signature, sizeof claim->signature);
    return 1;
}

const char *mb_guard_value(request_rec *r) {
    const mb_keys *keys = mb_main_server()->keys;
    const char *client = r->useragent_ip;
    bh_claim_t claim = bh_claim_make(client, keys ? apr_time_sec(apr_time_now()) : 0);
    if (!keys || !sign(r, keys, &claim)) /* not accepted, where there is a key */
        return client[claim.client.length] ? apr_pstrmemdup(r->pool, client, claim.client.length) : client;
    size_t size = claim.client.length + BH_CLAIM_EXTRA_SIZE;
    char *value = apr_palloc(r->pool, size);
    bh_claim_write(&claim, value, size);
    return value;
}

const char *mb_claim_forgery(request_rec *r, const bh_claim_t *said) {
    const mb_keys *keys = mb_main_server()->keys;
    size_t length;
    if (!said->is_signed) return "it is not signed";
    const char *text = signed_text(r, said, &length);
    if (!csignature_check_part(&keys->all, text, length, said->signature, BH_CLAIM_SIGNED_BYTES))
        return "none of our keys has signed it for this request";
    apr_int64_t age = apr_time_sec(r->request_time) - said->signed_s;
    if (age > BH_CLAIM_MOST_SECONDS || age < -BH_CLAIM_MOST_SECONDS)
        return apr_psprintf(r->pool, "it was signed %" APR_INT64_T_FMT " seconds ago by our clock", age);
    return NULL;
}

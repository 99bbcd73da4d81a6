/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The loop guard's header as a front writes it, and its signature where there is a BackhandKey. docs/protocol.md describes both. */

#include "request/mb_request.h"

#include "apr_escape.h"

/* Seconds that the clocks of two servers, together with a request's way, may be apart. As long a recorded header is worth something. */
#define MOST_SECONDS 60

/* As APR writes it, without the zone of a link-local address, which means nothing to another machine. */
static const char *client_of(request_rec *r) {
    const char *text = r->useragent_ip;
    mb_piece address = mb_claim_address((mb_piece){text, strlen(text)});
    return text[address.length] ? apr_pstrmemdup(r->pool, text, address.length) : text;
}

/* What is signed: nothing of it can be changed, or used for another request. */
static const char *signed_text(request_rec *r, const char *client, const char *seconds) {
    return apr_pstrcat(r->pool, MB_GUARD_HEADER "\n", r->method, "\n", mb_request_as_sent(r), "\n", client, "\n", seconds, NULL);
}

const char *mb_guard_value(request_rec *r) {
    const mb_keys *keys = mb_main_server()->keys;
    const char *client = client_of(r);
    uint8_t signature[BH_SIGNATURE_SIZE];
    char hex[2 * MB_CLAIM_SIGNED_BYTES + 1];
    if (!keys) return client;
    const char *seconds = apr_psprintf(r->pool, "%" APR_INT64_T_FMT, apr_time_sec(apr_time_now()));
    const char *text = signed_text(r, client, seconds);
    if (!mb_key_sign(keys, text, strlen(text), signature)) return client; /* not believed then */
    apr_escape_hex(hex, signature, MB_CLAIM_SIGNED_BYTES, 0, NULL);
    return apr_pstrcat(r->pool, client, "; t=", seconds, "; s=", hex, NULL);
}

static const char *text_of(request_rec *r, mb_piece piece) { return apr_pstrmemdup(r->pool, piece.start, piece.length); }

const char *mb_claim_forgery(request_rec *r, const mb_claim *said) {
    const mb_keys *keys = mb_main_server()->keys;
    if (!said->is_signed) return "it is not signed";
    const char *text = signed_text(r, text_of(r, said->client), text_of(r, said->seconds));
    if (!mb_key_verify_part(keys, text, strlen(text), said->signature, MB_CLAIM_SIGNED_BYTES))
        return "none of our keys has signed it for this request";
    apr_int64_t age = apr_time_sec(r->request_time) - said->signed_s;
    if (age > MOST_SECONDS || age < -MOST_SECONDS)
        return apr_psprintf(r->pool, "it was signed %" APR_INT64_T_FMT " seconds ago by our clock", age);
    return NULL;
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* By what the evidence against a server (evidence.h) knows the client and the URL of a request. */

#include "table/mb_table.h"

/* FNV-1a; the upper bits of a last multiplication tell which of 64. */
static uint64_t mix(uint64_t hash, const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t bit_of(uint64_t hash) { return UINT64_C(1) << (hash * UINT64_C(0x9e3779b97f4a7c15) >> 58); }

/* The client by its address. A client with IPv6 has a whole /64. */
static uint64_t client_of(const request_rec *r) {
    const apr_sockaddr_t *address = r->useragent_addr;
    uint64_t none = UINT64_C(0xcbf29ce484222325);
    if (!address) return bit_of(none);
    size_t most = address->family == APR_INET ? 4 : 8, length = (size_t)address->ipaddr_len;
    return bit_of(mix(none, address->ipaddr_ptr, length < most ? length : most));
}

/* Without its query: one page with a thousand queries is one. Its first 256 bytes are enough. */
static uint64_t url_of(const request_rec *r) {
    const char *url = r->unparsed_uri ? r->unparsed_uri : "";
    size_t length = 0;
    while (length < 256 && url[length] && url[length] != '?') length++;
    return bit_of(mix(UINT64_C(0xcbf29ce484222325), (const unsigned char *)url, length));
}

bh_asked_t mb_asked(const request_rec *r) { return (bh_asked_t){client_of(r), url_of(r)}; }

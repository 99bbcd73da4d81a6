/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Addresses between httpd and the core. As numbers: APR's text of a link-local address has a zone ("fe80::1%eth0"), which is only the sending
 * machine's own name for an interface. */

#include "base/mb_base.h"

#include <arpa/inet.h>

int mb_address_of(const apr_sockaddr_t *name, bh_address_t *address) {
    uint32_t words[4] = {0, 0, htonl(0xffff), 0};
    if (name->family == APR_INET) words[3] = name->sa.sin.sin_addr.s_addr;
    else if (name->family == APR_INET6) memcpy(words, &name->sa.sin6.sin6_addr, sizeof words);
    else return 0;
    address->high = (uint64_t)ntohl(words[0]) << 32 | ntohl(words[1]);
    address->low = (uint64_t)ntohl(words[2]) << 32 | ntohl(words[3]);
    return 1;
}

int mb_address_is_loopback(const bh_address_t *address) {
    if (address->high) return 0;
    return address->low == 1 || address->low >> 24 == 0xffff7f; /* ::ffff:127.x.x.x */
}

/* By hand: apr_sockaddr_info_get asks getaddrinfo, which takes longer than the rest of the request, and would look a name up. */
apr_sockaddr_t *mb_address_for_apr(apr_pool_t *pool, const bh_address_t *address) {
    int is_ipv4 = address->high == 0 && address->low >> 32 == 0xffff;
    uint32_t words[4] = {htonl((uint32_t)(address->high >> 32)), htonl((uint32_t)address->high),
                         htonl((uint32_t)(address->low >> 32)), htonl((uint32_t)address->low)};
    apr_sockaddr_t *result = apr_pcalloc(pool, sizeof *result);
    result->pool = pool;
    result->hostname = NULL;
    result->family = is_ipv4 ? APR_INET : APR_INET6;
    if (is_ipv4) {
        result->sa.sin.sin_family = AF_INET;
        result->sa.sin.sin_addr.s_addr = words[3];
        result->salen = sizeof result->sa.sin;
        result->ipaddr_len = sizeof result->sa.sin.sin_addr;
        result->ipaddr_ptr = &result->sa.sin.sin_addr;
        result->addr_str_len = 16; /* as APR does it */
    }
    else {
        result->sa.sin6.sin6_family = AF_INET6;
        memcpy(&result->sa.sin6.sin6_addr, words, sizeof words);
        result->salen = sizeof result->sa.sin6;
        result->ipaddr_len = sizeof result->sa.sin6.sin6_addr;
        result->ipaddr_ptr = &result->sa.sin6.sin6_addr;
        result->addr_str_len = 46;
    }
    return result;
}

const char *mb_endpoint(apr_pool_t *pool, const bh_address_t *address, uint16_t port) {
    char text[BH_ADDRESS_SIZE];
    if (bh_address_format(address, text, sizeof text) != BH_OK) return "unknown";
    return apr_psprintf(pool, strchr(text, ':') ? "[%s]:%d" : "%s:%d", text, port);
}

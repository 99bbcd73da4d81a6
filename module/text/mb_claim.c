/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The loop guard's headers. Who may be believed is mb_guard.c's business. */

#include "mb_text.h"

#include <string.h>

/* More would not fit an int64_t. */
#define MOST_DIGITS 18

static int nibble(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return -1; /* capitals too: nobody writes them */
}

/* Exactly the whole signature, in hexadecimal digits, and then the end. */
static int read_signature(const char *hex, uint8_t *signature) {
    for (int i = 0; i < MB_CLAIM_SIGNED_BYTES; i++, hex += 2) {
        int high = nibble(hex[0]), low = high < 0 ? -1 : nibble(hex[1]);
        if (low < 0) return 0;
        signature[i] = (uint8_t)(high << 4 | low);
    }
    return *hex == '\0';
}

static mb_piece read_digits(const char *text, int64_t *number) {
    mb_piece digits = {text, 0};
    for (*number = 0; digits.length < MOST_DIGITS && *text >= '0' && *text <= '9'; text++, digits.length++)
        *number = *number * 10 + (*text - '0');
    return digits;
}

/* RFC 4007 writes a link-local address with its zone, the sender's own name for one of its interfaces: it means nothing here. */
mb_piece mb_claim_address(mb_piece client) {
    const char *zone = memchr(client.start, '%', client.length);
    if (!zone || !memchr(client.start, ':', (size_t)(zone - client.start))) return client;
    return (mb_piece){client.start, (size_t)(zone - client.start)};
}

mb_claim mb_claim_read(const char *value) {
    static const char time_head[] = "; t=", signature_head[] = "; s=";
    mb_claim claim = {.client = {value, strcspn(value, ";")}};
    const char *rest = value + claim.client.length;
    if (strncmp(rest, time_head, sizeof time_head - 1) != 0) return claim;
    claim.seconds = read_digits(rest + sizeof time_head - 1, &claim.signed_s);
    rest = claim.seconds.start + claim.seconds.length;
    claim.is_signed = claim.seconds.length && strncmp(rest, signature_head, sizeof signature_head - 1) == 0
                      && read_signature(rest + sizeof signature_head - 1, claim.signature);
    return claim;
}

int mb_claim_hops(const char *value, int most) {
    if (!value) return 0;
    int is_digit = value[0] >= '0' && value[0] <= '9' && value[1] == '\0';
    return is_digit && value[0] - '0' < most ? value[0] - '0' : most;
}

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The lists in Connection and Proxy-Connection. They are cut where mod_proxy cuts them (ap_get_token, with ';' stepped over as ',' is): a name that it would
 * see must not escape us. */

#include "mb_text.h"

#include <string.h>

int mb_text_equals(mb_piece piece, const char *other) {
    for (size_t i = 0; i < piece.length; i++) {
        unsigned char left = (unsigned char)piece.start[i], right = (unsigned char)other[i];
        if (left >= 'A' && left <= 'Z') left |= 0x20;
        if (right >= 'A' && right <= 'Z') right |= 0x20;
        if (left != right || right == '\0') return 0;
    }
    return other[piece.length] == '\0';
}

static int is_space(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

static int is_between(char byte) { return byte == ',' || byte == ';' || is_space(byte); }

/* The next token; its length is 0 at the end of the list, and only there. What is in quotes is part of a token, whatever it is. */
static mb_piece next(const char **list) {
    const char *at = *list;
    while (is_between(*at)) at++;
    mb_piece token = {at, 0};
    while (*at && !is_between(*at)) {
        if (*at++ != '"') continue;
        while (*at && *at != '"') at++;
        if (*at) at++;
    }
    token.length = (size_t)(at - token.start);
    *list = at;
    return token;
}

static int is_one_of(mb_piece token, const char *const *names) {
    for (; *names; names++)
        if (mb_text_equals(token, *names)) return 1;
    return 0;
}

int mb_tokens_name(const char *list, const char *const *names) {
    mb_piece token;
    while ((token = next(&list)).length)
        if (is_one_of(token, names)) return 1;
    return 0;
}

/* A token of one letter and its comma become three letters at most. */
size_t mb_tokens_without(const char *list, const char *const *names, char *kept) {
    char *end = kept;
    mb_piece token;
    while ((token = next(&list)).length) {
        if (is_one_of(token, names)) continue;
        if (end != kept) {
            *end++ = ',';
            *end++ = ' ';
        }
        memcpy(end, token.start, token.length);
        end += token.length;
    }
    *end = '\0';
    return (size_t)(end - kept);
}

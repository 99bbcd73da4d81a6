/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Values of answers' headers, where two servers may have set the same: elements of lists, and what makes two cookies one. */

#include "mb_text.h"

#include <string.h>

static int is_blank(char byte) { return byte == ' ' || byte == '\t'; }

mb_piece mb_field_next(const char **list) {
    const char *at = *list;
    while (*at == ',' || is_blank(*at)) at++;
    mb_piece element = {at, 0};
    for (int quoted = 0; *at && (quoted || *at != ','); at++) {
        if (*at == '"') quoted = !quoted;
        else if (quoted && *at == '\\' && at[1]) at++;
    }
    *list = at;
    element.length = (size_t)(at - element.start);
    while (element.length && is_blank(element.start[element.length - 1])) element.length--;
    return element;
}

int mb_pieces_equal(mb_piece left, mb_piece right) {
    if (left.length != right.length) return 0;
    for (size_t i = 0; i < left.length; i++) {
        unsigned char one = (unsigned char)left.start[i], other = (unsigned char)right.start[i];
        if (one >= 'A' && one <= 'Z') one |= 0x20;
        if (other >= 'A' && other <= 'Z') other |= 0x20;
        if (one != other) return 0;
    }
    return 1;
}

static mb_piece name_in(mb_piece element) {
    const char *end = memchr(element.start, '=', element.length);
    if (end) element.length = (size_t)(end - element.start);
    return element;
}

int mb_field_has(const char *list, mb_piece element, int by_name) {
    mb_piece each;
    while ((each = mb_field_next(&list)).length)
        if (by_name ? mb_pieces_equal(name_in(each), name_in(element)) : mb_pieces_equal(each, element)) return 1;
    return 0;
}

/* The last Path, which is the one that counts; empty if there is none. */
static mb_piece path_of(const char *cookie) {
    static const char head[] = "path=";
    mb_piece found = {cookie, 0};
    while ((cookie = strchr(cookie, ';'))) {
        cookie++;
        while (is_blank(*cookie)) cookie++;
        if (strlen(cookie) < sizeof head - 1 || !mb_pieces_equal((mb_piece){cookie, sizeof head - 1}, (mb_piece){head, sizeof head - 1})) continue;
        found.start = cookie + sizeof head - 1;
        found.length = strcspn(found.start, "; \t");
    }
    return found;
}

static int is_same_path(mb_piece left, mb_piece right) {
    return left.length == right.length && memcmp(left.start, right.start, left.length) == 0;
}

/* The next attribute of a cookie, from a ';' or the end; empty: none. */
static mb_piece next_attribute(const char **cookie) {
    const char *at = *cookie;
    while (*at == ';' || is_blank(*at)) at++;
    mb_piece found = {at, strcspn(at, ";")};
    *cookie = at + found.length;
    while (found.length && is_blank(found.start[found.length - 1])) found.length--;
    return found;
}

static int has_attribute(const char *cookie, mb_piece name) {
    mb_piece each;
    while ((each = next_attribute(&cookie)).length)
        if (mb_pieces_equal(name_in(each), name)) return 1;
    return 0;
}

mb_piece mb_field_more(const char *cookie, const char **other) {
    mb_piece each;
    while ((each = next_attribute(other)).length)
        if (!has_attribute(cookie, name_in(each))) return each;
    return each;
}

int mb_field_same_cookie(const char *left, const char *right) {
    size_t length = strcspn(left, "=;");
    if (strcspn(right, "=;") != length || memcmp(left, right, length) != 0) return 0;
    return is_same_path(path_of(left), path_of(right)) && mb_pieces_equal(mb_target_cookie_domain(left), mb_target_cookie_domain(right));
}

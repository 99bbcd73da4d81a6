/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What headers say that strangers send, read without httpd or APR: the fuzzer (Tests/Fuzz) compiles the same files as the module. All texts
 * end with a NUL, as httpd's do. Nothing is allocated; pieces point into the text. */

#ifndef MB_TEXT_H
#define MB_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* A part of a text, which no NUL ends. */
typedef struct mb_piece {
    const char *start;
    size_t length;
} mb_piece;

/* Whether two texts are the same, but for the case of ASCII letters. */
int mb_text_equals(mb_piece piece, const char *other);

/* ---- The loop guard: mb_claim.c ---- */

/* Of a signature's 32 bytes those that a header holds: 128 bits that cannot be found by trying, in half the header. */
#define MB_CLAIM_SIGNED_BYTES 16

/* The parts of "203.0.113.7; t=1700000000; s=0123456789abcdef0123456789abcdef". */
typedef struct mb_claim {
    mb_piece client;                          /* the address as it was sent, not checked yet */
    int is_signed;                            /* whether the others are there, just as we write them */
    mb_piece seconds;                         /* digits: 1 to 18 of them, so that the number fits */
    int64_t signed_s;                         /* the same as a number, seconds since 1970 */
    uint8_t signature[MB_CLAIM_SIGNED_BYTES]; /* not checked yet */
} mb_claim;

/* Every text is a claim, if only of an address that is none. */
mb_claim mb_claim_read(const char *value);

/* The same without the zone of an IPv6 address: "fe80::1" of "fe80::1%eth0". */
mb_piece mb_claim_address(mb_piece client);

/* What the count of hops says: 0 to `most`; `most` if it is not one digit up to that. NULL: nobody has counted, which is 0. */
int mb_claim_hops(const char *value, int most);

/* ---- Connection: mb_tokens.c ---- */

/* Whether the list names one of these; `names` ends with NULL. */
int mb_tokens_name(const char *list, const char *const *names);

/* The list without those names, into `kept`, which has 2 * strlen(list) + 1 bytes; its length. */
size_t mb_tokens_without(const char *list, const char *const *names, char *kept);

/* ---- Request targets, URLs, cookies: mb_targets.c ---- */

/* The path and query in a request target: "/path?query", "http://host/path", or what apr_uri_parse makes of "http:/path"; no fragment. It must
 * be the path that access was decided for: no "://" in a query begins another one. What does not begin with '/' wants one. */
mb_piece mb_target_path(const char *target);

/* "10.0.0.4:80", "[2001:db8::4]", "web4": the host, without brackets, and the port; `usual` if it names none. 0: it is no authority. */
int mb_target_authority(mb_piece authority, int usual, mb_piece *host, int *port);

/* The value of a cookie's last Domain, which is the one that counts; start is NULL if there is none. */
mb_piece mb_target_cookie_domain(const char *cookie);

/* ---- URLs of the site in WebDAV's headers: mb_urls.c ---- */

/* How long "http://shop.example:8080" at the beginning of the URL is, if the scheme is http or https, and its host and port are those of the
 * header Host; 0: it is no URL of the site. */
size_t mb_url_origin(mb_piece url, const char *host);

/* The next URL that a value of If tags lists with: "<URL> (<token> [etag]) …", from here on. Moves on behind it; start is NULL at the end. */
mb_piece mb_url_next_tag(const char **value);

/* ---- Values of answers' headers: mb_fields.c ---- */

/* Whether two pieces are the same, but for the case of ASCII letters. */
int mb_pieces_equal(mb_piece left, mb_piece right);

/* The next element of a list with commas, without blanks around it; commas in quotes are part of one. Its length is 0 at the end, and only there. */
mb_piece mb_field_next(const char **list);

/* Whether the list has the element; by_name: or one with the same name before a '='. */
int mb_field_has(const char *list, mb_piece element, int by_name);

/* Whether a client keeps only one of two values of Set-Cookie: name, domain and path are the same. */
int mb_field_same_cookie(const char *left, const char *right);

/* The next attribute (or name) of another cookie's line that a cookie's line has none of; empty: there is none more. Begin with other at the line. */
mb_piece mb_field_more(const char *cookie, const char **other);

#endif

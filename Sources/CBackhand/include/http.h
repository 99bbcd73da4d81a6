/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What strangers send in HTTP: values of headers, and request targets. The shim finds a header and hands its value
 * over; splitting, converting and unescaping it is the core's work.
 *
 * Texts end with a NUL, as httpd's do; NULL is read as an empty text. Pieces point into the caller's text. Nothing is
 * allocated. A call that writes a text works as snprintf does: it returns the text's length without its NUL, and the
 * text is whole if that is less than size. If it is not, what stands in the room has no NUL and is not a text. */
#ifndef BACKHAND_HTTP_H
#define BACKHAND_HTTP_H

#include "serverstats.h"

/* A part of a text, which no NUL ends. */
typedef struct bh_piece {
    const char *_Nullable start;
    size_t length;
} bh_piece_t;

static inline const char *_Nonnull bh_text_empty(void) { return ""; }

/* ---- The loop guard (docs/protocol.md) ---- */

/* The request header that says "a peer has sent this here, do not balance it again". */
#define BH_GUARD_HEADER "Backhand-Proxied"
static inline const char *_Nonnull bh_guard_header(void) { return BH_GUARD_HEADER; }

/* Of a signature's 32 bytes those that a header holds: 128 bits that cannot be found by trying, in half the header. */
#define BH_CLAIM_SIGNED_BYTES 16

/* Room that each text of a claim needs beside the method, the path and the client: the header's name or the signature,
 * 19 digits, and what separates them. */
#define BH_CLAIM_EXTRA_SIZE 72

/* Seconds that the clocks of two servers, together with a request's way, may be apart. As long a recorded header is
 * worth something. */
#define BH_CLAIM_MOST_SECONDS 60

/* The parts of "203.0.113.7; t=1700000000; s=0123456789abcdef0123456789abcdef". */
typedef struct bh_claim {
    bh_piece_t client;    /* as it was sent */
    size_t plain;         /* its length without the zone of an IPv6 address: "fe80::1" of "fe80::1%eth0" */
    bh_address_t address; /* the same as an address, if has_address */
    bool has_address;
    bool is_signed;                           /* whether all parts are there, just as a front writes them */
    uint32_t digits;                          /* of the seconds, zeros in front included; at most 18 */
    int64_t signed_s;                         /* seconds since 1970 */
    uint8_t signature[BH_CLAIM_SIGNED_BYTES]; /* not checked */
} bh_claim_t;

/* Reads the header's value. Every text is a claim, though perhaps of a client that is not an address. */
bh_claim_t bh_claim_read(const char *_Nullable value);

/* The claim that a front makes in this second for a client, whose address may have a zone. The signature is the
 * caller's to put in. */
bh_claim_t bh_claim_make(const char *_Nullable client, int64_t now_s);

/* Writes the text that is signed. path: with the query, as the client sent it. */
size_t bh_claim_text(const bh_claim_t *_Nullable claim, const char *_Nullable method, const char *_Nullable path,
                     char *_Nullable text, size_t size);

/* Writes the header's value for a claim with a signature. */
size_t bh_claim_write(const bh_claim_t *_Nullable claim, char *_Nullable value, size_t size);

/* What the count of hops says: 0 to `most`; `most` if it is not one digit up to that. NULL: no server has counted,
 * which is 0. */
int32_t bh_hops_read(const char *_Nullable value, int32_t most);

/* ---- Requests ---- */

/* The path and query in a request target: "/path?query", "http://host/path", or what apr_uri_parse makes of
 * "http:/path"; no fragment. What does not begin with '/' needs one. */
bh_piece_t bh_target_path(const char *_Nullable target);

/* The number of Max-Forwards; 0 if it is not a positive number. */
int64_t bh_max_forwards(const char *_Nullable value);

/* Whether a list of tokens (Connection) has one of the names; the last of them is NULL. */
bool bh_tokens_name(const char *_Nullable list, const char *_Nullable const *_Nullable names);

/* Writes the list without the names. Twice the list's length, and a byte for the NUL, are room enough. */
size_t bh_tokens_without(const char *_Nullable list, const char *_Nullable const *_Nullable names, char *_Nullable kept,
                         size_t size);

/* Writes a URL (Destination of WebDAV) with this scheme and the header Host, if it is one of the site. 0: it does not
 * change. */
size_t bh_dav_url(const char *_Nullable url, const char *_Nullable host, bool tls, char *_Nullable text, size_t size);

/* The same for each URL that tags a list of WebDAV's header If. */
size_t bh_dav_tags(const char *_Nullable value, const char *_Nullable host, bool tls, char *_Nullable text,
                   size_t size);

/* ---- Answers ---- */

/* Where a URL goes on after its authority if it names the server that was asked; NULL: it names another one. site: the
 * Host header without port and brackets; NULL: none. tls: how the server was asked. */
const char *_Nullable bh_location_path(const char *_Nullable url, const bh_facts_t *_Nullable server,
                                       const char *_Nullable site, bool tls);

/* The Domain of a cookie, if it is the server's and the site is not in it; start NULL: the cookie stays as it is. */
bh_piece_t bh_cookie_domain(const char *_Nullable cookie, const bh_facts_t *_Nullable server,
                            const char *_Nullable site);

/* Whether a list with commas has the element; by_name: or one with the same name before a '='. */
bool bh_list_has(const char *_Nullable list, const char *_Nullable element, bool by_name);

/* The seconds of "timeout=" in a line of Keep-Alive; false: it has none. */
bool bh_keepalive_timeout(const char *_Nullable line, uint32_t *_Nullable seconds);

/* Whether requests of a module hold nothing, up to their handler, that others would wait for without limit. name: as
 * httpd has it, "mod_alias.c". false: also if the module is not known. */
bool bh_module_holds_nothing(const char *_Nullable name);

/* Whether an output filter, by its name as httpd has it, runs on the server and on its front. */
bool bh_filter_runs_in_both(const char *_Nullable name);

/* Whether a line of an answer's header is one that mod_proxy itself understands, and must get whole. */
bool bh_line_is_for_proxy(const char *_Nullable line);

/* ---- Answers whose header both the server and the front have a say in (docs/answers.md) ---- */

/* A line of a header: as apr_table_entry_t has it, so that the shim hands over a table as it is. */
typedef struct bh_field {
    const char *_Nonnull name;
    const char *_Nonnull value;
    uint32_t hash; /* lines with the same name have the same, but for the case of letters */
} bh_field_t;

typedef struct bh_fields {
    const bh_field_t *_Nullable first;
    size_t count;
} bh_fields_t;

/* A header that the caller makes, with the memory for it. */
typedef struct bh_header {
    void *_Nullable baton;
    /* Name and value live as long as the header. */
    void (*_Nonnull add)(void *_Nullable baton, const char *_Nonnull name, const char *_Nonnull value);
    char *_Nonnull (*_Nonnull room)(void *_Nullable baton, size_t size);
} bh_header_t;

/* The header of an answer at a front. */
typedef struct bh_answer_header {
    bh_fields_t sent; /* as the server has sent it */
    bh_fields_t now;  /* as the front's filters have left it */
    bool edits;       /* what they have added to the server's cookies stays */
} bh_answer_header_t;

/* Adds what the answer's header becomes; adds nothing if the front has not touched it. */
void bh_merge_within(const bh_answer_header_t *_Nullable answer, const bh_header_t *_Nullable result);

/* Adds those of the lines beside the answer's header, all of them the front's, that go with it. */
void bh_merge_beside(const bh_answer_header_t *_Nullable answer, bh_fields_t beside,
                     const bh_header_t *_Nullable result);

/* Adds the lines that the server has sent, without the cookies that the front had before. */
void bh_merge_sent(bh_fields_t sent, bh_fields_t own, const bh_header_t *_Nullable result);

#endif

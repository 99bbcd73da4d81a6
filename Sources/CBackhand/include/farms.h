/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The URLs of mod_athena's engine: what a request asks for, and the lines that answer it. docs/athena-engine.md is the
 * page for those who write such URLs.
 *
 * None of these calls allocates, locks, reads a clock or makes a system call. Pieces point into the caller's query or
 * into the room that the caller gave, and live as long as both. Outputs are written only on BH_ATH_OK, error texts only
 * on failure. */
#ifndef BACKHAND_FARMS_H
#define BACKHAND_FARMS_H

#include "backhand.h"

/* ---- Bounds ---- */

/* Bytes of a query. Longer ones are not looked into. */
#define BH_ATH_QUERY_MOST 8192
/* Room for the unescaped text of any query. */
#define BH_ATH_ROOM_SIZE BH_ATH_QUERY_MOST
/* Farms in one question: ATH_MAX_EMBED of the original. */
#define BH_ATH_FARMS_MOST 16
/* Arguments `code=value` in one query, all codes counted. */
#define BH_ATH_ARGUMENTS_MOST 32
/* Bytes of the name of a host, a farm or a statistic: [A-Za-z0-9._:-] and square brackets. */
#define BH_ATH_NAME_MOST 255
/* The widest field of an output format. */
#define BH_ATH_WIDTH_MOST 99
/* Room for any error text with its NUL. Longer ones are cut. */
#define BH_ATH_ERROR_SIZE 256
/* Room for a line of output with its NUL. There is no bound but the caller's: a longer line is cut. */
#define BH_ATH_LINE_SIZE 4096
/* Seconds that the time of a signed query may be from the clock of this httpd, to both sides. */
#define BH_ATH_AGE_MOST 300

/* Numbers are never reused. */
typedef enum bh_ath_status {
    BH_ATH_OK = 0,
    BH_ATH_EINVAL = 1,     /* a NULL, or a room of an impossible size */
    BH_ATH_EPATH = 2,      /* the engine has no such path */
    BH_ATH_ELONG = 3,      /* the query has more than BH_ATH_QUERY_MOST bytes */
    BH_ATH_EMANY = 4,      /* more farms or arguments than there may be */
    BH_ATH_ESYNTAX = 5,    /* something that is neither a name nor `code=value`, or a broken escape */
    BH_ATH_ECODE = 6,      /* a code that does not exist, is not for this path, or is there twice */
    BH_ATH_EVALUE = 7,     /* a value that its code does not take */
    BH_ATH_EFORMAT = 8,    /* an output format that cannot be used */
    BH_ATH_EMISSING = 9,   /* something without which the request means nothing: the farm, the host, t= or m= */
    BH_ATH_EUNSIGNED = 10, /* the query has no signature */
    BH_ATH_ESTALE = 11,    /* its time is more than BH_ATH_AGE_MOST seconds away */
    BH_ATH_EFORGED = 12,   /* none of the keys has made the signature */
    BH_ATH_EUNKNOWN = 13,  /* there is no farm, or no member, with the name */
    BH_ATH_ENOMEMBER = 14, /* no member of the farm can take requests now */
    BH_ATH_EREFUSED = 15,  /* the client may not change anything */
    BH_ATH_EUNABLE = 16    /* there is no memory for what an update says */
} bh_ath_status_t;

/* The status with which HTTP answers. */
static inline int32_t bh_ath_http_status(bh_ath_status_t status) {
    switch (status) {
    case BH_ATH_OK: return 200;
    case BH_ATH_EINVAL: return 500;
    case BH_ATH_EPATH:
    case BH_ATH_EUNKNOWN: return 404;
    case BH_ATH_ELONG: return 414;
    case BH_ATH_ENOMEMBER:
    case BH_ATH_EUNABLE: return 503;
    case BH_ATH_EREFUSED:
    case BH_ATH_EUNSIGNED:
    case BH_ATH_ESTALE:
    case BH_ATH_EFORGED: return 403;
    default: return 400;
    }
}

/* ---- Paths ---- */

/* What stands after AthPath. Numbers are never reused. */
typedef enum bh_ath_kind {
    BH_ATH_NO_KIND = 0,
    BH_ATH_BALANCE = 1,
    BH_ATH_STATUS_FARM = 2,
    BH_ATH_STATUS_PHYS = 3,
    BH_ATH_STATUS_ENGINE = 4,
    BH_ATH_UPDATE_FARM = 5,
    BH_ATH_UPDATE_PHYS = 6,
    BH_ATH_MIRROR_FARM = 7, /* as UPDATE_FARM, from another engine */
    BH_ATH_MIRROR_PHYS = 8
} bh_ath_kind_t;

/* Whether such a request writes state. */
static inline bool bh_ath_kind_writes(bh_ath_kind_t kind) {
    return kind >= BH_ATH_UPDATE_FARM && kind <= BH_ATH_MIRROR_PHYS;
}

/* ---- Codes ---- */

/* How the value of a code is written, and which member of bh_ath_value_t has it. */
typedef enum bh_ath_type {
    BH_ATH_NO_TYPE = 0,
    BH_ATH_NAME = 1,      /* text: 1 to BH_ATH_NAME_MOST bytes */
    BH_ATH_ON_OFF = 2,    /* number: 1 is "on", 0 is "off" */
    BH_ATH_UP_DOWN = 3,   /* number: 1 is "up", 0 is "down" */
    BH_ATH_IN_OUT = 4,    /* number: 1 is "in", 0 is "out" */
    BH_ATH_COUNT = 5,     /* number: a whole number from 0 on */
    BH_ATH_DECIMAL = 6,   /* number: thousandths, from 0 on */
    BH_ATH_SHARE = 7,     /* number: thousandths, 0 to 1000 */
    BH_ATH_TEXT = 8,      /* text: any, only in answers */
    BH_ATH_STATISTIC = 9, /* name:number; number: thousandths, perhaps negative; its name is beside it */
    BH_ATH_FORMAT = 10,   /* "text with %-codes", only in queries, as the two below */
    BH_ATH_TIME = 11,     /* seconds since 1970 */
    BH_ATH_SIGNATURE = 12 /* 64 hexadecimal digits in lower case */
} bh_ath_type_t;

/* Queries that may have a code: bits of bh_ath_row_t.status and .update. The original's "phys" is one member. */
#define BH_ATH_AT_FARM 1u
#define BH_ATH_AT_PHYS 2u
#define BH_ATH_AT_ENGINE 4u
#define BH_ATH_AT_BALANCE 8u
#define BH_ATH_AT_MEMBERS (BH_ATH_AT_FARM | BH_ATH_AT_PHYS)

/* The table of codes: enumerator, letter, type, the status paths (and balance) that take it in a query, the update and
 * mirror paths that take it, meaning. A letter is never used again for something else. Where the update paths take a
 * code that the status paths do not, it is what is updated. docs/athena-engine.md has the same rows. */
#define BH_ATH_CODES(ROW)                                                                                              \
    ROW(HOST, 'h', NAME, AT_PHYS, AT_PHYS, "the member, as its AthMember line writes it")                              \
    ROW(FARM, 'n', NAME, AT_MEMBERS, AT_MEMBERS, "the name of the farm")                                               \
    ROW(ON, 'o', ON_OFF, NOWHERE, AT_MEMBERS, "on or off: the administrator's switch")                                 \
    ROW(UP, 'u', UP_DOWN, NOWHERE, AT_PHYS, "up or down: the member's health, as set by hand or by an update")         \
    ROW(IN, 'i', IN_OUT, NOWHERE, NOWHERE, "in or out: whether updates arrive as AthExpectUpdate asks")                \
    ROW(LOAD, 'l', DECIMAL, NOWHERE, AT_PHYS, "load, as mod_backhand has it: processes that run or wait")              \
    ROW(IDLE, 'p', SHARE, NOWHERE, AT_PHYS, "idle part of the processors, 0 to 1")                                     \
    ROW(STATISTIC, 's', STATISTIC, NOWHERE, AT_PHYS, "a named statistic, for byResource")                              \
    ROW(IN_FLIGHT, 'c', COUNT, NOWHERE, NOWHERE, "requests in flight, as this httpd counts them")                      \
    ROW(PORT, 'v', COUNT, NOWHERE, NOWHERE, "port of the member; 0: that of the URL")                                  \
    ROW(WEIGHT, 'w', DECIMAL, NOWHERE, NOWHERE, "loadfactor")                                                          \
    ROW(DELAY, 'd', DECIMAL, NOWHERE, NOWHERE, "mean response time in milliseconds")                                   \
    ROW(SERVED, 'g', COUNT, NOWHERE, NOWHERE, "requests that were answered")                                           \
    ROW(FAILED, 'e', COUNT, NOWHERE, NOWHERE, "requests that failed")                                                  \
    ROW(AGE, 'a', COUNT, NOWHERE, NOWHERE, "seconds since the last update")                                            \
    ROW(BACKOFF, 'b', COUNT, NOWHERE, NOWHERE, "milliseconds of the back-off that are left; 0: none")                  \
    ROW(REASON, 'r', TEXT, NOWHERE, NOWHERE, "why the member gets no requests, or why it was chosen")                  \
    ROW(ABLE, 'k', COUNT, NOWHERE, NOWHERE, "members that can take requests now, of the farm or of all farms")         \
    ROW(MEMBERS, 'j', COUNT, NOWHERE, NOWHERE, "members of the farm, or of all farms")                                 \
    ROW(OUTPUT, 'f', FORMAT, AT_STATUS, AT_MEMBERS, "the output format, in quotes")                                    \
    ROW(TIME, 't', TIME, AT_BALANCE, AT_MEMBERS, "time of the signature, in seconds since 1970")                       \
    ROW(SIGNATURE, 'm', SIGNATURE, AT_BALANCE, AT_MEMBERS, "HMAC-SHA-256 of the query, its last argument")
#define BH_ATH_NOWHERE 0u
#define BH_ATH_AT_STATUS (BH_ATH_AT_MEMBERS | BH_ATH_AT_ENGINE)

/* A code is its letter. */
#define BH_ATH_ROW(NAME, letter, ...) BH_ATH_CODE_##NAME = letter,
typedef enum bh_ath_code { BH_ATH_NO_CODE = 0, BH_ATH_CODES(BH_ATH_ROW) } bh_ath_code_t;
#undef BH_ATH_ROW

/* A row of the table. */
typedef struct bh_ath_row {
    bh_ath_code_t code; /* BH_ATH_NO_CODE: no code has this letter */
    bh_ath_type_t type;
    uint32_t status; /* bits BH_ATH_AT_: status paths and balance that take it in a query */
    uint32_t update; /* update and mirror paths that take it */
    const char *_Nonnull meaning;
} bh_ath_row_t;

/* The row of a letter. */
static inline bh_ath_row_t bh_ath_row(char letter) {
    switch (letter) {
#define BH_ATH_ROW(NAME, letter, type, status, update, meaning)                                                        \
    case letter: return (bh_ath_row_t){BH_ATH_CODE_##NAME, BH_ATH_##type, BH_ATH_##status, BH_ATH_##update, meaning};
        BH_ATH_CODES(BH_ATH_ROW)
#undef BH_ATH_ROW
    default: return (bh_ath_row_t){BH_ATH_NO_CODE, BH_ATH_NO_TYPE, 0, 0, ""};
    }
}

/* ---- Requests ---- */

/* One `code=value`. f=, t= and m= are not among them. */
typedef struct bh_ath_argument {
    bh_ath_code_t code;
    bh_piece_t name; /* of a statistic; start NULL: it is of another code */
    bh_piece_t text; /* the value as it was written, without escapes and without the name */
    int64_t number;  /* what the value means, as bh_ath_type_t says; 0 for a name */
} bh_ath_argument_t;

/* What a request asks for. */
typedef struct bh_ath_request {
    bh_ath_kind_t kind;
    /* BH_ATH_BALANCE: at least one farm, in the order of the query, perhaps one of them twice; else none */
    uint32_t farms_count;
    bh_piece_t farms[BH_ATH_FARMS_MOST];
    /* All other kinds, in the order of the query. A code is there once, statistics several times. UPDATE_PHYS has a
     * HOST and UPDATE_FARM a FARM, and so have MIRROR_PHYS and MIRROR_FARM. All others may be missing: an update
     * without them says that the member is alive. */
    uint32_t arguments_count;
    bh_ath_argument_t arguments[BH_ATH_ARGUMENTS_MOST];
    bh_piece_t format;       /* without its quotes, and good for bh_ath_line_write; start NULL: the query has none */
    bool is_escaped;         /* the query began with an E */
    bool is_signed;          /* t= and m= are there; whether they are right is not known yet */
    int64_t time_s;          /* t=, 0 to 999999999999; 0 if it is not signed */
    bh_piece_t signed_query; /* the query, as it was sent, up to ",m="; start NULL if it is not signed */
    uint8_t signature[BH_SIGNATURE_SIZE]; /* m= */
} bh_ath_request_t;

/* Arrays, which Swift sees as separate fields. The place is below farms_count, or arguments_count. */
static inline bh_piece_t bh_ath_request_farm(const bh_ath_request_t *_Nonnull request, uint32_t place) {
    return request->farms[place % BH_ATH_FARMS_MOST];
}
static inline const bh_ath_argument_t *_Nonnull bh_ath_request_argument(const bh_ath_request_t *_Nonnull request,
                                                                        uint32_t place) {
    return &request->arguments[place % BH_ATH_ARGUMENTS_MOST];
}

/* The kind of a path, which is what stands after AthPath, with or without its last slash: "/status/phys/". The case of
 * letters counts. BH_ATH_NO_KIND: the engine has no such path. */
bh_ath_kind_t bh_ath_path_read(bh_piece_t path);

/* Reads a request: the path after AthPath, and the query without its question mark, as the client sent it. start NULL:
 * there is no query, which is as an empty one; any bytes will do. room: BH_ATH_ROOM_SIZE bytes for what is unescaped,
 * which the request points into. error: one line without its end, of printable ASCII, which names the code and the
 * value; NULL and size 0 are ignored.
 *
 * Errors: EINVAL (room or request NULL, room_size less than the query), EPATH, ELONG, EMANY, ESYNTAX, ECODE, EVALUE,
 * EFORMAT, EMISSING. */
bh_ath_status_t bh_ath_request_read(bh_piece_t path, bh_piece_t query, char *_Nullable room, size_t room_size,
                                    bh_ath_request_t *_Nullable request, char *_Nullable error, size_t error_size);

/* The argument with the code, the first one if there are several; NULL: there is none. */
static inline const bh_ath_argument_t *_Nullable bh_ath_argument_find(const bh_ath_request_t *_Nonnull request,
                                                                      bh_ath_code_t code) {
    for (uint32_t i = 0; i < request->arguments_count; i++)
        if (request->arguments[i].code == code) return &request->arguments[i];
    return NULL;
}

/* ---- Signatures ---- */

/* Room for any text that is signed. */
#define BH_ATH_SIGNED_SIZE (BH_ATH_QUERY_MOST + 64)

/* Writes what is signed, without a NUL: "Backhand-Athena", a line feed, the path without slashes at its ends
 * ("update/phys"), a line feed, and signed_query. Returns its length; 0: the request has no signature, or the room is
 * too small. */
size_t bh_ath_signed_write(const bh_ath_request_t *_Nullable request, char *_Nullable room, size_t room_size);

/* Whether a request is signed with one of the keys, and at most BH_ATH_AGE_MOST seconds before or after now, which is
 * in seconds since 1970. verify: csignature_check, or what does the same; it is not called for a time that is too far
 * away. room: BH_ATH_SIGNED_SIZE bytes, which are not those that the request points into.
 *
 * Errors: EINVAL (a NULL, room too small), EUNSIGNED, ESTALE, EFORGED; error as above. */
bh_ath_status_t bh_ath_signed_check(const bh_ath_request_t *_Nullable request, int64_t now_s,
                                    const void *_Nullable keys, bh_verify_fn _Nullable verify, char *_Nullable room,
                                    size_t room_size, char *_Nullable error, size_t error_size);

/* ---- URLs and cookies of requests that go through a farm ---- */

/* The parts of an absolute URL with a host. They point into it. */
typedef struct bh_ath_url {
    bh_piece_t origin; /* "http://farm_one:8080", with the user and the password if they are written */
    bh_piece_t scheme; /* "http" */
    bh_piece_t host;   /* "farm_one"; "[::1]" */
    bh_piece_t rest;   /* from the path on, with the query; may be empty */
    uint16_t port;     /* 0: none is written */
} bh_ath_url_t;

/* Splits a URL; false: it is not an absolute URL with a host and, if one is written, a port from 1 to 65535. */
bool bh_ath_url_split(const char *_Nullable text, bh_ath_url_t *_Nullable url);

/* ---- Lines of the configuration ---- */

/* Whether a farm may have this name: 1 to 253 letters, digits, '.', '_' and '-'. */
bool bh_ath_farm_name_check(const char *_Nullable name);

/* What an AthMember or AthMembers line says. */
typedef struct bh_ath_line {
    bh_piece_t host;               /* "app01.example.com", "[::1]"; of AthMembers start NULL */
    uint16_t port;                 /* 0: none is written */
    uint32_t weight;               /* loadfactor, hundredths: 1 to 10000; 100: none is written */
    const char *_Nullable forward; /* the URL of forward=; NULL: none is written */
} bh_ath_line_t;

/* Reads such a line: its words after the directive, of which the first is a pattern that the caller looks at itself, or
 * a member, "name:port". What it writes points into the words. error: what the line's directive belongs in front of.
 *
 * Errors: BH_ATH_EVALUE, BH_ATH_EINVAL (a NULL, or no word). */
bh_ath_status_t bh_ath_line_read(const char *_Nullable const *_Nullable words, uint32_t count, bool is_pattern,
                                 bh_ath_line_t *_Nullable line, char *_Nullable error, size_t size);

/* Finds the next host of a URL in a line of ProxyPass, ProxyPassMatch, SetHandler, AddHandler, BalancerMember, or
 * RewriteRule with the flag P, by the rule of bh_ath_url_split, which requests go by. Where a port or a path is a
 * variable of the line, it ends the host. host: as it was found before, in these arguments; start NULL: find the first
 * one. wrong: why the host cannot be a farm, a clause that lives for ever; NULL: it can. false: there are no more. */
bool bh_ath_line_host(const char *_Nullable directive, const char *_Nullable arguments, bh_piece_t *_Nullable host,
                      const char *_Nullable *_Nullable wrong);

/* ---- Names ---- */

/* Whether both are the same name; the case of letters does not matter. */
bool bh_ath_names_equal(bh_piece_t left, bh_piece_t right);

/* The value of Domain in a Set-Cookie header, without the dot before it; start NULL: there is none. */
bh_piece_t bh_ath_cookie_domain(const char *_Nullable cookie);

/* ---- Output ---- */

/* What a code stands for in a row. bh_ath_type_t says which of both counts. */
typedef struct bh_ath_value {
    int64_t number;
    bh_piece_t text; /* start NULL: empty. Bytes that are not printable ASCII are shown as '?'. */
} bh_ath_value_t;

/* Finds the value of a code in the row that the baton stands for. name: of a statistic, else start NULL. false: it is
 * not known, or rows of this kind do not have it, which is shown as "-". */
typedef bool (*bh_ath_value_fn)(const void *_Nullable baton, bh_ath_code_t code, bh_piece_t name,
                                bh_ath_value_t *_Nonnull value);

/* Whether a format can be used: EFORMAT, with an error text, if not; EINVAL for start NULL. Formats of a request have
 * been checked. A format is printable ASCII: %code, perhaps with a width of at most BH_ATH_WIDTH_MOST and before it a
 * minus (left) as in "%-20h", "%{name}s" for a statistic, "%%", and the escapes \n, \t, \\ and \". */
bh_ath_status_t bh_ath_format_check(bh_piece_t format, char *_Nullable error, size_t error_size);

/* The format for rows of a kind if the query has none: of updates that of the status of what they update, of balance
 * "%h". "" for BH_ATH_NO_KIND. */
const char *_Nonnull bh_ath_format_default(bh_ath_kind_t kind);

/* Writes one row as the format says, with one line feed at its end, whether the format has one there or not, and a NUL.
 * A line that is too long is cut before its line feed. Returns the bytes in the room without the NUL, which are always
 * less than size; 0 for a room below 2 bytes, a NULL, or a format that bh_ath_format_check refuses. */
size_t bh_ath_line_write(bh_piece_t format, bh_ath_value_fn _Nullable value, const void *_Nullable baton,
                         char *_Nullable line, size_t size);

/* ---- Answers ---- */

/* A farm of the configuration. Its text lives as long as the engine. */
typedef struct bh_ath_farm {
    const char *_Nonnull name;
    uint32_t members;
} bh_ath_farm_t;

/* A member of a farm. */
typedef struct bh_ath_member {
    const char *_Nonnull text; /* as its AthMember line writes it */
    uint32_t weight;           /* hundredths, of loadfactor */
    uint32_t row;              /* 0: it has none, and nothing is known of it */
} bh_ath_member_t;

/* What an answer is made from: the farms, the table, and what is known of the client. */
typedef struct bh_ath_engine {
    void *_Nullable baton; /* given to the next three */
    /* The farm, or the member of the farm, with this place, which is below farms, or below the farm's members. */
    bh_ath_farm_t (*_Nonnull farm)(void *_Nullable baton, uint32_t place);
    bh_ath_member_t (*_Nonnull member)(void *_Nullable baton, uint32_t farm, uint32_t place);
    /* Chooses a member of the farm: its place, or a number below 0 if none can take requests. reason: the words for
     * why, which live as long as the engine; unchanged if there are none. */
    int32_t (*_Nonnull choose)(void *_Nullable baton, uint32_t farm, const char *_Nullable *_Nonnull reason);
    uint32_t farms;
    bool accepts;     /* AthAcceptUpdates has the client's address */
    bool is_browsers; /* the request looks like a browser's */
    bh_segment_t *_Nullable segment;
    uint64_t now_ms;               /* CLOCK_MONOTONIC */
    int64_t wall_s;                /* seconds since 1970 */
    const void *_Nullable keys;    /* of AthUpdateKey; NULL: there is none */
    bh_verify_fn _Nullable verify; /* needed with keys */
} bh_ath_engine_t;

/* The member that was chosen of a farm. */
typedef struct bh_ath_chosen {
    uint32_t farm;
    uint32_t member;
    const char *_Nullable reason;
} bh_ath_chosen_t;

/* An answer that is being made: memory of the caller, which need not be zeroed. What it has is internal to the core,
 * but for the first three fields. */
typedef struct bh_ath_answer {
    bh_ath_status_t status;
    bool is_json;    /* application/json; else text/plain in ASCII */
    bool is_trusted; /* the client may change what the engine knows */
    bh_ath_request_t request;
    bh_ath_chosen_t chosen[BH_ATH_FARMS_MOST];
    char error[BH_ATH_ERROR_SIZE];
    char room[BH_ATH_ROOM_SIZE];
    char text[BH_ATH_SIGNED_SIZE];
} bh_ath_answer_t;
BH_ASSERT(BH_ATH_LINE_SIZE <= BH_ATH_SIGNED_SIZE, "a line is written where the signed text was");

/* Arrays, as above. */
static inline bh_ath_chosen_t *_Nonnull bh_ath_answer_chosen(bh_ath_answer_t *_Nonnull answer, uint32_t place) {
    return &answer->chosen[place % BH_ATH_FARMS_MOST];
}
static inline bh_ath_request_t *_Nonnull bh_ath_answer_request(bh_ath_answer_t *_Nonnull answer) {
    return &answer->request;
}
static inline char *_Nonnull bh_ath_answer_error(bh_ath_answer_t *_Nonnull answer) { return answer->error; }
static inline char *_Nonnull bh_ath_answer_room(bh_ath_answer_t *_Nonnull answer) { return answer->room; }
static inline char *_Nonnull bh_ath_answer_text(bh_ath_answer_t *_Nonnull answer) { return answer->text; }

/* Whether only browsers send a header with this name: Origin, Referer, Cookie, Accept-Language, Sec-Fetch-…. */
bool bh_ath_is_of_browsers(const char *_Nullable header);

/* Reads a request, and does what it asks for: chooses members, and changes what the client may change. Returns the
 * status with which HTTP answers. path, query: as for bh_ath_request_read. accept: the header of this name; NULL: none.
 */
int32_t bh_ath_answer_make(const bh_ath_engine_t *_Nullable engine, bh_piece_t path, bh_piece_t query,
                           const char *_Nullable accept, bh_ath_answer_t *_Nullable answer);

/* Writes the body of the answer, piece by piece. engine: that of bh_ath_answer_make. false: the writer wants no more.
 */
bool bh_ath_answer_write(const bh_ath_engine_t *_Nullable engine, bh_ath_answer_t *_Nullable answer,
                         bh_write_fn _Nullable write, void *_Nullable baton);

/* ---- Cookies of applications (docs/athena-cookies.md) ---- */

/* Cookies of one name that are looked at. */
#define BH_ATH_COOKIES_MOST 4

/* What a cookie asks for. */
typedef enum bh_ath_steer {
    BH_ATH_STEER_NONE = 0,
    BH_ATH_STEER_STAY = 1,   /* this member, whatever its state is */
    BH_ATH_STEER_PREFER = 2, /* this member as long as it takes requests */
    BH_ATH_STEER_FARM = 3    /* another farm */
} bh_ath_steer_t;

typedef struct bh_ath_cookie {
    bh_ath_steer_t steer;
    bh_piece_t target; /* the member or the farm; points into the header */
} bh_ath_cookie_t;

/* Which cookies count. */
typedef struct bh_ath_cookie_rules {
    const char *_Nonnull name;     /* of the cookie */
    const char *_Nonnull farm;     /* as its section names it */
    const void *_Nullable keys;    /* given to verify */
    bh_verify_fn _Nullable verify; /* csignature_check, or what does the same */
    int64_t now_s;                 /* seconds since 1970 */
} bh_ath_cookie_rules_t;

/* Reads the first cookie that counts. header: Cookie, as the client sent it; NULL: none. Returns how many cookies of
 * this name did not count before it: forged, expired, for another farm, or of another form. */
uint32_t bh_ath_cookie_read(const bh_ath_cookie_rules_t *_Nullable rules, const char *_Nullable header,
                            bh_ath_cookie_t *_Nullable cookie);

/* Whether a cookie may have this name: a token of at most 64 bytes. */
bool bh_ath_cookie_name_check(const char *_Nullable name);

#endif

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The border between the C shim and the Swift core: every call that crosses it.
 *
 * Rules. The receiver comes first, then inputs, then outputs. A call with an error to tell returns a bh_status_t.
 * Outputs are written only on BH_OK, except error texts, which are written only on failure. Pointers are borrowed for
 * the call unless the comment says otherwise. The side that makes something frees it. NULL and impossible sizes are
 * answered before any work: with BH_EINVAL, or with what the call's comment says. Texts are UTF-8 and end with a NUL.
 * No call locks or makes system calls, except bh_key_read, bh_group_find, bh_announced_name, the bh_control_ and
 * bh_file_ calls, bh_descriptors_close, bh_port_is_closed, bh_source_choose, bh_answer_look, bh_segment_map and the
 * bh_connection_, bh_wait_, bh_socket_, bh_shortage_, bh_moderator_, bh_sockets_, bh_queues_, bh_pool_ and bh_helper_
 * calls. A decision allocates nothing (Tests/Budget counts); these but the last, and calls that build an error text or
 * write the table, may allocate.
 *
 * History of BH_BORDER_VERSION:
 *   1  first version
 *   2  bh_request_t: cookie, query; bh_step_t: broken; bh_name_expand; BH_FAULT_MODE
 *   3  bh_sockets_t; bh_moderator_config_t: sockets
 *   4  bh_step_t: program; bh_moderator_config_t: capacity; bh_request_t: chain
 *   5  bh_sockets_open: without a configuration
 *   6  bh_decision_t: decided_ms
 *   7  bh_decision_t: choices, probe; bh_evidence_judge
 *   8  bh_moderator_config_t: check_pool
 *   9  bh_retry_next, bh_retry_failed
 *  10  http.h; bh_redirect_make instead of bh_name_expand
 *  11  bh_feedback_report, in the place of bh_evidence_judge and of inlines; bh_decision_t: once
 *  12  bh_merge_within, _beside, _sent, in the place of bh_cookie_is_same, bh_cookie_with and bh_list_beyond;
 *      bh_silence_after, bh_sources_find; bh_visitor_t: tls_port, servers_tls, in the place of arguments
 *  13  bh_request_t, bh_decision_t: repeatable, in the place of once and with the opposite sign
 *  14  bh_word_choose, bh_key_read, bh_advice_tell, bh_rights_of_path, bh_control_bind, bh_file_replace, bh_pool_take,
 *      bh_page_write instead of bh_segment_json and _html; bh_moderator_config_t: queues, without
 *      differs and check_pool
 *  15  bh_word_choose: ignoring_case; bh_page_trouble instead of bh_page_is_current; bh_page_t: trouble
 *  16  bh_loglevel_read, bh_words_check, bh_asked_of, bh_port_is_closed, the bh_shortage_ calls, bh_connection_try,
 *      bh_segment_map; bh_advice_t: lines; bh_source_choose, bh_descriptors_close, bh_reasons_write and
 *      bh_words_check instead of bh_sources_find, bh_sockets_have, bh_row_reason and bh_function_name
 *  17  bh_control_bind, bh_file_replace: rights; bh_control_remove, bh_file_remove instead of bh_rights_of_path
 *  18  bh_name_length, bh_fault_text
 *  19  bh_moderator_config_t: drain_file
 *  20  bh_moderator_config_t: server, alone
 *  21  bh_request_t: sends_free, is_scarce; bh_module_holds_nothing
 *  22  the bh_wait_, bh_socket_ and bh_helper_ calls, bh_answer_look, bh_connection_refuses, bh_destinations_complete,
 *      bh_filter_runs_in_both, bh_line_is_for_proxy, bh_outcome_text, bh_announced_name, bh_group_find;
 * bh_connection_explain and bh_control_open instead of bh_shortage_name and bh_control_bind; bh_moderator_address:
 * several lines
 *  23  bh_check_parse, bh_check_is_own; bh_moderator_config_t: checks, completed, listens_only;
 *      bh_server_fn, bh_completed_fn: checks; bh_next_attempt_t: others; bh_silence_after: how
 *  24  bh_request_t: members; bh_members_write
 *  25  extension.h; bh_page_t, bh_moderator_config_t: extension; bh_request_t: sessions; bh_session_write
 *  26  farms.h and states.h in the same archive; bh_ath_line_read, bh_ath_farm_name_check, bh_row_is_proven; the words
 *      of a farewell in the segment
 *  27  backhand_core (mb_doors.h): give; backhand_target: shown; bh_ath_line_host
 */
#ifndef BACKHAND_H
#define BACKHAND_H

#include "check.h"
#include "evidence.h"
#include "extension.h"
#include "feedback.h"
#include "http.h"
#include "known.h"
#include "retry.h"
#include "serverstats.h"
#include "version.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BH_BORDER_VERSION 27

/* Numbers are never reused. */
typedef enum bh_status {
    BH_OK = 0,
    BH_EINVAL = 1,  /* a NULL or an impossible size */
    BH_ESYNTAX = 2, /* a text that cannot be read; the error text says why */
    BH_ELAYOUT = 3, /* a segment that another build made, or memory that is not a segment */
    BH_ESPACE = 4,  /* the result does not fit into what the caller gave */
    BH_ESYSTEM = 5, /* the system refused; the error text says what */
    BH_EINUSE = 6   /* no longer returned: a port that belongs to another program is tried again */
} bh_status_t;

/* Room for any error text of this border. Longer ones are cut. */
#define BH_ERROR_SIZE 512

/* The value of BH_BORDER_VERSION that the core was built with. */
uint32_t bh_border_version(void);

/* ---- Addresses and networks ---- */

/* Room for any address as text with its NUL: INET6_ADDRSTRLEN. */
#define BH_ADDRESS_SIZE 46

/* Reads "10.0.0.4" or "2001:db8::4". No names, no brackets, no port. */
bh_status_t bh_address_parse(const char *_Nullable text, bh_address_t *_Nullable address);

/* Writes an address as text: IPv4 dotted, IPv6 as RFC 5952 says. */
bh_status_t bh_address_format(const bh_address_t *_Nullable address, char *_Nullable text, size_t size);

/* A network of AcceptStats: an address belongs to it if (address & mask) == base. */
typedef struct bh_network {
    bh_address_t base;
    bh_address_t mask;
} bh_network_t;

/* Reads an AcceptStats argument: "10.0.0.4", "10.0.0.0/24", "10.0.0.0/255.255.255.0", "2001:db8::/32". */
bh_status_t bh_network_parse(const char *_Nullable text, bh_network_t *_Nullable network, char *_Nullable error,
                             size_t error_size);

/* Whether the address belongs to one of the networks; false for NULLs. */
bool bh_network_contains(const bh_network_t *_Nullable networks, size_t count, const bh_address_t *_Nullable address);

/* Where announcements go, from one MulticastStats line. */
typedef struct bh_destination {
    bh_address_t own;   /* our address as given; all zero: find it */
    bh_address_t group; /* multicast, broadcast or unicast destination, IPv4 */
    uint16_t own_port;  /* our port as given; 0: find it */
    uint16_t port;      /* UDP port, 1...65535 */
    uint8_t ttl;        /* multicast hops, 1...255, default 1; 0 for other destinations */
    uint8_t reserved;
    uint16_t vhost; /* the virtual host that has the line, as the caller numbers them; 0: the main server */
} bh_destination_t;

/* Reads the arguments of MulticastStats: [own[:port]] and destination:port[,ttl]; own may be NULL. Addresses only, no
 * names. */
bh_status_t bh_destination_parse(const char *_Nullable own, const char *_Nullable text,
                                 bh_destination_t *_Nullable destination, char *_Nullable error, size_t error_size);

/* Makes the lines those of a virtual host, and fills in what they leave open. own: 0: it is found out. */
void bh_destinations_complete(bh_destination_t *_Nullable lines, size_t count, uint16_t vhost, bh_address_t own,
                              uint16_t own_port);

/* Bytes of the host's name that a text such as "name:port" or "name,ttl" begins with; 0: there is none, but perhaps an
 * address. */
size_t bh_name_length(const char *_Nullable text);

/* Reads the arguments of BackhandCheck, as they stand in the line. The check's texts lie in room, which must have
 * strlen(args) + 1 bytes, and live as long. vhost is the caller's to fill in. */
bh_status_t bh_check_parse(const char *_Nullable args, char *_Nullable room, size_t size, bh_check_t *_Nullable check,
                           char *_Nullable error, size_t error_size);

/* ---- The log ---- */

/* Levels of httpd's log. */
typedef enum bh_level {
    BH_LOG_ERROR = 3,
    BH_LOG_WARNING = 4,
    BH_LOG_NOTICE = 5,
    BH_LOG_INFO = 6,
    BH_LOG_DEBUG = 7
} bh_level_t;

/* Takes one line. number: the one of docs/errors.md, 0 for debug lines. */
typedef void (*bh_log_fn)(void *_Nullable baton, int32_t level, int32_t number, const char *_Nonnull text);

/* ---- Numbers ---- */

/* What a number of the configuration counts, for the text of an error. */
typedef enum bh_unit { BH_UNIT_NONE = 0, BH_UNIT_SECONDS = 1, BH_UNIT_BYTES = 2 } bh_unit_t;

/* Reads a whole number from least to most: digits alone. */
bh_status_t bh_number_parse(const char *_Nullable text, bh_unit_t unit, uint32_t least, uint32_t most,
                            uint32_t *_Nullable number, char *_Nullable error, size_t error_size);

/* ---- Words ---- */

/* Which of the words the text is, from 0 on. ignoring_case: upper and lower case are the same. The error text names all
 * words. */
bh_status_t bh_word_choose(const char *_Nullable text, const char *_Nullable const *_Nullable words, size_t count,
                           bool ignoring_case, uint32_t *_Nullable chosen, char *_Nullable error, size_t error_size);

/* What BackhandLogLevel lines have switched on together, as bits: bits after the text, such as "+dcsn2", with what was
 * there before. highest: the highest level of it, 1 to 4; 0: nothing is on. */
bh_status_t bh_loglevel_read(uint32_t before, const char *_Nullable text, uint32_t *_Nullable bits,
                             uint32_t *_Nullable highest, char *_Nullable error, size_t error_size);

/* ---- Keys ---- */

/* Takes one key, which is wiped after the call; false: nothing can be signed with it. */
typedef bool (*bh_key_fn)(void *_Nullable baton, const char *_Nonnull key, size_t length);

/* Hands over each key of the file at the path, which the configuration names as given. The error text names the file,
 * but if that may be the key itself. */
bh_status_t bh_key_read(const char *_Nullable given, const char *_Nullable path, bh_key_fn _Nullable take,
                        void *_Nullable baton, char *_Nullable error, size_t error_size);

/* ---- Candidacy ---- */

/* Most functions in one chain: far more than any configuration needs, so that counts fit on a stack. */
#define BH_STEPS_MAX 64

/* bh_step_t.function of a function that BackhandFromSO loaded. Built-in ones have ids from 1 on. */
#define BH_FUNCTION_LOADED 0
#define BH_FUNCTION_BY_SESSION 11

/* Calls a loaded candidacy function; what it returns is checked by the core. */
typedef int (*bh_candidacy_fn)(void *_Nullable request, ServerSlot *_Nonnull servers, int *_Nonnull count,
                               char *_Nullable argument);

/* Words of a step's program: room for ten comparisons. */
#define BH_PROGRAM_WORDS 40

/* One function of a chain with its argument. */
typedef struct bh_step {
    int32_t function; /* BH_FUNCTION_LOADED or what bh_step_parse wrote */
    /* argument: byAge milliseconds, byLoad thousandths of load, byBusyChildren workers */
    int32_t number;
    bh_candidacy_fn _Nullable call; /* BH_FUNCTION_LOADED: the function; otherwise NULL */
    const char *_Nullable name;     /* as in the configuration; lives as long as the step; for traces */
    const char *_Nullable argument; /* the same, for loaded functions and those that take a text; NULL: none */
    uint32_t
        *_Nullable broken; /* BH_FUNCTION_LOADED: 1 when the function has damaged memory: it is not called any more. Set
                            * by the core; shared by all chains with the function; NULL: nothing is remembered */
    /* byResource: its condition, as the core has read it; word 0: how many follow */
    uint64_t program[BH_PROGRAM_WORDS];
} bh_step_t;

/* Reads one Backhand line. name and argument are kept in the step, not copied. "off" is not a step: the caller handles
 * it. The error text names the nearest valid function. */
bh_status_t bh_step_parse(const char *_Nullable name, const char *_Nullable argument, bh_step_t *_Nullable step,
                          char *_Nullable error, size_t error_size);

/* Whether the words of a Backhand line can be a function, and perhaps its argument. ends: they are "off". */
bh_status_t bh_words_check(const char *_Nonnull const *_Nullable words, size_t count, bool *_Nullable ends,
                           char *_Nullable error, size_t error_size);

/* A server that the configuration names. */
typedef struct bh_member {
    uint32_t row;
    uint32_t weight; /* hundredths of what the others get: mod_proxy's loadfactor is 1 to 100; 100 */
} bh_member_t;

/* Where a member takes requests. */
typedef struct bh_place {
    bh_address_t address;
    uint16_t port;
} bh_place_t;

/* A server that the configuration names, for as long as it holds. */
typedef struct bh_named {
    bh_place_t place;
    const char *_Nonnull name; /* shown until it announces one */
    uint32_t row;              /* 0: the table has none left */
    bool reserved;             /* for a server that may come later: not shown before a child has claimed the row */
} bh_named_t;

/* In the parent, while no moderator lives: gives each server a row, which it keeps as long as each call names it. Where
 * the segment says that there will be none, nothing that servers have announced counts from now on. */
void bh_members_write(bh_segment_t *_Nonnull segment, bh_named_t *_Nonnull const *_Nullable named, size_t count,
                      uint64_t now_ms);

/* Bytes of a key of SipHash-2-4. */
#define BH_SESSION_KEY_SIZE 16
/* As in BackhandKey's file. */
#define BH_SESSION_KEYS 2

/* How the cookies of bySession name servers. The first key makes them; all are accepted. */
typedef struct bh_sessions {
    uint64_t (*_Nonnull hash)(const void *_Nonnull bytes, size_t count, const unsigned char *_Nonnull key);
    uint32_t count;
    unsigned char keys[BH_SESSION_KEYS][BH_SESSION_KEY_SIZE];
} bh_sessions_t;

/* What bySession's argument has after "cookie="; NULL: it is an identifier. */
static inline const char *_Nullable bh_session_line(const char *_Nonnull argument) {
    return strncmp(argument, "cookie=", 7) == 0 && argument[7] ? argument + 7 : NULL;
}

/* By what a cookie names the row's server: without a key, a client can neither make this nor find the address in it.
 * While the row gets another server this may not be any server's, so that a cookie is not recognised once. */
static inline uint64_t bh_session_tag(const bh_sessions_t *_Nonnull sessions, const bh_row_t *_Nonnull row,
                                      uint32_t key) {
    const bh_facts_t *facts = &row->facts;
    uint64_t place[] = {bh_word_load(&facts->address.high), bh_word_load(&facts->address.low),
                        __atomic_load_n(&facts->port, __ATOMIC_RELAXED)};
    return sessions->hash(place, sizeof place, sessions->keys[key]);
}

/* The inputs of a decision beside the chain and the table. Clock and randomness are among them. */
typedef struct bh_request {
    uint64_t now_ms;              /* CLOCK_MONOTONIC, milliseconds */
    uint64_t seed;                /* any number that differs from request to request */
    void *_Nullable context;      /* given to loaded functions as their first argument */
    const char *_Nullable cookie; /* the Cookie header, several joined with ',' or ';'; NULL: none */
    const char *_Nullable query;  /* as the client sent it, without '?'; NULL: none */
    /* for bySession with cookie=; NULL: no cookie is recognised */
    const bh_sessions_t *_Nullable sessions;
    const uint32_t *_Nullable tried; /* servers that have failed this request: never candidates again; may be NULL */
    uint32_t tried_count;            /* at most a few: they are searched one by one */
    /* the only candidates, in this order, also those that announce nothing; NULL: all servers that announce */
    const bh_member_t *_Nullable members;
    uint32_t member_count;
    /* row of the server that "here" is: 0, or that of a virtual host with its own address */
    uint32_t self_id;
    const bh_network_t *_Nullable accepted; /* only servers in these networks are candidates, and self; NULL: all are */
    size_t accepted_count;
    uint32_t slow_start_ms; /* a server that came later than this ago gets a growing share; 0: at once the whole */
    /* whose times count: 1 to BH_CHAINS - 1 are chains with separate slots, all others share one */
    uint32_t chain;
    /* it may be sent to a second server. If not: servers that refused a moment ago are left out, if there are other
     * servers, and the request probes a server in doubt only after a long time without another probe */
    bool repeatable;
    bool sends_free; /* where workers of this httpd are scarce, it holds none of them if it is sent on */
    bool is_scarce;  /* and they are, in the process that has the request */
    uint32_t (*_Nullable idle_workers)(
        uint32_t enough); /* workers of this httpd that are idle at this moment, counted up to enough. Asked only
                           * if the request would be sent on though it may be served here, or if workers were scarce
                           * when this httpd announced itself; NULL: not known, or no other worker is needed there */
} bh_request_t;

/* What went wrong with a loaded function's result; its step is then ignored. */
typedef enum bh_fault {
    BH_FAULT_NONE = 0,
    BH_FAULT_COUNT = 1, /* count outside 0...MAXSERVERS */
    BH_FAULT_ID = 2,    /* an id that no server has */
    BH_FAULT_TWICE = 3, /* an id twice */
    /* wrote beyond MAXSERVERS entries: memory is damaged. Reported once, if the step has a word broken */
    BH_FAULT_CANARY = 4,
    BH_FAULT_MODE = 5 /* a mode that is none of BACKHAND_MODE_ */
} bh_fault_t;

/* What went wrong, as it follows the function's name in the log. */
const char *_Nonnull bh_fault_text(bh_fault_t fault);

/* A decision: the servers that are left, best first. Points into the workspace. */
typedef struct bh_decision {
    const ServerSlot *_Nullable servers; /* count entries */
    const uint16_t *_Nullable counts;    /* counts[0]: servers before the first step; counts[i + 1]: after step i */
    uint32_t count;
    bool last_resort; /* all of them refused connections a moment ago; they may still */
    /* bh_fault_t of the last loaded function that went wrong; BH_FAULT_CANARY comes first */
    int32_t fault;
    uint32_t fault_step; /* that function's index in the chain */
    /* the request's now_ms: what the table says since then is newer than the decision */
    uint64_t decided_ms;
    /* servers among which the chain was free to choose: below 2, a session, a name or their lack has decided */
    uint32_t choices;
    /* the first one is in doubt, and may be tried only if bh_probe_claim allows it; else decide again */
    bool probe;
    bool repeatable; /* the request's */
} bh_decision_t;

/* Bytes of workspace that a decision over the segment needs now, with this chain. */
size_t bh_chain_workspace(const bh_segment_t *_Nullable segment, const bh_step_t *_Nullable steps, size_t count);

/* Runs the chain over the table. workspace: bh_chain_workspace() bytes or more, aligned to 8; rows that appeared since
 * it was sized are not considered. Servers that refused connections are left out until their back-off ends, unless no
 * other is left (last_resort). Safe from many threads at once, each with a separate workspace. */
bh_status_t bh_chain_decide(const bh_segment_t *_Nullable segment, const bh_step_t *_Nullable steps, size_t count,
                            const bh_request_t *_Nullable request, void *_Nullable workspace, size_t workspace_size,
                            bh_decision_t *_Nullable decision);

/* Room that a line of Set-Cookie needs beside what bySession's argument has after "cookie=". */
#define BH_SESSION_EXTRA_SIZE 64

/* Writes the value of Set-Cookie that keeps a client at the row's server, as snprintf does. line: bySession's argument
 * without "cookie="; cookie: the client's Cookie header, NULL: none; secure: the client uses TLS. 0: the client has
 * this cookie already. */
size_t bh_session_write(const bh_segment_t *_Nonnull segment, uint32_t id, const bh_sessions_t *_Nonnull sessions,
                        const char *_Nonnull line, const char *_Nullable cookie, bool secure, char *_Nullable text,
                        size_t size);

/* What comes next for a request (retry.h): after bh_retry_begin, and after each action that did not end it. decision:
 * what bh_chain_decide wrote last. now_us: CLOCK_MONOTONIC; 0 where bh_retry_needs_time is false. NULL:
 * BH_RETRY_GIVE_UP. */
bh_retry_action_t bh_retry_next(bh_retry_t *_Nullable retry, bh_segment_t *_Nullable segment,
                                const bh_decision_t *_Nullable decision, uint64_t now_us);

/* What an attempt that did not work means for the request. NULL, or a row that is none: BH_RETRY_GIVE_UP. */
bh_retry_action_t bh_retry_failed(bh_retry_t *_Nullable retry, bh_segment_t *_Nullable segment,
                                  const bh_failure_t *_Nullable failure);

/* Writes what the server did, as it follows its name in the log; status: of the answer that the client would get. */
void bh_outcome_text(bh_outcome_t outcome, int32_t status, char *_Nullable text, size_t size);

/* Writes what the end of a request means for its server: back-off, times, counts, evidence. Returns what of it is worth
 * a line in the log, bits of bh_warning_t; 0 for NULL, or for a row that does not exist. */
uint32_t bh_feedback_report(bh_segment_t *_Nullable segment, const bh_result_t *_Nullable result);

/* What silence on a request shows about its server. */
typedef enum bh_silence {
    BH_SILENCE_WAIT = 0, /* it may be at work */
    BH_SILENCE_GONE = 1,
    BH_SILENCE_PROBE = 2 /* it is gone if its port refuses a connection */
} bh_silence_t;

/* Once a second while the server of the row is silent. how: as bh_retry_next has said it. NULL, or a row that is none:
 * BH_SILENCE_WAIT. */
bh_silence_t bh_silence_after(const bh_segment_t *_Nullable segment, uint32_t id, const bh_facts_t *_Nullable server,
                              uint32_t seconds, const bh_next_attempt_t *_Nullable how, uint64_t now_ms);

/* By what evidence knows a client and a URL. client: the bytes of its address; url: with its query; NULL: empty. */
bh_asked_t bh_asked_of(const void *_Nullable client, size_t length, const char *_Nullable url);

/* Whether connections to the server must come from another address than the one that the kernel chooses: one that this
 * httpd announces, the best of those that packets can leave from. row: the site's. */
bool bh_source_choose(const bh_segment_t *_Nullable segment, uint32_t row, const bh_facts_t *_Nullable server,
                      bh_address_t *_Nullable chosen);

/* Waits until there is a descriptor again, 1.5 s at most. */
bool bh_shortage_is_over(void);
/* Whether few descriptors are left. */
bool bh_shortage_is_near(void);
/* What the kernel says to a connection to the server, which is closed at once: an errno; 0: there was one. NULL:
 * EINVAL. */
int32_t bh_connection_try(const bh_facts_t *_Nullable server, int32_t wait_ms);
/* After an attempt without a connection: makes another one, and adds to the result what the kernel says to it.
 * is_looked_up: perhaps only the lookup of the address has failed. why: an errno for the log; 0: not known. Returns
 * what this process lacks: "descriptors"; NULL: it may be about the server. */
const char *_Nullable bh_connection_explain(bh_result_t *_Nullable shown, const bh_facts_t *_Nullable server,
                                            bool is_looked_up, int32_t *_Nullable why);
/* Whether the server's port refuses connections. It is tried twice a second at most, however many requests ask: probed,
 * an atomic word of the server's, 0 at first, holds when it was tried last, and what came of it. */
bool bh_connection_refuses(uint64_t *_Nullable probed, const bh_facts_t *_Nullable server, uint64_t now_ms);

/* ---- Waiting for an answer ---- */

/* Descriptors that a request waits with, of which no thread is there. */
typedef struct bh_wait {
    int32_t set; /* readable when the connection or the timer is; -1: closed already */
    int32_t timer;
} bh_wait_t;
/* For the socket of a connection to a server. false: there are few descriptors left. */
bool bh_wait_open(bh_wait_t *_Nullable wait, int32_t fd);
void bh_wait_wake(bh_wait_t wait, uint64_t after_us);
void bh_wait_close(bh_wait_t wait);

/* What a connection on which an answer is awaited has come to. */
typedef enum bh_answer {
    BH_ANSWER_AWAITED = 0,
    BH_ANSWER_THERE = 1,
    BH_ANSWER_ENDED = 2,      /* the connection, without one */
    BH_ANSWER_UNREACHABLE = 3 /* what bh_socket_keep_alive asks for was without an answer */
} bh_answer_t;
bh_answer_t bh_answer_look(int32_t fd);
/* Waits until the socket can be read or written, or there is an error on it. */
bool bh_socket_is_ready(int32_t fd, bool writing, int32_t wait_ms);
/* Has the kernel ask once a second whether the other end is there, and end the connection after five questions without
 * an answer. */
void bh_socket_keep_alive(int32_t fd);

/* Room for any host name with its NUL: 253 characters, as RFC 1035 allows. */
#define BH_NAME_SIZE 254

/* A client that may be redirected, and what it has asked for. */
typedef struct bh_visitor {
    const char *_Nullable host; /* the Host header without port and brackets; NULL: none */
    uint16_t port;
    uint16_t tls_port; /* where clients reach every server by TLS, if the announced port does not speak it */
    bool tls;
    bool servers_tls; /* the announced port speaks TLS (BackhandScheme) */
    bool local;       /* the client is on this machine, so a loopback address leads it to this machine too */
} bh_visitor_t;

/* Room for "https://", a host name or an address in brackets, a port and a NUL. */
#define BH_ORIGIN_SIZE (BH_NAME_SIZE + 14)

/* Where a redirect sends a client. */
typedef struct bh_redirect {
    char origin[BH_ORIGIN_SIZE]; /* "https://web4.example:8443", which the path follows */
    bool named;                  /* the format has made a host name of it; else it has the server's address */
    bool asked;                  /* the client has asked for just this */
    bool leads_home;             /* it has the server's loopback address, which is the client's own for the client */
} bh_redirect_t;
static inline char *_Nonnull bh_redirect_origin_mutable(bh_redirect_t *_Nonnull redirect) { return redirect->origin; }

/* What a redirect to the server names. format: ServerSlot.hostheader, a host name or a format of HTTPRedirectToName;
 * NULL: the address is named. The address is also named where the format makes no host name that a client may be sent
 * to. */
bh_status_t bh_redirect_make(const char *_Nullable format, const bh_facts_t *_Nullable server,
                             const bh_visitor_t *_Nullable visitor, bh_redirect_t *_Nullable redirect);

/* ---- The segment ---- */

/* Bytes of a segment for this many children. */
size_t bh_segment_size(uint32_t child_slots);

/* Makes an empty segment of zeroed memory. Row 0 stays empty until the moderator writes it. */
bh_status_t bh_segment_format(void *_Nullable memory, size_t size, uint32_t child_slots, uint64_t boot_id);

/* BH_OK if the memory holds a segment that this build can share; else BH_ELAYOUT. */
bh_status_t bh_segment_check(const void *_Nullable memory, size_t size);

/* Name of a counter as the JSON shows it; NULL past the last. */
const char *_Nullable bh_counter_name(uint32_t counter);

/* Maps shared memory with an empty segment for this many children. 0, or an errno. */
int32_t bh_segment_map(uint32_t child_slots, void *_Nullable *_Nullable memory, size_t *_Nullable size);

/* Room for the reasons of eight servers, and how many there are more. */
#define BH_REASONS_SIZE 1280
/* Why other servers get nothing, or less than their share, such as "10.0.0.4:80 silent 7 s": docs/status.md has all
 * words. Empty: nothing speaks against any. */
void bh_reasons_write(const bh_segment_t *_Nullable segment, uint64_t now_ms, char *_Nullable text, size_t size);

/* What the status page shows beside the table, and how. */
typedef struct bh_page {
    uint64_t now_ms;
    int64_t wall_s;                            /* wall clock seconds now */
    const char *_Nullable server;              /* this server's name */
    const char *_Nullable client;              /* the client's address */
    const char *_Nullable trouble;             /* what bh_page_trouble said; NULL: nothing */
    bool has_directory;                        /* whether there is UnixSocketDir */
    bool json;                                 /* one JSON object; else HTML */
    const bh_extension_t *_Nullable extension; /* what is added to it; NULL: nothing */
} bh_page_t;

/* The Content-Security-Policy that the HTML needs. */
const char *_Nonnull bh_page_policy(void);

/* Why the table tells nothing of now, by now_ms and has_directory; empty: it does. */
const char *_Nonnull bh_page_trouble(const bh_segment_t *_Nullable segment, const bh_page_t *_Nullable page);

/* Writes the table and the counters (docs/status.md); without a segment, why there is none. BH_ESPACE: the sink
 * returned false; it may have got text before. */
bh_status_t bh_page_write(const bh_segment_t *_Nullable segment, const bh_page_t *_Nullable page,
                          bh_write_fn _Nullable write, void *_Nullable baton);

/* Writes a few sums over the other servers for mod_status's page: lines, or HTML. BH_ESPACE: as above. */
bh_status_t bh_figures_write(const bh_segment_t *_Nullable segment, bool lines, uint64_t now_ms,
                             bh_write_fn _Nullable write, void *_Nullable baton);

/* ---- Advice on the configuration ---- */

/* A server of the configuration that has lines of its own. */
typedef struct bh_advised {
    const bh_destination_t *_Nullable destinations;
    size_t destination_count;
    const bh_network_t *_Nullable networks; /* those that count for it */
    size_t network_count;
    void *_Nullable server; /* given to the log */
} bh_advised_t;

/* A line of the configuration, or a section's first one; after it come those that are in the section. */
typedef struct bh_line {
    const char *_Nonnull name;      /* "ProxyPass", "<Directory" */
    const char *_Nonnull arguments; /* of DocumentRoot: the folder's absolute path */
    const char *_Nonnull file;
    uint32_t number;
    uint32_t depth; /* how many sections are around it */
} bh_line_t;

/* What a configuration has. Places are "file:line", NULL: there is no such line. */
typedef struct bh_advice {
    const bh_advised_t *_Nullable servers; /* the main server first */
    size_t server_count;
    const bh_line_t *_Nullable lines; /* all, in their order */
    size_t line_count;
    bool has_directory; /* UnixSocketDir */
    bool has_keys;      /* BackhandKey */
    bool keys_optional; /* BackhandKey Optional */
    const char *_Nullable first_chain;
    const char *_Nullable first_prediction; /* addPrediction */
    const char *_Nullable first_shared;     /* BackhandConnectionPools Shared, where the MPM has threads */
    bh_log_fn _Nullable log;
} bh_advice_t;

/* Logs what is missing, what does nothing, what leaves a server alone, and chains that never decide. */
void bh_advice_tell(const bh_advice_t *_Nullable advice);

/* ---- The process that runs the moderator, as it begins ---- */

/* First, in the process that httpd has forked: its name, at most 15 characters; signals that are httpd's own have no
 * handler in it. */
void bh_helper_begin(const char *_Nullable name);
/* When it has the rights that it keeps: it gets no others, and ends with its parent. false: the parent is gone already.
 */
bool bh_helper_tie(int32_t parent);
/* In the parent, around the fork: holds back the signals that end the moderator, until bh_moderator_run takes them. */
void bh_helper_hold_signals(bool holds);
/* Writes the name that others see. given: httpd's name of its server; the system's is taken in the place of a loopback
 * address. NULL: it has none. */
void bh_announced_name(const char *_Nullable given, char *_Nullable text, size_t size);

/* ---- Files and sockets that the parent makes for the moderator ---- */

/* Whose rights something is done with. */
typedef struct bh_rights {
    uint32_t user; /* 0: as this process */
    uint32_t group;
    const char *_Nullable name; /* for the user's other groups; NULL: none */
} bh_rights_t;

/* Makes the control socket at the path, which listens, with its mode and group; UINT32_MAX: the group that it gets. A
 * socket that no process has any more is replaced. As root, it is bound in a process that has these rights and no
 * others. fd: its descriptor. 0, or an errno, EADDRINUSE: another httpd has it; doing: what could not be done, "bind".
 */
int32_t bh_control_open(const char *_Nullable path, uint32_t group, bh_rights_t rights, int32_t *_Nullable fd,
                        const char *_Nullable *_Nullable doing);
/* Reads the argument of BackhandSocketGroup: the name of a group of this system, or # and its number. */
bh_status_t bh_group_find(const char *_Nullable name, uint32_t *_Nullable group, char *_Nullable error,
                          size_t error_size);
/* Takes the name of the socket away, with these rights. */
void bh_control_remove(const char *_Nullable path, bh_rights_t rights);

/* Puts a file in the place of another: a reader sees the old text or the new one. 0, or an errno. As root, with the
 * rights of the user that could change what the path means: root's if no other user can, and those of httpd's children
 * where it cannot be known. */
int32_t bh_file_replace(const char *_Nullable path, const char *_Nullable text, bh_rights_t children);
/* Takes it away, with the same rights. */
void bh_file_remove(const char *_Nullable path, bh_rights_t children);

/* ---- The pool of all children ---- */

/* Its queues. Nothing in it points anywhere: it outlives the module. Zeroed: they are closed. */
typedef struct bh_queues {
    bool open;
    int32_t ends[BH_POOLS * 2]; /* what is put into the first of two comes out of the second */
} bh_queues_t;
static inline const int32_t *_Nonnull bh_queues_ends(const bh_queues_t *_Nonnull queues) { return queues->ends; }
static inline int32_t *_Nonnull bh_queues_ends_mutable(bh_queues_t *_Nonnull queues) { return queues->ends; }

/* A connection in it, as a message carries it. */
typedef struct bh_waiting {
    uint64_t mark;        /* says that it is one */
    uint64_t used_ms;     /* when a request used it last */
    uint64_t round_ms;    /* when the moderator looked at it last; 0: it has not yet */
    bh_address_t address; /* the server that it goes to */
    uint32_t id;          /* that server's row */
    uint32_t port;
    int32_t fd; /* in the process that has it now */
    uint32_t reserved;
} bh_waiting_t;

/* Opens them. Returns 0 or an errno. */
int32_t bh_queues_open(bh_queues_t *_Nullable queues);

/* Closes them in this process. */
void bh_queues_close(bh_queues_t *_Nullable queues);

/* Takes a connection to the server, with a right to keep it, which the caller closes; -1: there is none. */
int32_t bh_pool_take(const bh_queues_t *_Nullable queues, bh_segment_t *_Nullable segment, int32_t child, uint32_t id,
                     const bh_facts_t *_Nullable server, uint64_t now_ms);

/* Puts a copy of the connection in, whose right stays with the caller, who closes both. false: there is no room. */
bool bh_pool_put(const bh_queues_t *_Nullable queues, bh_segment_t *_Nullable segment, uint32_t id,
                 const bh_facts_t *_Nullable server, int32_t fd, uint64_t now_ms);

/* ---- The moderator ---- */

/* httpd's workers now. */
typedef struct bh_workers {
    int32_t busy;
    int32_t idle;
    int32_t threads;  /* workers of one process, at least 1 */
    int32_t pids[16]; /* some of its processes, to measure their memory; 0: none */
    int32_t serving;  /* of the busy ones, those that have a request: not those that wait for a client's next */
    int32_t kept;     /* of the busy ones, those that wait for the next request on a connection */
} bh_workers_t;

/* Reads the scoreboard. The first call of a moderator may wait for half a second, until httpd has started its workers.
 */
typedef void (*bh_workers_fn)(void *_Nullable baton, bh_workers_t *_Nonnull workers);

/* Whether httpd is stopping. told: the parent has told the moderator to end, so that a restart is the only other
 * reason; otherwise, whether httpd's port is closed. Asked when a child or a signal gives reason to. */
typedef bool (*bh_shutdown_fn)(void *_Nullable baton, bool told);

/* Adds what is known of one server beside its machine: the virtual host's, as the destinations number them. checks: how
 * many of its own checks are under way. */
typedef void (*bh_server_fn)(void *_Nullable baton, uint16_t vhost, uint32_t checks, bh_facts_t *_Nonnull facts);

/* A number that grows when the server has completed requests other than checks; 0: it could serve more. Asked three
 * times at most while a check waits. checks: how many are under way. */
typedef uint64_t (*bh_completed_fn)(void *_Nullable baton, uint16_t vhost, uint32_t checks);

/* Writes the HMAC-SHA-256 of the bytes with the first key; false if that cannot be had. */
#define BH_SIGNATURE_SIZE 32
typedef bool (*bh_sign_fn)(const void *_Nonnull keys, const void *_Nonnull bytes, size_t count,
                           uint8_t *_Nonnull signature);

/* Whether one of the keys has made the signature of the bytes; compares in constant time. */
typedef bool (*bh_verify_fn)(const void *_Nonnull keys, const void *_Nonnull bytes, size_t count,
                             const uint8_t *_Nonnull signature);

/* Where the listening sockets of all moderators of one configuration are, one after the other: while there is none,
 * what is announced waits in the kernel. */
typedef struct bh_sockets bh_sockets_t;

/* Everything that a moderator needs; borrowed until bh_moderator_free. */
typedef struct bh_moderator_config {
    bh_segment_t *_Nullable segment;
    /* may be NULL if there are none; each virtual host is one server, known by its first line */
    const bh_destination_t *_Nullable destinations;
    size_t destination_count;
    const bh_network_t *_Nullable accepted; /* AcceptStats of all servers; may be NULL if there are none */
    size_t accepted_count;
    const char *_Nullable directory; /* UnixSocketDir, for mod_backhand-Arriba; NULL: keep nothing */
    const char *_Nullable hostname;  /* announced name */
    int32_t control_fd;              /* listening AF_UNIX stream socket; -1: none */
    uint16_t port;                   /* of the first plain Listen, for lines without an own port */
    uint16_t interval_ms;            /* between announcements, 100...60000; normally 1000 */
    bh_log_fn _Nullable log;
    bh_workers_fn _Nullable workers;
    bh_shutdown_fn _Nullable shutdown;
    bh_server_fn _Nullable server;       /* asked for each announcement; NULL: workers has told all of it */
    void *_Nullable baton;               /* given to log, workers, shutdown, server and completed */
    const bh_queues_t *_Nullable queues; /* the pool of all children, which it looks through; NULL: there is none */
    const void *_Nullable keys;          /* given to sign and verify; NULL: announcements are not signed */
    bh_sign_fn _Nullable sign;           /* both needed where there are keys */
    bh_verify_fn _Nullable verify;
    bool keys_optional;                    /* with keys: what is not signed is accepted as without */
    uint32_t expire_s;                     /* seconds of silence after which a row is emptied; 0: never */
    const bh_sockets_t *_Nullable sockets; /* where they are kept for the next moderator; NULL: nowhere */
    uint32_t slashes;                      /* announced; see bh_facts_t */
    /* announced instead of what is measured, in the unit of bh_facts_t; 0: none */
    uint32_t capacity;
    uint32_t idle_cost;          /* bh_idle_t: what a connection that is kept costs this httpd */
    uint32_t keepalive_ms;       /* KeepAliveTimeout */
    uint32_t keepalive_requests; /* MaxKeepAliveRequests; 0: no bound */
    /* BackhandDrainFile, as the moderator sees it; NULL: none */
    const char *_Nullable drain_file;
    bool alone;                         /* no httpd has forked it: only a signal ends it */
    bool listens_only;                  /* nothing is announced, and the table has no row of this machine */
    const bh_check_t *_Nullable checks; /* NULL if there are none; at most BH_CHECKS */
    size_t check_count;
    bh_completed_fn _Nullable completed; /* NULL: by the scoreboard, and the requests that this httpd has received */
    const bh_extension_t *_Nullable extension; /* what another module adds; NULL: nothing */
} bh_moderator_config_t;

typedef struct bh_moderator bh_moderator_t;

/* The address that this server announces along the first of these lines of MulticastStats that has one: the one given
 * there, or the local one from which packets leave. */
bh_status_t bh_moderator_address(const bh_destination_t *_Nullable lines, size_t count,
                                 bh_address_t *_Nullable address);

/* Whether the address, an IPv4 one, is of this machine now: a socket can be bound to it. Also where the kernel lets any
 * address be bound to, and where there is no socket to try it. */
bool bh_moderator_has_address(const bh_address_t *_Nullable address);

/* Makes a place for sockets, with none in it. Call it in the parent, before it forks a moderator. The parent never
 * looks into it, and holds no socket itself: a moderator that opens other sockets, because the network has changed,
 * puts those in and takes the old ones out. */
bh_status_t bh_sockets_open(bh_sockets_t *_Nullable *_Nullable sockets, char *_Nullable error, size_t error_size);

/* In the process that will run a moderator: closes each descriptor but 0 to 2, the log's, and those that the
 * configuration names. What parses what strangers send must not hold the listening sockets, other logs or what else
 * modules have opened. */
void bh_descriptors_close(const bh_moderator_config_t *_Nullable config, int32_t log);

/* Whether the kernel has no listening TCP socket there; false where it does not say. */
bool bh_port_is_closed(const bh_address_t *_Nullable address, uint16_t port, bool over_ipv6);

/* Closes the place in this process. The sockets in it are closed with its last copy. NULL is ignored. */
void bh_sockets_close(bh_sockets_t *_Nullable sockets);

/* Call it in the process that will run it: it ends when that process's parent changes. BH_EINVAL: the configuration
 * must change. No port is opened yet: bh_moderator_run does that, and opens what fails again and again. */
bh_status_t bh_moderator_new(const bh_moderator_config_t *_Nullable config,
                             bh_moderator_t *_Nullable *_Nullable moderator, char *_Nullable error, size_t error_size);

/* Takes over the segment and works until SIGTERM (or SIGHUP, SIGINT, SIGUSR1) arrives, its parent dies or another
 * moderator takes over. Call it with these signals blocked: it opens them only while it waits. SIGURG, which does
 * nothing elsewhere, makes it look at the segment's word about stopping at once. */
bh_status_t bh_moderator_run(bh_moderator_t *_Nullable moderator);

/* Closes what it has opened. NULL is ignored. */
void bh_moderator_free(bh_moderator_t *_Nullable moderator);

/* The program of a step: Swift sees an array in a struct as separate fields. */
static inline const uint64_t *_Nonnull bh_step_program(const bh_step_t *_Nonnull step) { return step->program; }
static inline uint64_t *_Nonnull bh_step_program_mutable(bh_step_t *_Nonnull step) { return step->program; }

/* Marks a function that has damaged memory; true for the first call. Inline: Swift has no atomics for words that C
 * owns. */
static inline bool bh_step_break(uint32_t *_Nonnull broken) {
    return __atomic_exchange_n(broken, 1, __ATOMIC_RELAXED) == 0;
}

#ifdef __cplusplus
}
#endif

#endif

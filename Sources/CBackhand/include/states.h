/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* The state of farms and their members: what administrators order, what servers push, and what follows for decisions.
 *
 * docs/farms.md, "States", has the rules; the words are in the segment (serverstats.h). They are written by any child
 * (an update arrives at any), by the moderator (orders, and what other balancers send), and by the parent, and no call
 * waits: each word is changed at once, so a process that dies meanwhile stops no other. The state belongs to the
 * server's row, so a server that several farms have is off in all of them. It lives as long as the segment, over
 * graceful restarts, until no farm names the server, or until another server gets the row.
 *
 * The calls are in libBackhandFarms.a, as those of farms.h. None of them allocates, locks, reads a clock or makes a
 * system call, but those of bh_extension_t, which allocate. Times are CLOCK_MONOTONIC milliseconds. NULLs and numbers
 * that nothing has are answered with what the comment says, or with nothing. */
#ifndef BACKHAND_STATES_H
#define BACKHAND_STATES_H

#include "extension.h"
#include "farms.h"

/* ---- Farms and members of the configuration ---- */

/* A farm, as the configuration has it. It lives as long as the configuration. */
typedef struct bh_farm_config {
    const char *_Nonnull name; /* at most 253 characters; its case does not matter */
    uint32_t expect_s;         /* AthExpectUpdate: 1 to 86400; 0: there is none */
    uint32_t member_count;
    /* In the order of the lines. Their rows must be there already, row 0 for those that got none, and their names are
     * the texts of their AthMember lines. */
    bh_named_t *_Nonnull const *_Nullable members;
    const uint32_t *_Nullable weights; /* of each, hundredths; NULL: 100 */
    uint32_t number;                   /* output: of the farm, from 1 on; 0: there are BH_FARMS others */
} bh_farm_config_t;

/* In the parent, when rows are given: writes the table of farms. A farm and a member that were there before keep their
 * states; what is no longer named loses them. Of a farm with more members than BH_FARM_MEMBERS the first ones are
 * listed; all can be chosen. */
void bh_farms_write(bh_segment_t *_Nullable segment, bh_farm_config_t *_Nonnull const *_Nullable farms, uint32_t count,
                    uint64_t now_ms);

/* The number of the farm with this name; 0: there is none. */
uint32_t bh_farm_find(const bh_segment_t *_Nullable segment, bh_piece_t name);

/* In a child: the farm has one more member, a server that announces itself, which is listed from now on if there is
 * room. text: by which it is shown. Calling it again for the same row changes nothing. */
void bh_farm_join(bh_segment_t *_Nullable segment, uint32_t farm, uint32_t row, bh_piece_t text, uint64_t now_ms);

/* The next row after this one (0: from the beginning) whose server announces this name, whole or up to its first dot;
 * 0: there is none. For updates of servers that no farm has. */
uint32_t bh_server_find(const bh_segment_t *_Nullable segment, bh_piece_t name, uint32_t after);

/* ---- Decisions ---- */

/* Whether a member may get requests, as far as states go. What this httpd sees itself (back-off, doubt, checks) and
 * what is ordered by `backhandctl drain` comes beside it, and can only leave out more. Numbers are never reused. */
typedef enum bh_standing {
    BH_STANDING_ABLE = 0,
    BH_STANDING_FARM_OFF = 1, /* the farm is off */
    BH_STANDING_OFF = 2,      /* the member is off */
    BH_STANDING_DOWN = 3,     /* it is down */
    BH_STANDING_OUT = 4       /* AthExpectUpdate seconds have gone by without an update, or since it was first named */
} bh_standing_t;

/* The first of them that applies. farm 0, or row 0: able. */
bh_standing_t bh_member_standing(const bh_segment_t *_Nullable segment, uint32_t farm, uint32_t row, uint64_t now_ms);

/* Before mb_passage_choose: leaves of the members those that may get requests, in their order, and gives them the
 * weights by which they share: what is pushed and fresh, and the oracle's answers, count in them. places: for each that
 * is left, where it stood; NULL: not wanted. Returns how many are left; 0: the farm is off, or each member is off, down
 * or out, so that AthForward has the request. If mb_passage_choose finds none then, the others were exhausted.
 * Members with row 0 are left as they are. Changes nothing where nothing was ever ordered, pushed or answered, and
 * nothing is expected. */
uint32_t bh_farm_select(const bh_segment_t *_Nullable segment, uint32_t farm, uint64_t now_ms,
                        bh_member_t *_Nullable members, uint32_t *_Nullable places, uint32_t count);

/* ---- Updates and orders ---- */

/* Bits of bh_update_t.fields: which of its members say anything. */
typedef enum bh_update_field {
    BH_UPDATE_ON = 1,
    BH_UPDATE_UP = 2,
    BH_UPDATE_LOAD = 4,
    BH_UPDATE_IDLE = 8,
    /* Nothing but the switches, by an administrator: the member is not taken for alive by it. */
    BH_UPDATE_IS_ORDER = 16
} bh_update_field_t;

/* What is pushed of a named statistic. */
typedef struct bh_pushed {
    bh_piece_t name; /* 1 to 63 bytes */
    int64_t thousandths;
} bh_pushed_t;

/* An update or an order. All of it 0: the member is alive. */
typedef struct bh_update {
    uint32_t fields;
    bool on;
    bool up;
    uint32_t load; /* thousandths */
    uint32_t idle; /* idle part of the processors, thousandths: 0 to 1000 */
    const bh_pushed_t *_Nullable statistics;
    uint32_t statistic_count;
} bh_update_t;

/* Updates the server of a row. From now on it is in.
 *
 * Errors: BH_EINVAL (a NULL, row 0 or a row that is not in use, idle above 1000, a name that is empty or too long);
 * BH_ESPACE: it would have more than BH_STATISTICS statistics. Then nothing is changed. */
bh_status_t bh_member_update(bh_segment_t *_Nullable segment, uint32_t row, const bh_update_t *_Nullable update,
                             uint64_t now_ms);

/* Updates a farm: BH_UPDATE_ON alone counts. BH_EINVAL: there is no such farm. */
bh_status_t bh_farm_update(bh_segment_t *_Nullable segment, uint32_t farm, const bh_update_t *_Nullable update,
                           uint64_t now_ms);

/* ---- The oracle ---- */

/* An answer has named the member: for its mean time (1 s where none is known), it counts as a request in flight there.
 * It fades: after one mean time e^-1 of it is left, so that all of it together is one request for one mean time. */
void bh_answer_count(bh_segment_t *_Nullable segment, uint32_t row, uint64_t now_ms);

/* Thousandths of requests in flight that such answers count as now. */
uint32_t bh_answers_in_flight(const bh_segment_t *_Nullable segment, uint32_t row, uint64_t now_ms);

/* ---- All values, for those who read ---- */

/* What a line is about. */
typedef struct bh_view {
    const bh_segment_t *_Nullable segment; /* NULL: nothing is known */
    uint64_t now_ms;
    uint32_t farm;        /* 0: of all farms, as for the engine; or a server that none has */
    uint32_t row;         /* the member; 0: the line is about the farm, or all of them */
    bh_piece_t text;      /* the member, as it is shown; start NULL: as the table of farms has it */
    uint32_t weight;      /* of the member, hundredths; 0: as the table of farms has it */
    bool engine_off;      /* AthEngine Off, for the line of the engine */
    bool is_chosen;       /* the line answers balance: then the reason is why it was chosen */
    char *_Nullable room; /* BH_VIEW_ROOM bytes for texts, which last until the next value is asked for */
} bh_view_t;
#define BH_VIEW_ROOM 128

/* The value of a code of farms.h in the view, which is the baton: a bh_ath_value_fn. false: it is not known, or lines
 * of this kind do not have it. What is pushed and not fresh any more is not known. */
bool bh_view_value(const void *_Nullable view, bh_ath_code_t code, bh_piece_t name, bh_ath_value_t *_Nonnull value);

/* The farm and the member for the line at this index of all members of one farm (farm 0: of all farms); false: there is
 * none. view: segment, now_ms and room are there. */
bool bh_view_member(bh_view_t *_Nullable view, uint32_t farm, uint32_t index);
/* The same for the farms. */
bool bh_view_farm(bh_view_t *_Nullable view, uint32_t index);

/* ---- What farms add to the moderator and to the status page ---- */

/* Members of bh_extension_t, which says what they do. The last two only for AthMirror On: what is ordered and pushed
 * here goes along with our signed announcements, and what others send so is taken over where it is newer. What another
 * balancer has told is not told on, so that no news goes round in a circle. One thread at a time. */
bool bh_farms_command(bh_segment_t *_Nonnull segment, const uint8_t *_Nonnull line, size_t length, uint64_t now_ms,
                      bh_write_fn _Nonnull write, void *_Nullable baton, bool *_Nonnull ordered);
bool bh_farms_page(const bh_segment_t *_Nonnull segment, bool json, uint64_t now_ms, bh_write_fn _Nonnull write,
                   void *_Nullable baton);
size_t bh_farms_announce(bh_segment_t *_Nonnull segment, uint64_t now_ms, void *_Nonnull datagram, size_t length,
                         size_t size);
void bh_farms_hear(bh_segment_t *_Nonnull segment, const void *_Nonnull datagram, size_t length, uint64_t now_ms);

/* ---- The words, for Swift and for tests ---- */

static inline uint64_t bh_stamp(uint64_t now_ms, bool is_mirrored) { return now_ms << 2 | (is_mirrored ? 2 : 0); }
static inline uint64_t bh_stamp_ms(uint64_t stamp) { return stamp >> 2; }
static inline bool bh_stamp_is_mirrored(uint64_t stamp) { return stamp & 2; }
static inline bool bh_switch_is_set(uint64_t word) { return word & 1; }

/* The farm of a number, which is 1 to BH_FARMS. */
static inline bh_farm_t *_Nonnull bh_segment_farm(bh_segment_t *_Nonnull segment, uint32_t number) {
    return &segment->farm_table[(number - 1) % BH_FARMS];
}
static inline uint32_t bh_segment_farms(const bh_segment_t *_Nonnull segment) {
    uint32_t farms = __atomic_load_n(&segment->farms, __ATOMIC_ACQUIRE);
    return farms <= BH_FARMS ? farms : BH_FARMS;
}
/* Entries of the list that are in use. */
static inline uint32_t bh_farm_members(const bh_farm_t *_Nonnull farm) {
    uint32_t members = __atomic_load_n(&farm->members, __ATOMIC_ACQUIRE);
    return members <= BH_FARM_MEMBERS ? members : BH_FARM_MEMBERS;
}
static inline bh_farm_member_t *_Nonnull bh_farm_member(bh_farm_t *_Nonnull farm, uint32_t place) {
    return &farm->list[place % BH_FARM_MEMBERS];
}
/* Texts of the segment, which may be written meanwhile: the last byte of their room counts as a NUL. */
static inline char *_Nonnull bh_farm_name(bh_farm_t *_Nonnull farm) { return farm->name; }
static inline char *_Nonnull bh_farm_member_text(bh_farm_member_t *_Nonnull member) { return member->text; }
static inline char *_Nonnull bh_statistic_name(bh_statistic_t *_Nonnull statistic) { return statistic->name; }

/* The state of the row, which is below BH_ROWS. */
static inline bh_member_state_t *_Nonnull bh_segment_state(bh_segment_t *_Nonnull segment, uint32_t id) {
    return &segment->member_states[id % BH_ROWS];
}
static inline bh_statistic_t *_Nonnull bh_state_statistic(bh_member_state_t *_Nonnull state, uint32_t place) {
    return &state->statistics[place % BH_STATISTICS];
}

static inline int64_t bh_signed_word_load(const int64_t *_Nonnull word) {
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}
static inline void bh_signed_word_store(int64_t *_Nonnull word, int64_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* What a statistic is found by: FNV-1a of its name in the lower 62 bits, because a word of a condition has room for
 * these; never 0. */
static inline uint64_t bh_statistic_hash(const void *_Nullable name, size_t length) {
    const uint8_t *bytes = name;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    hash &= (UINT64_C(1) << 62) - 1;
    return hash ? hash : 1;
}

/* Whether what was pushed with this stamp still counts. */
static inline bool bh_state_is_fresh(const bh_member_state_t *_Nonnull state, uint64_t stamp, uint64_t now_ms) {
    uint64_t lasts = bh_half_load(&state->fresh_ms), then = bh_stamp_ms(stamp);
    return stamp && (now_ms <= then || now_ms - then <= (lasts ? lasts : BH_FRESH_MS));
}

/* Whether a server that announces nothing is known by what is pushed: its load, or the idle part of its processors. */
static inline bool bh_state_tells(const bh_segment_t *_Nonnull segment, uint32_t id, bool is_idle, uint64_t now_ms) {
    const bh_member_state_t *state = &segment->member_states[id % BH_ROWS];
    return bh_half_load(&segment->states) & BH_STATES_PUSHED
           && bh_state_is_fresh(state, bh_word_load(is_idle ? &state->idle_stamp : &state->load_stamp), now_ms);
}

/* What is pushed and fresh, in the place of what is announced. */
static inline void bh_state_replace(const bh_segment_t *_Nonnull segment, uint32_t id, bh_facts_t *_Nonnull facts,
                                    uint64_t now_ms) {
    const bh_member_state_t *state = &segment->member_states[id % BH_ROWS];
    if (bh_state_tells(segment, id, false, now_ms)) facts->load = (int32_t)bh_word_load(&state->load);
    if (bh_state_tells(segment, id, true, now_ms)) facts->cpu = (int32_t)bh_word_load(&state->idle);
}

/* The bits of a statistic's hash that a condition has of it. */
#define BH_STATISTIC_SHIFT 32

/* The number of a statistic in units, if it is known and fresh; else unknown. bits: of its hash. */
static inline double bh_state_number(const bh_segment_t *_Nonnull segment, uint32_t id, uint32_t bits, uint64_t now_ms,
                                     double unknown) {
    const bh_member_state_t *state = &segment->member_states[id % BH_ROWS];
    if (!(bh_half_load(&segment->states) & BH_STATES_PUSHED)) return unknown;
    for (int i = 0; i < BH_STATISTICS; i++) {
        const bh_statistic_t *each = &state->statistics[i];
        uint64_t hash = bh_word_load(&each->hash);
        if (hash && hash >> BH_STATISTIC_SHIFT == bits
            && bh_state_is_fresh(state, __atomic_load_n(&each->stamp, __ATOMIC_ACQUIRE), now_ms))
            return (double)bh_signed_word_load(&each->thousandths) / 1000;
    }
    return unknown;
}

/* Forgets all of it: no farm names the server any more, or the row gets another one. */
static inline void bh_state_forget(bh_segment_t *_Nonnull segment, uint32_t id) {
    uint64_t *words = (uint64_t *)(void *)bh_segment_state(segment, id);
    for (size_t i = 0; i < sizeof(bh_member_state_t) / sizeof *words; i++) bh_word_store(&words[i], 0);
}

#endif

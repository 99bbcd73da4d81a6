/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* serverstats: the table of all known servers, in memory that the processes of one httpd share.
 *
 * docs/serverstats.md draws the layout. The parent maps the segment before it forks. Each field is marked with its
 * writers: the moderator alone writes what a server announces; children read it without locks, and write only what is
 * marked "children" below. Public rows may be written by candidacy functions too. Access is atomic, by the inlines of
 * this header, feedback.h, evidence.h and known.h, except for the texts and mtime of public rows, which are not: a
 * reader may see a name that is half old and half new. The core reads a name from the facts instead.
 *
 * All times named _ms are CLOCK_MONOTONIC in milliseconds unless they say wall.
 */
#ifndef BACKHAND_SERVERSTATS_H
#define BACKHAND_SERVERSTATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "address.h"
#include "mod_backhand.h"

/* gcc has no nullability words. */
#ifndef __clang__
#define _Nonnull
#define _Nullable
#endif

#define BH_ROWS MAXSERVERS
/* Copies that a reader makes at most: it never spins for long. A row is skipped only if it is written again during each
 * of them. */
#define BH_ROW_TRIES 32
/* Hostname of an extended row with its NUL: the longest DNS label is 63. Longer names are cut. */
#define BH_HOSTNAME_SIZE 64

/* Whether a server takes new requests. What it announces and what is ordered here may differ: the greater counts.
 * Append only. */
typedef enum bh_state {
    BH_STATE_UP = 0,
    BH_STATE_DRAINING = 1,    /* only if there is no other server; requests under way are finished */
    BH_STATE_MAINTENANCE = 2, /* none at all */
    BH_STATE_SHUTDOWN = 3     /* its httpd is stopping; never ordered */
} bh_state_t;

/* What a connection costs a server while it is kept and idle. Append only. */
typedef enum bh_idle {
    BH_IDLE_UNKNOWN = 0, /* not announced */
    BH_IDLE_FREE = 1,    /* no worker: the event MPM */
    BH_IDLE_WORKER = 2,  /* a worker, which waits for the next request: prefork and worker */
    BH_IDLE_CLOSED = 3   /* it keeps none: KeepAlive Off */
} bh_idle_t;

/* What the last check of a server's application has found (BackhandCheck). Those above BH_FINDING_BUSY speak against
 * it. Append only. */
typedef enum bh_finding {
    BH_FINDING_NONE = 0, /* there is no check, or none has ended yet */
    BH_FINDING_PASSES = 1,
    BH_FINDING_BUSY = 2,    /* no answer in time, but other requests were completed meanwhile */
    BH_FINDING_STATUS = 3,  /* a status that is not expected */
    BH_FINDING_TIMEOUT = 4, /* no answer in time */
    BH_FINDING_REFUSED = 5, /* no connection */
    BH_FINDING_CLOSED = 6,  /* the connection was closed before the answer */
    BH_FINDING_TEXT = 7,    /* the expected text is missing */
    BH_FINDING_INVALID = 8, /* the answer is not HTTP */
    BH_FINDING_TLS = 9      /* the port speaks TLS only */
} bh_finding_t;
#define BH_FINDINGS 10

/* Name of the check that speaks against a server, with its NUL. Longer names are cut. */
#define BH_CHECK_NAME_SIZE 48

/* The CPU that a server uses is not announced. */
#define BH_CPU_UNKNOWN UINT32_MAX

/* What a server announces about itself. Copied as a whole under a row's sequence lock. */
typedef struct bh_facts {
    bh_address_t address;   /* where it takes requests */
    uint64_t boot_id;       /* random, one for each start of its httpd */
    uint64_t sequence;      /* of the last announcement; grows by one each */
    uint64_t total_memory;  /* bytes */
    uint64_t free_memory;   /* bytes available without swapping (MemAvailable) */
    uint64_t worker_memory; /* bytes, mean private memory of one worker; 0: not known */
    uint64_t arrivals;      /* requests since its httpd started */
    /* receiver's wall clock seconds when this was heard; on the wire the sender's when it was sent */
    int64_t changed_wall;
    /* milliseconds of its own clock, which has an arbitrary start, when this was sent; 0: not known */
    uint64_t sent_ms;
    /* receiver: what its own clock is ahead of that one, modulo 2^64, as it seems by the announcement that came soonest
     */
    uint64_t clock_ms;
    uint16_t port;  /* where it takes requests, 1...65535 */
    uint8_t proven; /* receiver: 1 if its boot id has answered a challenge under a key */
    uint8_t state;  /* bh_state_t, as announced */
    int32_t arriba; /* see serverstat; the same for all fields up to idle_workers */
    int32_t load;
    int32_t load_hwm;
    int32_t cpu;
    int32_t ncpu;
    int32_t workers; /* idle and busy */
    int32_t idle_workers;
    /* Means over the second before the announcement; all of them 0 if they were not announced. */
    uint64_t dispatched;     /* requests that its httpd has forwarded to others; may restart */
    uint32_t mean_in_flight; /* requests under way there, thousandths */
    uint32_t arrival_rate;   /* requests received, thousandths a second */
    uint32_t first_byte_us;  /* of the requests served there: until the first byte; 0: not known */
    uint32_t latency_us;     /* of the same requests: until the end */
    uint32_t cpu_used;       /* by its httpd, thousandths of a core; BH_CPU_UNKNOWN */
    uint32_t capacity;       /* arriba of all cores that it may use, in thousands; 0: not known */
    uint32_t error_ppm;      /* share of its own answers that were errors, millionths */
    /* how long all of its processes have been stopped, as by SIGSTOP; 0: one can work, or it is not announced */
    uint32_t stalled_ms;
    int32_t clock_s; /* receiver: seconds that its wall clock is ahead of the server's; 0: none, or not known */
    /* of its default server: 256 times AllowEncodedSlashes (1 Off, 2 On, 3 NoDecode), and MergeSlashes (1 Off, 2 On);
     * 0: not known */
    uint32_t slashes;
    /* bh_idle_t, of one connection that is kept; what follows is 0 if that is BH_IDLE_UNKNOWN */
    uint32_t idle_cost;
    uint32_t keepalive_ms;       /* how long it waits for the next request on a connection */
    uint32_t keepalive_requests; /* most requests on one connection; 0: no bound */
    int32_t kept_workers; /* of the workers that are not idle, those that wait for the next request on a connection */
    /* of its application: bh_finding_t, BH_CHECK_FAILING, and 65536 times the status that was not expected */
    uint32_t check;
    uint32_t counts_connections;         /* whether it announces the two numbers that follow; else they are 0 */
    uint32_t connections;                /* to its port, those that wait included */
    uint32_t listen_queue;               /* of them those that no process has accepted yet */
    char check_name[BH_CHECK_NAME_SIZE]; /* what the check that speaks against it asks for; empty: none does */
    char hostname[BH_HOSTNAME_SIZE];
} bh_facts_t;

/* bh_facts_t.check: enough checks in a row have failed, and the server is to get no requests while others work. */
#define BH_CHECK_FAILING 0x100u

/* Latency is kept by server and chain: slot 0 is for all chains without a separate one. They fill a cache line; a power
 * of two. */
#define BH_CHAINS 8

/* Kinds of answers, as far as a status shows something about a server. Append only. */
typedef enum bh_class {
    BH_CLASS_GOOD = 0,      /* 2xx */
    BH_CLASS_UNCHANGED = 1, /* 304 */
    BH_CLASS_ELSEWHERE = 2, /* other 3xx */
    BH_CLASS_WRONG = 3,     /* 4xx */
    BH_CLASS_FAILED = 4,    /* 5xx, half an answer, or none at all */
    BH_CLASSES = 5
} bh_class_t;

/* What a server's answers to the requests of one chain show about it, as far as the chain placed them freely. Sets have
 * a bit for each of 64 values of a hash: its bits show how many clients, or URLs, are in one. Those with two halves are
 * taken in turn, five seconds each, by row.generation. */
typedef struct bh_evidence {
    uint32_t answers[BH_CLASSES]; /* children: by bh_class_t; they wrap */
    uint32_t run;                 /* children: failures since the last answer that was not a failure */
    uint32_t streak;              /* children: good answers in a row while it is in doubt */
    /* moderator: between two requests that probe whether it has the right answers again; 0: not known */
    uint32_t gap_ms;
    uint64_t probe_ms;   /* children, moderator: when the next request may probe it */
    uint64_t clients[2]; /* children; the moderator empties a half: of all answers */
    uint64_t urls[2];
    uint64_t wrong_clients[2]; /* the same, of those that were BH_CLASS_WRONG */
    uint64_t wrong_urls[2];
    uint64_t failed_clients[2]; /* the same, BH_CLASS_FAILED */
    uint64_t failed_urls[2];
    uint64_t run_clients; /* children: of the failures of the run */
    uint64_t run_urls;
    uint8_t pad[40];
} bh_evidence_t;

/* One server's extended row. Each group has separate cache lines, so that its writers do not slow the readers of the
 * others. */
/* Whether the configuration names a row's server, as a member of a balancer. */
typedef enum bh_membership { BH_MEMBERSHIP_NONE, BH_MEMBERSHIP_NAMED, BH_MEMBERSHIP_RESERVED } bh_membership_t;

typedef struct bh_row {
    /* Scanned by every decision. */
    uint32_t lock;     /* sequence lock of facts and before: its lowest two bits are a bh_phase_t */
    uint32_t own;      /* moderator: 1: this httpd itself, as row 0 or as a virtual host with its own address */
    uint64_t heard_ms; /* moderator: last announcement; 0: the row is empty */
    /* moderator: first announcement since the row got this server; where heard_ms is 0: the last one; 0: none */
    uint64_t first_heard_ms;
    uint64_t backoff_until_ms; /* children: the server refused a connection, leave it out until then */
    uint32_t state;            /* moderator: bh_state_t that the server announced last */
    uint32_t ordered;          /* moderator: bh_state_t that an administrator ordered here, for this httpd alone */
    /* moderator: since when it has been up without a break; in a row without a server: when its last one left it */
    uint64_t came_ms;
    uint32_t sent_mean;          /* moderator: mean of in_flight over the last window, thousandths */
    uint32_t effective_capacity; /* moderator: capacity, by what its requests wait for; same unit; 0: not known */
    uint32_t doubts;             /* children, moderator: bits of bh_doubt_t, by chain slot: the server is tried last */
    /* moderator: mean time of the requests answered there in the last ten rounds or so; 0: none yet */
    uint32_t recent_us;
    /* Written once a second. */
    bh_facts_t facts;    /* moderator */
    uint64_t unknown_ms; /* children: since when, where row.doubts has BH_DOUBT_UNKNOWN */
    /* Feedback, written at every request. */
    uint32_t in_flight; /* children, the parent for dead ones: requests of this httpd at the server now */
    /* children: connections refused since the last one that worked, as far as back-off goes by them */
    uint32_t refused;
    uint64_t served;     /* children: requests answered there */
    uint64_t failed;     /* children: requests that it did not answer */
    uint64_t service_us; /* children: time that the served ones took, summed */
    /* moderator: four bits a chain slot: classes of answers that show how quick the server is */
    uint32_t counted;
    uint32_t generation; /* moderator: its lowest bit: the half of the evidence's sets that children fill */
    uint64_t first_byte; /* children: moving mean of the time until the first byte, see bh_mean_add */
    uint32_t kept; /* children, the parent for dead ones: connections to the server that are kept, idle or in use */
    /* moderator: most of them; BH_KEEP_ALL: no bound; BH_KEEP_ONE: one a child, for a second */
    uint32_t may_keep;
    /* children, the parent for dead ones: time of each end minus time of each begin, summed; with in_flight times now:
     * its integral */
    uint64_t in_flight_us;
    /* children, and the moderator after a shortage of workers: moving mean of the whole time, of requests whose chain
     * has no separate slot */
    uint64_t latency;
    uint64_t latency_of[BH_CHAINS - 1]; /* children: the same, by chain: requests of one chain cost little or much */
    /* Evidence against the server. */
    /* moderator, children to end a doubt: by chain slot, as moving means are: the share of failures, millionths; 0:
     * none */
    uint64_t failing[BH_CHAINS];
    bh_evidence_t evidence[BH_CHAINS];
    /* The facts once more, for readers that come while the others are written. */
    bh_facts_t before; /* moderator */
    /* parent: a bh_membership_t. A member keeps its row, although it may never announce anything: then heard_ms is 0,
     * and only decisions among members see it */
    uint32_t member;
    /* children, parent: of a row that the configuration has for members that come later: which member has it; 0: none
     */
    uint32_t claim;
} bh_row_t;

/* What the moderator is about to do with a row: one of the two copies of its facts is whole at any time, whatever
 * becomes of the moderator. */
typedef enum bh_phase {
    BH_PHASE_REST = 0,   /* both are whole, and the same */
    BH_PHASE_FACTS = 1,  /* facts are written, before is whole */
    BH_PHASE_BEFORE = 2, /* before is written, facts are whole */
    BH_PHASES = 4        /* the lock grows by this number with each write */
} bh_phase_t;

/* bh_row_t.may_keep. */
#define BH_KEEP_ALL UINT32_MAX
#define BH_KEEP_ONE (UINT32_MAX - 1)

/* Why a chain tries the server of a row last: the bit of row.doubts for slot 0. */
typedef enum bh_doubt {
    BH_DOUBT_FAILS = 0, /* beside BH_DOUBT_FAILING: it fails everything */
    /* it fails half of the requests, or more, of several clients for several URLs, and another server does not */
    BH_DOUBT_FAILING = 8,
    BH_DOUBT_WRONG = 16 /* many more of its answers are 4xx than of another server's */
} bh_doubt_t;
/* One more bit of row.doubts, for all chains: the server says that it does not know this httpd, since row.unknown_ms.
 */
#define BH_DOUBT_UNKNOWN (UINT32_C(1) << 24)

/* What is counted, by the moderator unless the line says children. Names in bh_counter_name(), meanings in
 * docs/serverstats.md. Append only. */
typedef enum bh_counter {
    BH_COUNT_RECEIVED = 0,        /* datagrams that arrived */
    BH_COUNT_ACCEPTED = 1,        /* announcements that reached a row */
    BH_COUNT_OWN = 2,             /* our own, heard back */
    BH_COUNT_NOT_ACCEPTED = 3,    /* sender outside AcceptStats */
    BH_COUNT_TRUNCATED = 4,       /* shorter than its header says, or than a header */
    BH_COUNT_OVERSIZED = 5,       /* longer than its header says, or than any announcement */
    BH_COUNT_FOREIGN = 6,         /* does not begin with the magic */
    BH_COUNT_VERSION = 7,         /* another version of the protocol */
    BH_COUNT_NONSENSE = 8,        /* well formed, but with impossible values */
    BH_COUNT_REPEATED = 9,        /* sequence not above the last one: duplicated, reordered, or by another network */
    BH_COUNT_TABLE_FULL = 10,     /* new server, no row left */
    BH_COUNT_ANNOUNCED = 11,      /* announcements sent */
    BH_COUNT_SEND_FAILED = 12,    /* announcements that the kernel refused */
    BH_COUNT_OWN_ADDRESS = 13,    /* another httpd announces our own address and port */
    BH_COUNT_FORBIDDEN = 14,      /* announces an address that no other machine can be reached at */
    BH_COUNT_OUTSIDE = 15,        /* announces an address outside AcceptStats */
    BH_COUNT_OTHERS_ADDRESS = 16, /* without a key: announces another address than its own */
    BH_COUNT_CROWD = 17,          /* too many new servers from one sender */
    BH_COUNT_UNSIGNED = 18,       /* with a key: no signature */
    BH_COUNT_BAD_SIGNATURE = 19,  /* with a key: a signature by none of our keys */
    BH_COUNT_CHALLENGED = 20,     /* with a key: challenges sent to servers not known yet */
    BH_COUNT_ANSWERED = 21,       /* with a key: challenges of others answered */
    BH_COUNT_BAD_ANSWER = 22,     /* with a key: answers to no challenge of ours, or too late */
    BH_COUNT_EXPIRED = 23,        /* rows emptied because their server was silent for BackhandExpire */
    /* with a key: neither challenged nor answered, because a possible recording has used its share */
    BH_COUNT_UNCHALLENGED = 24,
    BH_COUNT_UNCHECKED = 25,  /* with a key: signatures not checked: too many, and too many of this sender */
    BH_COUNT_OVERFLOWED = 26, /* datagrams that the kernel dropped for want of room in the socket's buffer */
    BH_COUNT_FILTERED = 27,   /* datagrams that the kernel dropped by our socket filter, during a flood */
    /* children, moderator: descriptors in the pool of all children that are not connections to the server they were put
     * there for */
    BH_COUNT_NOT_CONNECTIONS = 28,
    BH_COUNT_REFUSED_COOKIES = 29, /* children: cookies of AthCookie that are not accepted */
    BH_COUNTERS = 30
} bh_counter_t;
#define BH_COUNTERS_ROOM 32

/* The requests that one child has in flight. Subtracted from the rows' sums when the child is gone. */
typedef struct bh_child {
    int32_t pid; /* its child: claimed in child_init; 0: free */
    uint32_t in_flight[BH_ROWS];
    uint32_t kept[BH_ROWS]; /* its part of the rows' sums of that name */
    uint8_t pad[60];
} bh_child_t;

/* Addresses of one server beside its row's: as many as fill a cache line. A server with more networks than five is
 * known by the others. */
#define BH_OTHER_ADDRESSES 4
typedef struct bh_others {
    bh_address_t addresses[BH_OTHER_ADDRESSES]; /* moderator: zero: none */
} bh_others_t;

/* Connections to one server that wait in the pool of all children for the next request. */
typedef struct bh_shared {
    /* children; the moderator counts again each second: how many. Below 0 for a moment: none */
    int32_t waiting;
    uint32_t most;      /* moderator: this many may wait, */
    uint32_t most_kept; /* or this many may be kept, in use or waiting */
    uint8_t pad[52];
} bh_shared_t;

/* Where they wait: the rows are distributed among this many queues, each of which is two descriptors in every process.
 * Where a cluster has more servers than that, those that share a queue look past each other's. A power of two. */
#define BH_POOLS 16
typedef struct bh_pool {
    uint32_t moves; /* children: how often one has begun to take or to put; it wraps */
    uint8_t pad[60];
} bh_pool_t;

/* Addresses of all servers, in known.h's hash table. Twice as many slots as all rows can have addresses with four each;
 * of rows with five in a full table, the last ones may have no place. */
#define BH_KNOWN_SLOTS 16384
typedef struct bh_known {
    uint32_t mask; /* moderator: slots in use less one */
    uint8_t pad[60];
    bh_address_t slots[BH_KNOWN_SLOTS]; /* moderator: zero: free */
} bh_known_t;

/* Senders that were heard lately and are not in the table: this many are shown. A word of eight cache lines is less
 * than a page has room for. */
#define BH_SENDERS 8
typedef struct bh_sender {
    bh_address_t address;
    uint64_t heard_ms; /* moderator: the last time; 0: none is here */
    uint32_t counter;  /* moderator: bh_counter_t: why it is not */
    uint32_t times;    /* moderator: datagrams */
} bh_sender_t;

/* What several announcements of a server say about its workers, because one alone is a moment. */
typedef struct bh_spare {
    /* moderator: since when each announcement has had few idle workers, see bh_workers_reserve(); 0: the last one has
     * more */
    uint64_t short_ms;
    /* moderator: idle ones: the least of the last two announcements and the mean of the last few */
    uint32_t workers;
    /* moderator: of a member that announces nothing: one more than the row of the server that announces itself at the
     * same address, whose facts about their machine the row has; then row.first_heard_ms says when they came. 0: none
     */
    uint32_t lender;
} bh_spare_t;

/* ---- Farms: what is ordered and pushed for their members. states.h says how it is read and written. ---- */

/* Most farms, and most members of one farm that are listed. */
#define BH_FARMS 256
#define BH_FARM_MEMBERS 64
/* Name of a farm with its NUL, and a member as its AthMember line writes it. Longer members are cut. */
#define BH_FARM_NAME_SIZE 256
#define BH_MEMBER_TEXT_SIZE 56
/* Statistics of one server that have names, and such a name with its NUL. */
#define BH_STATISTICS 16
#define BH_STATISTIC_NAME_SIZE 64

/* Words of two kinds, each written at once, so that no writer needs a lock and none can die while it has one. A stamp
 * is four times the time of a change, CLOCK_MONOTONIC milliseconds, and bit 1 if another balancer has told it; 0:
 * never. A switch is a stamp with bit 0: off, or down. */

/* A named statistic. hash is written first, then name, thousandths, stamp. */
typedef struct bh_statistic {
    uint64_t hash;  /* children, moderator: of its name; 0: free */
    uint64_t stamp; /* children, moderator: a stamp; 0: it has no value yet */
    int64_t thousandths;
    char name[BH_STATISTIC_NAME_SIZE];
} bh_statistic_t;

/* What is ordered and pushed for the server of the row with the same number. A page is touched only where there is
 * any, or where a farm has the server. */
typedef struct bh_member_state {
    uint64_t off;        /* children, moderator: a switch: the administrator's */
    uint64_t down;       /* children, moderator: a switch: health, by hand or by an update */
    uint64_t updated;    /* children, moderator: stamp of the last update */
    uint64_t since_ms;   /* parent: since when a farm has named it; 0: none does */
    uint64_t load_stamp; /* children, moderator: stamp of load, which is written before it */
    uint64_t load;       /* thousandths */
    uint64_t idle_stamp; /* children, moderator: stamp of idle, likewise */
    uint64_t idle;       /* idle part of the processors, thousandths */
    /* children: answers of the oracle that count as requests in flight: above, thousandths of one; below, the lower
     * half of the milliseconds at which that was counted */
    uint64_t answers;
    uint32_t fresh_ms; /* parent: for how long what is pushed counts; 0: BH_FRESH_MS */
    uint8_t pad[52];
    bh_statistic_t statistics[BH_STATISTICS];
} bh_member_state_t;

/* For how long what is pushed counts where no AthExpectUpdate says it. */
#define BH_FRESH_MS 60000

/* A member in the list of a farm. */
typedef struct bh_farm_member {
    uint32_t row;    /* parent, children for members that join: 0: none */
    uint32_t weight; /* hundredths */
    char text[BH_MEMBER_TEXT_SIZE];
} bh_farm_member_t;

/* A farm. */
typedef struct bh_farm {
    uint64_t off;      /* children, moderator: a switch */
    uint64_t updated;  /* children, moderator: stamp of the last update */
    uint64_t since_ms; /* parent: since when the configuration names it; 0: it does not */
    uint32_t expect_s; /* parent: AthExpectUpdate; 0: none */
    uint32_t members;  /* parent, children: entries of list in use */
    uint8_t pad[32];
    char name[BH_FARM_NAME_SIZE]; /* parent; before since_ms */
    bh_farm_member_t list[BH_FARM_MEMBERS];
} bh_farm_t;

/* Bits of bh_segment_t.states: what decisions must look at. They are set with the first such word and stay. */
typedef enum bh_states { BH_STATES_ORDERED = 1, BH_STATES_PUSHED = 2, BH_STATES_ANSWERED = 4 } bh_states_t;

/* Which process sees to it that the others learn of the end of this httpd. Parent and moderator take turns by
 * bh_farewell_set: of the two, the one that comes second knows what the first has done. */
typedef enum bh_farewell {
    BH_FAREWELL_OPEN = 0,  /* parent, before it forks the moderator: no reason yet */
    BH_FAREWELL_ASKED = 1, /* parent: the moderator is to end, and to announce it if httpd stops */
    BH_FAREWELL_LEFT = 2,  /* moderator: it ends, because another process told it to, and has announced nothing */
    BH_FAREWELL_SAID = 3   /* moderator: it ends, and sees to it */
} bh_farewell_t;

/* The segment: this header, then the rows, then child_slots entries of bh_child_t. */
typedef struct bh_segment {
    uint64_t magic;  /* BH_SEGMENT_MAGIC */
    uint64_t layout; /* BH_SEGMENT_LAYOUT of the build that made it */
    uint64_t size;   /* bytes, with the children */
    uint32_t child_slots;
    uint32_t rows;        /* moderator: rows 0...rows-1 are or were in use */
    uint32_t owner_epoch; /* grows with each moderator; only the one that has it writes */
    int32_t owner_pid;    /* that moderator; 0: none yet */
    uint64_t beat_ms;     /* moderator: its last round */
    uint64_t boot_id;     /* ours, made with the segment */
    uint64_t sequence;    /* moderator: our last announcement's */
    int32_t arriba;       /* moderator: speed of this machine; 0: not measured yet */
    uint32_t unattended;  /* parent: 1 if no moderator writes and none will: send nothing on; 2: none is configured,
                           * and members of balancers alone get requests */
    uint32_t children;    /* children: slots 0...children-1 are or were claimed */
    /* moderator: bh_state_t that an administrator ordered for this httpd: announced to all */
    uint32_t state;
    /* children: 1 from one that ends without a restart; moderator: 0, if httpd did not stop */
    uint32_t stopping;
    /* moderator: how many balancers there are, in units of this one: requests that the servers got from all, for each
     * thousand of ours; 0: not known */
    uint32_t balancers;
    uint64_t late_told_ms; /* children: when the next line about a late moderator may be written */
    /* moderator: announcements are being lost: ages of rows count to this time; 0: none are */
    uint64_t deaf_ms;
    uint64_t announced_ms; /* moderator: when it last announced anything; 0: never */
    /* moderator: requests that clients send here, over this httpd's share of all by capacity, thousandths; 0: not known
     */
    uint32_t demand;
    /* moderator: bh_state_t that BackhandDrainFile asks for: draining while the file is there */
    uint32_t drain_file;
    uint32_t states;    /* children, moderator: bits of bh_states_t; 0: nothing was ever ordered or pushed */
    uint32_t farms;     /* parent: farms 0...farms-1 are or were in use */
    uint64_t arrivals;  /* children: requests that this httpd has received */
    uint64_t forwarded; /* children: of these, those that another server has sent on */
    /* a random number, made with the segment: what brings it is a check by this httpd's moderator */
    uint64_t check_high;
    uint64_t check_low;
    uint32_t farewell; /* parent, moderator: bh_farewell_t, about the moderator that was forked last */
    uint8_t pad1[28];
    uint64_t counters[BH_COUNTERS_ROOM]; /* moderator; children: BH_COUNT_NOT_CONNECTIONS and later ones */
    bh_sender_t senders[BH_SENDERS];     /* moderator, once a second */
    serverstat public_rows[BH_ROWS];     /* moderator, and candidacy functions */
    uint8_t pad2[64];
    /* on cache lines: asserted below, Swift sees no type with an aligned attribute */
    bh_row_t rows_extended[BH_ROWS];
    bh_others_t others[BH_ROWS]; /* moderator: of the rows with the same number */
    bh_spare_t spare[BH_ROWS];   /* moderator: of the rows with the same number */
    bh_shared_t shared[BH_ROWS]; /* the same */
    bh_pool_t pools[BH_POOLS];
    uint32_t known_turn; /* moderator: known[known_turn & 1] is read */
    /* moderator, parent: grows when a row gets or loses a server that announces itself, and when that gets another
     * address, port or name; it wraps */
    uint32_t membership;
    uint8_t pad3[56];
    bh_known_t known[2];
    bh_member_state_t member_states[BH_ROWS];
    bh_farm_t farm_table[BH_FARMS];
} bh_segment_t;

#define BH_SEGMENT_MAGIC UINT64_C(0x6261636b68616e64) /* "backhand" */

/* Two builds that disagree on any of these may not share a segment. Mixing: FNV-1a's prime, one field a step. */
#define BH_MIX(hash, value) (((hash) ^ (uint64_t)(value)) * UINT64_C(0x100000001b3))
#define BH_SEGMENT_LAYOUT                                                                                              \
    BH_MIX(BH_MIX(BH_MIX(BH_MIX(BH_MIX(BH_MIX(BH_MIX(BH_MIX(UINT64_C(0xcbf29ce484222325) + 21 /* revision */,          \
                                                            sizeof(bh_segment_t)),                                     \
                                                     sizeof(bh_row_t)),                                                \
                                              sizeof(bh_facts_t)),                                                     \
                                       sizeof(serverstat)),                                                            \
                                sizeof(bh_child_t)),                                                                   \
                         offsetof(bh_segment_t, public_rows)),                                                         \
                  offsetof(bh_facts_t, hostname)),                                                                     \
           offsetof(bh_row_t, in_flight))

#ifdef __cplusplus
#define BH_ASSERT(condition, text) static_assert(condition, text)
#else
#define BH_ASSERT(condition, text) _Static_assert(condition, text)
#endif
BH_ASSERT(sizeof(bh_facts_t) == 312 && sizeof(bh_facts_t) % 8 == 0,
          "docs/serverstats.md draws bh_facts_t; it is copied by words");
BH_ASSERT(offsetof(bh_row_t, facts) == 64, "a row's scanned words fill one cache line");
BH_ASSERT(sizeof(bh_evidence_t) == 192, "the evidence of a chain has separate cache lines");
BH_ASSERT(offsetof(bh_row_t, state) % 8 == 0 && offsetof(bh_row_t, ordered) == offsetof(bh_row_t, state) + 4,
          "bh_row_is_plain() loads both at once");
BH_ASSERT(offsetof(bh_row_t, before) == 2112 && sizeof(bh_row_t) == 2432 && offsetof(bh_row_t, in_flight) == 384
              && offsetof(bh_row_t, latency) == 448 && offsetof(bh_row_t, failing) == 512
              && offsetof(bh_row_t, evidence) == 576,
          "feedback has separate cache lines");
BH_ASSERT(offsetof(bh_row_t, latency_of) == offsetof(bh_row_t, latency) + 8,
          "bh_row_latency() takes them as one array");
BH_ASSERT(sizeof(bh_sender_t) * BH_SENDERS % 64 == 0, "what follows begins on a cache line");
BH_ASSERT(sizeof(bh_child_t) % 64 == 0, "a child's counts begin on a cache line");
BH_ASSERT(offsetof(bh_segment_t, arrivals) % 64 == 0, "arrivals have a separate cache line");
BH_ASSERT(offsetof(bh_segment_t, rows_extended) % 64 == 0, "each group of a row has separate cache lines");
BH_ASSERT(sizeof(bh_segment_t) % 64 == 0, "the children's counts begin on a cache line");
BH_ASSERT(offsetof(bh_segment_t, others) % 64 == 0 && offsetof(bh_segment_t, known_turn) % 64 == 0
              && sizeof(bh_others_t) == 64,
          "a server's other addresses fill a cache line");
BH_ASSERT(offsetof(bh_segment_t, shared) % 64 == 0 && sizeof(bh_shared_t) == 64 && sizeof(bh_pool_t) == 64,
          "counts of different servers do not slow each other");
BH_ASSERT(BH_KNOWN_SLOTS == 8 * BH_ROWS && (BH_KNOWN_SLOTS & (BH_KNOWN_SLOTS - 1)) == 0,
          "half full where each row has four addresses");
BH_ASSERT(sizeof(bh_statistic_t) == 88 && sizeof(bh_member_state_t) == 1536 && sizeof(bh_farm_t) == 4416
              && offsetof(bh_segment_t, member_states) % 64 == 0 && offsetof(bh_segment_t, farm_table) % 64 == 0,
          "docs/serverstats.md draws them; those of different servers do not slow each other");
BH_ASSERT(sizeof(ServerSlot) == 16, "lists of candidates are sized by this");

/* ---- Making and recognising a segment: expressions that Swift cannot see ---- */

static inline uint64_t bh_segment_magic(void) { return BH_SEGMENT_MAGIC; }
static inline uint64_t bh_segment_layout(void) { return BH_SEGMENT_LAYOUT; }
static inline size_t bh_segment_bytes(uint32_t child_slots) {
    return sizeof(bh_segment_t) + (size_t)child_slots * sizeof(bh_child_t);
}

/* ---- Reading: any process ---- */

static inline uint64_t bh_word_load(const uint64_t *_Nonnull word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static inline uint32_t bh_half_load(const uint32_t *_Nonnull word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static inline int32_t bh_signed_load(const int32_t *_Nonnull word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }

/* How many rows to look at: ids 0...result-1, never more than BH_ROWS. */
static inline uint32_t bh_segment_rows(const bh_segment_t *_Nonnull segment) {
    uint32_t rows = __atomic_load_n(&segment->rows, __ATOMIC_ACQUIRE);
    return rows <= BH_ROWS ? rows : BH_ROWS;
}

/* The row of an id below BH_ROWS. */
static inline const bh_row_t *_Nonnull bh_segment_row(const bh_segment_t *_Nonnull segment, uint32_t id) {
    return &segment->rows_extended[id];
}

static inline bh_shared_t *_Nonnull bh_segment_shared(bh_segment_t *_Nonnull segment, uint32_t id) {
    return &segment->shared[id];
}

/* Connections to the row's server that wait in the pool of all children. */
static inline uint32_t bh_shared_waiting(bh_segment_t *_Nonnull segment, uint32_t id) {
    int32_t waiting = __atomic_load_n(&segment->shared[id].waiting, __ATOMIC_RELAXED);
    return waiting > 0 ? (uint32_t)waiting : 0;
}

static inline bh_row_t *_Nonnull bh_segment_row_mutable(bh_segment_t *_Nonnull segment, uint32_t id) {
    return &segment->rows_extended[id];
}

static inline const serverstat *_Nonnull bh_segment_public(const bh_segment_t *_Nonnull segment, uint32_t id) {
    return &segment->public_rows[id];
}

/* One number of a public row: another process may be writing it. */
static inline int bh_public_load(const int *_Nonnull field) { return __atomic_load_n(field, __ATOMIC_RELAXED); }

/* When the server was last heard; 0: the row is empty. */
static inline uint64_t bh_row_heard(const bh_row_t *_Nonnull row) {
    return __atomic_load_n(&row->heard_ms, __ATOMIC_ACQUIRE);
}

/* When a server that has a row was last heard, also where the row counts as empty by now; 0: never. */
static inline uint64_t bh_row_last_heard(const bh_row_t *_Nonnull row) {
    uint64_t heard = bh_row_heard(row);
    return heard ? heard : bh_word_load(&row->first_heard_ms);
}

static inline uint64_t bh_row_backoff(const bh_row_t *_Nonnull row) { return bh_word_load(&row->backoff_until_ms); }

/* Whether the row's server takes new requests: the more restrictive of what it says and what is ordered here. */
static inline uint32_t bh_row_state(const bh_row_t *_Nonnull row) {
    uint32_t announced = bh_half_load(&row->state), ordered = bh_half_load(&row->ordered);
    return announced > ordered ? announced : ordered;
}

/* Whether the server or an administrator here says that it must get none, not even as the last resort. */
static inline bool bh_row_closed(const bh_row_t *_Nonnull row) {
    return bh_half_load(&row->state) == BH_STATE_MAINTENANCE || bh_half_load(&row->ordered) == BH_STATE_MAINTENANCE;
}

/* Whether nothing speaks against the row's server, so that a decision need not look further. So are most. */
__attribute__((always_inline)) static inline bool bh_row_is_plain(const bh_row_t *_Nonnull row) {
    /* state and ordered are beside each other: one load of both. */
    typedef uint64_t __attribute__((may_alias)) both_t;
    const both_t *states = (const both_t *)(const void *)&row->state;
    return !(__atomic_load_n(states, __ATOMIC_RELAXED) | bh_half_load(&row->own)
             | (bh_half_load(&row->doubts) & BH_DOUBT_UNKNOWN) | bh_word_load(&row->backoff_until_ms));
}

/* Bits of bh_doubt_t for all chains. */
static inline uint32_t bh_row_all_doubts(const bh_row_t *_Nonnull row) { return bh_half_load(&row->doubts); }
/* Microseconds that a request of ours took there lately; before the moderator has seen any, since the row got its
 * server. 0: none. */
static inline uint64_t bh_row_mean_us(const bh_row_t *_Nonnull row) {
    uint64_t recent = bh_half_load(&row->recent_us), served = bh_word_load(&row->served);
    return recent ? recent : served ? bh_word_load(&row->service_us) / served : 0;
}

static inline uint64_t bh_row_came(const bh_row_t *_Nonnull row) { return bh_word_load(&row->came_ms); }

/* Milliseconds until a server that has come gets its whole share, where BackhandSlowStart does not say otherwise. */
#define BH_SLOW_START_MS 10000

/* Milliseconds for which the row's server has taken requests, up to that. */
static inline uint64_t bh_row_presence(const bh_row_t *_Nonnull row, uint64_t now_ms) {
    uint64_t came = bh_row_came(row), time = came < now_ms ? now_ms - came : 0;
    return time < BH_SLOW_START_MS ? time : BH_SLOW_START_MS;
}

/* The longest of all servers that take requests: a server that came with it shares as its equal. */
static inline uint64_t bh_segment_presence(const bh_segment_t *_Nonnull segment, uint32_t rows, uint64_t now_ms) {
    uint64_t longest = 0;
    for (uint32_t id = 0; id < rows; id++) {
        const bh_row_t *row = bh_segment_row(segment, id);
        uint64_t time = bh_row_heard(row) && bh_row_state(row) == BH_STATE_UP ? bh_row_presence(row, now_ms) : 0;
        if (time > longest) longest = time;
    }
    return longest;
}

/* Milliseconds after which a moderator without a round is late: it has one a second. Then ages count to its last round,
 * so that a table does not age because no process reads the announcements. */
#define BH_BEAT_LATE_MS 3000

/* Whether no moderator will run, because only members of balancers get requests. */
static inline bool bh_segment_is_alone(const bh_segment_t *_Nonnull segment) {
    return bh_half_load(&segment->unattended) == 2;
}

/* Whether the moderator has been late for long enough that ages stop. Where there is to be none, it is not late. */
static inline bool bh_segment_is_late(const bh_segment_t *_Nonnull segment, uint64_t now_ms) {
    uint64_t beat = bh_segment_is_alone(segment) ? 0 : bh_word_load(&segment->beat_ms);
    return beat && now_ms > beat && now_ms - beat > BH_BEAT_LATE_MS;
}

/* The time to which ages of rows count: none grows older while the moderator is late, or while announcements are lost
 * on their way to it. */
static inline uint64_t bh_segment_age_clock(const bh_segment_t *_Nonnull segment, uint64_t now_ms) {
    uint64_t deaf = bh_word_load(&segment->deaf_ms);
    uint64_t clock = bh_segment_is_late(segment, now_ms) ? bh_word_load(&segment->beat_ms) : now_ms;
    return deaf && deaf < clock ? deaf : clock;
}

typedef uint64_t __attribute__((may_alias)) bh_facts_word_t;

/* By fours, because each request copies the facts of its server. */
static inline void bh_facts_words(const uint64_t *_Nonnull from, bh_facts_word_t *_Nonnull to) {
    size_t count = sizeof(bh_facts_t) / 8, i = 0;
    for (; i + 4 <= count; i += 4) {
        to[i] = bh_word_load(&from[i]);
        to[i + 1] = bh_word_load(&from[i + 1]);
        to[i + 2] = bh_word_load(&from[i + 2]);
        to[i + 3] = bh_word_load(&from[i + 3]);
    }
    for (; i < count; i++) to[i] = bh_word_load(&from[i]);
}

/* The copy of the facts that is whole while the lock has this value. */
static inline const bh_facts_t *_Nonnull bh_row_whole(const bh_row_t *_Nonnull row, uint32_t lock) {
    return lock % BH_PHASES == BH_PHASE_FACTS ? &row->before : &row->facts;
}

/* Copies a consistent state of the row, also while the moderator writes it, is stopped or has died there. False only if
 * the moderator has begun another phase during each of BH_ROW_TRIES copies: skip the row then, and what was copied. */
static inline bool bh_row_copy(const bh_row_t *_Nonnull row, bh_facts_t *_Nonnull facts) {
    for (int try = 0; try < BH_ROW_TRIES; try++) {
        uint32_t lock = __atomic_load_n(&row->lock, __ATOMIC_ACQUIRE);
        bh_facts_words((const uint64_t *)(const void *)bh_row_whole(row, lock), (bh_facts_word_t *)(void *)facts);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&row->lock, __ATOMIC_RELAXED) == lock) {
            facts->hostname[BH_HOSTNAME_SIZE - 1] = '\0';
            facts->check_name[BH_CHECK_NAME_SIZE - 1] = '\0';
            return true;
        }
    }
    return false;
}

/* The server's address alone; false as above. */
static inline bool bh_row_address(const bh_row_t *_Nonnull row, bh_address_t *_Nonnull address) {
    for (int try = 0; try < BH_ROW_TRIES; try++) {
        uint32_t lock = __atomic_load_n(&row->lock, __ATOMIC_ACQUIRE);
        const bh_facts_t *facts = bh_row_whole(row, lock);
        address->high = bh_word_load(&facts->address.high);
        address->low = bh_word_load(&facts->address.low);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&row->lock, __ATOMIC_RELAXED) == lock) return true;
    }
    return false;
}

/* Whether the row's server is at this address and port; port -1: any. While the row gets another server this may be
 * neither. */
static inline bool bh_row_is_at(const bh_row_t *_Nonnull row, uint64_t high, uint64_t low, int32_t port) {
    const bh_facts_t *facts = &row->facts;
    return bh_word_load(&facts->address.low) == low && bh_word_load(&facts->address.high) == high
           && (port == -1 || __atomic_load_n(&facts->port, __ATOMIC_RELAXED) == port);
}

/* Idle workers that a server of this many is to keep: with fewer, one more request that waits for it may fill it. Less
 * than MinSpareServers, 5, which a prefork server keeps, however many of its children are busy. */
static inline int32_t bh_workers_reserve(int32_t workers) {
    return workers >= 32 ? 4 : workers >= 16 ? workers / 8 : 1;
}

/* Since when the server of a row has said that it has few idle workers, and how many it has by its last two
 * announcements. */
static inline uint64_t bh_segment_short(const bh_segment_t *_Nonnull segment, uint32_t id) {
    return bh_word_load(&segment->spare[id].short_ms);
}
static inline uint32_t bh_segment_spare(const bh_segment_t *_Nonnull segment, uint32_t id) {
    return bh_half_load(&segment->spare[id].workers);
}

/* What it was when a list of servers that announce themselves was made: that list is still right if it is the same. */
static inline uint32_t bh_segment_membership(const bh_segment_t *_Nonnull segment) {
    return __atomic_load_n(&segment->membership, __ATOMIC_ACQUIRE);
}

/* Of the row of a member that announces nothing: one more than the row from which its facts come; 0: it has none. */
static inline uint32_t bh_segment_lender(const bh_segment_t *_Nonnull segment, uint32_t id) {
    return bh_half_load(&segment->spare[id].lender);
}

/* Whether the configuration names the row's server. */
static inline bool bh_row_is_member(const bh_row_t *_Nonnull row) {
    return bh_half_load(&row->member) != BH_MEMBERSHIP_NONE;
}
/* Whether there is a server in the row, which has announced itself or is a member. */
static inline bool bh_row_is_used(const bh_row_t *_Nonnull row) {
    if (bh_row_heard(row)) return true;
    uint32_t member = bh_half_load(&row->member);
    return member == BH_MEMBERSHIP_NAMED || (member == BH_MEMBERSHIP_RESERVED && bh_half_load(&row->claim));
}
/* Whether the row is this httpd itself. */
static inline bool bh_row_own(const bh_row_t *_Nonnull row) { return bh_half_load(&row->own) != 0; }

/* What the server of the row has announced last of its own checks: bh_facts_t.check. */
static inline uint32_t bh_row_check(const bh_row_t *_Nonnull row) { return bh_half_load(&row->facts.check); }
/* Whether they speak against it. */
static inline bool bh_row_fails_check(const bh_row_t *_Nonnull row) {
    return (bh_row_check(row) & BH_CHECK_FAILING) != 0;
}
/* Whether the last one got no answer in time. */
static inline bool bh_row_check_is_late(const bh_row_t *_Nonnull row) {
    return (bh_row_check(row) & 0xff) == BH_FINDING_TIMEOUT;
}
/* Share of its own answers that were errors, by its last announcement, millionths. */
static inline uint32_t bh_row_errors(const bh_row_t *_Nonnull row) { return bh_half_load(&row->facts.error_ppm); }

/* Whether a decision made at that time still holds for a server that it left: the row has the same server, and it takes
 * requests. As the last resort a server that is draining or shutting down was accepted, and still is. Looked at before
 * each candidate is asked, so it reads row words only. */
static inline bool bh_row_holds(const bh_row_t *_Nonnull row, uint64_t decided_ms, bool last_resort) {
    if (bh_row_own(row)) return !bh_row_closed(row);
    uint64_t heard = bh_row_heard(row);
    if (heard ? bh_word_load(&row->first_heard_ms) > decided_ms : !bh_row_is_member(row)) return false;
    return last_resort ? !bh_row_closed(row) : bh_row_state(row) == BH_STATE_UP;
}

/* How a server that is silent on a request seems to be. */
typedef enum bh_life {
    BH_LIFE_SHOWN = 0,  /* it announces itself, or nothing is known of it */
    BH_LIFE_ENDING = 1, /* it has announced that it leaves, or has been restarted: requests under way may still end */
    BH_LIFE_NONE = 2    /* no announcement, or one that says that none of its processes can work */
} bh_life_t;

/* Milliseconds: six announcements in a row, which no network loses by chance; and three that say the same. */
#define BH_LIFE_SILENT_MS 6000
#define BH_LIFE_STALLED_MS 3000

/* The same for the server that was tried, by the present table. */
static inline bh_life_t bh_row_life(const bh_segment_t *_Nonnull segment, uint32_t id, const bh_facts_t *_Nonnull asked,
                                    uint64_t now_ms) {
    const bh_row_t *row = bh_segment_row(segment, id);
    bh_facts_t facts;
    uint64_t heard = bh_row_heard(row);
    /* Not heard at all: the row is hidden, as rows are until a server has proven that it has the key. */
    if (bh_row_own(row) || !heard || !bh_row_copy(row, &facts)) return BH_LIFE_SHOWN;
    /* Another boot id may be another build's after a graceful restart, which finishes requests under way; or the row
     * has another server. */
    if (facts.boot_id != asked->boot_id) return BH_LIFE_ENDING;
    if (bh_segment_age_clock(segment, now_ms) > heard + BH_LIFE_SILENT_MS)
        return bh_half_load(&row->state) == BH_STATE_SHUTDOWN ? BH_LIFE_ENDING : BH_LIFE_NONE;
    return facts.stalled_ms >= BH_LIFE_STALLED_MS ? BH_LIFE_NONE : BH_LIFE_SHOWN;
}

static inline bool bh_row_is_own(const bh_row_t *_Nonnull row, const bh_address_t *_Nonnull address, uint16_t port) {
    bh_facts_t facts;
    return bh_row_own(row) && bh_row_heard(row) && bh_row_copy(row, &facts) && facts.port == port
           && bh_address_equals(facts.address, *address);
}

/* The row that is this httpd itself at an address and port; 0 if there is none (yet). hint: where it was the last time.
 */
static inline uint32_t bh_segment_own_row(const bh_segment_t *_Nonnull segment, const bh_address_t *_Nonnull address,
                                          uint16_t port, uint32_t hint) {
    uint32_t rows = bh_segment_rows(segment);
    if (hint < rows && bh_row_is_own(bh_segment_row(segment, hint), address, port)) return hint;
    for (uint32_t id = 0; id < rows; id++)
        if (bh_row_is_own(bh_segment_row(segment, id), address, port)) return id;
    return 0;
}

static inline const char *_Nonnull bh_facts_hostname(const bh_facts_t *_Nonnull facts) { return facts->hostname; }
static inline const char *_Nonnull bh_facts_check_name(const bh_facts_t *_Nonnull facts) { return facts->check_name; }
/* The same of a row, for the process that writes it. */
static inline const char *_Nonnull bh_row_check_name(const bh_row_t *_Nonnull row) { return row->facts.check_name; }
static inline char *_Nonnull bh_facts_hostname_mutable(bh_facts_t *_Nonnull facts) { return facts->hostname; }

/* Speed of this machine; 0: not measured yet. */
static inline int32_t bh_segment_arriba(const bh_segment_t *_Nonnull segment) {
    return __atomic_load_n(&segment->arriba, __ATOMIC_RELAXED);
}

/* Whether no moderator keeps the table up to date, and none will before the next restart. */
static inline bool bh_segment_unattended(const bh_segment_t *_Nonnull segment) {
    return __atomic_load_n(&segment->unattended, __ATOMIC_RELAXED) != 0;
}

/* Why the table is not up to date. Append only. */
typedef enum bh_trouble {
    BH_TROUBLE_NONE = 0,
    BH_TROUBLE_UNATTENDED = 1, /* there is no moderator, and none will be before something changes */
    BH_TROUBLE_BEGINNING = 2,  /* none has begun yet */
    BH_TROUBLE_LATE = 3,       /* it has no rounds any more: it is stopped, or hangs */
    BH_TROUBLE_MUTE = 4        /* it works, but announces nothing and hears no server */
} bh_trouble_t;

/* Whether announcements are sent, or others' heard. */
static inline bool bh_segment_is_connected(const bh_segment_t *_Nonnull segment, uint64_t now_ms) {
    uint64_t announced = bh_word_load(&segment->announced_ms);
    bool is = announced && now_ms <= announced + BH_BEAT_LATE_MS;
    for (uint32_t id = 1, rows = bh_segment_rows(segment); !is && id < rows; id++) {
        uint64_t heard = bh_row_own(bh_segment_row(segment, id)) ? 0 : bh_row_heard(bh_segment_row(segment, id));
        is = heard && now_ms <= heard + (uint64_t)SERVER_TIMEOUT * 1000;
    }
    return is;
}

/* Whether nothing was ever announced, and there are members: they get requests by what this httpd sees of them. */
static inline bool bh_segment_needs_no_others(const bh_segment_t *_Nonnull segment) {
    if (bh_word_load(&segment->announced_ms)) return false;
    for (uint32_t id = 1, rows = bh_segment_rows(segment); id < rows; id++) {
        const bh_row_t *row = bh_segment_row(segment, id);
        if (bh_row_is_used(row) && bh_row_is_member(row)) return true;
    }
    return false;
}

static inline bh_trouble_t bh_segment_trouble(const bh_segment_t *_Nonnull segment, uint64_t now_ms) {
    uint32_t unattended = __atomic_load_n(&segment->unattended, __ATOMIC_RELAXED);
    if (unattended) return unattended == 2 ? BH_TROUBLE_NONE : BH_TROUBLE_UNATTENDED;
    if (!bh_word_load(&segment->beat_ms)) return BH_TROUBLE_BEGINNING;
    if (bh_segment_is_late(segment, now_ms)) return BH_TROUBLE_LATE;
    bool needs = !bh_segment_is_connected(segment, now_ms) && !bh_segment_needs_no_others(segment);
    return needs ? BH_TROUBLE_MUTE : BH_TROUBLE_NONE;
}

/* The text for the status page, its JSON and backhandctl. */
static inline const char *_Nonnull bh_trouble_text(bh_trouble_t trouble) {
    switch (trouble) {
    case BH_TROUBLE_NONE: return "";
    case BH_TROUBLE_UNATTENDED:
        return "there is no moderator: it cannot start, and the error log says why (BH0201 to BH0208)";
    case BH_TROUBLE_BEGINNING: return "the moderator has not begun yet";
    case BH_TROUBLE_LATE: return "the moderator does not work: its last round is more than 3 s ago";
    case BH_TROUBLE_MUTE:
        return "nothing is announced and no server is heard: there is no MulticastStats line, or its network is away "
               "(BH0335)";
    }
    return "";
}

/* One place of those that are shown. */
static inline bool bh_segment_sender(const bh_segment_t *_Nonnull segment, uint32_t place,
                                     bh_sender_t *_Nonnull sender) {
    const bh_sender_t *from = &segment->senders[place % BH_SENDERS];
    sender->heard_ms = bh_word_load(&from->heard_ms);
    sender->address.high = bh_word_load(&from->address.high);
    sender->address.low = bh_word_load(&from->address.low);
    sender->counter = bh_half_load(&from->counter);
    sender->times = bh_half_load(&from->times);
    return sender->heard_ms != 0;
}

/* ---- Writing: the moderator that owns the segment ---- */

/* Makes the caller the owner and returns its epoch. The previous owner writes no more. */
static inline uint32_t bh_segment_own(bh_segment_t *_Nonnull segment, int32_t pid) {
    uint32_t epoch = __atomic_add_fetch(&segment->owner_epoch, 1, __ATOMIC_ACQ_REL);
    __atomic_store_n(&segment->owner_pid, pid, __ATOMIC_RELEASE);
    return epoch;
}

static inline bool bh_segment_owned(const bh_segment_t *_Nonnull segment, uint32_t epoch) {
    return __atomic_load_n(&segment->owner_epoch, __ATOMIC_ACQUIRE) == epoch;
}

/* Parent and moderator: returns what the other one has done before. */
static inline bh_farewell_t bh_farewell_set(bh_segment_t *_Nonnull segment, bh_farewell_t farewell) {
    return (bh_farewell_t)__atomic_exchange_n(&segment->farewell, (uint32_t)farewell, __ATOMIC_ACQ_REL);
}

static inline void bh_word_store(uint64_t *_Nonnull word, uint64_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline void bh_half_store(uint32_t *_Nonnull word, uint32_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline void bh_segment_set_sender(bh_segment_t *_Nonnull segment, uint32_t place, bh_address_t address,
                                         uint32_t counter, uint32_t times, uint64_t heard_ms) {
    bh_sender_t *to = &segment->senders[place % BH_SENDERS];
    bh_word_store(&to->heard_ms, 0);
    bh_word_store(&to->address.high, address.high);
    bh_word_store(&to->address.low, address.low);
    bh_half_store(&to->counter, counter);
    bh_half_store(&to->times, times);
    bh_word_store(&to->heard_ms, heard_ms);
}

static inline void bh_public_store(int *_Nonnull field, int value) { __atomic_store_n(field, value, __ATOMIC_RELAXED); }

/* Begins a phase, and writes the copy of the facts that readers leave alone in it. */
static inline void bh_row_write(bh_row_t *_Nonnull row, uint32_t lock, bh_facts_t *_Nonnull copy,
                                const bh_facts_t *_Nonnull facts) {
    uint64_t words[sizeof(bh_facts_t) / 8], *to = (uint64_t *)(void *)copy;
    memcpy(words, facts, sizeof words);
    __atomic_store_n(&row->lock, lock, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) __atomic_store_n(&to[i], words[i], __ATOMIC_RELAXED);
}

/* Replaces the facts of a row. What a writer that died has left half written is made whole first, if readers may need
 * it. */
static inline void bh_row_store(bh_row_t *_Nonnull row, const bh_facts_t *_Nonnull facts) {
    uint32_t lock = __atomic_load_n(&row->lock, __ATOMIC_RELAXED), rest = lock - lock % BH_PHASES + BH_PHASES;
    if (lock % BH_PHASES == BH_PHASE_BEFORE) {
        bh_row_write(row, lock, &row->before, &row->facts);
        __atomic_store_n(&row->lock, rest, __ATOMIC_RELEASE);
        rest += BH_PHASES;
    }
    bh_row_write(row, rest + BH_PHASE_FACTS, &row->facts, facts);
    bh_row_write(row, rest + BH_PHASE_BEFORE, &row->before, facts);
    __atomic_store_n(&row->lock, rest + BH_PHASES, __ATOMIC_RELEASE);
}

static inline void bh_segment_set_spare(bh_segment_t *_Nonnull segment, uint32_t id, uint64_t short_ms,
                                        uint32_t workers) {
    bh_word_store(&segment->spare[id].short_ms, short_ms);
    bh_half_store(&segment->spare[id].workers, workers);
}

static inline void bh_segment_set_lender(bh_segment_t *_Nonnull segment, uint32_t id, uint32_t lender) {
    bh_half_store(&segment->spare[id].lender, lender);
}

/* After the row was written. */
static inline void bh_segment_note_membership(bh_segment_t *_Nonnull segment) {
    __atomic_add_fetch(&segment->membership, 1, __ATOMIC_RELEASE);
}

/* Whether both have the same address, port and name. */
static inline bool bh_facts_are_alike(const bh_facts_t *_Nonnull one, const bh_facts_t *_Nonnull other) {
    return one->port == other->port && bh_address_equals(one->address, other->address)
           && strncmp(one->hostname, other->hostname, BH_HOSTNAME_SIZE) == 0;
}

static inline serverstat *_Nonnull bh_segment_public_mutable(bh_segment_t *_Nonnull segment, uint32_t id) {
    return &segment->public_rows[id];
}

static inline uint64_t bh_counter_load(const bh_segment_t *_Nonnull segment, uint32_t counter) {
    return bh_word_load(&segment->counters[counter]);
}

static inline void bh_counter_add(bh_segment_t *_Nonnull segment, uint32_t counter) {
    __atomic_add_fetch(&segment->counters[counter], 1, __ATOMIC_RELAXED);
}

static inline void bh_counter_add_many(bh_segment_t *_Nonnull segment, uint32_t counter, uint64_t times) {
    __atomic_add_fetch(&segment->counters[counter], times, __ATOMIC_RELAXED);
}

#endif

/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What authors of candidacy functions include. The names, the order of the arguments and the types of the
 * fields are those of mod_backhand 1.2.2, so that functions written for it compile unchanged.
 *
 * A candidacy function looks like this:
 *
 *     int my_function(request_rec *r, ServerSlot *servers, int *n, char *arg);
 *
 * servers[0] to servers[*n - 1] are the servers that the request may still go to; servers[i].id is an index into
 * serverstats[]. The function removes, adds or reorders entries, stores the new count in *n and returns it. The list
 * always has room for MAXSERVERS entries. What comes back is checked before it is used: a count outside
 * 0...MAXSERVERS, an id without a server, an id that occurs twice or an unknown mode makes the module log once a minute
 * and ignore the call. A function that writes beyond the list's room is not called again before the next restart.
 *
 * arg is the text after the function's name in the configuration, or NULL.
 */
#ifndef MOD_BACKHAND_H
#define MOD_BACKHAND_H

#include <netinet/in.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* httpd's request; include "httpd.h" to look inside. */
typedef struct request_rec request_rec;

/* How many servers the table has room for, and so how many entries a list of candidates. */
#define MAXSERVERS 2048
/* Kept for old source: mod_proxy bounds the connections to a server now. */
#define MAXSESSIONSPERSERVER 256
/* Seconds without an announcement after which byAge drops a server, if no other age is given. */
#define SERVER_TIMEOUT 20

/* The modes of a candidate: how a request reaches the server, if it is chosen. */
#define BACKHAND_MODE_PROXY 0    /* this httpd forwards it */
#define BACKHAND_MODE_REDIRECT 1 /* the client is redirected there */

/* One entry of the list that a candidacy function gets. */
typedef struct ServerSlot {
    int id;           /* index into serverstats; 0 is the server that runs the function */
    char mode;        /* one of BACKHAND_MODE_; functions that reorder keep it with its id */
    char *hostheader; /* BACKHAND_MODE_REDIRECT: the host name to send the client to, without port, kept as long as the
                       * request; NULL: the server's address. A '%' begins what HTTPRedirectToName takes. Otherwise not
                       * looked at */
} ServerSlot;

/* One row of serverstats: the data about one server. Written once a second by the moderator; a candidacy function
 * may write too, and what it wrote counts until the server's next announcement. Every number is checked where the
 * built-in functions read it. */
typedef struct serverstat {
    char hostname[40];          /* announced name, cut to fit, always ended by a NUL */
    time_t mtime;               /* wall clock seconds of the last announcement; 0: the row is empty */
    struct sockaddr_in contact; /* where it takes requests; sin_family AF_UNSPEC if the address is IPv6 */
    int arriba;                 /* speed of one core, in the unit of docs/arriba.md; 0: not known */
    int aservers;               /* idle workers */
    int nservers;               /* idle and busy workers */
    int load;                   /* 1-minute load average x 1000 */
    int load_hwm;               /* load high-water mark of its cluster x 1000, a power of two x 1000 */
    int cpu;                    /* idle share of the CPUs over the last second, 0...1000 */
    int ncpu;                   /* CPUs that it may use; 0: not known */
    int tmem;                   /* total memory, megabytes */
    int amem;                   /* available memory, megabytes */
    int numbacked;              /* requests that this httpd gave to the server; row 0: those that were served here */
    int tatime;                 /* mean milliseconds that those took */
} serverstat;

/* MAXSERVERS rows in shared memory; row 0 is this httpd itself; NULL where the module has no moderator. For requests to
 * a virtual host that has its own address (MulticastStats in <VirtualHost>), another row is this httpd: the one whose
 * contact is that address. Row 0 is not a candidate then: what adds it to the list has added nothing. */
extern serverstat *serverstats;

/* Speed of this machine (serverstat.arriba of row 0). */
extern int mod_backhand_personal_arriba;

/* Highest arriba among all rows, at least 0. */
int find_highest_arriba(serverstat *stats);

/* The type of a candidacy function. */
typedef int (*mod_backhand_candidacy_fn)(request_rec *r, ServerSlot *servers, int *n, char *arg);

#ifdef __cplusplus
}
#endif

#endif

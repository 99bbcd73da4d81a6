/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* An open-loop load generator: sends each request of a schedule at its time, whether earlier ones were answered or not.
 *
 *     generator.c    arguments, the clock, the loop
 *     schedule.c     the requests: read at the start, written with their outcome at the end
 *     connections.c  kept-alive connections to the balancers
 *     answer.c       reads HTTP/1.1 answers
 */

#ifndef GENERATOR_H
#define GENERATOR_H

#include <stddef.h>
#include <stdint.h>

#define MOST_TARGETS 64
#define SERVER_NAME_SIZE 16

/* What became of a request. */
typedef enum outcome {
    UNSENT,
    WAITING,
    ANSWERED, /* with any status */
    BROKEN,   /* the connection was refused, or ended before the answer did */
    TIMED_OUT /* nothing came in time, or the run ended */
} outcome;

/* One line of the schedule, and what became of it. Times are microseconds since the run's start. */
typedef struct request {
    int64_t due;
    int target;
    char method[8];
    char path[64];
    int64_t demand_us;
    int64_t sent, ended;
    outcome outcome;
    int status;
    int repeated; /* sent once more after a kept-alive connection had ended before the first byte of an answer */
    char server[SERVER_NAME_SIZE];
} request;

/* All requests, by their times. */
extern request *requests;
extern int request_count;

void schedule_read(const char *path);
void schedule_write(const char *path);

/* An HTTP/1.1 answer that comes in pieces. */
typedef struct answer {
    char head[4096];
    size_t length; /* of what head holds */
    int status;
    int keeps;       /* the connection can be used again */
    int until_close; /* neither a length nor chunks: the end of the connection is the end of the answer */
    int64_t left;    /* bytes of the body that are still to come; -1: the head is not complete */
    char server[SERVER_NAME_SIZE];
} answer;

enum { ANSWER_MORE, ANSWER_DONE, ANSWER_BAD };

void answer_reset(answer *answer);
int answer_feed(answer *answer, const char *data, size_t length);

void connections_start(char **targets, int count);
int connections_file(void);
/* Sends the request; what went wrong stands in it. */
void connections_send(int id, int64_t now);
/* Reads and writes what is ready. */
void connections_serve(int64_t now);
/* Gives up the requests that have waited so long. */
void connections_give_up(int64_t now, int64_t longest);
int connections_waiting(void);
int connections_opened(void);

/* Microseconds since the run's start. */
int64_t clock_now(void);
void die(const char *what);

#endif

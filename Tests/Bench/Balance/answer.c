/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Answers as far as this bench needs them: a head of at most 4 kB, a body with a length, or up to the connection's end.
 */

#define _GNU_SOURCE /* memmem */

#include "generator.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void answer_reset(answer *answer) {
    answer->length = 0;
    answer->status = 0;
    answer->keeps = 1;
    answer->until_close = 0;
    answer->left = -1;
    answer->server[0] = '\0';
}

/* The field's value, or NULL. head ends with '\0'. */
static const char *field(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1 + strspn(line + length + 1, " ");
    }
    return NULL;
}

static void copy_server(answer *answer) {
    const char *name = field(answer->head, "X-Server");
    size_t length = name ? strcspn(name, " \r\n") : 0;
    if (length >= SERVER_NAME_SIZE) length = SERVER_NAME_SIZE - 1;
    if (name) memcpy(answer->server, name, length);
    answer->server[length] = '\0';
}

/* The head is complete and ends with '\0'. */
static int read_head(answer *answer) {
    if (strncmp(answer->head, "HTTP/1.", 7) != 0 || strlen(answer->head) < 12) return ANSWER_BAD;
    answer->status = atoi(answer->head + 9);
    const char *connection = field(answer->head, "Connection"), *size = field(answer->head, "Content-Length");
    const char *coding = field(answer->head, "Transfer-Encoding");
    answer->keeps = answer->head[7] == '1' && !(connection && strncasecmp(connection, "close", 5) == 0);
    copy_server(answer);
    if (coding) return ANSWER_BAD; /* the servers' answers have lengths, and who is in between must not change that */
    if (size) answer->left = strtoll(size, NULL, 10);
    else {
        answer->left = 0;
        answer->until_close = 1;
        answer->keeps = 0;
    }
    return ANSWER_MORE;
}

static int take_body(answer *answer, size_t length) {
    if (answer->until_close) return ANSWER_MORE;
    if ((int64_t)length > answer->left) return ANSWER_BAD;
    answer->left -= (int64_t)length;
    return answer->left == 0 ? ANSWER_DONE : ANSWER_MORE;
}

int answer_feed(answer *answer, const char *data, size_t length) {
    if (answer->left >= 0) return take_body(answer, length);
    if (length >= sizeof answer->head - answer->length) return ANSWER_BAD;
    memcpy(answer->head + answer->length, data, length);
    answer->length += length;
    const char *end = memmem(answer->head, answer->length, "\r\n\r\n", 4);
    if (!end) return ANSWER_MORE;
    size_t body = answer->length - (size_t)(end + 4 - answer->head);
    answer->head[end + 2 - answer->head] = '\0';
    if (read_head(answer) == ANSWER_BAD) return ANSWER_BAD;
    return take_body(answer, body);
}

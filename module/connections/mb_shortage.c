/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What this process itself lacks when a connection to a server does not come about.
 *
 * mod_proxy only says that there is none, and writes the reason into the log. A child without a free descriptor would
 * put all servers into back-off, for all other children too. So after a refusal that came at once the child asks the
 * kernel itself: a socket, and a connection to the same address. What the process lacks, it lacks again; a server that
 * refuses, refuses again.
 */

#include "connections/mb_connections.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* A shortage is known at once. What took longer has waited for the server. */
#define AT_ONCE_US 1000000

/* Milliseconds that the second connection may take: in one cluster a handshake takes a few. Longer than that, and the
 * server is to blame. */
#define WAIT_MS 200

/* A shortage is mostly over as soon as other requests of the process are: looked for that often, in that time. The
 * client and its thread wait for 1.5 s at most. */
#define LOOK_US 50000
#define LOOKS 30

/* Descriptors that are left when the process is short of them: its other threads have come and gone since the request
 * was refused. */
#define SHORT 8

int mb_shortage_is_own(int why) {
    return why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM || why == EADDRNOTAVAIL;
}

int mb_shortage_connect(const bh_facts_t *server, int wait_ms) {
    apr_sockaddr_t name;
    mb_address_fill(&name, &server->address, server->port);
    int made = socket(name.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0) return errno;
    int why = connect(made, (struct sockaddr *)(void *)&name.sa, name.salen) == 0 ? 0 : errno;
    if (why == EINPROGRESS) {
        struct pollfd waiting = {.fd = made, .events = POLLOUT};
        socklen_t length = sizeof why;
        if (poll(&waiting, 1, wait_ms) <= 0) why = ETIMEDOUT;
        else if (getsockopt(made, SOL_SOCKET, SO_ERROR, &why, &length) != 0) why = errno;
    }
    close(made);
    return why;
}

int mb_shortage_find(const bh_facts_t *server, uint64_t took_us) {
    if (took_us > AT_ONCE_US) return ETIMEDOUT;
    int why = mb_shortage_connect(server, WAIT_MS);
    return why == 0 ? MB_REACHED : why;
}

/* The lowest free descriptor; -1: there is none. */
static int free_descriptor(void) {
    int found = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (found >= 0) close(found);
    return found;
}

int mb_shortage_is_over(void) {
    for (int look = 0; look < LOOKS; look++) {
        usleep(LOOK_US);
        if (free_descriptor() >= 0) return 1;
    }
    return 0;
}

int mb_shortage_is_near(void) {
    struct rlimit most;
    int found = free_descriptor();
    return found < 0 || (getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur - (rlim_t)found < SHORT);
}

int mb_shortage_is_general(int why) { return why != EADDRNOTAVAIL; }

void mb_shortage_tell(request_rec *r, const char *server, int why) {
    static uint64_t next_ms;
    if (mb_minute_passed(&next_ms))
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, why, r,
                      "BH0411: no connection to %s, because this process lacks %s: the server is not left out "
                      "for it",
                      server,
                      why == EADDRNOTAVAIL             ? "a port of its own"
                      : why == EMFILE || why == ENFILE ? "descriptors"
                                                       : "memory");
}

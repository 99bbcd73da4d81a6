/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* What a program needs that serves no requests: names of hosts, and words for systemd. A file of its own, because
 * mod_backhand.so has neither. */

#include "csystem.h"

#include <netdb.h>

const char *csystem_host_address(const char *name, uint32_t *address) {
    struct addrinfo wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM}, *found;
    int why = getaddrinfo(name, NULL, &wanted, &found);
    if (why == EAI_SYSTEM) return strerror(errno);
    if (why != 0) return gai_strerror(why);
    *address = ntohl(((struct sockaddr_in *)found->ai_addr)->sin_addr.s_addr);
    freeaddrinfo(found);
    return NULL;
}

int csystem_notify(const char *path, const void *bytes, size_t count) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length > sizeof name.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name.sun_path, path, length);
    /* A name of Linux's own, which is not in the file system, begins with a NUL. */
    if (path[0] == '@') name.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    ssize_t sent = sendto(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&name, size);
    int why = errno;
    close(fd);
    errno = why;
    return sent < 0 ? -1 : 0;
}

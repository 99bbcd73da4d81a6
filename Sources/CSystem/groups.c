/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Control groups of Linux, version 2: where they are mounted, and which of them has a number, which is that of its
 * directory. The kernel finds a group by its number only for root. */
#include "csystem.h"

#include <mntent.h>

bool csystem_group_mount(char *path, size_t size) {
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    const struct mntent *mount;
    bool found = false;
    if (!mounts) return false;
    while (!found && (mount = getmntent(mounts))) {
        if (strcmp(mount->mnt_type, "cgroup2") != 0 || strlen(mount->mnt_dir) >= size) continue;
        strcpy(path, mount->mnt_dir);
        found = true;
    }
    endmntent(mounts);
    return found;
}

/* Looks at a directory, whose path has so many bytes, and at those in it. */
static bool find(char *path, size_t length, size_t size, uint64_t group, int depth, int *left) {
    struct stat info;
    if (depth < 0 || --*left < 0 || stat(path, &info) < 0) return false;
    if (info.st_ino == group) return true;
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool found = false;
    if (!directory) return false;
    while (!found && (entry = readdir(directory))) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
        int written = snprintf(path + length, size - length, "/%s", entry->d_name);
        if (written < 0 || (size_t)written >= size - length) continue;
        found = find(path, length + (size_t)written, size, group, depth - 1, left);
    }
    closedir(directory);
    if (!found) path[length] = '\0';
    return found;
}

bool csystem_group_find(const char *mount, uint64_t group, char *path, size_t size) {
    int left = 4096;
    if (group == 0 || strlen(mount) >= size) return false;
    strcpy(path, mount);
    return find(path, strlen(path), size, group, 16, &left);
}

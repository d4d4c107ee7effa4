/* Makes the file system below $POOR_MOUNT like a bucket that is mounted: a directory cannot be renamed, nothing can be
   locked or linked. Every refusal is a line of $POOR_MOUNT_LOG. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int below(const char *path) {
    const char *root = getenv("POOR_MOUNT");
    return root && path && strncmp(path, root, strlen(root)) == 0;
}

static int refused(const char *what, const char *path, int code) {
    const char *log = getenv("POOR_MOUNT_LOG");
    int file = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    if (file >= 0) {
        dprintf(file, "%s %s\n", what, path);
        close(file);
    }
    errno = code;
    return -1;
}

static int is_directory(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

int rename(const char *from, const char *to) {
    if (below(from) && is_directory(from)) return refused("rename", from, ENOSYS);
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}

int link(const char *from, const char *to) {
    if (below(to)) return refused("link", to, ENOSYS);
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link"))(from, to);
}

int symlink(const char *from, const char *to) {
    if (below(to)) return refused("symlink", to, ENOSYS);
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "symlink"))(from, to);
}

int flock(int file, int operation) {
    char name[64], path[PATH_MAX] = {0};
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    if (readlink(name, path, sizeof path - 1) > 0 && below(path)) return refused("flock", path, ENOSYS);
    return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(file, operation);
}

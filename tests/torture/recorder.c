/* Preloaded into a process, it logs in order what that process does to the files of one folder.

   RECORD_FOLDER is the folder, RECORD_LOG the log. A record is: operation (1 byte), number (8 bytes), length of the
   name (4 bytes), length of the data (4 bytes), all in the machine's order, then the name below the folder ("" is the
   folder itself) and the data. The operations:

     O  opened so that it is made or emptied; number: 1 when it is emptied
     W  data written; number: the offset
     T  cut or grown; number: the size
     S  synced
     R  renamed; data: the new name
     U  unlinked
     X  something that the log cannot tell; data: what
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(type, name, ...)                                                                                          \
    static type (*real)(__VA_ARGS__);                                                                                  \
    if (!real)                                                                                                         \
        real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

static void record(char operation, uint64_t number, const char *name, const void *data, size_t length)
{
    static int log = -1;
    if (log < 0)
        log = syscall(SYS_openat, AT_FDCWD, getenv("RECORD_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    char head[17];
    uint32_t lengths[2] = {strlen(name), length};
    head[0] = operation;
    memcpy(head + 1, &number, 8);
    memcpy(head + 9, lengths, 8);
    struct iovec parts[3] = {{head, 17}, {(void *)name, lengths[0]}, {(void *)data, length}};
    if (syscall(SYS_writev, log, parts, 3) != (ssize_t)(17 + lengths[0] + length))
        abort();
}

/* The name below the folder; NULL when the path is elsewhere, or of a file that is no more. */
static const char *below(const char *path)
{
    const char *folder = getenv("RECORD_FOLDER");
    size_t length = folder ? strlen(folder) : 0;
    if (!length || strncmp(path, folder, length) || strstr(path, " (deleted)"))
        return NULL;
    if (path[length] == '/')
        return path + length + 1;
    return path[length] ? NULL : path + length;
}

static const char *name_of(int fd, char *path)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return NULL;
    path[length] = 0;
    return below(path);
}

static void opened(int fd, int flags)
{
    char path[PATH_MAX];
    const char *name;
    if (fd >= 0 && flags & (O_CREAT | O_TRUNC) && (name = name_of(fd, path)))
        record('O', (flags & O_TRUNC) != 0, name, "", 0);
}

static void wrote(int fd, int64_t offset, const void *data, ssize_t length)
{
    char path[PATH_MAX];
    const char *name;
    if (length > 0 && (name = name_of(fd, path)))
        record('W', offset < 0 ? lseek(fd, 0, SEEK_CUR) - length : offset, name, data, length);
}

static void changed(char operation, int fd, uint64_t number, int result)
{
    char path[PATH_MAX];
    const char *name;
    if (result == 0 && (name = name_of(fd, path)))
        record(operation, number, name, "", 0);
}

#define OPEN(symbol)                                                                                                   \
    int symbol(const char *path, int flags, ...)                                                                       \
    {                                                                                                                  \
        REAL(int, #symbol, const char *, int, ...);                                                                    \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = va_arg(rest, mode_t);                                                                            \
        va_end(rest);                                                                                                  \
        pthread_mutex_lock(&order);                                                                                    \
        int fd = real(path, flags, mode);                                                                              \
        opened(fd, flags);                                                                                             \
        pthread_mutex_unlock(&order);                                                                                  \
        return fd;                                                                                                     \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(symbol)                                                                                                 \
    int symbol(int folder, const char *path, int flags, ...)                                                           \
    {                                                                                                                  \
        REAL(int, #symbol, int, const char *, int, ...);                                                               \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = va_arg(rest, mode_t);                                                                            \
        va_end(rest);                                                                                                  \
        pthread_mutex_lock(&order);                                                                                    \
        int fd = real(folder, path, flags, mode);                                                                      \
        opened(fd, flags);                                                                                             \
        pthread_mutex_unlock(&order);                                                                                  \
        return fd;                                                                                                     \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *data, size_t length)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    pthread_mutex_lock(&order);
    ssize_t done = real(fd, data, length);
    wrote(fd, -1, data, done);
    pthread_mutex_unlock(&order);
    return done;
}

#define PWRITE(symbol, offset_type)                                                                                    \
    ssize_t symbol(int fd, const void *data, size_t length, offset_type offset)                                        \
    {                                                                                                                  \
        REAL(ssize_t, #symbol, int, const void *, size_t, offset_type);                                                \
        pthread_mutex_lock(&order);                                                                                    \
        ssize_t done = real(fd, data, length, offset);                                                                 \
        wrote(fd, offset, data, done);                                                                                 \
        pthread_mutex_unlock(&order);                                                                                  \
        return done;                                                                                                   \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(symbol, size_type)                                                                                    \
    int symbol(int fd, size_type size)                                                                                 \
    {                                                                                                                  \
        REAL(int, #symbol, int, size_type);                                                                            \
        pthread_mutex_lock(&order);                                                                                    \
        int result = real(fd, size);                                                                                   \
        changed('T', fd, size, result);                                                                                \
        pthread_mutex_unlock(&order);                                                                                  \
        return result;                                                                                                 \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(symbol)                                                                                                   \
    int symbol(int fd)                                                                                                 \
    {                                                                                                                  \
        REAL(int, #symbol, int);                                                                                       \
        pthread_mutex_lock(&order);                                                                                    \
        int result = real(fd);                                                                                         \
        changed('S', fd, 0, result);                                                                                   \
        pthread_mutex_unlock(&order);                                                                                  \
        return result;                                                                                                 \
    }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *);
    pthread_mutex_lock(&order);
    int result = real(from, to);
    const char *name = below(from), *new = below(to);
    if (result == 0 && name && new)
        record('R', 0, name, new, strlen(new));
    else if (result == 0 && (name || new))
        record('X', 0, from, "renamed across", 14);
    pthread_mutex_unlock(&order);
    return result;
}

int unlink(const char *path)
{
    REAL(int, "unlink", const char *);
    pthread_mutex_lock(&order);
    int result = real(path);
    const char *name = below(path);
    if (result == 0 && name)
        record('U', 0, name, "", 0);
    pthread_mutex_unlock(&order);
    return result;
}

/* Preloaded into PostgreSQL and Node, it makes each sync of a file take SLOW_SYNC_MS milliseconds longer:
   fsync, fdatasync, and writes to descriptors with O_DSYNC, which sync by themselves. It stands for a
   disk behind a network. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static long slow_ns(void) {
  static long known = -1;
  if (known < 0) {
    const char *ms = getenv("SLOW_SYNC_MS");
    known = ms == NULL ? 0 : (long)(atof(ms) * 1e6);
  }
  return known;
}

static void wait_longer(void) {
  int before = errno;
  long ns = slow_ns();
  struct timespec t = {ns / 1000000000L, ns % 1000000000L};
  while (nanosleep(&t, &t) != 0 && errno == EINTR) {
  }
  errno = before;
}

static int syncs_itself(int fd) {
  int before = errno;
  int flags = fcntl(fd, F_GETFL);
  errno = before;
  return flags != -1 && (flags & O_DSYNC) != 0;
}

#define NEXT(name) \
  static __typeof__(&name) next; \
  if (next == NULL) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int fsync(int fd) {
  NEXT(fsync);
  int result = next(fd);
  wait_longer();
  return result;
}

int fdatasync(int fd) {
  NEXT(fdatasync);
  int result = next(fd);
  wait_longer();
  return result;
}

#define WRITES(name, parameters, arguments) \
  ssize_t name parameters { \
    NEXT(name); \
    ssize_t result = next arguments; \
    if (syncs_itself(fd)) wait_longer(); \
    return result; \
  }

WRITES(write, (int fd, const void *bytes, size_t count), (fd, bytes, count))
WRITES(pwrite, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at))
WRITES(pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at))
WRITES(writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
WRITES(pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
WRITES(pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at))

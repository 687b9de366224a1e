/* Groups of CONCURRENCY records, one write and one fdatasync each, into a preallocated file. Prints
   records per second. Arguments: FILE CONCURRENCY. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_BYTES = 660, FILE_BYTES = 64 << 20 };
static const double SECONDS = 2.0;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  int concurrency = atoi(arguments[2]);
  size_t bytes = (size_t)concurrency * RECORD_BYTES;
  int fd = open(arguments[1], O_CREAT | O_TRUNC | O_WRONLY, 0600);
  char *zeros = calloc(1, FILE_BYTES);
  char *group = malloc(bytes);
  if (fd < 0 || zeros == NULL || group == NULL) return 1;
  memset(group, 'x', bytes);
  if (write(fd, zeros, FILE_BYTES) != FILE_BYTES || fsync(fd) != 0) return 1;
  long records = 0;
  off_t at = 0;
  double start = now();
  while (now() - start < SECONDS) {
    if (at + (off_t)bytes > FILE_BYTES) at = 0;
    if (pwrite(fd, group, bytes, at) != (ssize_t)bytes || fdatasync(fd) != 0) return 1;
    at += (off_t)bytes;
    records += concurrency;
  }
  printf("%.0f\n", (double)records / (now() - start));
  return 0;
}

/*
 * A wall clock under control, for LD_PRELOAD.
 *
 * The file named by TEST_CLOCK_FILE is mapped and read at every call. Two native 64-bit integers, nanoseconds:
 *
 *   offset 0   frozen   the time that everybody sees; 0 = the clock runs
 *   offset 8   shift    added to the real time while the clock runs
 *
 * TEST_CLOCK_ZONE, if there is one, is put in the place of TZ, so that a process sees the zone that belongs to the time.
 * Only the wall clock is touched: timeouts and timers live on CLOCK_MONOTONIC and keep working while the wall clock stands.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t NS_PER_S = 1000000000;

static volatile const int64_t *shared;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void attach(void) {
  real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  const char *zone = getenv("TEST_CLOCK_ZONE");
  if (zone != NULL) setenv("TZ", zone, 1);
  const char *path = getenv("TEST_CLOCK_FILE");
  if (path == NULL) return;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void *mapped = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) shared = mapped;
}

/* Other libraries may ask for the time before `attach` has run. */
static int real_time(clockid_t id, struct timespec *out) {
  if (real_clock_gettime != NULL) return real_clock_gettime(id, out);
  return (int)syscall(SYS_clock_gettime, id, out);
}

int clock_gettime(clockid_t id, struct timespec *out) {
  if (shared == NULL || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return real_time(id, out);
  int64_t now = shared[0];
  if (now == 0) {
    struct timespec real;
    if (real_time(id, &real) != 0) return -1;
    now = (int64_t)real.tv_sec * NS_PER_S + real.tv_nsec + shared[1];
  }
  out->tv_sec = (time_t)(now / NS_PER_S);
  out->tv_nsec = (long)(now % NS_PER_S);
  return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec *out, int base) {
  return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, out) == 0 ? base : 0;
}

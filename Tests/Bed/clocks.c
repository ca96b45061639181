// Clocks that a test moves under a program that runs: put before the C library (LD_PRELOAD, ld.so(8)), this adds to
// CLOCK_BOOTTIME and CLOCK_REALTIME the milliseconds that stand in the file of CLOCK_SHIM, and says by the third number there
// whether the wall clock is synchronised.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>

static const volatile long long *milliseconds;

__attribute__((constructor)) static void begin(void) {
  int file = open(getenv("CLOCK_SHIM"), O_RDONLY);
  if (file >= 0) milliseconds = mmap(0, 24, PROT_READ, MAP_SHARED, file, 0);
}

static void add(struct timespec *time, long long by) {
  long long all = time->tv_sec * 1000000000LL + time->tv_nsec + by * 1000000LL;
  time->tv_sec = all / 1000000000LL;
  time->tv_nsec = all % 1000000000LL;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int code = real(clock, now);
  if (code == 0 && milliseconds && clock == CLOCK_BOOTTIME) add(now, milliseconds[0]);
  if (code == 0 && milliseconds && clock == CLOCK_REALTIME) add(now, milliseconds[1]);
  return code;
}

int timerfd_settime(int timer, int flags, const struct itimerspec *value, struct itimerspec *old) {
  static int (*real)(int, int, const struct itimerspec *, struct itimerspec *);
  if (!real) real = dlsym(RTLD_NEXT, "timerfd_settime");
  struct itimerspec moved = *value;
  if (milliseconds && (flags & TFD_TIMER_ABSTIME) && (moved.it_value.tv_sec || moved.it_value.tv_nsec))
    add(&moved.it_value, -milliseconds[0]);
  return real(timer, flags, &moved, old);
}

int adjtimex(struct timex *state) {
  memset(state, 0, sizeof *state);
  state->status = milliseconds && milliseconds[2] ? STA_UNSYNC : 0;
  return 0;
}

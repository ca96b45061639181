#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>
#include <xcb/xcb.h>
#include <xcb/xcbext.h>
#include <xcb/shm.h>
#include <xcb/damage.h>
#include <xcb/randr.h>
#include <xcb/xtest.h>
#include <xcb/xfixes.h>

// Of an opaque type, which Swift cannot refer to as data.
static inline xcb_extension_t *lw_xcb_shm(void) { return &xcb_shm_id; }
static inline xcb_extension_t *lw_xcb_damage(void) { return &xcb_damage_id; }
static inline xcb_extension_t *lw_xcb_randr(void) { return &xcb_randr_id; }
static inline xcb_extension_t *lw_xcb_test(void) { return &xcb_test_id; }
static inline xcb_extension_t *lw_xcb_xfixes(void) { return &xcb_xfixes_id; }

// Hidden without _GNU_SOURCE, which clashes with Glibc's own module when set here.
int memfd_create(const char *name, unsigned int flags);

// A file in memory of `size` bytes that nobody can cut short: who maps it can never be killed by it. -1 with errno set.
// Source: memfd_create(2), F_ADD_SEALS in fcntl(2): 1033, with SEAL 1, SHRINK 2, GROW 4.
static inline int lw_memory_file(const char *name, long size) {
  int fd = memfd_create(name, 1u | 2u);  // MFD_CLOEXEC, MFD_ALLOW_SEALING
  if (fd < 0) return -1;
  if (ftruncate(fd, size) != 0 || fcntl(fd, 1033, 1 | 2 | 4) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

static inline int lw_duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 3); }

// What Glibc's Swift module lacks: epoll, eventfd, timerfd, signalfd, inotify, netlink, peer credentials.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// struct ucred and accept4 are hidden without _GNU_SOURCE, which clashes with Glibc's own module when set here.
struct lw_peer_credentials {
  pid_t pid;
  uid_t uid;
  gid_t gid;
};

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int pipe2(int fds[2], int flags);

// The credentials of the peer of a connected Unix stream socket as they were at connect(2). Source: unix(7), SO_PEERCRED.
static inline int lw_peer_credentials(int fd, struct lw_peer_credentials *out) {
  socklen_t length = sizeof(*out);
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &length);
}

static inline int lw_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

// Bytes of a TCP socket that the peer has not acknowledged, those not sent included; -1 where it is none. Source: tcp(7), SIOCOUTQ.
static inline int lw_unsent_bytes(int fd) {
  int count = 0;
  return ioctl(fd, TIOCOUTQ, &count) == 0 ? count : -1;
}

// Names the calling thread, as `ps -L` shows it; cut to 15 bytes. Source: prctl(2), PR_SET_NAME.
static inline void lw_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// Whether the kernel's wall clock is synchronised. Source: adjtimex(2), STA_UNSYNC.
#include <sys/timex.h>
static inline int lw_clock_is_synchronised(void) {
  struct timex state;
  memset(&state, 0, sizeof state);
  return adjtimex(&state) >= 0 && !(state.status & STA_UNSYNC);
}

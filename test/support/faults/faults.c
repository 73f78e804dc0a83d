/*
 * A disk that fails on command, for LD_PRELOAD: watches a process's calls on files below FAULTS_FOLDER, counts them,
 * lets them fail, kills the process between them, and keeps a trace of all that reached the disk, in order.
 *
 * FAULTS_CONTROL names a file of one page that is mapped and shared with the test. Native 64-bit integers:
 *
 *   offset 0    steps     calls so far whose kind is in the mask; written here
 *   offset 8    mode      0 count only, 1 die before, 2 die in the middle of a write (else before), 3 fail once,
 *                         4 fail from there on; a write that fills the disk stores its first half
 *   offset 16   at        the step, counted from 1, at which that happens
 *   offset 24   error     errno of a failure
 *   offset 32   mask      one bit for each kind of call that counts as a step
 *   offset 40   hits      injected failures so far; written here
 *   offset 48   kind      of the last one; written here
 *   offset 56   tracing   1 while the trace is kept
 *   offset 64   records   in the trace so far; written here
 *   offset 128  path      of the last injected failure, NUL at its end; written here
 *
 * The trace goes to FAULTS_TRACE, one record after the other: a header of 64-bit integers (kind, inode, offset, length,
 * bytes of path, bytes of second path, bytes of data), then both paths and the data. While it is kept calls run one at a
 * time, so its order is the true one. A record `SEND` stands where the process began to write to a network connection.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN_READ, OPEN_WRITE, CREATE, READ, WRITE, TRUNCATE, SYNC, RENAME, LINK, UNLINK, RMDIR, MKDIR, COPY, SEND };
enum mode { COUNT, DIE_BEFORE, DIE_TORN, FAIL_ONCE, FAIL_FROM };
enum action { GO_ON, FAIL, HALF };

struct control {
  int64_t steps, mode, at, error, mask, hits, kind, tracing, records;
  char gap[128 - 9 * sizeof(int64_t)];
  char path[384];
};

#define FDS 65536
#define PATH_BYTES 4096

static volatile struct control *control;
static const char *folder;
static size_t folder_length;
static int trace_file = -1;
static unsigned char watched[FDS];
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

/* The function that would have been called. */
#define REAL(name) ({ static __typeof__(&name) real; if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); real; })

__attribute__((constructor)) static void attach(void) {
  const char *base = getenv("FAULTS_FOLDER"), *path = getenv("FAULTS_CONTROL"), *trace = getenv("FAULTS_TRACE");
  if (base == NULL || path == NULL) return;
  int file = REAL(open)(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  REAL(close)(file);
  if (mapped == MAP_FAILED) return;
  if (trace != NULL) trace_file = REAL(open)(trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  folder_length = strlen(base);
  folder = base;
  control = mapped;
}

/* The path as a whole, when it is the folder or lies below it. */
static const char *inside(int dir, const char *path, char *buffer) {
  if (control == NULL || path == NULL || path[0] == 0) return NULL;
  if (path[0] != '/') {
    char link[64];
    snprintf(link, sizeof link, dir == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dir);
    ssize_t length = readlink(link, buffer, PATH_BYTES - 1);
    if (length < 0 || length + strlen(path) + 2 > PATH_BYTES) return NULL;
    buffer[length] = '/';
    strcpy(buffer + length + 1, path);
    path = buffer;
  }
  if (strncmp(path, folder, folder_length) != 0) return NULL;
  return path[folder_length] == '/' || path[folder_length] == 0 ? path : NULL;
}

static const char *path_of(int file, char *buffer) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, buffer, PATH_BYTES - 1);
  buffer[length < 0 ? 0 : length] = 0;
  return buffer;
}

/* libuv closes files by a bare system call, after which the number may be that of a connection: hence the second look. */
static int is_watched(int file) {
  char buffer[PATH_BYTES];
  if (control == NULL || file < 0 || file >= FDS || !watched[file]) return 0;
  if (inside(AT_FDCWD, path_of(file, buffer), buffer) != NULL) return 1;
  watched[file] = 0;
  return 0;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static void note_hit(enum kind kind, const char *path) {
  control->kind = kind;
  strncpy((char *)control->path, path, sizeof control->path - 1);
  __sync_fetch_and_add(&control->hits, 1);
}

/* Counts a step, and says what becomes of it. */
static enum action step(enum kind kind, const char *path) {
  if ((control->mask >> kind & 1) == 0) return GO_ON;
  int64_t number = __sync_add_and_fetch(&control->steps, 1);
  int64_t mode = control->mode, at = control->at;
  if (number < at || (mode != FAIL_FROM && number > at)) return GO_ON;
  switch (mode) {
    case DIE_BEFORE:
      note_hit(kind, path);
      die();
      return GO_ON;
    case DIE_TORN:
      note_hit(kind, path);
      if (kind != WRITE) die();
      return HALF;
    case FAIL_ONCE:
    case FAIL_FROM:
      note_hit(kind, path);
      errno = (int)control->error;
      return kind == WRITE && mode == FAIL_FROM && number == at && errno == ENOSPC ? HALF : FAIL;
    default:
      return GO_ON;
  }
}

static void begin(void) {
  if (control != NULL && control->tracing) pthread_mutex_lock(&order);
}

static void end(int was_tracing) {
  int kept = errno;
  if (was_tracing) pthread_mutex_unlock(&order);
  errno = kept;
}

/* Takes the order for one call: `tracing` tells whether it is held. */
#define ORDERED int tracing = control != NULL && control->tracing; if (tracing) pthread_mutex_lock(&order)

static void write_all(const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    ssize_t written = REAL(write)(trace_file, at, length);
    if (written <= 0) die(); /* A trace with holes would prove nothing. */
    at += written;
    length -= written;
  }
}

struct record { int64_t kind, inode, offset, length, path_bytes, other_bytes, data_bytes; };

static void record(enum kind kind, ino_t inode, int64_t offset, int64_t length, const char *path, const char *other,
                   const struct iovec *data, int parts) {
  if (trace_file < 0) return;
  int kept = errno;
  struct record header = {kind, (int64_t)inode, offset, length, path ? strlen(path) : 0, other ? strlen(other) : 0, 0};
  for (int i = 0; i < parts; i++) header.data_bytes += data[i].iov_len;
  write_all(&header, sizeof header);
  if (path) write_all(path, header.path_bytes);
  if (other) write_all(other, header.other_bytes);
  for (int i = 0; i < parts; i++) write_all(data[i].iov_base, data[i].iov_len);
  __sync_fetch_and_add(&control->records, 1);
  errno = kept;
}

static ino_t inode_of(int file) {
  struct stat stats;
  return fstat(file, &stats) == 0 ? stats.st_ino : 0;
}

static ino_t inode_at(const char *path) {
  struct stat stats;
  return lstat(path, &stats) == 0 ? stats.st_ino : 0;
}

/* --- opening ------------------------------------------------------------------------------------------------- */

static int do_open(int dir, const char *name, int flags, mode_t mode) {
  char buffer[PATH_BYTES];
  const char *path = inside(dir, name, buffer);
  if (path == NULL) return REAL(openat)(dir, name, flags, mode);
  ORDERED;
  int is_new = (flags & O_CREAT) != 0 && inode_at(path) == 0;
  int empties = (flags & O_TRUNC) != 0;
  enum kind kind = is_new || empties ? CREATE : (flags & O_ACCMODE) == O_RDONLY ? OPEN_READ : OPEN_WRITE;
  int file = -1;
  if (step(kind, path) == GO_ON) {
    file = REAL(openat)(dir, name, flags, mode);
    if (file >= 0 && file < FDS) watched[file] = 1;
    if (file >= 0 && tracing && is_new) record(CREATE, inode_of(file), 0, 0, path, NULL, NULL, 0);
    else if (file >= 0 && tracing && empties) record(TRUNCATE, inode_of(file), 0, 0, path, NULL, NULL, 0);
  }
  end(tracing);
  return file;
}

static mode_t mode_of(int flags, va_list rest) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                     \
  int name(const char *path, int flags, ...) {         \
    va_list rest;                                      \
    va_start(rest, flags);                             \
    mode_t mode = mode_of(flags, rest);                \
    va_end(rest);                                      \
    return do_open(AT_FDCWD, path, flags, mode);       \
  }
#define OPENAT(name)                                   \
  int name(int dir, const char *path, int flags, ...) { \
    va_list rest;                                      \
    va_start(rest, flags);                             \
    mode_t mode = mode_of(flags, rest);                \
    va_end(rest);                                      \
    return do_open(dir, path, flags, mode);            \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int close(int file) {
  if (file >= 0 && file < FDS) watched[file] = 0;
  return REAL(close)(file);
}

/* --- reading and writing ----------------------------------------------------------------------------------------- */

static int may_read(int file) {
  char buffer[PATH_BYTES];
  if (!is_watched(file) || (control->mask >> READ & 1) == 0) return 1;
  return step(READ, path_of(file, buffer)) == GO_ON;
}

ssize_t read(int file, void *to, size_t length) { return may_read(file) ? REAL(read)(file, to, length) : -1; }
ssize_t readv(int file, const struct iovec *to, int parts) { return may_read(file) ? REAL(readv)(file, to, parts) : -1; }
ssize_t pread(int file, void *to, size_t length, off_t at) { return may_read(file) ? REAL(pread)(file, to, length, at) : -1; }
ssize_t pread64(int file, void *to, size_t length, off64_t at) { return may_read(file) ? REAL(pread64)(file, to, length, at) : -1; }
ssize_t preadv(int file, const struct iovec *to, int parts, off_t at) { return may_read(file) ? REAL(preadv)(file, to, parts, at) : -1; }
ssize_t preadv64(int file, const struct iovec *to, int parts, off64_t at) { return may_read(file) ? REAL(preadv64)(file, to, parts, at) : -1; }

static int is_network(int file) {
  int domain = 0;
  socklen_t length = sizeof domain;
  return getsockopt(file, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && (domain == AF_INET || domain == AF_INET6);
}

static void note_send(int file) {
  if (control == NULL || !control->tracing) return;
  int kept = errno;
  if (is_network(file)) {
    begin();
    record(SEND, 0, 0, 0, NULL, NULL, NULL, 0);
    end(1);
  }
  errno = kept;
}

static ssize_t plain_write(int file, const struct iovec *parts, int count, off64_t at) {
  return at < 0 ? REAL(writev)(file, parts, count) : REAL(pwritev64)(file, parts, count, at);
}

/* `at` is -1 for the file's own position. */
static ssize_t do_write(int file, const struct iovec *parts, int count, off64_t at) {
  if (!is_watched(file)) {
    note_send(file);
    return plain_write(file, parts, count, at);
  }
  char buffer[PATH_BYTES];
  const char *path = path_of(file, buffer);
  ORDERED;
  off64_t from = at;
  if (at < 0) from = (fcntl(file, F_GETFL) & O_APPEND) != 0 ? lseek64(file, 0, SEEK_END) : lseek64(file, 0, SEEK_CUR);
  ssize_t written = -1;
  enum action action = step(WRITE, path);
  if (action == GO_ON) {
    written = plain_write(file, parts, count, at);
    if (written > 0 && tracing) {
      struct iovec kept[count];
      size_t left = written;
      for (int i = 0; i < count; i++) {
        kept[i].iov_base = parts[i].iov_base;
        kept[i].iov_len = parts[i].iov_len < left ? parts[i].iov_len : left;
        left -= kept[i].iov_len;
      }
      record(WRITE, inode_of(file), from, written, path, NULL, kept, count);
    }
  } else if (action == HALF) {
    struct iovec half = {parts[0].iov_base, parts[0].iov_len / 2};
    if (half.iov_len > 0) written = plain_write(file, &half, 1, at);
    else errno = ENOSPC;
    if (control->mode == DIE_TORN) die();
  }
  end(tracing);
  return written;
}

ssize_t write(int file, const void *from, size_t length) {
  struct iovec part = {(void *)from, length};
  if (is_watched(file)) return do_write(file, &part, 1, -1);
  note_send(file);
  return REAL(write)(file, from, length);
}
ssize_t pwrite(int file, const void *from, size_t length, off_t at) {
  struct iovec part = {(void *)from, length};
  return do_write(file, &part, 1, at);
}
ssize_t pwrite64(int file, const void *from, size_t length, off64_t at) {
  struct iovec part = {(void *)from, length};
  return do_write(file, &part, 1, at);
}
ssize_t writev(int file, const struct iovec *parts, int count) { return do_write(file, parts, count, -1); }
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) { return do_write(file, parts, count, at); }
ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at) { return do_write(file, parts, count, at); }

ssize_t sendmsg(int file, const struct msghdr *message, int flags) {
  note_send(file);
  return REAL(sendmsg)(file, message, flags);
}

/* What a call of the kernel copied from one file to another. `source` and `target` are where it began. */
static void record_copy(int to, off64_t target, int from, off64_t source, ssize_t length) {
  char buffer[PATH_BYTES];
  struct iovec part = {malloc(length), length};
  if (part.iov_base == NULL || REAL(pread64)(from, part.iov_base, length, source) != length) die();
  record(WRITE, inode_of(to), target, length, path_of(to, buffer), NULL, &part, 1);
  free(part.iov_base);
}

static int may_copy(int to) {
  char buffer[PATH_BYTES];
  return step(COPY, path_of(to, buffer)) == GO_ON;
}

ssize_t copy_file_range(int from, off64_t *source, int to, off64_t *target, size_t length, unsigned flags) {
  if (!is_watched(to)) return REAL(copy_file_range)(from, source, to, target, length, flags);
  ORDERED;
  off64_t at = target ? *target : lseek64(to, 0, SEEK_CUR), begins = source ? *source : lseek64(from, 0, SEEK_CUR);
  ssize_t copied = may_copy(to) ? REAL(copy_file_range)(from, source, to, target, length, flags) : -1;
  if (copied > 0 && tracing) record_copy(to, at, from, begins, copied);
  end(tracing);
  return copied;
}

/* libuv asks the kernel itself for this one. */
long syscall(long number, ...) {
  va_list rest;
  long a[6];
  va_start(rest, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_copy_file_range && is_watched((int)a[2])) {
    return copy_file_range((int)a[0], (off64_t *)a[1], (int)a[2], (off64_t *)a[3], (size_t)a[4], (unsigned)a[5]);
  }
  return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static ssize_t do_sendfile(int to, int from, off64_t *source, size_t length) {
  if (!is_watched(to)) return REAL(sendfile64)(to, from, source, length);
  ORDERED;
  off64_t at = lseek64(to, 0, SEEK_CUR), begins = source ? *source : lseek64(from, 0, SEEK_CUR);
  ssize_t copied = may_copy(to) ? REAL(sendfile64)(to, from, source, length) : -1;
  if (copied > 0 && tracing) record_copy(to, at, from, begins, copied);
  end(tracing);
  return copied;
}
ssize_t sendfile(int to, int from, off_t *source, size_t length) { return do_sendfile(to, from, (off64_t *)source, length); }
ssize_t sendfile64(int to, int from, off64_t *source, size_t length) { return do_sendfile(to, from, source, length); }

int ioctl(int file, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  if (request != FICLONE || !is_watched(file)) return REAL(ioctl)(file, request, argument);
  ORDERED;
  int from = (int)(intptr_t)argument;
  int result = may_copy(file) ? REAL(ioctl)(file, request, argument) : -1;
  struct stat stats;
  if (result == 0 && tracing && fstat(from, &stats) == 0) record_copy(file, 0, from, 0, stats.st_size);
  end(tracing);
  return result;
}

/* --- lengths and durability ----------------------------------------------------------------------------------------- */

static int do_truncate(int file, off64_t length) {
  char buffer[PATH_BYTES];
  if (!is_watched(file)) return REAL(ftruncate64)(file, length);
  const char *path = path_of(file, buffer);
  ORDERED;
  int result = step(TRUNCATE, path) == GO_ON ? REAL(ftruncate64)(file, length) : -1;
  if (result == 0 && tracing) record(TRUNCATE, inode_of(file), 0, length, path, NULL, NULL, 0);
  end(tracing);
  return result;
}
int ftruncate(int file, off_t length) { return do_truncate(file, length); }
int ftruncate64(int file, off64_t length) { return do_truncate(file, length); }

static int do_sync(int file, int (*real)(int)) {
  char buffer[PATH_BYTES];
  if (!is_watched(file)) return real(file);
  const char *path = path_of(file, buffer);
  ORDERED;
  int result = step(SYNC, path) == GO_ON ? real(file) : -1;
  if (result == 0 && tracing) record(SYNC, inode_of(file), 0, 0, path, NULL, NULL, 0);
  end(tracing);
  return result;
}
int fsync(int file) { return do_sync(file, REAL(fsync)); }
int fdatasync(int file) { return do_sync(file, REAL(fdatasync)); }

/* --- names -------------------------------------------------------------------------------------------------------- */

static int do_remove(int dir, const char *name, int is_folder, int (*real)(int, const char *, int)) {
  char buffer[PATH_BYTES];
  const char *path = inside(dir, name, buffer);
  if (path == NULL) return real(dir, name, is_folder ? AT_REMOVEDIR : 0);
  ORDERED;
  enum kind kind = is_folder ? RMDIR : UNLINK;
  ino_t inode = inode_at(path);
  /* What is not there is no step: nothing of the disk changes. */
  int result = inode == 0 || step(kind, path) == GO_ON ? real(dir, name, is_folder ? AT_REMOVEDIR : 0) : -1;
  if (result == 0 && tracing) record(kind, inode, 0, 0, path, NULL, NULL, 0);
  end(tracing);
  return result;
}
int unlink(const char *path) { return do_remove(AT_FDCWD, path, 0, REAL(unlinkat)); }
int rmdir(const char *path) { return do_remove(AT_FDCWD, path, 1, REAL(unlinkat)); }
int unlinkat(int dir, const char *path, int flags) { return do_remove(dir, path, flags & AT_REMOVEDIR, REAL(unlinkat)); }
int remove(const char *path) {
  struct stat stats;
  int is_folder = lstat(path, &stats) == 0 && S_ISDIR(stats.st_mode);
  return do_remove(AT_FDCWD, path, is_folder, REAL(unlinkat));
}

static int do_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
  char from_buffer[PATH_BYTES], to_buffer[PATH_BYTES];
  const char *source = inside(from_dir, from, from_buffer), *target = inside(to_dir, to, to_buffer);
  if (source == NULL || target == NULL) return REAL(renameat2)(from_dir, from, to_dir, to, flags);
  ORDERED;
  ino_t inode = inode_at(source);
  int result = inode == 0 || step(RENAME, target) == GO_ON ? REAL(renameat2)(from_dir, from, to_dir, to, flags) : -1;
  if (result == 0 && tracing) record(RENAME, inode, 0, 0, source, target, NULL, 0);
  end(tracing);
  return result;
}
int rename(const char *from, const char *to) { return do_rename(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_dir, const char *from, int to_dir, const char *to) { return do_rename(from_dir, from, to_dir, to, 0); }
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) { return do_rename(from_dir, from, to_dir, to, flags); }

static int do_link(int from_dir, const char *from, int to_dir, const char *to, int flags) {
  char from_buffer[PATH_BYTES], to_buffer[PATH_BYTES];
  const char *source = inside(from_dir, from, from_buffer), *target = inside(to_dir, to, to_buffer);
  if (target == NULL) return REAL(linkat)(from_dir, from, to_dir, to, flags);
  ORDERED;
  int result = step(LINK, target) == GO_ON ? REAL(linkat)(from_dir, from, to_dir, to, flags) : -1;
  if (result == 0 && tracing) record(LINK, inode_at(target), 0, 0, source, target, NULL, 0);
  end(tracing);
  return result;
}
int link(const char *from, const char *to) { return do_link(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) { return do_link(from_dir, from, to_dir, to, flags); }

static int do_mkdir(int dir, const char *name, mode_t mode) {
  char buffer[PATH_BYTES];
  const char *path = inside(dir, name, buffer);
  if (path == NULL || inode_at(path) != 0) return REAL(mkdirat)(dir, name, mode);
  ORDERED;
  int result = step(MKDIR, path) == GO_ON ? REAL(mkdirat)(dir, name, mode) : -1;
  if (result == 0 && tracing) record(MKDIR, inode_at(path), 0, 0, path, NULL, NULL, 0);
  end(tracing);
  return result;
}
int mkdir(const char *path, mode_t mode) { return do_mkdir(AT_FDCWD, path, mode); }
int mkdirat(int dir, const char *path, mode_t mode) { return do_mkdir(dir, path, mode); }

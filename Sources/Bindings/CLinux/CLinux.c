#include "CLinux.h"

#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

int sluice_available_processors(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  int count = CPU_COUNT(&set);
  return count > 0 ? count : 1;
}

// One openat per component, none of them through a link, none of them "..".
static int walk(int root, const char *relative, int flags, unsigned mode) {
  int folder = root;
  const char *rest = relative;
  for (;;) {
    size_t length = strcspn(rest, "/");
    char name[256];
    int last = rest[length] == 0;
    int result = -1;
    if (length == 0 || length > 255) {
      errno = length ? ENAMETOOLONG : EINVAL;
    } else {
      memcpy(name, rest, length);
      name[length] = 0;
      if (strcmp(name, "..") == 0) errno = EXDEV;
      else if (last) result = openat(folder, name, flags, mode);
      else {
        result = openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        // O_DIRECTORY | O_NOFOLLOW on a link says ENOTDIR; openat2 says ELOOP. Speak as openat2.
        struct stat status;
        if (result < 0 && errno == ENOTDIR) {
          int is_link = fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                        S_ISLNK(status.st_mode);
          errno = is_link ? ELOOP : ENOTDIR;
        }
      }
    }
    int saved = errno;
    if (folder != root) close(folder);
    errno = saved;
    if (result < 0 || last) return result;
    folder = result;
    rest += length + 1;
  }
}

int sluice_open_beneath(const char *root, const char *relative, int flags, unsigned mode,
                        int use_openat2) {
  flags |= O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
  int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return -1;
  int result = -1;
  int walked = !use_openat2;
  if (use_openat2) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (uint64_t)flags;
    how.mode = (flags & O_CREAT) ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    // EAGAIN: a rename elsewhere raced with the check.
    for (int attempt = 0; attempt < 64; attempt++) {
      result = (int)syscall(SYS_openat2, folder, relative, &how, sizeof how);
      if (result >= 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    // Old kernels lack the call; some containers forbid it with EPERM.
    if (result < 0 && (errno == ENOSYS || errno == EPERM)) walked = 1;
  }
  if (walked) result = walk(folder, relative, flags, mode);
  int saved = errno;
  // O_DIRECTORY | O_NOFOLLOW calls a link "not a folder"; say what it is.
  struct stat status;
  if (result < 0 && saved == ENOTDIR && (flags & O_DIRECTORY) &&
      fstatat(folder, relative, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode))
    saved = ELOOP;
  close(folder);
  errno = saved;
  return result;
}

int64_t sluice_file_system_magic(const char *path) {
  struct statfs information;
  if (statfs(path, &information) != 0) return -1;
  return (int64_t)(uint32_t)information.f_type;
}

int sluice_touch(const char *path) {
  return utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}

void sluice_keep_freed_memory(int bytes) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most there can be
  mallopt(M_TRIM_THRESHOLD, bytes);
  mallopt(M_TOP_PAD, 16 << 20);
}

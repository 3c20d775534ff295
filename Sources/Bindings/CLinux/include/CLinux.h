// Linux calls that Swift's Glibc module does not show (they need _GNU_SOURCE), and variadic ones.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/// Number of processors this process may run on (its affinity mask), at least 1.
int sluice_available_processors(void);

/// Opens `relative` below the folder `root`. No component of `relative` may be a symbolic link or
/// lead out of `root`; `root` itself is followed. O_CLOEXEC | O_NOFOLLOW | O_NOCTTY are added.
/// `use_openat2` = 0 walks component by component, as kernels before 5.6 need it.
/// Returns a descriptor, or -1 with errno.
int sluice_open_beneath(const char *root, const char *relative, int flags, unsigned mode,
                        int use_openat2);

/// Magic number of the file system that holds `path` (statfs f_type), or -1 with errno.
int64_t sluice_file_system_magic(const char *path);

/// Sets access and modification time to the file system's present time, without following a link.
int sluice_touch(const char *path);

/// Freed memory goes back to the kernel only beyond so many bytes; blocks below 32 MB come from the heap.
void sluice_keep_freed_memory(int bytes);

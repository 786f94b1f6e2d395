/*
 * Mountpoints: what is there, and taking it away.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

/* The subtype; the kernel shows mounts as fuse.mailmount. */
#define MOUNT_SUBTYPE "mailmount"

/*
 * The absolute path of a mountpoint, or NULL with errno set.  Works where the
 * mount is dead.
 */
char *mount_path(const char *mountpoint);

/* Whether the topmost mount at this absolute path is a mailmount's. */
bool mount_is_ours(const char *path);

/*
 * The same as listed in an open file like /proc/self/mountinfo; see proc(5).
 * For tests.
 */
bool mount_is_listed(int fd, const char *path);

/*
 * The device of what is mounted at path, of which its daemon is asked nothing;
 * 0 with errno set when nobody knows.
 */
dev_t mount_device(const char *path);

/*
 * A descriptor of this namespace's mounts: poll(2) says POLLERR when one came
 * or went since the last poll.  -1 where there is no /proc.
 */
int mount_table_open(void);

/* Whether the device is still mounted, wherever that may be by now. */
bool mount_table_has(int fd, dev_t device);

/* Detach the topmost mount, whoever uses it.  Returns 0 or -errno. */
int mount_detach(const char *path);

/*
 * Make ready for a mount: detach dead ones of ours, refuse anything else that
 * cannot be mounted on.  Returns 0, or -errno and one line in *why_out.
 */
int mount_prepare(const char *path, char **why_out);

#endif

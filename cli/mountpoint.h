/*
 * The directory to mount on, as the user names it.
 */
#ifndef CLI_MOUNTPOINT_H
#define CLI_MOUNTPOINT_H

/*
 * Its absolute path, which a daemon at / can use; also when a dead mount is
 * there, which no call can look at.  *path_out is to be freed.  Returns 0,
 * -ENOENT, -ENOTDIR or another -errno and one line in *why_out.
 */
int mountpoint_resolve(const char *dir, char **path_out, char **why_out);

#endif

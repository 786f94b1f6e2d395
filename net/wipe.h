/*
 * libcurl's memory: wiped when freed, and the secret wiped out of what stays.
 * Private to net/.
 *
 * Each thread may log in, one login at a time, while others do.
 */
#ifndef NET_WIPE_H
#define NET_WIPE_H

/* Initialize libcurl with our memory functions; once, before it is used. */
void wipe_init_curl(void);

/* A login begins in this thread: note what it allocates from here on. */
void wipe_begin(void);

/*
 * What this points into, or to, was made from the secret: a command that
 * libcurl keeps after it was sent.
 */
void wipe_mark(const void *at);

/*
 * The login is over: overwrite, of what it allocated and still has, each
 * string that is the secret and each block that was marked.  NULL: it failed
 * and all of it is freed; only forget.
 */
void wipe_end(const char *secret);

#endif

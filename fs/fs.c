/*
 * Two threads.  The fuse thread polls the kernel and a wake descriptor, by
 * which the cache's threads hand back what was waited for and fs_close() ends
 * it.  The other is notify's.
 *
 * When the mount is taken away the kernel says so only after its last user has
 * gone: an open file, or a copy of the mount in another namespace, as every
 * container has.  So the fuse thread looks at the table of mounts as well, and
 * answers those users until the end.
 *
 * End: notify stops while the fuse thread still answers (notify.h), then the
 * fuse thread, then what is still owed is answered, then the mount goes.
 */
#include "fs/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/mount.h"
#include "fs/notify.h"
#include "fs/ops.h"
#include "fs/replay.h"
#include "fs/where.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/mem.h"
#include "util/wake.h"

/*
 * A program that opens file after file asks again within microseconds, but to
 * wake a thread that sleeps takes tens of them.  So the fuse thread stays
 * awake for so long after a request: `grep -r` over 20,000 cached messages
 * then takes half the time.
 *
 * Where others want the processor it sleeps for a while: a yield then takes as
 * long as they do, but who sleeps is woken before them.
 */
#define AWAKE_NS   50000
#define CROWDED_NS 100000000
/*
 * While a delivery waits for the disk, longer: its program does not wake us,
 * and asks again at once.
 */
#define AWAKE_DIRECT_NS 1000000

struct fs {
	struct ops ops;
	struct fuse_session *session;
	struct notify *notify;
	struct replay *replay;
	struct where where;
	char *path;
	struct wake wake; /* to the fuse thread */
	struct wake end;  /* from it: the mount was taken away */
	atomic_bool is_stopping;
	dev_t device;
	int mount_table; /* or -1 */
	bool is_mounted;
	bool is_detached; /* the fuse thread's */
	bool is_started;
	pthread_t thread;
};

static void log_fuse(enum fuse_log_level level, const char *format,
                     va_list args) __attribute__((format(printf, 2, 0)));

static void log_fuse(enum fuse_log_level level, const char *format,
                     va_list args)
{
	char line[LOG_LINE_MAX];
	(void)vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (level <= FUSE_LOG_WARNING)
		log_warn("%s", line);
	else
		log_debug("%s", line);
}

static int check_accounts(const struct fs_config *config, char **why_out)
{
	if (config->account_count == 0 ||
	    config->account_count > INODE_ACCOUNT_MAX) {
		*why_out = xasprintf("cannot mount %zu accounts at once",
		                     config->account_count);
		return -EINVAL;
	}
	for (size_t i = 0; i < config->account_count; i++) {
		const char *name = config->accounts[i].name;
		if (*name && strlen(name) <= MAILDIR_ACCOUNT_MAX &&
		    *name != '.' && !strchr(name, '/'))
			continue;
		*why_out = xasprintf("account \"%s\": cannot be a file name",
		                     name);
		return -EINVAL;
	}
	return 0;
}

static bool is_read_only(const struct fs_config *config)
{
	for (size_t i = 0; i < config->account_count; i++)
		if (!config->accounts[i].is_read_only)
			return false;
	return true;
}

static int make_session(struct fs *fs, const struct fs_config *config,
                        char **why_out)
{
	char name[] = "mailmount", o[] = "-o";
	bool has_options = config->options && *config->options;
	auto_free char *options =
		xasprintf("%s,default_permissions,nosuid,nodev,fsname=mailmount,"
	                  "subtype=" MOUNT_SUBTYPE "%s%s",
	                  is_read_only(config) ? "ro" : "rw",
	                  has_options ? "," : "",
	                  has_options ? config->options : "");
	char *argv[] = { name, o, options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	fs->session = fuse_session_new(&args, &OPS, sizeof(OPS), &fs->ops);
	fuse_opt_free_args(&args);
	if (fs->session)
		return 0;
	*why_out = xasprintf("mount options not understood: %s", options);
	return -EINVAL;
}

/* The descriptor must not block: a request may vanish between poll and read. */
static int mount_session(struct fs *fs, char **why_out)
{
	errno = 0;
	if (fuse_session_mount(fs->session, fs->path) < 0) {
		int err = errno ? -errno : -EIO;
		*why_out = xasprintf("%s: cannot mount: %s", fs->path,
		                     strerror(-err));
		return err;
	}
	fs->is_mounted = true;
	int fd = fuse_session_fd(fs->session);
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
		int err = -errno;
		*why_out = xasprintf("%s: cannot mount: %s", fs->path,
		                     strerror(-err));
		return err;
	}
	return 0;
}

static int open_steps(struct fs *fs, const struct fs_config *config,
                      char **why_out)
{
	int err = check_accounts(config, why_out);
	if (err < 0)
		return err;
	fs->path = mount_path(config->mountpoint);
	if (!fs->path) {
		err = -errno;
		*why_out =
			xasprintf("%s: %s", config->mountpoint, strerror(-err));
		return err;
	}
	err = mount_prepare(fs->path, why_out);
	if (err < 0)
		return err;
	err = wake_init(&fs->wake);
	if (err == 0)
		err = wake_init(&fs->end);
	if (err < 0) {
		*why_out = xasprintf("cannot mount: %s", strerror(-err));
		return err;
	}
	fuse_set_log_func(log_fuse);
	err = make_session(fs, config, why_out);
	if (err == 0)
		err = mount_session(fs, why_out);
	return err;
}

int fs_open(const struct fs_config *config, struct fs **fs_out, char **why_out)
{
	struct fs *fs = xmalloc(sizeof(*fs));
	fs->wake.fd = -1;
	fs->end.fd = -1;
	fs->mount_table = -1;
	pendings_init(&fs->ops.pendings, &fs->wake);
	int err = open_steps(fs, config, why_out);
	if (err < 0) {
		fs_close(fs);
		return err;
	}
	fs->ops.session = fs->session;
	tree_init(&fs->ops.tree, config);
	fs->mount_table = mount_table_open();
	fs->device = mount_device(fs->path);
	if (fs->device == 0)
		log_warn("%s: those who watch it are not told, nor are we when "
		         "it is unmounted: %s",
		         fs->path, strerror(errno));
	fs->replay = replay_new(fs->path, fs->device, &fs->ops.tree);
	where_init(&fs->where, &fs->wake);
	const struct notify_config told = {
		.session = fs->session,
		.replay = fs->replay,
		.where = &fs->where,
		.tree = &fs->ops.tree,
	};
	fs->notify = notify_new(&told, config);
	fs->ops.notify = fs->notify;
	fs->ops.replay = fs->replay;
	fs->ops.seen = xcalloc(config->account_count, sizeof(*fs->ops.seen));
	*fs_out = fs;
	return 0;
}

static bool serve(struct fs *fs, struct fuse_buf *buf)
{
	int n = fuse_session_receive_buf(fs->session, buf);
	if (n > 0)
		fuse_session_process_buf(fs->session, buf);
	else if (n < 0 && n != -EAGAIN && n != -EINTR)
		fuse_session_exit(fs->session);
	pendings_interrupt(&fs->ops.pendings);
	pendings_resume(&fs->ops.pendings);
	return n > 0;
}

/* Something was mounted or unmounted. */
static void look_at_mounts(struct fs *fs)
{
	if (fs->is_detached || fs->device == 0 ||
	    mount_table_has(fs->mount_table, fs->device))
		return;
	fs->is_detached = true;
	wake_signal(&fs->end);
}

static int64_t now_ns(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* How long it took. */
static int64_t yield_ns(void)
{
	int64_t before = now_ns();
	(void)sched_yield();
	return now_ns() - before;
}

static void *fuse_main(void *arg)
{
	struct fs *fs = arg;
	struct fuse_buf buf = { 0 };
	struct pollfd fds[] = {
		{ .fd = fuse_session_fd(fs->session), .events = POLLIN },
		{ .fd = wake_fd(&fs->wake), .events = POLLIN },
		{ .fd = fs->mount_table, .events = POLLPRI },
	};
	int64_t awake_until = 0, crowded_until = 0;
	while (!fs->is_stopping && !fuse_session_exited(fs->session)) {
		int64_t now = now_ns();
		bool is_awake = now < awake_until && now >= crowded_until;
		int n = poll(fds, 3, is_awake ? 0 : -1);
		if (n == 0 && yield_ns() > AWAKE_NS)
			crowded_until = now + CROWDED_NS;
		if (n <= 0)
			continue; /* or EINTR */
		if (fds[1].revents) {
			wake_clear(&fs->wake);
			pendings_resume(&fs->ops.pendings);
			where_answer(&fs->where, &fs->ops.tree, fs->ops.seen);
		}
		bool is_busy = fds[1].revents != 0;
		if (fds[0].revents)
			is_busy |= serve(fs, &buf);
		if (fds[2].revents)
			look_at_mounts(fs);
		if (is_busy)
			awake_until = now_ns() + (fs->ops.pendings.direct > 0
			                                  ? AWAKE_DIRECT_NS
			                                  : AWAKE_NS);
	}
	free(buf.mem);
	if (!fs->is_stopping)
		wake_signal(&fs->end);
	return NULL;
}

int fs_start(struct fs *fs)
{
	/* Signals are the main thread's. */
	sigset_t all, old;
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	int err = -pthread_create(&fs->thread, NULL, fuse_main, fs);
	fs->is_started = err == 0;
	if (err == 0)
		err = notify_start(fs->notify);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

int fs_end_fd(const struct fs *fs)
{
	return wake_fd(&fs->end);
}

/*
 * libfuse would unmount whatever is at the path by now, unless its descriptor
 * says POLLERR, as does a pipe nobody reads.
 */
static void keep_path(struct fs *fs)
{
	int ends[2];
	if (fs->device == 0 || mount_device(fs->path) == fs->device)
		return;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	(void)close(ends[0]);
	(void)dup2(ends[1], fuse_session_fd(fs->session));
	(void)close(ends[1]);
}

void fs_close(struct fs *fs)
{
	if (!fs)
		return;
	if (fs->notify)
		notify_stop(fs->notify);
	if (fs->is_started) {
		fs->is_stopping = true;
		wake_signal(&fs->wake);
		(void)pthread_join(fs->thread, NULL);
	}
	pendings_resume(&fs->ops.pendings);
	if (fs->is_mounted) {
		keep_path(fs);
		fuse_session_unmount(fs->session);
	}
	if (fs->session)
		fuse_session_destroy(fs->session);
	if (fs->notify)
		where_release(&fs->where);
	notify_free(fs->notify);
	replay_free(fs->replay);
	for (size_t i = 0; fs->ops.seen && i < fs->ops.tree.account_count; i++)
		seen_release(&fs->ops.seen[i]);
	free(fs->ops.seen);
	pendings_release(&fs->ops.pendings);
	open_release(&fs->ops.open);
	listings_release(&fs->ops.listings);
	tree_release(&fs->ops.tree);
	wake_release(&fs->wake);
	wake_release(&fs->end);
	if (fs->mount_table >= 0)
		(void)close(fs->mount_table);
	free(fs->path);
	free(fs);
}

int fs_unmount(const char *mountpoint, char **why_out)
{
	auto_free char *path = mount_path(mountpoint);
	int err = path ? 0 : -errno;
	if (err == 0 && !mount_is_ours(path)) {
		*why_out = xasprintf("%s: nothing of mailmount is mounted here",
		                     mountpoint);
		return -EINVAL;
	}
	if (err == 0)
		err = mount_detach(path);
	if (err < 0)
		*why_out = xasprintf("%s: %s", mountpoint, strerror(-err));
	return err;
}

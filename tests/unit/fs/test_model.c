/*
 * The same operations, drawn at random, on a mount and on a directory of the
 * system's own: each must end the same way, and leave the same behind.
 *
 *	MODEL_SEED=77		repeats a run, whose seed is told
 *	MODEL_COUNT=60000	so many operations, else 6000
 */
#include "tests/unit/test.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/xattr.h>

#include "tests/unit/fs/mounted.h"
#include "util/clock.h"
#include "util/mem.h"

#define COUNT 6000

struct plan {
	uint64_t seed;
	int count;
	const char *mirror; /* the system's directory */
};

static int dirs[2]; /* the mount, the mirror */
static uint64_t state_of_chance;

static unsigned chance(unsigned limit)
{
	/* xorshift64 */
	state_of_chance ^= state_of_chance << 13;
	state_of_chance ^= state_of_chance >> 7;
	state_of_chance ^= state_of_chance << 17;
	return (unsigned)(state_of_chance >> 33) % limit;
}

static const char *pick(const char *const *from, unsigned count)
{
	return from[chance(count)];
}
#define PICK(array) pick(array, COUNT_OF(array))

static const char *const FOLDERS[] = { "A", "A/B", "C", ".local" };
static const char *const PLACES[] = { "cur", "new", "tmp" };
static const char *const NAMES[] = { "1.a",  "1.a:2,S", "1.a:2,FS", ".1.a",
	                             "sed1", "x:2,Sq",  "1.a:2," };

/* Path of a file, or, now and then, of something else. */
static char *some_file(void)
{
	switch (chance(12)) {
	case 0:
		return xstrdup(PICK(FOLDERS));
	case 1:
		return xasprintf("%s/%s", PICK(FOLDERS), PICK(NAMES));
	case 2:
		return xasprintf("top%u", chance(2));
	default:
		return xasprintf("%s/%s/%s", PICK(FOLDERS), PICK(PLACES),
		                 PICK(NAMES));
	}
}

static char *some_dir(void)
{
	if (chance(2))
		return xstrdup(PICK(FOLDERS));
	return xasprintf("%s/%s", PICK(FOLDERS), PICK(PLACES));
}

enum operation {
	WRITE,
	APPEND,
	CUT,
	LINK,
	RENAME,
	RENAME_NEW,
	RENAME_DIR,
	UNLINK,
	MKDIR,
	RMDIR,
	CHMOD,
	DATE,
	HOLE,
	CLEAR,
	OPERATIONS,
};

struct action {
	enum operation operation;
	char *from, *to;
	unsigned value;
};

static int write_file(int dir, const struct action *a, int flags)
{
	char text[64];
	int fd = openat(dir, a->from, O_WRONLY | O_CREAT | flags, 0640);
	if (fd < 0)
		return -1;
	int len = snprintf(text, sizeof(text), "%u of many\n", a->value);
	ssize_t n = flags & O_APPEND
	                    ? write(fd, text, (size_t)len)
	                    : pwrite(fd, text, (size_t)len, a->value % 50);
	struct stat st;
	if (fstat(fd, &st) < 0 || close(fd) < 0)
		return -1;
	return n == len ? (int)st.st_size : -1;
}

static int cut_file(int dir, const struct action *a)
{
	int fd = openat(dir, a->from, O_RDWR);
	if (fd < 0)
		return -1;
	int result = ftruncate(fd, a->value % 100);
	(void)close(fd);
	return result;
}

/* Past the end, from a descriptor that was there before. */
static int write_hole(int dir, const struct action *a)
{
	int reader = openat(dir, a->from, O_RDONLY);
	int fd = openat(dir, a->from, O_RDWR | (a->value % 4 ? 0 : O_TRUNC));
	char bytes[400];
	ssize_t n = -1;
	if (fd >= 0 && pwrite(fd, "end", 3, a->value % 300) == 3)
		n = pread(reader, bytes, sizeof(bytes), 0);
	int error = errno;
	(void)close(fd);
	(void)close(reader);
	errno = error;
	return (int)n;
}

/* Remove what is in a directory, while it is read. */
static int clear_dir(int dir, const struct action *a)
{
	int fd = openat(dir, a->from, O_RDONLY | O_DIRECTORY);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	int count = 0;
	if (!stream)
		return -1;
	for (struct dirent *d; (d = readdir(stream));)
		if (d->d_type == DT_REG)
			count += unlinkat(fd, d->d_name, 0) == 0;
		else if (d->d_name[0] != '.')
			count += unlinkat(fd, d->d_name, AT_REMOVEDIR) == 0;
	(void)closedir(stream);
	return count;
}

static int do_action(int dir, const struct action *a)
{
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
		                    { 1000000000 + a->value, a->value } };
	switch (a->operation) {
	case WRITE:
		return write_file(dir, a, a->value % 3 ? 0 : O_EXCL);
	case APPEND:
		return write_file(dir, a, O_APPEND);
	case CUT:
		return cut_file(dir, a);
	case LINK:
		return linkat(dir, a->from, dir, a->to, 0);
	case RENAME:
	case RENAME_DIR:
		return renameat(dir, a->from, dir, a->to);
	case RENAME_NEW:
		return renameat2(dir, a->from, dir, a->to, RENAME_NOREPLACE);
	case UNLINK:
		return unlinkat(dir, a->from, 0);
	case MKDIR:
		return mkdirat(dir, a->from, 0700);
	case RMDIR:
		return unlinkat(dir, a->from, AT_REMOVEDIR);
	case CHMOD:
		return fchmodat(dir, a->from, 0600 | a->value % 0200, 0);
	case DATE:
		return utimensat(dir, a->from, times, 0);
	case HOLE:
		return write_hole(dir, a);
	case CLEAR:
		return clear_dir(dir, a);
	case OPERATIONS:
		break;
	}
	return -1;
}

static bool is_place(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	for (size_t i = 0; i < COUNT_OF(PLACES); i++)
		if (strcmp(name, PLACES[i]) == 0)
			return true;
	return false;
}

static struct action some_action(void)
{
	struct action a = { .operation = chance(OPERATIONS),
		            .value = chance(1000000) };
	if (a.operation == RENAME_DIR) {
		a.from = xstrdup(PICK(FOLDERS));
		a.to = xstrdup(PICK(FOLDERS));
	} else if (a.operation == MKDIR || a.operation == RMDIR ||
	           a.operation == CLEAR) {
		a.from = some_dir();
		a.to = some_dir();
	} else {
		a.from = some_file();
		a.to = some_file();
	}
	/* Directories go less often than they are made. */
	bool is_rare = a.operation == RMDIR || a.operation == RENAME_DIR ||
	               a.operation == CLEAR;
	if (is_rare && chance(2)) {
		free(a.from);
		a.from = some_dir();
		a.operation = MKDIR;
	}
	return a;
}

static bool is_dir(const char *path)
{
	struct stat st;
	return fstatat(dirs[1], path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static bool is_in_place(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *above = xstrndup(path, slash ? (size_t)(slash - path) : 0);
	bool is_in = is_place(above);
	free(above);
	return is_in;
}

/*
 * What a mount refuses where others do not: its own three directories stay
 * where they are and hold no others, and directories have one mode.
 */
static bool is_comparable(const struct action *a)
{
	struct stat st;
	if (a->operation == RENAME || a->operation == RENAME_NEW ||
	    a->operation == RENAME_DIR)
		return !is_place(a->from) && !is_place(a->to) &&
		       !(is_dir(a->from) && is_in_place(a->to));
	if (a->operation == CHMOD || a->operation == DATE)
		return fstatat(dirs[1], a->from, &st, 0) < 0 ||
		       S_ISREG(st.st_mode);
	return true;
}

/* One line for a path, of all that stat(2) and read(2) say. */
static void describe(int dir, const char *path, char line[1024])
{
	struct stat st;
	char bytes[512] = "";
	line[0] = '\0';
	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		(void)snprintf(line, 1024, "%s", strerror(errno));
		return;
	}
	if (S_ISDIR(st.st_mode)) {
		(void)snprintf(line, 1024, "dir %d", (int)st.st_nlink);
		return;
	}
	int fd = openat(dir, path, O_RDONLY);
	ssize_t n = read(fd, bytes, sizeof(bytes));
	(void)close(fd);
	/* The date of what was just written is anything. */
	bool is_set = st.st_mtim.tv_sec < 1100000000;
	int len = snprintf(line, 1024, "%o %d %d %d %ld %ld ", st.st_mode,
	                   (int)st.st_nlink, (int)st.st_size, (int)n,
	                   is_set ? (long)st.st_mtim.tv_sec : 0,
	                   is_set ? (long)st.st_mtim.tv_nsec : 0);
	for (ssize_t i = 0; i < n; i++)
		line[len + i] = bytes[i] ? bytes[i] : '0';
	line[len + (n > 0 ? n : 0)] = '\0';
}

static int is_seen(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Whether both hold the same below a path. */
static int compare(const char *path)
{
	struct dirent **lists[2];
	int counts[2];
	for (int i = 0; i < 2; i++) {
		counts[i] =
			scandirat(dirs[i], path, &lists[i], is_seen, by_name);
		TRUE(counts[i] >= 0);
	}
	for (int i = 0; i < counts[0] && i < counts[1]; i++)
		if (strcmp(lists[0][i]->d_name, lists[1][i]->d_name) != 0)
			(void)fprintf(stderr, "%s: %s, not %s\n", path,
			              lists[0][i]->d_name, lists[1][i]->d_name);
	TRUE(counts[0] == counts[1]);
	int wrong = 0;
	for (int i = 0; i < counts[0]; i++) {
		char lines[2][1024];
		char *below = xasprintf("%s/%s", path, lists[1][i]->d_name);
		for (int k = 0; k < 2; k++)
			describe(dirs[k], below, lines[k]);
		if (strcmp(lines[0], lines[1]) != 0) {
			(void)fprintf(stderr, "%s: %s, not %s\n", below,
			              lines[0], lines[1]);
			wrong = 1;
		}
		if (wrong == 0 && strncmp(lines[1], "dir", 3) == 0)
			wrong = compare(below);
		free(below);
	}
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < counts[i]; k++)
			free(lists[i][k]);
		free(lists[i]);
	}
	return wrong;
}

static int compare_all(void *arg)
{
	const struct plan *plan = arg;
	dirs[0] = open(".", O_RDONLY | O_DIRECTORY);
	dirs[1] = open(plan->mirror, O_RDONLY | O_DIRECTORY);
	TRUE(dirs[0] >= 0 && dirs[1] >= 0);
	return compare(".");
}

static int act(int number)
{
	struct action a = some_action();
	int results[2], errors[2] = { 0, 0 };
	for (int i = 0; is_comparable(&a) && i < 2; i++) {
		errno = 0;
		results[i] = do_action(dirs[i], &a);
		errors[i] = results[i] < 0 ? errno : 0;
		if (i == 0)
			continue;
		if (results[0] != results[1] || errors[0] != errors[1]) {
			(void)fprintf(stderr,
			              "%d: operation %d, %s to %s, %u: "
			              "%d %s, not %d %s\n",
			              number, (int)a.operation, a.from, a.to,
			              a.value, results[0], strerror(errors[0]),
			              results[1], strerror(errors[1]));
			return 1;
		}
	}
	free(a.from);
	free(a.to);
	return 0;
}

static int act_at_random(void *arg)
{
	const struct plan *plan = arg;
	state_of_chance = plan->seed;
	(void)umask(022);
	TRUE(compare_all(arg) == 0);
	for (int i = 0; i < plan->count; i++) {
		if (act(i) != 0)
			return 1;
		if (i % 50 == 0 && compare(".") != 0) {
			(void)fprintf(stderr, "after operation %d\n", i);
			return 1;
		}
	}
	return compare(".");
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	return remove(path);
}

static struct plan plan = { .count = COUNT };

static void a_mount_behaves_as_any_directory(void **state)
{
	struct mounted *m = *state;
	char mirror[] = "/tmp/mailmount mirror XXXXXX";
	assert_non_null(mkdtemp(mirror));
	char *inbox = xasprintf("%s/INBOX", mirror);
	assert_int_equal(mkdir(inbox, 0700), 0);
	for (size_t i = 0; i < COUNT_OF(PLACES); i++) {
		char *place = xasprintf("%s/%s", inbox, PLACES[i]);
		assert_int_equal(mkdir(place, 0700), 0);
		free(place);
	}
	free(inbox);
	plan.mirror = mirror;
	if (plan.seed == 0)
		plan.seed = (uint64_t)clock_wall_ns() | 1;
	print_message("seed %llu\n", (unsigned long long)plan.seed);
	mounted_now(m, FS_NESTED, 1);
	mounted_run(m, act_at_random, &plan);
	/* The last releases come after the closes they belong to. */
	mounted_end(m);
	assert_int_equal(fake_writers(m->cache), 0);
	mounted_now(m, FS_NESTED, 1);
	mounted_run(m, compare_all, &plan);
	(void)nftw(mirror, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const char *seed = getenv("MODEL_SEED"), *count = getenv("MODEL_COUNT");
	if (seed != NULL)
		plan.seed = strtoull(seed, NULL, 10);
	if (count != NULL)
		plan.count = atoi(count);
	const struct CMUnitTest tests[] = {
		MOUNT_TEST(a_mount_behaves_as_any_directory),
	};
	return mounted_run_tests(tests);
}

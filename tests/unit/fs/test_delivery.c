/*
 * What mail programs do to a Maildir, call by call, as strace showed it.
 */
#include "tests/unit/test.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "tests/unit/fs/mounted.h"
#include "util/cleanup.h"

static struct stat st, other;

/* procmail, getmail, mpop, fdm, postfix: link, unlink. */
static int deliver_by_link(void *arg)
{
	TRUE(chdir("INBOX") == 0);
	FAILS(lstat("tmp/X", &st), ENOENT);
	TRUE(put_file("tmp/X", "mail\n") == 0);
	TRUE(stat("tmp/X", &st) == 0 && st.st_nlink == 1);
	TRUE(link("tmp/X", "new/X") == 0);
	TRUE(stat("new/X", &other) == 0 && other.st_ino == st.st_ino);
	TRUE(other.st_nlink == 2);
	TRUE(stat("tmp/X", &st) == 0 && st.st_nlink == 2);
	FAILS(link("tmp/X", "new/X"), EEXIST);
	TRUE(unlink("tmp/X") == 0);
	TRUE(stat("new/X", &st) == 0 && st.st_nlink == 1);
	TRUE(has_text("new/X", "mail\n"));
	FAILS(stat("tmp/X", &st), ENOENT);
	return 0;
}

/* maildrop: no O_EXCL; fstat and lstat must agree. */
static int deliver_as_maildrop(void *arg)
{
	TRUE(chdir("INBOX") == 0);
	int fd = open("tmp/M", O_RDWR | O_CREAT | O_TRUNC | O_NONBLOCK, 0600);
	TRUE(fd >= 0 && fstat(fd, &st) == 0 && lstat("tmp/M", &other) == 0);
	TRUE(st.st_dev == other.st_dev && st.st_ino == other.st_ino);
	int quota = open("maildirsize", O_RDWR | O_APPEND | O_CREAT, 0600);
	TRUE(quota >= 0 && write(quota, "10 1\n", 5) == 5);
	TRUE(write(fd, "mail\n", 5) == 5 && fsync(fd) == 0);
	TRUE(fstat(fd, &st) == 0 && st.st_size == 5);
	TRUE(close(fd) == 0 && link("tmp/M", "new/M") == 0);
	TRUE(unlink("tmp/M") == 0 && write(quota, "12 1\n", 5) == 5);
	TRUE(close(quota) == 0 && has_text("maildirsize", "10 1\n12 1\n"));
	return 0;
}

/* mutt, courier: the date is set after the message is there. */
static int save_as_mutt(void *arg)
{
	struct timespec times[] = { { 1500000000, 5 }, { 1500000000, 7 } };
	TRUE(chdir("INBOX") == 0);
	TRUE(put_file("tmp/S:2,S", "mail\n") == 0);
	TRUE(link("tmp/S:2,S", "cur/S:2,S") == 0);
	TRUE(unlink("tmp/S:2,S") == 0);
	TRUE(utimensat(AT_FDCWD, "cur/S:2,S", times, 0) == 0);
	TRUE(stat("cur/S:2,S", &st) == 0);
	TRUE(st.st_mtim.tv_sec == 1500000000 && st.st_mtim.tv_nsec == 7);
	/* Flagged, and still unread. */
	TRUE(put_file("new/N", "mail\n") == 0);
	TRUE(rename("new/N", "new/N:2,F") == 0);
	TRUE(stat("new/N:2,F", &st) == 0);
	FAILS(stat("new/N", &st), ENOENT);
	return 0;
}

/* dovecot: date before the name, fdatasync of the directory. */
static int append_as_dovecot(void *arg)
{
	struct timespec times[] = { { 1, 0 }, { 1400000000, 0 } };
	TRUE(chdir("INBOX") == 0);
	int fd = open("tmp/D", O_WRONLY | O_CREAT | O_EXCL | O_TRUNC, 0600);
	TRUE(fd >= 0 && write(fd, "mail\n", 5) == 5);
	TRUE(futimens(fd, times) == 0 && fsync(fd) == 0 && close(fd) == 0);
	TRUE(rename("tmp/D", "cur/D,S=5,W=6:2,S") == 0);
	int dir = open("cur", O_RDONLY | O_DIRECTORY);
	TRUE(dir >= 0 && fdatasync(dir) == 0 && close(dir) == 0);
	TRUE(stat("cur/D,S=5,W=6:2,S", &st) == 0);
	TRUE(st.st_mtim.tv_sec == 1400000000);
	/* COPY is a hard link into another folder's tmp. */
	TRUE(link("cur/D,S=5,W=6:2,S", "../Archive/tmp/Y") == 0);
	TRUE(rename("../Archive/tmp/Y", "../Archive/cur/Y:2,S") == 0);
	TRUE(stat("../Archive/cur/Y:2,S", &other) == 0);
	TRUE(other.st_ino == st.st_ino && other.st_nlink == 2);
	TRUE(unlink("cur/D,S=5,W=6:2,S") == 0);
	TRUE(has_text("../Archive/cur/Y:2,S", "mail\n"));
	return 0;
}

/* dovecot, courier: a lock is a link, and its owner sees it go by fstat(2). */
static int lock_as_dovecot(void *arg)
{
	int fd = open("mailboxes.lock1", O_RDWR | O_CREAT | O_EXCL, 0600);
	TRUE(fd >= 0 && write(fd, "1", 1) == 1);
	TRUE(link("mailboxes.lock1", "mailboxes.lock") == 0);
	TRUE(fstat(fd, &st) == 0 && st.st_nlink == 2);
	TRUE(unlink("mailboxes.lock1") == 0);
	TRUE(fstat(fd, &st) == 0 && st.st_nlink == 1);
	FAILS(open("mailboxes.lock", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	TRUE(unlink("mailboxes.lock") == 0);
	TRUE(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 1);
	TRUE(fchmod(fd, 0640) == 0 && write(fd, "2", 1) == 1);
	TRUE(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 2);
	TRUE((st.st_mode & 0777) == 0640 && close(fd) == 0);
	FAILS(stat("mailboxes.lock", &st), ENOENT);

	TRUE(put_file("INBOX/tmp/courier.x", "") == 0);
	TRUE(link("INBOX/tmp/courier.x", "INBOX/tmp/courier.lock") == 0);
	TRUE(stat("INBOX/tmp/courier.x", &st) == 0 && st.st_nlink == 2);
	TRUE(unlink("INBOX/tmp/courier.lock") == 0);
	TRUE(unlink("INBOX/tmp/courier.x") == 0);
	return 0;
}

static int lock_by_fcntl(void *arg)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = open("INBOX/dovecot.index.log", O_RDWR | O_CREAT, 0600);
	TRUE(fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0);
	TRUE(flock(fd, LOCK_EX | LOCK_NB) == 0 && close(fd) == 0);
	return 0;
}

/* dovecot DELETE: out of the way, emptied, and each directory removed. */
static int delete_as_dovecot(void *arg)
{
	TRUE(put_file("Archive/maildirfolder", "") == 0);
	TRUE(put_file("Archive/new/X", "x") == 0);
	TRUE(rename("Archive", "..DOVECOT-TRASHED") == 0);
	TRUE(chdir("..DOVECOT-TRASHED") == 0);
	FAILS(unlink("new"), EISDIR);
	FAILS(rmdir("new"), ENOTEMPTY);
	TRUE(unlink("new/X") == 0 && unlink("maildirfolder") == 0);
	TRUE(rmdir("new") == 0 && rmdir("cur") == 0);
	FAILS(rmdir("../..DOVECOT-TRASHED"), ENOTEMPTY);
	TRUE(rmdir("tmp") == 0 && rmdir("../..DOVECOT-TRASHED") == 0);
	FAILS(stat("../Archive", &st), ENOENT);
	return 0;
}

/* dovecot maps what it reads of an index, and writes it with write(2). */
static int map_as_dovecot(void *arg)
{
	int fd = open("INBOX/dovecot.index.cache", O_RDWR | O_CREAT, 0600);
	TRUE(fd >= 0 && ftruncate(fd, 8192) == 0);
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	TRUE(map != MAP_FAILED && pwrite(fd, "one", 3, 4096) == 3);
	TRUE(memcmp(map + 4096, "one", 3) == 0);
	memcpy(map, "two", 3);
	TRUE(msync(map, 8192, MS_SYNC) == 0);
	memcpy(map + 8188, "end", 3);
	TRUE(close(fd) == 0 && munmap(map, 8192) == 0);
	char bytes[8192];
	fd = open("INBOX/dovecot.index.cache", O_RDONLY);
	TRUE(fd >= 0 && read(fd, bytes, sizeof(bytes)) == 8192);
	TRUE(memcmp(bytes, "two", 4) == 0 &&
	     memcmp(bytes + 4096, "one", 4) == 0);
	TRUE(memcmp(bytes + 8188, "end", 4) == 0 && close(fd) == 0);
	return 0;
}

/* s-nail: a flag is set by a link and an unlink; so is none lost. */
static int flag_as_snail(void *arg)
{
	TRUE(chdir("INBOX") == 0 && put_file("new/X", "mail\n") == 0);
	TRUE(link("new/X", "cur/X:2,S") == 0 && unlink("new/X") == 0);
	TRUE(has_text("cur/X:2,S", "mail\n"));
	TRUE(stat("cur/X:2,S", &st) == 0 && st.st_nlink == 1);
	return 0;
}

/* mbsync and offlineimap: info in new, and a base with more in it. */
static int rename_as_mbsync(void *arg)
{
	TRUE(chdir("INBOX") == 0 && put_file("tmp/X:2,", "mail\n") == 0);
	TRUE(rename("tmp/X:2,", "new/X:2,") == 0);
	TRUE(rename("new/X:2,", "new/X,U=7:2,") == 0);
	TRUE(rename("new/X,U=7:2,", "cur/X,U=7:2,RS") == 0);
	TRUE(rename("cur/X,U=7:2,RS", "new/X,U=7:2,R") == 0);
	TRUE(has_text("new/X,U=7:2,R", "mail\n"));
	/* It waits for as long as these move. */
	TRUE(stat("cur", &st) == 0 && stat("new", &other) == 0);
	struct stat later;
	TRUE(has_text("new/X,U=7:2,R", "mail\n"));
	TRUE(put_file("tmp/Y", "") == 0 && unlink("tmp/Y") == 0);
	TRUE(chmod("new/X,U=7:2,R", 0640) == 0);
	TRUE(stat("cur", &later) == 0);
	TRUE(memcmp(&later.st_mtim, &st.st_mtim, sizeof(st.st_mtim)) == 0);
	TRUE(stat("new", &later) == 0);
	TRUE(memcmp(&later.st_mtim, &other.st_mtim, sizeof(st.st_mtim)) == 0);
	return 0;
}

/* notmuch insert: the directory must be synced, then new becomes cur. */
static int insert_as_notmuch(void *arg)
{
	TRUE(chdir("INBOX") == 0 && put_file("tmp/X", "mail\n") == 0);
	TRUE(rename("tmp/X", "new/X") == 0);
	int dir = open("new", O_RDONLY);
	TRUE(dir >= 0 && fsync(dir) == 0 && close(dir) == 0);
	TRUE(rename("new/X", "cur/X:2,S") == 0);
	TRUE(access("cur/X:2,S", R_OK) == 0);
	FAILS(access("new/X", R_OK), ENOENT);
	return 0;
}

/* sed -i: a file beside the message, renamed over it. */
static int edit_as_sed(void *arg)
{
	TRUE(chdir("INBOX/cur") == 0);
	TRUE(put_file("X:2,S", "old\n") == 0);
	int old = open("X:2,S", O_RDONLY);
	TRUE(old >= 0 && fstat(old, &st) == 0);
	TRUE(put_file("sedabcde", "new one\n") == 0);
	TRUE(chown("sedabcde", st.st_uid, st.st_gid) == 0);
	TRUE(chmod("sedabcde", st.st_mode & 07777) == 0);
	TRUE(rename("sedabcde", "X:2,S") == 0);
	TRUE(has_text("X:2,S", "new one\n"));
	char bytes[8];
	TRUE(fstat(old, &other) == 0 && other.st_nlink == 0);
	TRUE(other.st_ino == st.st_ino && other.st_size == 4);
	TRUE(pread(old, bytes, sizeof(bytes), 0) == 4 && close(old) == 0);
	TRUE(memcmp(bytes, "old\n", 4) == 0);
	return 0;
}

/* rsync: a hidden name in place, mode, date, rename. */
static int copy_as_rsync(void *arg)
{
	struct timespec times[] = { { 0, UTIME_OMIT }, { 1300000000, 123 } };
	TRUE(chdir("INBOX/cur") == 0);
	TRUE(put_file(".X:2,S.RaNdOm", "mail\n") == 0);
	TRUE(chmod(".X:2,S.RaNdOm", 0644) == 0);
	TRUE(utimensat(AT_FDCWD, ".X:2,S.RaNdOm", times, 0) == 0);
	TRUE(rename(".X:2,S.RaNdOm", "X:2,S") == 0);
	TRUE(stat("X:2,S", &st) == 0 && (st.st_mode & 07777) == 0644);
	TRUE(st.st_mtim.tv_sec == 1300000000 && st.st_mtim.tv_nsec == 123);
	return 0;
}

/* dovecot, aerc: all of new goes to cur while new is being read. */
static int open_as_aerc(void *arg)
{
	char from[300], to[300];
	TRUE(chdir("INBOX") == 0);
	for (int i = 0; i < 300; i++) {
		(void)snprintf(from, sizeof(from), "new/m%d", i);
		TRUE(put_file(from, "x") == 0);
	}
	int count = 0;
	DIR *dir = opendir("new");
	TRUE(dir);
	for (struct dirent *d; (d = readdir(dir));) {
		if (d->d_name[0] == '.')
			continue;
		(void)snprintf(from, sizeof(from), "new/%s", d->d_name);
		(void)snprintf(to, sizeof(to), "cur/%s:2,", d->d_name);
		TRUE(d->d_type == DT_REG && rename(from, to) == 0);
		count++;
	}
	(void)closedir(dir);
	TRUE(count == 300);
	/* A flag set meanwhile moves nothing in the order. */
	dir = opendir("cur");
	TRUE(dir);
	count = 0;
	for (struct dirent *d; (d = readdir(dir)); count++) {
		if (d->d_name[0] == '.' || strchr(d->d_name, 'S'))
			continue;
		(void)snprintf(from, sizeof(from), "cur/%s", d->d_name);
		(void)snprintf(to, sizeof(to), "cur/%sS", d->d_name);
		TRUE(rename(from, to) == 0);
	}
	(void)closedir(dir);
	TRUE(count == 302);
	return 0;
}

/* The Maildir++ ways of dovecot and courier. */
static int folders_as_courier(void *arg)
{
	TRUE(mkdir(".A", 0700) == 0);
	FAILS(mkdir(".A", 0700), EEXIST);
	TRUE(mkdir(".A/cur", 0700) == 0 && mkdir(".A/new", 0700) == 0);
	TRUE(mkdir(".A/tmp", 0700) == 0 && chmod(".A", 0755) == 0);
	FAILS(mkdir(".A/tmp", 0700), EEXIST);
	TRUE(put_file(".A/maildirfolder", "") == 0);
	TRUE(put_file(".A/tmp/1.courierimapuiddb", "1 2\n") == 0);
	TRUE(rename(".A/tmp/1.courierimapuiddb", ".A/courierimapuiddb") == 0);
	TRUE(mkdir(".A/courierimapkeywords", 0700) == 0);
	TRUE(put_file(".A/courierimapkeywords/:list", "k\n") == 0);
	TRUE(put_file(".A/new/X", "mail\n") == 0);
	TRUE(rename(".A", ".B.C") == 0);
	TRUE(has_text(".B.C/new/X", "mail\n"));
	TRUE(has_text(".B.C/courierimapkeywords/:list", "k\n"));
	FAILS(stat(".A", &st), ENOENT);
	TRUE(rename(".B.C", "..DOVECOT-TRASHED") == 0);
	TRUE(has_text("..DOVECOT-TRASHED/new/X", "mail\n"));
	TRUE(put_file("dovecot-uidlist", "1\n") == 0);
	TRUE(put_file("new/Y", "mail\n") == 0);
	return 0;
}

static const struct {
	program *run;
	enum fs_layout layout;
} ROWS[] = {
	{ deliver_by_link, FS_NESTED },
	{ deliver_as_maildrop, FS_NESTED },
	{ save_as_mutt, FS_NESTED },
	{ append_as_dovecot, FS_NESTED },
	{ lock_as_dovecot, FS_NESTED },
	{ lock_by_fcntl, FS_NESTED },
	{ delete_as_dovecot, FS_NESTED },
	{ map_as_dovecot, FS_NESTED },
	{ flag_as_snail, FS_NESTED },
	{ rename_as_mbsync, FS_NESTED },
	{ insert_as_notmuch, FS_NESTED },
	{ edit_as_sed, FS_NESTED },
	{ copy_as_rsync, FS_NESTED },
	{ open_as_aerc, FS_NESTED },
	{ folders_as_courier, FS_MAILDIRPP },
};

static void programs_find_what_they_need(void **state)
{
	for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
		void *one;
		assert_int_equal(mounted_set_up(&one), 0);
		struct mounted *m = one;
		fake_folder(m->cache, CACHE_ROOT, "Archive", 0);
		mounted_now(m, ROWS[i].layout, 1);
		mounted_run(m, ROWS[i].run, NULL);
		mounted_tear_down(&one);
	}
}

static void shell_tools_find_what_they_need(void **state)
{
	static const char *const COMMANDS[] = {
		"set -e; cd INBOX/new; printf 'a\\nb\\n' >x; sed -i s/a/c/ x; "
		"test \"$(echo $(cat x))\" = 'c b'",
		"set -e; cd INBOX/cur; echo 1 >m:2,; cp -p m:2, n:2,S; "
		"test m:2, -ot n:2,S || cmp m:2, n:2,S; mv n:2,S ../../Archive/cur",
		"set -e; cd INBOX; echo 1 >tmp/a; echo 2 >>tmp/a; "
		"test $(wc -c <tmp/a) = 4; cat tmp/a >/dev/null; rm tmp/a",
		"set -e; mkdir t; mkdir t/cur t/new t/tmp; touch t/.uidvalidity; "
		"tar cf - t | (mkdir u && cd u && tar xf -); diff -r t u/t; "
		"rm -r t u; test ! -e t",
		"set -e; ln -s a b 2>&1 | grep -q 'not permitted'; "
		"mkfifo f 2>&1 | grep -q 'not permitted'",
	};
	struct mounted *m = *state;
	fake_folder(m->cache, CACHE_ROOT, "Archive", 0);
	mounted_now(m, FS_NESTED, 1);
	for (size_t i = 0; i < COUNT_OF(COMMANDS); i++)
		mounted_shell(m, COMMANDS[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_find_what_they_need),
		MOUNT_TEST(shell_tools_find_what_they_need),
	};
	return mounted_run_tests(tests);
}

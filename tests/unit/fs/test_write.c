/*
 * What changes a mount, and how each change may fail.
 */
#include "tests/unit/test.h"

#include <dirent.h>
#include <signal.h>
#include <sys/xattr.h>

#include "mail/mail.h"
#include "tests/unit/fs/mounted.h"
#include "util/cleanup.h"
#include "util/mem.h"

static struct stat st;

static struct mounted *mounted_of(void **state)
{
	return *state;
}

static int append_to_message(void *arg)
{
	TRUE(stat("INBOX/cur/" FIRST ":2,", &st) == 0 && st.st_size == 7);
	int fd = open("INBOX/cur/" FIRST ":2,", O_WRONLY | O_APPEND);
	TRUE(fd >= 0 && write(fd, "one\n", 4) == 4);
	TRUE(write(fd, "two\n", 4) == 4 && close(fd) == 0);
	TRUE(has_text("INBOX/cur/" FIRST ":2,", "xxx\none\ntwo\n"));
	return 0;
}

static void what_is_appended_comes_after_the_true_end(void **state)
{
	struct mounted *m = mounted_of(state);
	mounted_message(m, 0);
	mounted_now(m, FS_NESTED, 1);
	mounted_run(m, append_to_message, NULL);
}

static int read_while_written(void *arg)
{
	char bytes[16];
	int old = open("INBOX/cur/" FIRST ":2,", O_RDONLY);
	TRUE(old >= 0 && read(old, bytes, 1) == 1);
	int fd = open("INBOX/cur/" FIRST ":2,", O_RDWR);
	TRUE(fd >= 0 && pwrite(fd, "new text\n", 9, 0) == 9);
	TRUE(close(fd) == 0 && fstat(old, &st) == 0 && st.st_size == 9);
	/* Not what the kernel remembers, but what we say. */
	TRUE(posix_fadvise(old, 0, 0, POSIX_FADV_DONTNEED) == 0);
	TRUE(pread(old, bytes, 16, 0) == 9);
	TRUE(memcmp(bytes, "new text\n", 9) == 0);
	TRUE(truncate("INBOX/cur/" FIRST ":2,", 3) == 0);
	TRUE(pread(old, bytes, 16, 0) == 3 && close(old) == 0);
	return 0;
}

static void all_descriptors_of_a_file_lead_to_the_same_data(void **state)
{
	struct mounted *m = mounted_of(state);
	mounted_message(m, 0);
	mounted_now(m, FS_NESTED, 1);
	mounted_run(m, read_while_written, NULL);
}

static int cut_message(void *arg)
{
	const int *length = arg;
	TRUE(truncate("INBOX/cur/" FIRST ":2,", *length) == 0);
	TRUE(stat("INBOX/cur/" FIRST ":2,", &st) == 0);
	TRUE(st.st_size == *length && (st.st_blocks > 0 || *length == 0));
	return 0;
}

static int cut_in_vain(void *arg)
{
	FAILS(truncate("INBOX/cur/" FIRST ":2,", 2), EHOSTUNREACH);
	FAILS(open("INBOX/cur/" FIRST ":2,", O_RDWR), EHOSTUNREACH);
	return 0;
}

static void a_file_is_fetched_before_it_is_cut(void **state)
{
	struct mounted *m = mounted_of(state);
	int two = 2;
	mounted_message(m, 0);
	fake_hold(m->cache, true);
	mounted_now(m, FS_NESTED, 1);
	pid_t pid = mounted_start(m, cut_in_vain, NULL);
	for (int i = 0; i < 2; i++) {
		mounted_await_waiting(m, 1);
		fake_complete(m->cache, -EHOSTUNREACH);
	}
	assert_int_equal(mounted_finish(pid, 5000), 0);
	pid = mounted_start(m, cut_message, &two);
	mounted_await_waiting(m, 1);
	fake_complete(m->cache, 0);
	assert_int_equal(mounted_finish(pid, 5000), 0);
	mounted_shell(m, "test \"$(cat INBOX/cur/*)\" = xx");
}

static void what_is_emptied_is_not_fetched(void **state)
{
	struct mounted *m = mounted_of(state);
	int none = 0;
	mounted_message(m, 0);
	fake_hold(m->cache, true);
	mounted_now(m, FS_NESTED, 1);
	mounted_run(m, cut_message, &none);
	(void)fake_message(m->cache, m->inbox, CACHE_CUR, 0, 3, 3);
	mounted_shell(m, "echo 1 >$(echo INBOX/cur/*03.work:2,); "
	                 "test \"$(cat INBOX/cur/*03.work:2,)\" = 1");
}

static int write_and_sync(void *arg)
{
	const int *syncs = arg;
	int fd = open("INBOX/tmp/x", O_RDWR);
	TRUE(fd >= 0 && write(fd, "1", 1) == 1);
	if (*syncs)
		TRUE(fsync(fd) == 0);
	TRUE(ftruncate(fd, 0) == 0 && close(fd) == 0);
	return 0;
}

static int write_and_name(void *arg)
{
	int fd = open("INBOX/tmp/x", O_RDWR);
	TRUE(fd >= 0 && write(fd, "1", 1) == 1 && write(fd, "2", 1) == 1);
	TRUE(link("INBOX/tmp/x", "INBOX/tmp/y") == 0);
	TRUE(write(fd, "3", 1) == 1 && write(fd, "4", 1) == 1);
	TRUE(rename("INBOX/tmp/x", "INBOX/tmp/z") == 0);
	TRUE(rename("INBOX/tmp/z", "INBOX/tmp/x") == 0);
	TRUE(write(fd, "5", 1) == 1 && close(fd) == 0);
	return 0;
}

static void the_cache_is_told_before_data_changes(void **state)
{
	struct mounted *m = mounted_of(state);
	mounted_now(m, FS_NESTED, 1);
	mounted_shell(m, ": >INBOX/tmp/x; cat INBOX/tmp/x");
	assert_int_equal(fake_touches(m->cache, 1), 0);
	for (int syncs = 0; syncs < 2; syncs++) {
		mounted_run(m, write_and_sync, &syncs);
		assert_int_equal(fake_touches(m->cache, 1), 1 + syncs);
	}
	/* What was written before it had its name lasts, what comes not yet. */
	mounted_run(m, write_and_name, NULL);
	assert_int_equal(fake_touches(m->cache, 1), 3);
	/* If it cannot be, none does. */
	mounted_shell(m, "printf 12345 >INBOX/tmp/x");
	fake_fail(m->cache, -ENOSPC);
	mounted_shell(m, "! truncate -s 1 INBOX/tmp/x 2>/dev/null && "
	                 "test $(cat INBOX/tmp/x) = 12345");
}

/* One call that changes something, and its way to be undone. */
static int fail_each(void *arg)
{
	const int *error = arg;
	switch (*error) {
	case 0:
		FAILS(mkdir("d", 0700), ENOSPC);
		break;
	case 1:
		FAILS(open("INBOX/tmp/n", O_CREAT | O_WRONLY, 0600), EDQUOT);
		break;
	case 2:
		FAILS(link("INBOX/cur/a", "INBOX/cur/b"), EIO);
		break;
	case 3:
		FAILS(rename("INBOX/cur/a", "INBOX/cur/b"), EXDEV);
		break;
	case 4:
		FAILS(unlink("INBOX/cur/a"), EROFS);
		break;
	case 5:
		FAILS(chmod("INBOX/cur/a", 0700), EROFS);
		break;
	case 6:
		FAILS(rmdir("Archive/tmp"), ENOSPC);
		break;
	case 7:
		FAILS(rename("Archive", "b"), ENOSPC);
		break;
	case 8:
		FAILS(open("INBOX/cur/a", O_RDWR), EIO);
		break;
	case 9:
		FAILS(mknod("INBOX/cur/n", S_IFREG | 0600, 0), ENOSPC);
		break;
	case 10:
		FAILS(rmdir("Empty"), EIO);
		break;
	case 11:
		FAILS(setxattr("INBOX/cur/a", "user.mailmount.keywords", "k", 1,
		               0),
		      ENOSPC);
		break;
	case 12:
		FAILS(setxattr("INBOX/cur/a", "user.mailmount.flags", "S", 1,
		               0),
		      EIO);
		break;
	case 13:
		FAILS(mkdir("Empty/cur", 0700), EDQUOT);
		break;
	default:
		return 1;
	}
	TRUE(has_text("INBOX/cur/a", "a"));
	TRUE(access("INBOX/cur/b", F_OK) < 0 && access("b", F_OK) < 0);
	return 0;
}

static void each_change_tells_why_it_failed(void **state)
{
	static const int ERRORS[] = { ENOSPC, EDQUOT, EIO,    EXDEV, EROFS,
		                      EROFS,  ENOSPC, ENOSPC, EIO,   ENOSPC,
		                      EIO,    ENOSPC, EIO,    EDQUOT };
	struct mounted *m = mounted_of(state);
	fake_folder(m->cache, CACHE_ROOT, "Archive", 0);
	fake_folder(m->cache, CACHE_ROOT, "Empty", MAIL_FOLDER_NOSELECT);
	mounted_now(m, FS_NESTED, 1);
	mounted_shell(m, "printf a >INBOX/cur/a");
	for (int i = 0; i < (int)COUNT_OF(ERRORS); i++) {
		fake_fail(m->cache, -ERRORS[i]);
		mounted_run(m, fail_each, &i);
	}
	mounted_end(m);
	assert_int_equal(fake_writers(m->cache), 0);
}

static int refuse_in_nested(void *arg)
{
	char name[300];
	FAILS(mkdir("cur", 0700), EPERM);
	FAILS(mkdir("INBOX/cur/x", 0700), EPERM);
	FAILS(rename("INBOX/cur", "INBOX/old"), EBUSY);
	TRUE(mkdir("other", 0700) == 0);
	FAILS(rename("plain", "other/cur"), EBUSY);
	FAILS(open("plain/new", O_CREAT | O_WRONLY, 0600), EPERM);
	FAILS(mkdir("a%b", 0700), EINVAL);
	FAILS(mkdir("a\nb", 0700), EINVAL);
	FAILS(mkdir("a\xff", 0700), EINVAL);
	FAILS(mkdir("inbox", 0700), EINVAL);
	TRUE(mkdir("a%25\xc3\xa9", 0700) == 0 && rmdir("a%25\xc3\xa9") == 0);
	FAILS(rename("plain", "inbox"), EINVAL);
	FAILS(renameat2(AT_FDCWD, "plain", AT_FDCWD, "INBOX", RENAME_EXCHANGE),
	      EINVAL);
	FAILS(renameat2(AT_FDCWD, "plain", AT_FDCWD, "INBOX", RENAME_NOREPLACE),
	      EEXIST);
	FAILS(symlink("a", "b"), EPERM);
	FAILS(mkfifo("fifo", 0600), EPERM);
	FAILS(open("INBOX/tmp", O_TMPFILE | O_RDWR, 0600), EOPNOTSUPP);
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	FAILS(open(name, O_CREAT | O_WRONLY, 0600), ENAMETOOLONG);
	FAILS(mkdir(name, 0700), ENAMETOOLONG);
	FAILS(stat(name, &st), ENAMETOOLONG);
	name[255] = '\0';
	TRUE(put_file(name, "x") == 0 && unlink(name) == 0);
	TRUE(mkdir(name, 0700) == 0 && rmdir(name) == 0);
	TRUE(chmod("plain", 0555) == 0 && stat("plain", &st) == 0);
	TRUE((st.st_mode & 07777) == 0700 &&
	     utimensat(AT_FDCWD, "plain", NULL, 0) == 0);
	return 0;
}

static void what_cannot_be_is_refused(void **state)
{
	struct mounted *m = mounted_of(state);
	mounted_now(m, FS_NESTED, 1);
	mounted_shell(m, "mkdir plain");
	mounted_run(m, refuse_in_nested, NULL);
}

static int refuse_between_accounts(void *arg)
{
	FAILS(mkdir("third", 0700), EPERM);
	FAILS(open("file", O_CREAT | O_WRONLY, 0600), EPERM);
	FAILS(rmdir("work"), EBUSY);
	FAILS(rename("work", "third"), EXDEV);
	TRUE(put_file("work/INBOX/tmp/x", "x") == 0);
	FAILS(rename("work/INBOX/tmp/x", "play/INBOX/tmp/y"), EXDEV);
	FAILS(link("work/INBOX/tmp/x", "play/INBOX/tmp/y"), EXDEV);
	int dir = open(".", O_RDONLY);
	TRUE(dir >= 0 && fsync(dir) == 0 && close(dir) == 0);
	/* One is read-only. */
	FAILS(chmod("play/INBOX", 0700), EROFS);
	TRUE(chmod("work/INBOX", 0700) == 0);
	return 0;
}

static void accounts_are_kept_apart(void **state)
{
	struct mounted *m = mounted_of(state);
	m->accounts[1].is_read_only = true;
	mounted_now(m, FS_NESTED, 2);
	mounted_run(m, refuse_between_accounts, NULL);
}

static void a_mount_of_read_only_accounts_is_read_only(void **state)
{
	struct mounted *m = mounted_of(state);
	m->accounts[0].is_read_only = true;
	mounted_now(m, FS_NESTED, 1);
	mounted_shell(m, "touch INBOX/tmp/x 2>&1 | grep -q 'Read-only'");
}

static void on_signal(int number)
{
}

static int link_interrupted(void *arg)
{
	struct sigaction action = { .sa_handler = on_signal };
	TRUE(sigaction(SIGUSR1, &action, NULL) == 0);
	TRUE(link("INBOX/tmp/x", "INBOX/new/x") == 0);
	return 0;
}

static int fail_to_rename(void *arg)
{
	const char *name = arg;
	FAILS(rename(name, "INBOX/new/y"), EIO);
	return 0;
}

static void a_delivery_is_answered_when_it_is_safe(void **state)
{
	struct mounted *m = mounted_of(state);
	mounted_now(m, FS_NESTED, 1);
	mounted_shell(m, "echo 1 >INBOX/tmp/x");
	fake_hold(m->cache, true);
	pid_t pid = mounted_start(m, link_interrupted, NULL);
	mounted_await_waiting(m, 1);
	(void)kill(pid, SIGUSR1);
	mounted_shell(m, "ls -l INBOX/tmp >/dev/null"); /* after the signal */
	assert_int_equal(fake_waiting(m->cache), 1);
	fake_complete(m->cache, 0);
	assert_int_equal(mounted_finish(pid, 5000), 0);

	char x[] = "INBOX/tmp/x", z[] = "INBOX/tmp/z";
	pid = mounted_start(m, fail_to_rename, x);
	mounted_await_waiting(m, 1);
	fake_complete(m->cache, -EIO);
	assert_int_equal(mounted_finish(pid, 5000), 0);

	mounted_shell(m, "echo 2 >INBOX/tmp/z");
	pid = mounted_start(m, fail_to_rename, z);
	mounted_await_waiting(m, 1);
	cache_stop(m->cache);
	mounted_end(m);
	assert_int_equal(mounted_finish(pid, 5000), 0);
}

static void names_that_are_made_stay_so(void **state)
{
	struct mounted *m = mounted_of(state);
	int64_t other = fake_folder(m->cache, CACHE_ROOT, "Other", 0);
	int64_t id = mounted_message(m, 0);
	mounted_now(m, FS_NESTED, 1);
	mounted_shell(m, "mv INBOX/cur/" FIRST ":2, INBOX/cur/" FIRST ":2,FS");
	struct cache_entry e = mounted_entry(m, id);
	assert_string_equal(e.base, "");
	assert_int_equal(e.flags, MAIL_FLAGGED | MAIL_SEEN);
	mounted_shell(m, "mv INBOX/cur/" FIRST ":2,FS INBOX/new/" FIRST);
	e = mounted_entry(m, id);
	assert_string_equal(e.base, "");
	assert_int_equal(e.place, CACHE_NEW);
	/* Letters of others' make it a given one, until they are gone. */
	mounted_shell(m, "mv INBOX/new/" FIRST " INBOX/cur/" FIRST ":2,Sa");
	assert_string_equal(mounted_entry(m, id).base, FIRST);
	assert_string_equal(mounted_entry(m, id).info, ":2,Sa");
	mounted_shell(m, "mv INBOX/cur/" FIRST ":2,Sa INBOX/cur/" FIRST ":2,S");
	assert_string_equal(mounted_entry(m, id).base, "");
	/* Elsewhere the identity is another. */
	mounted_shell(m, "mv INBOX/cur/" FIRST ":2,S Other/cur/");
	e = mounted_entry(m, id);
	assert_int_equal(e.folder, other);
	assert_string_equal(e.base, FIRST);
	mounted_shell(m, "grep -q xxx Other/cur/" FIRST ":2,S");
}

static void flags_set_elsewhere_show_in_a_given_name(void **state)
{
	struct mounted *m = mounted_of(state);
	mounted_now(m, FS_NESTED, 1);
	mounted_shell(m,
	              "cd INBOX/cur; echo 1 >g:2,Sb,x=S; ls -l | grep -q g:");
	fake_entry_set(m->cache, 1, CACHE_CUR, MAIL_FLAGGED);
	mounted_shell(m, "cd INBOX/cur; until test -e g:2,Fb,x=S && "
	                 "test ! -e g:2,Sb,x=S; do :; done");
	mounted_shell(m, "cd INBOX/cur; mv g:2,Fb,x=S g:2,b,x=S; "
	                 "test \"$(ls)\" = g:2,b,x=S");
}

static int use_attributes(void *arg)
{
	char value[256];
	const char *path = "INBOX/cur/" FIRST ":2,";
	TRUE(getxattr(path, "user.mailmount.uid", value, 255) == 2);
	TRUE(memcmp(value, "42", 2) == 0);
	TRUE(getxattr(path, "user.mailmount.uidvalidity", value, 255) == 3);
	TRUE(memcmp(value, "777", 3) == 0);
	TRUE(getxattr(path, "user.mailmount.state", value, 255) == 6);
	TRUE(getxattr(path, "user.mailmount.flags", NULL, 0) == 0);
	TRUE(listxattr(path, NULL, 0) > 0);
	FAILS(listxattr(path, value, 1), ERANGE);
	FAILS(getxattr(path, "user.mailmount.uidvalidity", value, 1), ERANGE);
	FAILS(getxattr(path, "user.other", value, 255), ENODATA);
	FAILS(getxattr(path, "security.capability", value, 255), EOPNOTSUPP);
	FAILS(setxattr(path, "user.mailmount.uid", "1", 1, 0), EOPNOTSUPP);
	FAILS(setxattr(path, "user.other", "1", 1, 0), EOPNOTSUPP);
	FAILS(removexattr(path, "user.mailmount.flags"), EOPNOTSUPP);
	FAILS(removexattr(path, "user.other"), ENODATA);
	FAILS(setxattr(path, "user.mailmount.flags", "X", 1, 0), EINVAL);
	FAILS(setxattr(path, "user.mailmount.flags", "S\0S", 3, 0), EINVAL);
	FAILS(setxattr(path, "user.mailmount.flags", "S", 1, XATTR_CREATE),
	      EEXIST);
	FAILS(setxattr(path, "user.mailmount.keywords", "a\nb", 3, 0), EINVAL);
	TRUE(setxattr(path, "user.mailmount.keywords", "work soon", 9, 0) == 0);
	TRUE(getxattr(path, "user.mailmount.keywords", value, 255) == 9);
	TRUE(removexattr(path, "user.mailmount.keywords") == 0);
	TRUE(getxattr(path, "user.mailmount.keywords", value, 255) == 0);
	FAILS(getxattr("INBOX", "user.mailmount.uid", value, 255), ENODATA);
	TRUE(listxattr("INBOX", NULL, 0) == 0);
	TRUE(put_file("INBOX/tmp/x", "x") == 0);
	TRUE(listxattr("INBOX/tmp/x", NULL, 0) == 0);
	FAILS(setxattr("INBOX/tmp/x", "user.mailmount.flags", "S", 1, 0),
	      EOPNOTSUPP);
	return setxattr(path, "user.mailmount.flags", "SF", 2, 0);
}

static int flag_given(void *arg)
{
	return setxattr("INBOX/new/g:2,Fq", "user.mailmount.flags", "T", 1, 0);
}

static int find_no_uid(void *arg)
{
	char value[16];
	FAILS(getxattr("INBOX/new/g:2,Tq", "user.mailmount.uid", value, 16),
	      ENODATA);
	return 0;
}

static void attributes_tell_what_the_server_knows(void **state)
{
	struct mounted *m = mounted_of(state);
	int64_t id = mounted_message(m, 0);
	fake_facts_set(m->cache, id, "777.42");
	mounted_now(m, FS_NESTED, 1);
	mounted_run(m, use_attributes, NULL);
	assert_string_equal(mounted_entry(m, id).base, "");
	mounted_shell(m, "until test -e INBOX/cur/" FIRST ":2,FS && "
	                 "test ! -e INBOX/cur/" FIRST ":2,; do :; done");
	/* Of a given name the rest stays. */
	mounted_shell(m, "mv INBOX/cur/" FIRST ":2,FS INBOX/new/g:2,Fq");
	mounted_run(m, flag_given, NULL);
	mounted_shell(m, "until test -e INBOX/new/g:2,Tq && "
	                 "test ! -e INBOX/new/g:2,Fq; do :; done");
	/* A key of another protocol is no number. */
	fake_facts_set(m->cache, id, "a.42");
	mounted_run(m, find_no_uid, NULL);
}

static int list_in_order(void *arg)
{
	static const char *const ORDER[] = { ".",   "..",  "cur",  "new",
		                             "tmp", "sub", "file", "one" };
	DIR *dir = opendir("INBOX");
	long cookies[COUNT_OF(ORDER)];
	struct dirent *d;
	TRUE(dir);
	for (size_t i = 0; i < COUNT_OF(ORDER); i++) {
		TRUE((d = readdir(dir)) && strcmp(d->d_name, ORDER[i]) == 0);
		cookies[i] = telldir(dir);
	}
	TRUE(!readdir(dir));
	seekdir(dir, cookies[6]);
	TRUE((d = readdir(dir)) && strcmp(d->d_name, "one") == 0);
	TRUE(!readdir(dir));
	seekdir(dir, cookies[4]);
	TRUE((d = readdir(dir)) && strcmp(d->d_name, "sub") == 0);
	return closedir(dir);
}

static void files_are_listed_after_folders(void **state)
{
	struct mounted *m = mounted_of(state);
	mounted_now(m, FS_NESTED, 1);
	mounted_shell(m, "cd INBOX; echo 1 >file; echo 1 >tmp/x; mkdir sub; "
	                 "mv tmp/x one");
	mounted_run(m, list_in_order, NULL);
}

static int use_maildirpp(void *arg)
{
	TRUE(mkdir(".A.B", 0700) == 0 && stat(".A", &st) == 0);
	TRUE(mkdir(".A.B/cur", 0700) == 0 && mkdir("plain", 0700) == 0);
	TRUE(mkdir("plain/deep", 0700) == 0 &&
	     put_file("plain/deep/f", "1") == 0);
	TRUE(mkdir(".A/cur", 0700) == 0 && rmdir(".A/cur") == 0);
	FAILS(mkdir(".%2Eplain", 0700), EINVAL);
	FAILS(stat(".%2Eplain", &st), ENOENT);
	FAILS(mkdir(".INBOX", 0700), EEXIST);
	FAILS(rename(".A", "gone"), ENOTEMPTY);
	FAILS(rmdir(".A"), ENOTEMPTY);
	FAILS(rename(".A.B", "plain/cur"), EBUSY);
	TRUE(rename(".A.B", "plain/b") == 0 && stat("plain/b/cur", &st) == 0);
	TRUE(rename(".A", "gone") == 0 && rmdir("gone") == 0);
	TRUE(rename("plain/b", ".B") == 0 && stat(".B/cur", &st) == 0);
	TRUE(mkdir(".B/cur/x", 0700) < 0 && errno == EPERM);
	TRUE(mkdir("..x", 0700) == 0 && rmdir("..x") == 0);
	TRUE(put_file("cur/x:2,S", "1") == 0 && stat("..", &st) == 0);
	TRUE(rmdir("tmp") == 0 && mkdir("tmp", 0700) == 0);
	return 0;
}

static void maildirpp_has_plain_directories_too(void **state)
{
	struct mounted *m = mounted_of(state);
	mounted_now(m, FS_MAILDIRPP, 1);
	mounted_run(m, use_maildirpp, NULL);
	mounted_shell(m, "test \"$(echo $(LC_ALL=C ls -A))\" = "
	                 "'.B cur new plain tmp'");
	mounted_shell(m, "test \"$(cd plain/deep/../.. && pwd -P)\" = "
	                 "\"$(pwd -P)\" && test $(stat -c %i plain/deep/..) = "
	                 "$(stat -c %i plain)");
}

static void maildirpp_tells_of_folders_below_others(void **state)
{
	struct mounted *m = mounted_of(state);
	int64_t a = fake_folder(m->cache, CACHE_ROOT, "A", 0);
	mounted_now(m, FS_MAILDIRPP, 1);
	mounted_shell(m, "test \"$(echo $(ls -A))\" = '.A cur new tmp'");
	fake_folder(m->cache, a, "B", 0);
	mounted_shell(m, "until ls -A | grep -qx '\\.A\\.B'; do :; done");
}

static int own_files(void *arg)
{
	(void)umask(027);
	int fd = open("INBOX/tmp/f", O_CREAT | O_EXCL | O_RDWR, 0666);
	TRUE(fd >= 0 && fstat(fd, &st) == 0);
	TRUE((st.st_mode & 07777) == 0640 && st.st_uid == geteuid());
	TRUE(fchown(fd, geteuid(), getegid()) == 0 && fchmod(fd, 0444) == 0);
	TRUE(posix_fallocate(fd, 0, 5000) == 0 && fstat(fd, &st) == 0);
	TRUE(st.st_size == 5000 && (st.st_mode & 07777) == 0444);
	FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 9),
	      EOPNOTSUPP);
	TRUE(close(fd) == 0);
	TRUE(mknod("INBOX/tmp/n", S_IFREG | 0600, 0) == 0);
	TRUE(has_text("INBOX/tmp/n", "") && unlink("INBOX/tmp/f") == 0);
	/* Its date can be now. */
	struct timespec times[] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	TRUE(utimensat(AT_FDCWD, "INBOX/cur/" FIRST ":2,", times, 0) == 0);
	TRUE(stat("INBOX/cur/" FIRST ":2,", &st) == 0);
	return st.st_mtim.tv_sec > 1700001000 ? 0 : 1;
}

static void files_belong_to_who_makes_them(void **state)
{
	struct mounted *m = mounted_of(state);
	mounted_message(m, 0);
	mounted_now(m, FS_NESTED, 1);
	mounted_run(m, own_files, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNT_TEST(what_is_appended_comes_after_the_true_end),
		MOUNT_TEST(all_descriptors_of_a_file_lead_to_the_same_data),
		MOUNT_TEST(a_file_is_fetched_before_it_is_cut),
		MOUNT_TEST(what_is_emptied_is_not_fetched),
		MOUNT_TEST(the_cache_is_told_before_data_changes),
		MOUNT_TEST(each_change_tells_why_it_failed),
		MOUNT_TEST(what_cannot_be_is_refused),
		MOUNT_TEST(accounts_are_kept_apart),
		MOUNT_TEST(a_mount_of_read_only_accounts_is_read_only),
		MOUNT_TEST(a_delivery_is_answered_when_it_is_safe),
		MOUNT_TEST(names_that_are_made_stay_so),
		MOUNT_TEST(flags_set_elsewhere_show_in_a_given_name),
		MOUNT_TEST(attributes_tell_what_the_server_knows),
		MOUNT_TEST(files_are_listed_after_folders),
		MOUNT_TEST(maildirpp_has_plain_directories_too),
		MOUNT_TEST(maildirpp_tells_of_folders_below_others),
		MOUNT_TEST(files_belong_to_who_makes_them),
	};
	return mounted_run_tests(tests);
}

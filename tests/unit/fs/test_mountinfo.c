#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/mount.h"
#include "util/cleanup.h"

static const char LIST[] =
	"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
	"40 22 0:50 / /m/ours ro,nosuid - fuse.mailmount mailmount ro\n"
	"41 22 0:51 / /m/a\\040b\\134c ro shared:7 master:1 - fuse.mailmount m r\n"
	"42 22 0:52 / /m/other rw - fuse.sshfs host: rw\n"
	"43 22 0:53 / /m/below ro - fuse.mailmount mailmount ro\n"
	"44 43 0:54 / /m/below rw - tmpfs tmpfs rw\n"
	"45 22 0:55 / /m/short\n"
	"46\n";

static int open_list(void)
{
	int fd = memfd_create("mountinfo", MFD_CLOEXEC);
	assert_int_equal(pwrite(fd, LIST, sizeof(LIST) - 1, 0),
	                 sizeof(LIST) - 1);
	return fd;
}

static bool is_listed(const char *path)
{
	return mount_is_listed(open_list(), path);
}

static void only_the_topmost_mount_counts(void **state)
{
	assert_true(is_listed("/m/ours"));
	assert_true(is_listed("/m/a b\\c"));
	assert_false(is_listed("/m/other"));
	assert_false(is_listed("/m/below"));
	assert_false(is_listed("/m/short"));
	assert_false(is_listed("/m"));
	assert_false(is_listed("/m/ours/"));
}

static void a_device_may_be_mounted_anywhere(void **state)
{
	auto_fd int fd = open_list();
	for (int i = 0; i < 2; i++) {
		assert_true(mount_table_has(fd, makedev(0, 50)));
		assert_true(mount_table_has(fd, makedev(0, 53)));
		assert_false(mount_table_has(fd, makedev(50, 0)));
		assert_false(mount_table_has(fd, makedev(0, 56)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_topmost_mount_counts),
		cmocka_unit_test(a_device_may_be_mounted_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs/mount.h"

static const char LIST[] =
	"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
	"40 22 0:50 / /m/ours ro,nosuid - fuse.mailmount mailmount ro\n"
	"41 22 0:51 / /m/a\\040b\\134c ro shared:7 master:1 - fuse.mailmount m r\n"
	"42 22 0:52 / /m/other rw - fuse.sshfs host: rw\n"
	"43 22 0:53 / /m/below ro - fuse.mailmount mailmount ro\n"
	"44 43 0:54 / /m/below rw - tmpfs tmpfs rw\n"
	"45 22 0:55 / /m/short\n"
	"46\n";

static bool is_listed(const char *path)
{
	int fd = memfd_create("mountinfo", MFD_CLOEXEC);
	assert_int_equal(pwrite(fd, LIST, sizeof(LIST) - 1, 0),
	                 sizeof(LIST) - 1);
	return mount_is_listed(fd, path);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_topmost_mount_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

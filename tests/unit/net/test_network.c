/*
 * In a network of its own, where the test may have any address.
 */
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/network.h"
#include "util/cleanup.h"

static void set_address(const char *text)
{
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo" };
	struct sockaddr_in address = { .sin_family = AF_INET };
	assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
	memcpy(&request.ifr_addr, &address, sizeof(address));
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
}

static bool is_told(const struct network *n)
{
	struct pollfd p = { .fd = n->fd, .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

static void other_addresses_are_told(void **state)
{
	struct network n;
	network_open(&n);
	assert_true(n.fd >= 0);
	assert_false(is_told(&n));
	set_address("10.11.12.13");
	assert_true(is_told(&n));
	assert_true(network_is_changed(&n));
	assert_false(is_told(&n));
	set_address("10.11.12.14");
	assert_true(network_is_changed(&n));
	network_close(&n);
}

static void the_same_addresses_are_no_news(void **state)
{
	struct network n;
	set_address("10.11.12.13");
	network_open(&n);
	set_address("10.11.12.14");
	set_address("10.11.12.13");
	assert_true(is_told(&n));
	assert_false(network_is_changed(&n));
	network_close(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_addresses_are_told),
		cmocka_unit_test(the_same_addresses_are_no_news),
	};
	if (unshare(CLONE_NEWNET) < 0 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return 77; /* this machine lets nobody have one */
	return cmocka_run_group_tests(tests, NULL, NULL);
}

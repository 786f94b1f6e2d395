/*
 * The kernel tells of every address that comes and goes, and of each whose
 * lifetime is renewed, which is no news: so they are compared.
 */
#include "net/network.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/digest.h"
#include "util/log.h"
#include "util/strbuf.h"

/* 0: of a family that no connection is made with. */
static size_t address_len(const struct sockaddr *address)
{
	if (address == NULL)
		return 0;
	if (address->sa_family == AF_INET)
		return sizeof(struct sockaddr_in);
	return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
}

/* Of all addresses, in whatever order they are told. */
static uint64_t digest_addresses(void)
{
	struct ifaddrs *all;
	uint64_t sum = 0;
	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next) {
		auto_strbuf struct strbuf one = { 0 };
		size_t len = address_len(a->ifa_addr);
		if (len == 0)
			continue;
		strbuf_puts(&one, a->ifa_name);
		strbuf_add(&one, a->ifa_addr, len);
		sum += digest_u64(one.bytes, one.len);
	}
	freeifaddrs(all);
	return sum;
}

void network_open(struct network *n)
{
	struct sockaddr_nl us = { .nl_family = AF_NETLINK,
		                  .nl_groups = RTMGRP_IPV4_IFADDR |
		                               RTMGRP_IPV6_IFADDR };
	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
	               NETLINK_ROUTE);
	if (n->fd >= 0 &&
	    bind(n->fd, (struct sockaddr *)(void *)&us, sizeof(us)) < 0)
		(void)close(take_fd(&n->fd));
	if (n->fd < 0)
		log_warn("a change of network will be noticed late");
	n->addresses = digest_addresses();
}

void network_close(struct network *n)
{
	if (n->fd >= 0)
		(void)close(take_fd(&n->fd));
}

bool network_is_changed(struct network *n)
{
	char bytes[8192];
	uint64_t before = n->addresses;
	/* What it says does not matter, nor that it may have lost some. */
	while (recv(n->fd, bytes, sizeof(bytes), 0) > 0)
		;
	n->addresses = digest_addresses();
	return n->addresses != before;
}

/*
 * Tells when this machine gets other addresses: it moved to another network,
 * or lost one.  Connections made before may be dead and not know it.
 */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

struct network {
	int fd; /* to poll for input; -1: the kernel tells nothing */
	uint64_t addresses; /* what they were: a digest */
};

/* Without it nothing is noticed, and all else works. */
void network_open(struct network *n);
void network_close(struct network *n);

/* Take what came in; true: the addresses are others than before. */
bool network_is_changed(struct network *n);

#endif

/*
 * Node numbers: what a node is, packed into the number the kernel and every
 * program knows it by (st_ino).  So there is no table of nodes, nothing to
 * forget, and a number means the same after a restart.  Pure.
 *
 *	bit 63		0: some programs take ino_t for signed
 *	bits 60-62	kind
 *	bits 52-59	account, by its place in the configuration
 *	bits 0-51	the cache's id
 *
 * Numbers of one kind and account are in the order of their ids: programs that
 * sort by inode (grep -r) then open messages in the order they are prefetched.
 */
#ifndef FS_INODE_H
#define FS_INODE_H

#include <stdbool.h>
#include <stdint.h>

#define INODE_ACCOUNT_MAX 256
#define INODE_ID_MAX      ((INT64_C(1) << 52) - 1)

/* What the kernel calls the mount's root. */
#define INODE_ROOT_NUMBER 1

enum inode_kind {
	INODE_ROOT,    /* of a mount with several accounts; no account, id 1 */
	INODE_ACCOUNT, /* an account's root: its folder CACHE_ROOT */
	INODE_FOLDER,  /* id: of the folder; so are those of the next three */
	INODE_NEW,
	INODE_CUR,
	INODE_TMP,
	INODE_MESSAGE, /* id: of the message */
};

struct inode {
	enum inode_kind kind;
	unsigned account;
	int64_t id;
};

uint64_t inode_number(enum inode_kind kind, unsigned account, int64_t id);

/* False if no node can have this number. */
bool inode_parse(uint64_t number, struct inode *inode_out);

#endif

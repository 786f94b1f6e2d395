#include "fs/inode.h"

#include <assert.h>

#define KIND_SHIFT    60
#define ACCOUNT_SHIFT 52

uint64_t inode_number(enum inode_kind kind, unsigned account, int64_t id)
{
	if (kind == INODE_ROOT)
		return INODE_ROOT_NUMBER;
	assert(account < INODE_ACCOUNT_MAX);
	assert(id >= 0 && id <= INODE_ID_MAX);
	return (uint64_t)kind << KIND_SHIFT |
	       (uint64_t)account << ACCOUNT_SHIFT | (uint64_t)id;
}

bool inode_parse(uint64_t number, struct inode *inode_out)
{
	uint64_t kind = number >> KIND_SHIFT;
	if (kind > INODE_MESSAGE)
		return false;
	if (kind == INODE_ROOT && number != INODE_ROOT_NUMBER)
		return false;
	inode_out->kind = (enum inode_kind)kind;
	inode_out->account =
		(unsigned)(number >> ACCOUNT_SHIFT) % INODE_ACCOUNT_MAX;
	inode_out->id = (int64_t)(number & (uint64_t)INODE_ID_MAX);
	return true;
}

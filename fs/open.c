#include "fs/open.h"

#include <stdlib.h>

#include "util/mem.h"

void open_release(struct open_files *open)
{
	free(open->files);
	free(open->touched);
	*open = (struct open_files){ 0 };
}

void open_add(struct open_files *open, uint64_t number, int fd)
{
	if (open->count == open->capacity) {
		open->capacity = open->capacity ? open->capacity * 2 : 16;
		open->files = xrealloc(open->files,
		                       open->capacity * sizeof(*open->files));
	}
	open->files[open->count++] = (struct open_file){ number, fd };
}

bool open_remove(struct open_files *open, uint64_t number, int fd)
{
	for (size_t i = 0; i < open->count; i++) {
		if (open->files[i].number != number || open->files[i].fd != fd)
			continue;
		open->files[i] = open->files[--open->count];
		if (open_find(open, number) < 0)
			open_synced(open, number);
		return true;
	}
	return false;
}

int open_find(const struct open_files *open, uint64_t number)
{
	for (size_t i = 0; i < open->count; i++)
		if (open->files[i].number == number)
			return open->files[i].fd;
	return -1;
}

bool open_touch(struct open_files *open, uint64_t number)
{
	for (size_t i = 0; i < open->touched_count; i++)
		if (open->touched[i] == number)
			return false;
	if (open->touched_count == open->touched_capacity) {
		open->touched_capacity = open->touched_capacity
		                                 ? open->touched_capacity * 2
		                                 : 16;
		open->touched =
			xrealloc(open->touched, open->touched_capacity *
		                                        sizeof(*open->touched));
	}
	open->touched[open->touched_count++] = number;
	return true;
}

void open_synced(struct open_files *open, uint64_t number)
{
	for (size_t i = 0; i < open->touched_count; i++) {
		if (open->touched[i] != number)
			continue;
		open->touched[i] = open->touched[--open->touched_count];
		return;
	}
}

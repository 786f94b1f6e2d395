#include "fs/open.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/mem.h"

static struct open_file **bucket_of(struct open_files *files, uint64_t number)
{
	return &files->buckets[number % OPEN_BUCKETS];
}

struct open_file *open_find(const struct open_files *files, uint64_t number)
{
	struct open_file *file = files->buckets[number % OPEN_BUCKETS];
	while (file && file->number != number)
		file = file->next;
	return file;
}

static struct open_file *file_of(struct open_files *files, uint64_t number)
{
	struct open_file *file = open_find(files, number);
	if (file)
		return file;
	file = xmalloc(sizeof(*file));
	file->number = number;
	file->fd = -1;
	file->next = *bucket_of(files, number);
	*bucket_of(files, number) = file;
	return file;
}

static void free_file(struct open_file *file)
{
	if (file->fd >= 0)
		(void)close(file->fd);
	free(file);
}

static void free_handle(struct open_handle *handle)
{
	if (handle->fd >= 0)
		(void)close(handle->fd);
	free(handle);
}

static void close_file(struct open_files *files, struct open_file *file)
{
	struct open_file **at = bucket_of(files, file->number);
	while (*at != file)
		at = &(*at)->next;
	*at = file->next;
	free_file(file);
}

void open_set_fd(struct open_file *file, int fd)
{
	if (file->fd >= 0)
		(void)close(file->fd);
	file->fd = fd;
}

struct open_handle *open_add(struct open_files *files, uint64_t number, int fd,
                             bool is_writer)
{
	struct open_handle *handle = xmalloc(sizeof(*handle));
	handle->file = file_of(files, number);
	handle->fd = is_writer ? -1 : fd;
	handle->is_writer = is_writer;
	handle->next = handle->file->handles;
	handle->file->handles = handle;
	if (is_writer) {
		handle->file->writers++;
		open_set_fd(handle->file, fd);
	}
	return handle;
}

void open_close(struct open_files *files, struct open_handle *handle)
{
	struct open_file *file = handle->file;
	struct open_handle **at = &file->handles;
	while (*at != handle)
		at = &(*at)->next;
	*at = handle->next;
	if (handle->is_writer && --file->writers == 0)
		file->is_touched = false;
	free_handle(handle);
	if (!file->handles)
		close_file(files, file);
}

void open_release(struct open_files *files)
{
	for (size_t i = 0; i < OPEN_BUCKETS; i++) {
		while (files->buckets[i]) {
			struct open_file *file = files->buckets[i];
			files->buckets[i] = file->next;
			while (file->handles) {
				struct open_handle *handle = file->handles;
				file->handles = handle->next;
				free_handle(handle);
			}
			free_file(file);
		}
	}
}

int open_fd(const struct open_handle *handle)
{
	return handle->file->fd >= 0 ? handle->file->fd : handle->fd;
}

void open_settle(const struct open_files *files, uint64_t number)
{
	struct open_file *file = open_find(files, number);
	if (file)
		file->is_touched = false;
}

void open_remember(const struct open_files *files, const struct stat *st)
{
	struct open_file *file = open_find(files, st->st_ino);
	if (!file)
		return;
	file->last = *st;
	file->has_last = true;
}

int open_stat(const struct open_file *file, struct stat *st_out)
{
	struct stat now;
	if (!file->has_last)
		return -ENOENT;
	*st_out = file->last;
	st_out->st_nlink = 0;
	if (file->fd >= 0 && fstat(file->fd, &now) == 0) {
		st_out->st_size = now.st_size;
		st_out->st_blocks = now.st_blocks;
		st_out->st_mtim = now.st_mtim;
		st_out->st_ctim = now.st_ctim;
	}
	return 0;
}

/*
 * A list of folders under way; for folders.c and folders_list.c alone.
 */
#ifndef CACHE_FOLDERS_H
#define CACHE_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/remote.h"

struct cache;

struct listed {
	char *name;
	char *state;
	char *id; /* "": not told */
	unsigned attributes;
	int64_t count;
	int64_t folder; /* its number, when it is in the tree */
	bool is_under_way;
};

struct list {
	struct cache *cache;
	struct remote *remote;
	struct listed *listed;
	size_t count;
	/* A bit for each folder id that the list named or passed through. */
	unsigned char *seen;
	int64_t seen_size; /* ids it has room for */
	bool is_first;     /* the tree was not known before */
};

/* Does the user want to see it? */
bool list_wants(const struct cache *c, const char *name);

/* Receive all of it, sorted by name: parents come first. */
int list_receive(struct list *l, struct remote *r);

/* By name, or by id; NULL: it is not in the list. */
struct listed *list_find(const struct list *l, const char *name);
struct listed *list_find_id(const struct list *l, const char *id);

void list_release(struct list *l);

#endif

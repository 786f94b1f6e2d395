/*
 * The list that the server gives, in memory.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cache/core.h"
#include "cache/folders.h"
#include "util/log.h"
#include "util/mem.h"

/* More than any server has; a hostile one is cut short. */
#define LISTED_MAX 20000

/* The last pattern that matches counts; the first decides for the rest. */
bool list_wants(const struct cache *c, const char *name)
{
	bool is_in = c->pattern_count == 0 || c->patterns[0][0] == '!';
	for (size_t i = 0; i < c->pattern_count; i++) {
		const char *pattern = c->patterns[i];
		bool is_out = pattern[0] == '!';
		if (fnmatch(pattern + is_out, name, 0) == 0)
			is_in = !is_out;
	}
	return is_in;
}

static bool has_fitting_levels(const char *name)
{
	struct cache_folder folder;
	size_t len;
	for (const char *p = name;; p += len + 1) {
		len = strcspn(p, "/");
		if (len == 0 || len >= sizeof(folder.level))
			return false;
		if (p[len] == '\0')
			return true;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct listed *)a)->name,
	              ((const struct listed *)b)->name);
}

int list_receive(struct list *l, struct remote *r)
{
	struct remote_folder folder;
	int n;
	while ((n = remote_list_next(r, &folder)) == 1) {
		if (!list_wants(l->cache, folder.name))
			continue;
		if (!has_fitting_levels(folder.name) ||
		    l->count == LISTED_MAX) {
			log_warn("a folder cannot be shown: %s", folder.name);
			continue;
		}
		if ((l->count & (l->count + 1)) == 0)
			l->listed =
				xrealloc(l->listed, (2 * l->count + 2) *
			                                    sizeof(*l->listed));
		l->listed[l->count++] = (struct listed){
			.name = xstrdup(folder.name),
			.state = xstrdup(folder.state),
			.id = xstrdup(folder.id),
			.attributes = folder.attributes,
			.count = folder.count,
		};
	}
	/* Parents before what is below them. */
	if (n == 0 && l->count > 0)
		qsort(l->listed, l->count, sizeof(*l->listed), by_name);
	return n;
}

struct listed *list_find(const struct list *l, const char *name)
{
	for (size_t low = 0, high = l->count; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, l->listed[middle].name);
		if (order == 0)
			return &l->listed[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct listed *list_find_id(const struct list *l, const char *id)
{
	for (size_t i = 0; i < l->count; i++) {
		if (strcmp(l->listed[i].id, id) == 0)
			return &l->listed[i];
	}
	return NULL;
}

void list_release(struct list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->listed[i].name);
		free(l->listed[i].state);
		free(l->listed[i].id);
	}
	free(l->listed);
	free(l->seen);
}

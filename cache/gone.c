#include "cache/gone.h"

#include <stdlib.h>

#include "util/cleanup.h"
#include "util/mem.h"

void gone_release(struct gone *g)
{
	free(g->base);
	free(g->info);
	*g = (struct gone){ .at = 0 };
}

static int64_t drop(struct gone *g)
{
	int64_t message = g->at != 0 ? g->message.id : 0;
	gone_release(g);
	return message;
}

void gone_add(struct gone_list *l, int64_t now, const struct cache_entry *entry,
              int64_t *expired_out)
{
	struct gone *g = &l->list[l->next];
	l->next = (l->next + 1) % GONE_MAX;
	*expired_out = drop(g);
	l->count += *expired_out == 0;
	bool has_name = entry->base[0] != '\0';
	*g = (struct gone){
		.at = now,
		.identity = entry->identity,
		.message = entry->message,
		.base = has_name ? xstrdup(entry->base) : NULL,
		.info = has_name ? xstrdup(entry->info) : NULL,
		.shown = entry->shown,
	};
}

/* Its place, or GONE_MAX. */
static size_t find(const struct gone_list *l, uint64_t identity,
                   int64_t received_at)
{
	for (size_t i = 0; i < GONE_MAX && l->count > 0; i++) {
		const struct gone *g = &l->list[i];
		if (g->at != 0 && g->identity == identity &&
		    g->message.received_at == received_at)
			return i;
	}
	return GONE_MAX;
}

bool gone_has(const struct gone_list *l, uint64_t identity, int64_t received_at)
{
	return find(l, identity, received_at) < GONE_MAX;
}

bool gone_take(struct gone_list *l, uint64_t identity, int64_t received_at,
               struct gone *out)
{
	size_t i = find(l, identity, received_at);
	if (i == GONE_MAX)
		return false;
	*out = l->list[i];
	l->list[i] = (struct gone){ .at = 0 };
	l->count--;
	return true;
}

int64_t gone_expire(struct gone_list *l, int64_t before)
{
	for (size_t i = 0; i < GONE_MAX; i++) {
		if (l->list[i].at != 0 && l->list[i].at < before) {
			l->count--;
			return drop(&l->list[i]);
		}
	}
	return 0;
}

/*
 * Mail programs move a message by delivering a copy elsewhere and removing
 * theirs; the copy may have other headers.  Nothing is lost by that: so it is
 * not for the Trash, and not for the brake.
 */
#include "cache/push.h"

#include <stdlib.h>

#include "cache/content.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

static bool is_moved(struct push *p, int64_t folder,
                     const struct cache_message *message)
{
	struct recent *recent = &p->session->recent;
	struct content content;
	auto_fd int fd = content_open(p->cache, message);
	if (fd < 0 || content_read(fd, &content) < 0)
		return false;
	/* Of two copies one alone may go because of the other. */
	recent_left(recent, folder, content.id, content.body_digest);
	return recent_has(recent, clock_wall_ns() / 1000000, folder, content.id,
	                  content.body_digest);
}

void push_moved(struct push *p, struct push_group *g)
{
	bool is_any = false;
	if ((g->what != PUSH_TRASH && g->what != PUSH_EXPUNGE) ||
	    !recent_has_any(&p->session->recent, clock_wall_ns() / 1000000))
		return;
	auto_free bool *moved = xcalloc(g->count, sizeof(*moved));
	for (size_t i = 0; i < g->count; i++) {
		moved[i] = is_moved(p, g->folder, &g->items[i]->intent.message);
		is_any |= moved[i];
	}
	if (!is_any)
		return;
	for (size_t i = g->count; i-- > 0;)
		if (!moved[i])
			push_group_drop(g, i);
	g->what = PUSH_EXPUNGE;
	g->is_moved = true;
}

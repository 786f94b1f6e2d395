#include "fs/where.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/mem.h"

void where_init(struct where *w, struct wake *wake)
{
	*w = (struct where){ .wake = wake };
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->changed, NULL);
}

void where_release(struct where *w)
{
	(void)pthread_cond_destroy(&w->changed);
	(void)pthread_mutex_destroy(&w->lock);
}

int where_ask(struct where *w, unsigned account, int64_t folder,
              struct where_answer *answer_out)
{
	(void)pthread_mutex_lock(&w->lock);
	w->account = account;
	w->folder = folder;
	w->is_asked = true;
	w->is_answered = false;
	wake_signal(w->wake);
	while (!w->is_answered && !w->is_stopping)
		(void)pthread_cond_wait(&w->changed, &w->lock);
	int err = w->is_answered ? w->err : -ECANCELED;
	if (err == 0)
		*answer_out = w->answer;
	(void)pthread_mutex_unlock(&w->lock);
	return err;
}

void where_stop(struct where *w)
{
	(void)pthread_mutex_lock(&w->lock);
	w->is_stopping = true;
	(void)pthread_cond_signal(&w->changed);
	(void)pthread_mutex_unlock(&w->lock);
}

/* Its levels, joined by '/'; "" for the root. */
static int full_name(struct cache *c, int64_t id, char **name_out)
{
	struct cache_folder folder;
	char *name = xstrdup("");
	while (id != CACHE_ROOT) {
		auto_free char *below = name;
		int err = cache_folder_get(c, id, &folder);
		if (err < 0)
			return err;
		name = xasprintf("%s%s%s", folder.level, *below ? "/" : "",
		                 below);
		id = folder.parent;
	}
	*name_out = name;
	return 0;
}

static int find(const struct tree *t, unsigned account, int64_t folder,
                char path_out[PATH_MAX])
{
	const struct fs_account *a = &t->accounts[account];
	auto_free char *name = NULL;
	int err = full_name(a->cache, folder, &name);
	if (err < 0)
		return err;
	auto_free char *path =
		*name ? fs_folder_path(a->layout, name) : xstrdup(".");
	int len = snprintf(path_out, PATH_MAX, "%s%s%s",
	                   t->is_single ? "" : a->name, t->is_single ? "" : "/",
	                   path);
	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

void where_answer(struct where *w, const struct tree *t,
                  const struct seen *seen)
{
	struct where_answer answer = { .path = "" };
	(void)pthread_mutex_lock(&w->lock);
	bool is_asked = w->is_asked;
	unsigned account = w->account;
	int64_t folder = w->folder;
	w->is_asked = false;
	(void)pthread_mutex_unlock(&w->lock);
	if (!is_asked)
		return;
	int err = find(t, account, folder, answer.path);
	answer.is_seen = seen_has(&seen[account], folder);
	(void)pthread_mutex_lock(&w->lock);
	w->err = err;
	w->answer = answer;
	w->is_answered = true;
	(void)pthread_cond_signal(&w->changed);
	(void)pthread_mutex_unlock(&w->lock);
}

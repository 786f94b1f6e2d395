#include "fs/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "util/mem.h"

struct replay {
	struct tree *tree;
	struct injector injector;
	struct injector_order order; /* notify's thread; too large for a stack */

	pthread_mutex_t lock;
	bool is_running;     /* guarded by lock */
	struct replay_op op; /* guarded by lock */
};

struct replay *replay_new(const char *mountpoint, dev_t device,
                          struct tree *tree)
{
	struct replay *r = xmalloc(sizeof(*r));
	r->tree = tree;
	injector_init(&r->injector, mountpoint, device);
	(void)pthread_mutex_init(&r->lock, NULL);
	return r;
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	injector_release(&r->injector);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

void replay_stop(struct replay *r)
{
	injector_kill(&r->injector);
}

static void set_op(struct replay *r, const struct replay_op *op)
{
	(void)pthread_mutex_lock(&r->lock);
	r->is_running = op != NULL;
	if (op)
		r->op = *op;
	(void)pthread_mutex_unlock(&r->lock);
}

int replay_run(struct replay *r, const struct replay_op *op, const char *dir,
               const char *to_dir)
{
	struct injector_order *o = &r->order;
	if (strlen(dir) >= sizeof(o->dir) ||
	    strlen(to_dir) >= sizeof(o->to_dir))
		return -ENAMETOOLONG;
	o->what = op->what;
	strcpy(o->dir, dir);
	strcpy(o->name, op->name);
	strcpy(o->to_dir, to_dir);
	strcpy(o->to_name, op->to_name);
	set_op(r, op);
	int err = injector_run(&r->injector, o);
	set_op(r, NULL);
	return err;
}

static bool is_injector(const struct replay *r, fuse_req_t req)
{
	pid_t pid = injector_pid(&r->injector);
	return pid != 0 && fuse_req_ctx(req)->pid == pid;
}

static bool get_op(struct replay *r, struct replay_op *op_out)
{
	(void)pthread_mutex_lock(&r->lock);
	bool is_running = r->is_running;
	if (is_running)
		*op_out = r->op;
	(void)pthread_mutex_unlock(&r->lock);
	return is_running;
}

static bool is_at(fuse_ino_t dir, const char *name, fuse_ino_t parent,
                  const char *given)
{
	return dir == parent && strcmp(name, given) == 0;
}

/* To be believed for the one operation. */
static void show(struct replay *r, fuse_req_t req, const struct replay_op *op)
{
	struct fuse_entry_param entry = {
		.ino = op->st.st_ino,
		.attr = op->st,
		.attr_timeout = 0,
		.entry_timeout = 0,
	};
	struct inode node;
	struct stat now;
	if (tree_node(r->tree, entry.ino, &node) &&
	    tree_stat(r->tree, &node, &now) == 0)
		entry.attr = now;
	/* The kernel takes away the one that goes. */
	if (op->what == INJECTOR_UNLINK && entry.attr.st_nlink > 0)
		entry.attr.st_nlink += entry.attr.st_nlink < op->st.st_nlink;
	(void)fuse_reply_entry(req, &entry);
}

bool replay_lookup(struct replay *r, fuse_req_t req, fuse_ino_t parent,
                   const char *name)
{
	struct replay_op op;
	if (!is_injector(r, req) || !get_op(r, &op))
		return false;
	bool is_new = op.what == INJECTOR_MKDIR;
	if (is_at(op.dir, op.name, parent, name) && !is_new)
		show(r, req, &op);
	else if (is_at(op.dir, op.name, parent, name) ||
	         is_at(op.to_dir, op.to_name, parent, name))
		(void)fuse_reply_err(req, ENOENT);
	else
		return false;
	return true;
}

/* Whether the index has the node under this name. */
static bool is_there(struct replay *r, fuse_ino_t parent, const char *name,
                     uint64_t number)
{
	struct inode dir;
	struct tree_found found;
	return tree_node(r->tree, parent, &dir) &&
	       tree_find(r->tree, &dir, name, &found) == 0 &&
	       found.st.st_ino == number;
}

bool replay_rename(struct replay *r, fuse_req_t req, fuse_ino_t parent,
                   const char *name, fuse_ino_t to_parent, const char *to_name)
{
	struct replay_op op;
	if (!is_injector(r, req))
		return false;
	bool is_it = get_op(r, &op) && op.what == INJECTOR_RENAME &&
	             is_at(op.dir, op.name, parent, name) &&
	             is_at(op.to_dir, op.to_name, to_parent, to_name);
	if (is_it && op.is_certain)
		is_it = is_there(r, to_parent, to_name, op.st.st_ino);
	(void)fuse_reply_err(req, is_it ? 0 : ESTALE);
	return true;
}

bool replay_change(struct replay *r, fuse_req_t req, enum injector_what what,
                   fuse_ino_t parent, const char *name)
{
	struct replay_op op;
	if (!is_injector(r, req))
		return false;
	bool is_it = get_op(r, &op) && op.what == what &&
	             is_at(op.dir, op.name, parent, name);
	bool is_new = what == INJECTOR_MKDIR;
	if (is_it && op.is_certain)
		is_it = is_there(r, parent, name, op.st.st_ino) == is_new;
	if (is_it && is_new)
		show(r, req, &op);
	else
		(void)fuse_reply_err(req, is_it ? 0 : ESTALE);
	return true;
}

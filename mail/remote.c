#include "mail/remote.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "util/clock.h"
#include "util/log.h"

int remote_init(struct remote *r, const struct remote_ops *ops)
{
	r->ops = ops;
	r->failure[0] = '\0';
	r->refusal[0] = '\0';
	r->abort.fd = -1;
	int err = wake_init(&r->wake);
	if (err < 0)
		return err;
	err = wake_init(&r->abort);
	if (err < 0)
		wake_release(&r->wake);
	return err;
}

void remote_release(struct remote *r)
{
	wake_release(&r->wake);
	wake_release(&r->abort);
}

void remote_free(struct remote *r)
{
	if (r != NULL)
		r->ops->free(r);
}

/* The one place where every remote call can be watched. */
static int traced(const char *call, const char *folder, int result)
{
	if (result < 0)
		log_debug("%s %s: %s", call, folder, strerror(-result));
	else
		log_debug("%s %s", call, folder);
	return result;
}

int remote_connect(struct remote *r)
{
	r->failure[0] = '\0';
	return traced("connect", "", r->ops->connect(r));
}

void remote_disconnect(struct remote *r)
{
	r->ops->disconnect(r);
}

int remote_check(struct remote *r)
{
	if (r->ops->check == NULL)
		return 0;
	return traced("check", "", r->ops->check(r));
}

int remote_list(struct remote *r)
{
	return traced("list", "", r->ops->list(r));
}

int remote_list_next(struct remote *r, struct remote_folder *folder_out)
{
	return r->ops->list_next(r, folder_out);
}

int remote_pull(struct remote *r, const char *folder, const char *cursor)
{
	return traced("pull", folder, r->ops->pull(r, folder, cursor));
}

int remote_next(struct remote *r, struct remote_change *change_out,
                struct remote_cursor *cursor_out)
{
	return r->ops->next(r, change_out, cursor_out);
}

int remote_fetch(struct remote *r, const char *folder,
                 const struct remote_want *wants, size_t count)
{
	return traced("fetch", folder, r->ops->fetch(r, folder, wants, count));
}

int remote_fetch_heads(struct remote *r, const char *folder, const char *field,
                       const struct remote_want *wants, size_t count)
{
	if (r->ops->fetch_heads == NULL)
		return -EOPNOTSUPP;
	return traced("heads", folder,
	              r->ops->fetch_heads(r, folder, field, wants, count));
}

int remote_fetched(struct remote *r, int fd, struct remote_body *body_out)
{
	return r->ops->fetched(r, fd, body_out);
}

size_t remote_buffered(struct remote *r)
{
	return r->ops->buffered == NULL ? 0 : r->ops->buffered(r);
}

typedef int write_op(struct remote *r, const char *folder,
                     struct remote_wish *wishes, size_t count);

static void prepare_wishes(struct remote_wish *wishes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		wishes[i].fate = REMOTE_UNSENT;
		wishes[i].err = 0;
		wishes[i].why[0] = '\0';
		wishes[i].new_key[0] = '\0';
	}
}

static int write_wishes(struct remote *r, const char *call, write_op *op,
                        const char *folder, struct remote_wish *wishes,
                        size_t count)
{
	prepare_wishes(wishes, count);
	if (op == NULL)
		return -EOPNOTSUPP;
	return traced(call, folder, op(r, folder, wishes, count));
}

int remote_set_flags(struct remote *r, const char *folder,
                     struct remote_wish *wishes, size_t count)
{
	return write_wishes(r, "set_flags", r->ops->set_flags, folder, wishes,
	                    count);
}

int remote_append(struct remote *r, const char *folder,
                  struct remote_wish *wishes, size_t count)
{
	return write_wishes(r, "append", r->ops->append, folder, wishes, count);
}

int remote_remove(struct remote *r, const char *folder,
                  struct remote_wish *wishes, size_t count)
{
	return write_wishes(r, "remove", r->ops->remove, folder, wishes, count);
}

int remote_copy(struct remote *r, const char *folder, const char *target,
                struct remote_wish *wishes, size_t count)
{
	prepare_wishes(wishes, count);
	if (r->ops->copy == NULL)
		return -EOPNOTSUPP;
	return traced("copy", folder,
	              r->ops->copy(r, folder, target, wishes, count));
}

int remote_move(struct remote *r, const char *folder, const char *target,
                struct remote_wish *wishes, size_t count)
{
	prepare_wishes(wishes, count);
	if (r->ops->move == NULL)
		return -EOPNOTSUPP;
	return traced("move", folder,
	              r->ops->move(r, folder, target, wishes, count));
}

int remote_mark(struct remote *r, const char *folder,
                char mark_out[REMOTE_CURSOR_MAX + 1])
{
	r->refusal[0] = '\0';
	if (r->ops->mark == NULL)
		return -EOPNOTSUPP;
	return traced("mark", folder, r->ops->mark(r, folder, mark_out));
}

int remote_since(struct remote *r, const char *folder, const char *mark)
{
	if (r->ops->since == NULL)
		return -EOPNOTSUPP;
	return traced("since", folder, r->ops->since(r, folder, mark));
}

int remote_create(struct remote *r, const char *folder)
{
	r->refusal[0] = '\0';
	if (r->ops->create == NULL)
		return -EOPNOTSUPP;
	return traced("create", folder, r->ops->create(r, folder));
}

int remote_delete(struct remote *r, const char *folder)
{
	r->refusal[0] = '\0';
	if (r->ops->delete == NULL)
		return -EOPNOTSUPP;
	return traced("delete", folder, r->ops->delete (r, folder));
}

int remote_rename(struct remote *r, const char *from, const char *to)
{
	r->refusal[0] = '\0';
	if (r->ops->rename == NULL)
		return -EOPNOTSUPP;
	return traced("rename", from, r->ops->rename(r, from, to));
}

int remote_subscribe(struct remote *r, const char *folder, bool is_wanted)
{
	r->refusal[0] = '\0';
	if (r->ops->subscribe == NULL)
		return -EOPNOTSUPP;
	return traced("subscribe", folder,
	              r->ops->subscribe(r, folder, is_wanted));
}

int remote_wait(struct remote *r, int64_t deadline, const char **folder_out)
{
	*folder_out = NULL;
	if (r->ops->wait != NULL) {
		int n = r->ops->wait(r, deadline, folder_out);
		if (n < 0) /* a name of a connection that is gone */
			*folder_out = NULL;
		const char *folder = *folder_out;
		return n == 0 ? 0 : traced("wait", folder ? folder : "", n);
	}
	struct pollfd fds[] = {
		{ .fd = wake_fd(&r->wake), .events = POLLIN },
		{ .fd = wake_fd(&r->abort), .events = POLLIN },
	};
	(void)poll(fds, 2, deadline_left(deadline));
	wake_clear(&r->wake);
	return fds[1].revents != 0 ? -ECANCELED : 0;
}

void remote_wake(struct remote *r)
{
	wake_signal(&r->wake);
}

void remote_abort(struct remote *r)
{
	wake_signal(&r->abort);
}

enum remote_scope remote_error_scope(int err)
{
	switch (err) {
	case -ESTALE:
	case -EIO:
		return REMOTE_SCOPE_MESSAGE;
	case -ENOENT:
	case -EACCES:
	case -EDQUOT:
	case -EFBIG:
	case -EILSEQ:
	case -EEXIST:
	case -EINVAL:
	case -EROFS:
	case -EBUSY:
	case -EOPNOTSUPP:
		return REMOTE_SCOPE_FOLDER;
	case -EKEYREJECTED:
		return REMOTE_SCOPE_ACCOUNT;
	default:
		return REMOTE_SCOPE_SESSION;
	}
}

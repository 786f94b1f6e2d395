/*
 * user.mailmount.*: what a message is to the server.  Of all other names the
 * kernel asks for security.capability before each write: that answer costs
 * nothing.
 */
#include "fs/ops.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs/notify.h"
#include "util/cleanup.h"
#include "util/mem.h"

#define PREFIX "user.mailmount."
#define USER   "user."

/* Longer than any value. */
#define VALUE_MAX 1024

enum attribute {
	ATTRIBUTE_FLAGS,
	ATTRIBUTE_KEYWORDS,
	ATTRIBUTE_STATE,
	ATTRIBUTE_UID,
	ATTRIBUTE_UIDVALIDITY,
};

static const char *const NAMES[] = {
	[ATTRIBUTE_FLAGS] = PREFIX "flags",
	[ATTRIBUTE_KEYWORDS] = PREFIX "keywords",
	[ATTRIBUTE_STATE] = PREFIX "state",
	[ATTRIBUTE_UID] = PREFIX "uid",
	[ATTRIBUTE_UIDVALIDITY] = PREFIX "uidvalidity",
};
#define NAME_COUNT (sizeof(NAMES) / sizeof(NAMES[0]))

/* An attribute that there may be: 0, -ENODATA, or -EOPNOTSUPP. */
static int parse(const char *name, enum attribute *attribute_out)
{
	if (strncmp(name, USER, strlen(USER)) != 0)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < NAME_COUNT; i++) {
		if (strcmp(name, NAMES[i]) != 0)
			continue;
		*attribute_out = (enum attribute)i;
		return 0;
	}
	return -ENODATA;
}

/* A message's entry: 0, or -ENODATA: it is no message, but any other file. */
static int find_entry(fuse_req_t req, fuse_ino_t ino, struct inode *node_out,
                      struct cache_entry *entry_out)
{
	int err = ops_node(req, ino, node_out);
	if (err < 0)
		return err;
	if (node_out->kind != INODE_MESSAGE)
		return -ENODATA;
	err = cache_entry_of(ops_cache(req, node_out), node_out->id, entry_out);
	if (err < 0)
		return err == -ENOENT ? -ENODATA : err;
	return entry_out->place < CACHE_MAIL_PLACES ? 0 : -ENODATA;
}

/* An IMAP key is UIDVALIDITY.UID; those of other protocols are not told. */
static int value_of_key(const char *key, enum attribute attribute, char *out)
{
	size_t head = strspn(key, "0123456789");
	size_t tail =
		key[head] == '.' ? strspn(key + head + 1, "0123456789") : 0;
	if (head == 0 || tail == 0 || key[head + 1 + tail])
		return -ENODATA;
	const char *from = key + (attribute == ATTRIBUTE_UID ? head + 1 : 0);
	size_t len = attribute == ATTRIBUTE_UID ? tail : head;
	memcpy(out, from, len);
	out[len] = '\0';
	return 0;
}

static int value_of(const struct cache_facts *facts, enum attribute attribute,
                    char out[VALUE_MAX])
{
	switch (attribute) {
	case ATTRIBUTE_FLAGS:
		maildir_letters(facts->flags, out);
		return 0;
	case ATTRIBUTE_KEYWORDS:
		strcpy(out, facts->keywords);
		return 0;
	case ATTRIBUTE_STATE:
		strcpy(out, facts->state);
		return 0;
	case ATTRIBUTE_UID:
	case ATTRIBUTE_UIDVALIDITY:
		return value_of_key(facts->key, attribute, out);
	}
	return -ENODATA;
}

static int find_facts(fuse_req_t req, fuse_ino_t ino,
                      struct cache_facts *facts_out)
{
	struct cache_entry entry;
	struct inode node;
	int err = find_entry(req, ino, &node, &entry);
	if (err == 0)
		err = cache_facts_get(ops_cache(req, &node), node.id,
		                      facts_out);
	return err;
}

static void reply(fuse_req_t req, const char *bytes, size_t len, size_t size)
{
	if (size == 0)
		(void)fuse_reply_xattr(req, len);
	else if (len > size)
		ops_reply_err(req, -ERANGE);
	else
		(void)fuse_reply_buf(req, bytes, len);
}

void ops_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	enum attribute attribute;
	struct cache_facts facts;
	char value[VALUE_MAX];
	int err = parse(name, &attribute);
	if (err == 0)
		err = find_facts(req, ino, &facts);
	if (err == 0)
		err = value_of(&facts, attribute, value);
	if (err < 0)
		ops_reply_err(req, err);
	else
		reply(req, value, strlen(value), size);
}

void ops_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct cache_facts facts;
	char value[VALUE_MAX], list[VALUE_MAX];
	size_t len = 0;
	int err = find_facts(req, ino, &facts);
	for (size_t i = 0; err == 0 && i < NAME_COUNT; i++) {
		if (value_of(&facts, (enum attribute)i, value) < 0)
			continue;
		strcpy(list + len, NAMES[i]);
		len += strlen(NAMES[i]) + 1;
	}
	if (err < 0 && err != -ENODATA)
		ops_reply_err(req, err);
	else
		reply(req, list, len, size);
}

/* The kernel did not rename it: what it knows of the old name is wrong. */
static void tell_renamed(struct ops *ops, const struct inode *node,
                         const struct cache_entry *old)
{
	struct cache_entry now;
	if (cache_entry_find(tree_account(&ops->tree, node)->cache, old->folder,
	                     old->identity, &now) == 0)
		notify_entry_moved(ops->notify, node->account, old, &now);
}

static int set_keywords(fuse_req_t req, fuse_ino_t ino, const char *value)
{
	struct cache_entry entry;
	struct inode node;
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return -EINVAL;
	int err = find_entry(req, ino, &node, &entry);
	if (err < 0)
		return err == -ENODATA ? -EOPNOTSUPP : err;
	err = cache_keywords_set(ops_cache(req, &node), node.id, value);
	if (err == 0)
		tell_renamed(ops_of(req), &node, &entry);
	return err;
}

static void flags_reply(fuse_req_t req, fuse_ino_t ino,
                        const struct cache_entry *old, int err)
{
	struct ops *ops = ops_of(req);
	struct inode node;
	if (err == 0 && tree_node(&ops->tree, ino, &node))
		tell_renamed(ops, &node, old);
	ops_reply_err(req, err);
}

static void flags_resume(struct pending *p)
{
	flags_reply(p->req, p->ino, p->old, p->err);
}

/* What a message with these flags is called. */
static int name_with(const struct cache_entry *entry, unsigned letters,
                     char info_out[MAILDIR_NAME_MAX + 1],
                     struct cache_name *name_out)
{
	unsigned numbers = entry->flags & ~MAIL_FLAGS;
	unsigned flags = letters | numbers;
	*name_out = (struct cache_name){
		.folder = entry->folder,
		.place = entry->place,
		.base = *entry->base ? entry->base : NULL,
		.info = info_out,
		.flags = flags,
		.was = numbers,
	};
	int err =
		maildir_info_change(entry->info, entry->shown, flags, info_out);
	if (err == 0 &&
	    strlen(entry->base) + strlen(info_out) > MAILDIR_NAME_MAX)
		err = -ENAMETOOLONG;
	/* In new a name that is made shows none. */
	if (!name_out->base && letters != 0)
		name_out->place = CACHE_CUR;
	return err;
}

/* 0: it was or will be answered. */
static int set_flags(fuse_req_t req, fuse_ino_t ino, const char *value)
{
	struct ops *ops = ops_of(req);
	char info[MAILDIR_NAME_MAX + 1];
	struct cache_entry entry;
	struct cache_name name;
	struct inode node;
	unsigned flags;
	int err = maildir_letters_parse(value, &flags);
	if (err == 0)
		err = find_entry(req, ino, &node, &entry);
	if (err == 0)
		err = name_with(&entry, flags, info, &name);
	if (err < 0)
		return err == -ENODATA ? -EOPNOTSUPP : err;
	struct pending *p = pending_new(&ops->pendings, req, ino,
	                                ops_cache(req, &node), flags_resume);
	p->old = xmalloc(sizeof(entry));
	*p->old = entry;
	int n = cache_rename(ops_cache(req, &node), &entry, &name, NULL,
	                     pending_done, p, &p->wait);
	if (n == 0)
		return 0;
	pending_free(p);
	flags_reply(req, ino, &entry, n < 0 ? n : 0);
	return 0;
}

void ops_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
                  const char *value, size_t size, int flags)
{
	auto_free char *text = xstrndup(value, size);
	enum attribute attribute;
	int err = parse(name, &attribute);
	if (err == -ENODATA)
		err = -EOPNOTSUPP;
	if (err == 0 && strlen(text) != size)
		err = -EINVAL;
	if (err == 0 && (flags & XATTR_CREATE))
		err = -EEXIST;
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	if (attribute == ATTRIBUTE_FLAGS) {
		err = set_flags(req, ino, text);
		if (err == 0)
			return;
	} else if (attribute == ATTRIBUTE_KEYWORDS) {
		err = set_keywords(req, ino, text);
	} else {
		err = -EOPNOTSUPP;
	}
	ops_reply_err(req, err);
}

/* Keywords can be none; the rest is there as long as the message is. */
void ops_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	enum attribute attribute;
	int err = parse(name, &attribute);
	if (err == 0)
		err = attribute == ATTRIBUTE_KEYWORDS
		              ? set_keywords(req, ino, "")
		              : -EOPNOTSUPP;
	ops_reply_err(req, err);
}

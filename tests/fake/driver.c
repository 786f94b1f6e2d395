#include "tests/fake/driver.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/mem.h"

struct words {
	char **list;
	size_t count;
};

struct wishes {
	struct remote_wish *list;
	size_t count;
	struct strbuf *keywords; /* two for each: added, removed */
};

static struct words split(char *line)
{
	struct words words = { 0 };
	size_t capacity = 0;
	char *word;
	while ((word = strsep(&line, " ")) != NULL) {
		for (char *p = word; *p != '\0'; p++) {
			if (*p == '~')
				*p = ' ';
		}
		if (words.count == capacity) {
			capacity = 2 * capacity + 16;
			words.list =
				xrealloc(words.list, capacity * sizeof(char *));
		}
		words.list[words.count++] = word;
	}
	assert(words.list != NULL);
	return words;
}

/* The flags that the letters mean; 0: it is a keyword. */
static unsigned flags_of(const char *word)
{
	static const char letters[] = "DFPRST";
	unsigned flags = 0;
	for (; *word != '\0'; word++) {
		const char *at = strchr(letters, *word);
		if (at == NULL)
			return 0;
		flags |= 1U << (at - letters);
	}
	return flags;
}

static void add_word(const char *word, unsigned *flags, struct strbuf *keywords)
{
	unsigned found = flags_of(word);
	*flags |= found;
	if (found == 0)
		strbuf_printf(keywords, "%s%s", keywords->len > 0 ? " " : "",
		              word);
}

/* Without a sign, a word is to be added. */
static void parse_changes(char *changes, struct wishes *w, size_t i)
{
	struct remote_wish *wish = &w->list[i];
	char *word;
	while ((word = strsep(&changes, ",")) != NULL) {
		if (strcmp(word, "-") == 0)
			continue;
		if (word[0] == '-')
			add_word(word + 1, &wish->removed,
			         &w->keywords[2 * i + 1]);
		else
			add_word(word + (word[0] == '+'), &wish->flags,
			         &w->keywords[2 * i]);
	}
	wish->keywords = strbuf_text(&w->keywords[2 * i]);
	wish->removed_keywords = strbuf_text(&w->keywords[2 * i + 1]);
}

static int open_content(const char *text)
{
	if (text[0] == '@')
		return open(text + 1, O_RDONLY | O_CLOEXEC);
	auto_strbuf struct strbuf content = { 0 };
	for (const char *p = text; *p != '\0'; p++) {
		char ch = *p;
		if (ch == '\\' && *++p != '\0')
			ch = *p == 'n'   ? '\n'
			     : *p == 'r' ? '\r'
			     : *p == '0' ? '\0'
			                 : *p;
		strbuf_putc(&content, ch);
	}
	int fd = memfd_create("content", MFD_CLOEXEC);
	if (write(fd, content.bytes, content.len) != (ssize_t)content.len)
		abort();
	return fd;
}

/* One from each width words; the first of them is the key. */
static struct wishes make_wishes(struct words words, size_t from, size_t width)
{
	struct wishes w = { .count = (words.count - from) / width };
	w.list = xcalloc(w.count + 1, sizeof(*w.list));
	w.keywords = xcalloc(2 * w.count + 1, sizeof(*w.keywords));
	for (size_t i = 0; i < w.count; i++) {
		char **word = words.list + from + i * width;
		struct remote_wish *wish = &w.list[i];
		*wish = (struct remote_wish){ .key = word[0], .fd = -1 };
		if (width == 2)
			parse_changes(word[1], &w, i);
		if (width != 3)
			continue;
		struct stat st;
		wish->key = NULL;
		parse_changes(word[0], &w, i);
		wish->received_at = strtoll(word[1], NULL, 10);
		wish->fd = open_content(word[2]);
		if (fstat(wish->fd, &st) < 0)
			abort();
		wish->size = (uint64_t)st.st_size;
	}
	return w;
}

static void tell_wishes(const struct wishes *w, struct strbuf *out)
{
	static const char *const fates[] = { "unsent", "unknown", "done",
		                             "refused" };
	for (size_t i = 0; i < w->count; i++) {
		const struct remote_wish *wish = &w->list[i];
		strbuf_printf(out, "%s %s", wish->key ? wish->key : "-",
		              fates[wish->fate]);
		if (wish->err < 0)
			strbuf_printf(out, " %s", strerrorname_np(-wish->err));
		if (wish->new_key[0] != '\0')
			strbuf_printf(out, " %s", wish->new_key);
		if (wish->why[0] != '\0')
			strbuf_printf(out, " (%s)", wish->why);
		strbuf_putc(out, '\n');
	}
}

static void release_wishes(struct wishes *w)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->list[i].fd >= 0)
			(void)close(w->list[i].fd);
		strbuf_release(&w->keywords[2 * i]);
		strbuf_release(&w->keywords[2 * i + 1]);
	}
	free(w->keywords);
	free(w->list);
}

static int tell_changes(struct remote *r, struct strbuf *out)
{
	struct remote_change c;
	struct remote_cursor cursor;
	int n;
	while ((n = remote_next(r, &c, &cursor)) == 1) {
		if (c.kind != REMOTE_MESSAGE) {
			strbuf_printf(out, "change %d of %s\n", (int)c.kind,
			              c.key);
			continue;
		}
		strbuf_printf(out, "%s %x [%s] %lld %llu\n", c.key, c.flags,
		              c.keywords, (long long)c.received_at,
		              (unsigned long long)c.claimed_size);
	}
	return n;
}

static int write_messages(struct remote *r, struct words words,
                          struct strbuf *out)
{
	char **word = words.list;
	const char *call = word[0];
	bool has_target =
		strcmp(call, "copy") == 0 || strcmp(call, "move") == 0;
	size_t width = strcmp(call, "flags") == 0    ? 2
	               : strcmp(call, "append") == 0 ? 3
	                                             : 1;
	struct wishes w = make_wishes(words, has_target ? 3 : 2, width);
	int err;
	if (width == 2)
		err = remote_set_flags(r, word[1], w.list, w.count);
	else if (width == 3)
		err = remote_append(r, word[1], w.list, w.count);
	else if (!has_target)
		err = remote_remove(r, word[1], w.list, w.count);
	else if (call[0] == 'c')
		err = remote_copy(r, word[1], word[2], w.list, w.count);
	else
		err = remote_move(r, word[1], word[2], w.list, w.count);
	tell_wishes(&w, out);
	release_wishes(&w);
	return err;
}

static int change_folder(struct remote *r, struct words words)
{
	const char *call = words.list[0];
	const char *folder = words.list[1];
	if (strcmp(call, "create") == 0)
		return remote_create(r, folder);
	if (strcmp(call, "delete") == 0)
		return remote_delete(r, folder);
	if (strcmp(call, "rename") == 0)
		return remote_rename(r, folder, words.list[2]);
	if (strcmp(call, "subscribe") == 0)
		return remote_subscribe(r, folder, true);
	if (strcmp(call, "unsubscribe") == 0)
		return remote_subscribe(r, folder, false);
	abort();
}

void driver_do(struct remote *r, char *line, struct strbuf *out)
{
	static const char *const messages[] = { "flags", "append", "copy",
		                                "move", "remove" };
	char mark[REMOTE_CURSOR_MAX + 1];
	struct words words = split(line);
	const char *call = words.list[0];
	const char *folder = words.count > 1 ? words.list[1] : "";
	bool is_about_messages = false;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		is_about_messages |= strcmp(call, messages[i]) == 0;
	int err;
	if (is_about_messages) {
		err = write_messages(r, words, out);
	} else if (strcmp(call, "mark") == 0) {
		err = remote_mark(r, folder, mark);
		if (err == 0)
			strbuf_printf(out, "%s\n", mark);
	} else if (strcmp(call, "since") == 0) {
		err = remote_since(r, folder, words.list[2]);
		err = err < 0 ? err : tell_changes(r, out);
	} else if (strcmp(call, "pull") == 0) {
		err = remote_pull(r, folder, "");
		err = err < 0 ? err : tell_changes(r, out);
	} else {
		err = change_folder(r, words);
		if (r->refusal[0] != '\0')
			strbuf_printf(out, "(%s)\n", r->refusal);
	}
	if (err < 0)
		strbuf_printf(out, "%s\n", strerrorname_np(-err));
	free(words.list);
}

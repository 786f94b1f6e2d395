/*
 * A pull names every message of the drop: PRESENT for the known, MESSAGE for
 * the others, whose heads tell when they came.  So it has to tell which are
 * known, and a cursor cannot hold all keys.  It holds how many there were, and
 * their digest: as long as the drop still begins with them, the others are
 * new.  Else what this process told last counts, if the cursor is of that
 * pull; else every message is given as if it were new.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "popclient/client.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/digest.h"
#include "util/log.h"
#include "util/mem.h"

/* New messages in one pull; others want their turn. */
#define CHUNK 2000

void pop_pull_end(struct pop_pull *pull)
{
	free(pull->is_known);
	*pull = (struct pop_pull){ .known = pull->known };
}

void pop_pull_release(struct pop_pull *pull)
{
	pop_pull_end(pull);
	free(pull->known.identities);
	*pull = (struct pop_pull){ 0 };
}

/* ---- Cursors: "u COUNT DIGEST", or "d" where keys are made of heads ---- */

static uint64_t add_to_digest(uint64_t digest, uint64_t identity)
{
	uint64_t both[] = { digest, identity };
	return digest_u64(both, sizeof(both));
}

static void write_cursor(const struct pop_drop *d, const bool *is_known,
                         char text[REMOTE_CURSOR_MAX + 1])
{
	uint64_t digest = 0;
	size_t count = 0;
	for (size_t i = 0; i < d->count; i++) {
		if (!is_known[i])
			continue;
		digest = add_to_digest(digest, d->messages[i].identity);
		count++;
	}
	snprintf(text, REMOTE_CURSOR_MAX + 1, "%c %zu %016" PRIx64,
	         d->lacks_uidl ? 'd' : 'u', count, digest);
}

/* ---- What is known ---- */

static int compare_identities(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;
	return (*left > *right) - (*left < *right);
}

static void find_told(struct pop_pull *pull, const struct pop_drop *d)
{
	const struct pop_known *known = &pull->known;
	for (size_t i = 0; i < d->count && known->count > 0; i++)
		pull->is_known[i] =
			bsearch(&d->messages[i].identity, known->identities,
		                known->count, sizeof(uint64_t),
		                compare_identities) != NULL;
}

/* Does the drop begin with the messages of the cursor? */
static void find_first(struct pop_pull *pull, const struct pop_drop *d,
                       size_t count, uint64_t digest)
{
	uint64_t found = 0;
	if (count > d->count)
		return;
	for (size_t i = 0; i < count; i++)
		found = add_to_digest(found, d->messages[i].identity);
	for (size_t i = 0; i < count && found == digest; i++)
		pull->is_known[i] = true;
}

static void remember(struct pop_pull *pull, const struct pop_drop *d,
                     const char *cursor)
{
	struct pop_known *known = &pull->known;
	known->identities =
		xrealloc(known->identities, (d->count + 1) * sizeof(uint64_t));
	known->count = 0;
	for (size_t i = 0; i < d->count; i++)
		if (pull->is_known[i])
			known->identities[known->count++] =
				d->messages[i].identity;
	qsort(known->identities, known->count, sizeof(uint64_t),
	      compare_identities);
	snprintf(known->cursor, sizeof(known->cursor), "%s", cursor);
}

int pop_pull_begin(struct pop_remote *c, const char *cursor)
{
	struct pop_pull *pull = &c->pull;
	const struct pop_drop *d = &c->drop;
	size_t count = 0;
	uint64_t digest = 0;
	char kind = '\0';
	pop_pull_end(pull);
	bool is_ours =
		sscanf(cursor, "%c %zu %" SCNx64, &kind, &count, &digest) == 3;
	/* Other keys would be other messages, and flags and names go. */
	if (is_ours && kind == 'u' && count > 0 && d->lacks_uidl) {
		log_warn("the server has no UIDL any more");
		return -EPROTO;
	}
	pull->is_known = xcalloc(d->count + 1, sizeof(bool));
	pull->is_begun = true;
	if (is_ours && strcmp(cursor, pull->known.cursor) == 0)
		find_told(pull, d);
	else if (is_ours)
		find_first(pull, d, count, digest);
	return 0;
}

/* ---- Heads ---- */

static bool wants_head(const struct pop_remote *c, size_t i)
{
	return !c->pull.is_known[i] && !c->drop.messages[i].has_head &&
	       pop_session_may(&c->session, POP_CAP_TOP);
}

/* From the message at hand on, as many as may be under way. */
static int ask_heads(struct pop_remote *c)
{
	auto_strbuf struct strbuf lines = { 0 };
	struct pop_pull *pull = &c->pull;
	size_t count = 0;
	size_t limit = pop_session_window(&c->session);
	if (limit > CHUNK - pull->given)
		limit = CHUNK - pull->given;
	for (; pull->asked < c->drop.count && count < limit; pull->asked++) {
		if (!wants_head(c, pull->asked))
			continue;
		strbuf_printf(&lines, "TOP %u 0\r\n",
		              c->drop.messages[pull->asked].number);
		count++;
	}
	return count > 0 ? pop_session_send(&c->session, lines.bytes, count)
	                 : 0;
}

static int read_head(struct pop_remote *c, size_t i)
{
	auto_strbuf struct strbuf head = { 0 };
	if (!wants_head(c, i))
		return 0;
	int err = i >= c->pull.asked ? ask_heads(c) : 0;
	return err < 0 ? err
	               : pop_drop_read_head(&c->session, &c->drop.messages[i],
	                                    &head);
}

/* ---- Changes ---- */

static void give_message(const struct pop_message *m, struct remote_change *out)
{
	*out = (struct remote_change){
		.kind = REMOTE_MESSAGE,
		.key = m->key,
		.keywords = "",
		.received_at = m->received_at,
		.claimed_size = m->size,
		.identity = m->identity,
	};
	if (out->received_at == 0)
		out->received_at = clock_wall_ns() / 1000000000;
}

static void give_cursor(struct pop_remote *c, struct remote_cursor *out)
{
	bool is_end = c->pull.at == c->drop.count;
	*out = (struct remote_cursor){ .complete = is_end, .more = !is_end };
	write_cursor(&c->drop, c->pull.is_known, out->text);
	remember(&c->pull, &c->drop, out->text);
	pop_pull_end(&c->pull);
}

int pop_pull_next(struct pop_remote *c, struct remote_change *change_out,
                  struct remote_cursor *cursor_out)
{
	struct pop_pull *pull = &c->pull;
	if (!pull->is_begun)
		return -EHOSTUNREACH;
	size_t i = pull->at;
	if (i == c->drop.count ||
	    (pull->given == CHUNK && !pull->is_known[i])) {
		give_cursor(c, cursor_out);
		return 0;
	}
	int err = read_head(c, i);
	if (err < 0)
		return err;
	if (pull->is_known[i]) {
		*change_out = (struct remote_change){
			.kind = REMOTE_PRESENT,
			.key = c->drop.messages[i].key,
			.keywords = "",
		};
	} else {
		give_message(&c->drop.messages[i], change_out);
		pull->is_known[i] = true;
		pull->given++;
	}
	pull->at++;
	return 1;
}

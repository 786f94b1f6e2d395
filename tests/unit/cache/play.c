#include "tests/unit/cache/play.h"

#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/content.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define TEXT_SIZE     1024
#define FOREIGN_TOKEN 60
#define FOREIGN_DATE  2000000

/* All names of folders that plays use: what is in no model is not there. */
static const char *const known[] = { "INBOX", "a", "b", "x", "y", "z", "Trash" };

/* No two are of one size. */
static void make_text(int token, char out[TEXT_SIZE])
{
	int len = snprintf(out, TEXT_SIZE,
	                   "Message-ID: <%d@x>\nSubject: s\n\nbody %03d ",
	                   token, token);
	memset(out + len, 'x', (size_t)token * 7);
	memcpy(out + len + token * 7, "\n", 2);
}

/* Of a text; -1: it is none of ours. */
static int token_of(const char *text)
{
	const char *body = text == NULL ? NULL : strstr(text, "\nbody ");
	char *end;
	if (body == NULL)
		return -1;
	int token = (int)strtol(body + 6, &end, 10);
	char whole[TEXT_SIZE];
	if (token < 0 || token > 100)
		return -1;
	make_text(token, whole);
	return strcmp(whole, text) == 0 ? token : -1;
}

static int step_token(int step)
{
	return step + 1;
}

int play_length(const struct play *p)
{
	int n = 0;
	while (n < PLAY_STEPS && p->steps[n].deed != PLAY_END)
		n++;
	return n;
}

static void add_mail(struct play_model *m, const char *folder, const char *name,
                     int token, unsigned flags)
{
	struct play_mail *mail = &m->mails[m->mail_count++];
	assert_true(m->mail_count <= PLAY_MAILS);
	*mail = (struct play_mail){ .token = token, .flags = flags };
	(void)snprintf(mail->folder, sizeof(mail->folder), "%s", folder);
	(void)snprintf(mail->name, sizeof(mail->name), "%s", name);
}

static void add_folder(struct play_model *m, const char *name, int places)
{
	struct play_folder *f = &m->folders[m->folder_count++];
	assert_true(m->folder_count <= PLAY_FOLDERS);
	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	f->places = places;
}

/* Its places, or -1: it is not there. */
static int count_places(const struct play_model *m, const char *name)
{
	for (size_t i = 0; i < m->folder_count; i++)
		if (strcmp(m->folders[i].name, name) == 0)
			return m->folders[i].places;
	return -1;
}

static void make_first(const struct play *p, struct play_model *m)
{
	memset(m, 0, sizeof(*m));
	for (size_t i = 0; i < 3; i++) {
		add_folder(m, known[i], 3);
		add_mail(m, known[i], "", FOREIGN_TOKEN + (int)i, 0);
	}
	if (p->has_trash)
		add_folder(m, "Trash", 3);
}

void play_prepare(const struct play *p, struct fake_account *a)
{
	struct play_model m;
	char text[TEXT_SIZE];
	make_first(p, &m);
	for (size_t i = 0; i < m.folder_count; i++) {
		bool is_trash = strcmp(m.folders[i].name, "Trash") == 0;
		fake_folder_add(a, m.folders[i].name,
		                is_trash ? MAIL_FOLDER_TRASH : 0);
	}
	for (size_t i = 0; i < m.mail_count; i++) {
		make_text(m.mails[i].token, text);
		(void)fake_deliver(a, m.mails[i].folder, text,
		                   FOREIGN_DATE + (int64_t)i, m.mails[i].flags);
	}
}

static struct play_mail *find_mail(struct play_model *m, const char *folder,
                                   const char *name)
{
	for (size_t i = 0; i < m->mail_count; i++)
		if (strcmp(m->mails[i].folder, folder) == 0 &&
		    strcmp(m->mails[i].name, name) == 0)
			return &m->mails[i];
	fail_msg("the play has no %s in %s", name, folder);
	return NULL;
}

static void remove_mail(const struct play *p, struct play_model *m,
                        struct play_mail *mail)
{
	if (p->has_trash)
		add_mail(m, "Trash", "", mail->token, mail->flags);
	*mail = m->mails[--m->mail_count];
}

static void rename_folder(struct play_model *m, const char *from,
                          const char *to)
{
	for (size_t i = 0; i < m->folder_count; i++)
		if (strcmp(m->folders[i].name, from) == 0)
			(void)snprintf(m->folders[i].name, 16, "%s", to);
	for (size_t i = 0; i < m->mail_count; i++)
		if (strcmp(m->mails[i].folder, from) == 0)
			(void)snprintf(m->mails[i].folder, 16, "%s", to);
}

static void copy_name(char out[16], const char *name)
{
	(void)snprintf(out, 16, "%sc", name);
}

static void make_step(const struct play *p, int step, struct play_model *m)
{
	const struct play_step *s = &p->steps[step];
	struct play_mail *mail;
	char name[16];
	switch (s->deed) {
	case PLAY_DELIVER:
		add_mail(m, s->folder, s->name, step_token(step), 0);
		break;
	case PLAY_FLAG:
		find_mail(m, s->folder, s->name)->flags = (unsigned)s->number;
		break;
	case PLAY_MOVE:
		mail = find_mail(m, s->folder, s->name);
		(void)snprintf(mail->folder, sizeof(mail->folder), "%s", s->to);
		break;
	case PLAY_COPY:
		mail = find_mail(m, s->folder, s->name);
		copy_name(name, s->name);
		add_mail(m, s->to, name, mail->token, 0);
		break;
	case PLAY_REPLACE:
		remove_mail(p, m, find_mail(m, s->folder, s->name));
		add_mail(m, s->folder, s->name, step_token(step), 0);
		break;
	case PLAY_UNLINK:
		remove_mail(p, m, find_mail(m, s->folder, s->name));
		break;
	case PLAY_MKDIR:
		add_folder(m, s->folder, 0);
		break;
	case PLAY_PLACE:
		for (size_t i = 0; i < m->folder_count; i++)
			m->folders[i].places +=
				strcmp(m->folders[i].name, s->folder) == 0;
		break;
	case PLAY_RENAME:
		rename_folder(m, s->folder, s->to);
		break;
	case PLAY_END:
	case PLAY_PASS:
	case PLAY_CUT:
	case PLAY_REFUSE:
	case PLAY_RESET:
		break;
	}
}

void play_make(const struct play *p, int steps, struct play_model *out)
{
	make_first(p, out);
	for (int i = 0; i < steps; i++)
		make_step(p, i, out);
}

static int move(struct hand *h, const struct play_step *s)
{
	int64_t folder = hand_folder(h, s->folder);
	struct cache_entry e = hand_entry(h, folder, s->name);
	return hand_move(h, folder, s->name, hand_folder(h, s->to), CACHE_CUR,
	                 e.flags);
}

int play_do(struct hand *h, const struct play *p, int step)
{
	const struct play_step *s = &p->steps[step];
	int64_t folder = s->folder == NULL ? 0 : hand_folder(h, s->folder);
	char text[TEXT_SIZE], name[16];
	struct cache *c = h->rig->cache;
	make_text(step_token(step), text);
	switch (s->deed) {
	case PLAY_END:
		return 0;
	case PLAY_DELIVER:
		return hand_deliver(h, folder, s->name, text);
	case PLAY_FLAG:
		return hand_move(h, folder, s->name, folder, CACHE_CUR,
		                 (unsigned)s->number);
	case PLAY_MOVE:
		return move(h, s);
	case PLAY_COPY:
		copy_name(name, s->name);
		return hand_link(h, folder, s->name, hand_folder(h, s->to),
		                 name);
	case PLAY_REPLACE:
		return hand_replace(h, folder, s->name, text);
	case PLAY_UNLINK:
		return hand_unlink(h, folder, s->name);
	case PLAY_MKDIR:
		return cache_folder_make(c, CACHE_ROOT, s->folder, &folder);
	case PLAY_PLACE:
		return cache_place_make(c, folder, (enum cache_place)s->number);
	case PLAY_RENAME:
		return cache_folder_rename(c, folder, CACHE_ROOT, s->to);
	case PLAY_PASS:
		clock_advance_ms(3000);
		(void)hand_round(h);
		return 0;
	case PLAY_CUT:
		fake_cut(h->rig->account, s->op, 1, 0, 64, s->loss);
		return 0;
	case PLAY_REFUSE:
		fake_refuse(h->rig->account, s->folder, s->number);
		return 0;
	case PLAY_RESET:
		fake_folder_reset(h->rig->account, s->folder);
		return 0;
	}
	return 0;
}

/* A set of mails in which each is found once. */
struct tally {
	const struct play_model *model;
	bool is_seen[PLAY_MAILS];
	char *why;
};

/* name NULL: any. */
static bool tick(struct tally *t, const char *side, const char *folder,
                 const char *name, int token, unsigned flags)
{
	for (size_t i = 0; i < t->model->mail_count; i++) {
		const struct play_mail *m = &t->model->mails[i];
		if (t->is_seen[i] || strcmp(m->folder, folder) != 0 ||
		    (name != NULL && strcmp(m->name, name) != 0) ||
		    (token >= 0 && m->token != token) || m->flags != flags)
			continue;
		t->is_seen[i] = true;
		return true;
	}
	(void)snprintf(t->why, PLAY_WHY, "%s: text %d, flags %x, name %s in %s",
	               side, token, flags, name == NULL ? "any" : name, folder);
	return false;
}

static bool is_all(const struct tally *t, const char *side)
{
	for (size_t i = 0; i < t->model->mail_count; i++) {
		const struct play_mail *m = &t->model->mails[i];
		if (t->is_seen[i])
			continue;
		(void)snprintf(t->why, PLAY_WHY,
		               "%s: no %s (text %d, flags %x) in %s", side,
		               m->name, m->token, m->flags, m->folder);
		return false;
	}
	return true;
}

static bool is_there(struct fake_account *a, const struct play_model *model,
                     char *why)
{
	struct tally t = { .model = model, .why = why };
	struct fake_view v;
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		bool is_known = fake_folder_is(a, known[i]);
		if (is_known != (count_places(model, known[i]) == 3)) {
			(void)snprintf(why, PLAY_WHY, "there: %s %s", known[i],
			               is_known ? "is" : "is not");
			return false;
		}
		for (size_t n = 0; is_known && fake_view(a, known[i], n, &v);
		     n++) {
			int token = token_of(v.body);
			if (token < 0 ||
			    !tick(&t, "there", known[i], NULL, token, v.flags))
				return false;
		}
	}
	return is_all(&t, "there");
}

/* The text of a message that is kept; -1: none, -2: a wrong one. */
static int read_token(struct hand *h, const struct cache_entry *e)
{
	char text[TEXT_SIZE + 1] = "";
	if (!e->message.is_kept)
		return -1;
	auto_fd int fd = content_open(h->rig->cache, &e->message);
	ssize_t n = fd < 0 ? -1 : pread(fd, text, TEXT_SIZE, 0);
	int token = n < 0 ? -1 : token_of(text);
	return token < 0 ? -2 : token;
}

static bool tick_place(struct hand *h, struct tally *t, const char *level,
                       int64_t folder, enum cache_place place)
{
	struct cache_entry e;
	bool is_well = true;
	if (cache_scan_begin(h->rig->cache, folder, place, 0, false) < 0)
		return false;
	while (is_well && cache_scan_next(h->rig->cache, &e) == 1) {
		int token = read_token(h, &e);
		is_well = token != -2 &&
		          tick(t, "here", level, e.base, token, e.flags);
		if (token == -2)
			(void)snprintf(t->why, PLAY_WHY,
			               "here: the text of %s in %s", e.base,
			               level);
	}
	cache_scan_end(h->rig->cache);
	return is_well;
}

bool play_check_here(struct hand *h, const struct play_model *model, char *why)
{
	struct tally t = { .model = model, .why = why };
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		int64_t folder = hand_folder(h, known[i]);
		if ((folder != 0) != (count_places(model, known[i]) >= 0)) {
			(void)snprintf(why, PLAY_WHY, "here: %s %s", known[i],
			               folder != 0 ? "is" : "is not");
			return false;
		}
		for (int place = 0; folder != 0 && place < CACHE_MAIL_PLACES;
		     place++)
			if (!tick_place(h, &t, known[i], folder,
			                (enum cache_place)place))
				return false;
	}
	return is_all(&t, "here");
}

bool play_check(struct hand *h, const struct play_model *model, char *why)
{
	return is_there(h->rig->account, model, why) &&
	       play_check_here(h, model, why);
}

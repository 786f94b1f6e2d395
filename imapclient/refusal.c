#include "imapclient/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/log.h"

void imap_words_copy(struct imap_text words, char out[IMAP_WORDS_SIZE])
{
	size_t len =
		words.len < IMAP_WORDS_SIZE ? words.len : IMAP_WORDS_SIZE - 1;
	for (size_t i = 0; i < len; i++) {
		char ch = words.bytes[i];
		out[i] = ch >= 0x20 && ch < 0x7f ? ch : '?';
	}
	out[len] = '\0';
}

/* RFC 5530; those not here say nothing that a caller could act upon. */
static const struct {
	const char *name;
	int err;
} codes[] = {
	{ "ALREADYEXISTS", -EEXIST },
	{ "AUTHORIZATIONFAILED", -EACCES },
	{ "CANNOT", -EOPNOTSUPP },
	{ "CONTACTADMIN", -EACCES },
	/* Some of the messages are gone; what is left can be done again. */
	{ "EXPUNGEISSUED", -EBUSY },
	{ "INUSE", -EBUSY },
	{ "LIMIT", -EFBIG },
	{ "NONEXISTENT", -ENOENT },
	{ "NOPERM", -EACCES },
	{ "OVERQUOTA", -EDQUOT },
	{ "READ-ONLY", -EROFS },
	{ "SERVERBUG", -EBUSY },
	{ "THROTTLED", -EBUSY },
	{ "TOOBIG", -EFBIG }, /* RFC 4469 */
	{ "TRYCREATE", -ENOENT },
	{ "UNAVAILABLE", -EBUSY },
};

int imap_refusal(const struct imap_response *tagged, const char *what)
{
	char words[IMAP_WORDS_SIZE];
	if (tagged->condition == IMAP_OK)
		return 0;
	imap_words_copy(tagged->text, words);
	log_warn("%s: %s", what, words[0] != '\0' ? words : "(no words)");
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (imap_text_is(tagged->code_name, codes[i].name))
			return codes[i].err;
	}
	return -EIO;
}

int imap_refusal_run(struct imap_session *s, const struct imap_command *c,
                     const char *what)
{
	struct imap_response r;
	unsigned tag;
	int err = imap_session_send(s, c, &tag);
	while (err == 0) {
		err = imap_session_read(s, NULL, &r);
		if (err == 0 && imap_session_is_end(&r, tag))
			return imap_refusal(&r, what);
	}
	return err;
}

int imap_refusal_run_text(struct imap_session *s, const char *text,
                          const char *what)
{
	auto_command struct imap_command c;
	imap_command_init(&c, true, text);
	return imap_refusal_run(s, &c, what);
}

void imap_wish_refuse(struct remote_wish *wish, int err, const char *words)
{
	wish->fate = REMOTE_REFUSED;
	wish->err = err;
	snprintf(wish->why, sizeof(wish->why), "%s",
	         words == NULL ? "" : words);
}

int imap_wishes_refuse(struct remote_wish *wishes, size_t count, int err,
                       const char *words)
{
	if (remote_error_scope(err) >= REMOTE_SCOPE_SESSION)
		return err;
	for (size_t i = 0; i < count; i++)
		imap_wish_refuse(&wishes[i], err, words);
	return 0;
}

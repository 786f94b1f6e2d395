#include "net/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What a failure of libcurl means. */
static const struct cause {
	CURLcode code;
	enum conn_step step;
	int err;
	const char *why; /* NULL: libcurl's own words */
} causes[] = {
	{ CURLE_URL_MALFORMAT, CONN_STEP_RESOLVE, -EHOSTUNREACH, NULL },
	{ CURLE_COULDNT_RESOLVE_HOST, CONN_STEP_RESOLVE, -EHOSTUNREACH, NULL },
	{ CURLE_COULDNT_RESOLVE_PROXY, CONN_STEP_RESOLVE, -EHOSTUNREACH, NULL },
	{ CURLE_COULDNT_CONNECT, CONN_STEP_CONNECT, -EHOSTUNREACH, NULL },
	{ CURLE_PROXY, CONN_STEP_CONNECT, -EHOSTUNREACH, NULL },
	{ CURLE_SSL_CONNECT_ERROR, CONN_STEP_TLS, -ENOKEY, NULL },
	{ CURLE_PEER_FAILED_VERIFICATION, CONN_STEP_TLS, -ENOKEY, NULL },
	{ CURLE_SSL_CACERT_BADFILE, CONN_STEP_TLS, -ENOKEY, NULL },
	{ CURLE_SSL_CERTPROBLEM, CONN_STEP_TLS, -ENOKEY, NULL },
	{ CURLE_SSL_CIPHER, CONN_STEP_TLS, -ENOKEY, NULL },
	{ CURLE_SSL_PINNEDPUBKEYNOTMATCH, CONN_STEP_TLS, -ENOKEY,
	  "the server's key is not the one of tls-pin" },
	{ CURLE_USE_SSL_FAILED, CONN_STEP_TLS, -ENOKEY,
	  "the server does not offer STARTTLS, or refuses it" },
	{ CURLE_WEIRD_SERVER_REPLY, CONN_STEP_LOGIN, -EPROTO,
	  "the answer is not what a mail server says" },
	{ CURLE_LOGIN_DENIED, CONN_STEP_LOGIN, -EKEYREJECTED,
	  "login refused without a reason; check user and password" },
	{ CURLE_AUTH_ERROR, CONN_STEP_LOGIN, -EKEYREJECTED, NULL },
};

/* What to do about it: the first whose words are in the reason. */
static const struct hint {
	const char *words;
	const char *hint;
} hints[] = {
	{ "has expired", "is the clock right? else the server must renew it" },
	{ "not yet valid", "is the clock right?" },
	{ "self-signed", "if you trust it, name its CA with tls-ca" },
	{ "local issuer", "if you trust it, name its CA with tls-ca" },
	{ "subject name", "write in server the name the certificate is for" },
	{ "tls-pin", "someone may be listening in, or the key was renewed" },
	{ "wrong version number",
	  "no TLS on this port? imap:// and pop3:// use STARTTLS" },
	{ "offer STARTTLS",
	  "if imaps:// or pop3s:// fails too, someone may be in between" },
	{ "ahead of TLS",
	  "someone may be in between; try imaps:// or pop3s://" },
	{ "TLS: no answer",
	  "the wrong port? imaps:// and pop3s:// use TLS from the first byte" },
};

/*
 * Refusals that pass by themselves, so that the credentials are not to blame
 * (RFC 5530 3, RFC 3206, RFC 2449 8.1).
 */
static const char *const passing[] = {
	"[UNAVAILABLE]", "[INUSE]",  "[LIMIT]",       "[SERVERBUG]",
	"[SYS/TEMP]",    "[IN-USE]", "[LOGIN-DELAY]",
};

static bool has_any(const char *words, const char *const *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasestr(words, wanted[i]) != NULL)
			return true;
	return false;
}

#define HAS_ANY(words, wanted) \
	has_any(words, wanted, sizeof(wanted) / sizeof((wanted)[0]))

/*
 * A drop that another session has (RFC 1939 4), told without a code, as
 * solid-pop3d and old ones do.  Not a user who is locked out: a code other
 * than ours says so, or what happened.
 */
static bool is_drop_locked(const char *words)
{
	static const char *const things[] = { "mailbox", "maildrop",
		                              "mail drop", "mailspool",
		                              "session" };
	static const char *const states[] = { "lock", "in use", "busy",
		                              "another", "already" };
	static const char *const others[] = { "account",  "attempt",
		                              "fail",     "password",
		                              "disabled", "suspended" };
	return words[0] != '[' && HAS_ANY(words, things) &&
	       HAS_ANY(words, states) && !HAS_ANY(words, others);
}

bool failure_is_passing(const char *words)
{
	if (is_drop_locked(words))
		return true;
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		size_t len = strlen(passing[i]);
		if (strncasecmp(words, passing[i], len) == 0)
			return true;
	}
	return false;
}

/* TLS was not refused: the connection broke while it was made. */
static bool is_broken_tls(const char *error)
{
	return strstr(error, "error:") == NULL ||
	       strstr(error, "unexpected eof") != NULL;
}

static const char *hint_for(const char *why)
{
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (strstr(why, hints[i].words) != NULL)
			return hints[i].hint;
	}
	return NULL;
}

int failure_say(const struct conn_config *config, enum conn_step step, int err,
                const char *why, struct conn_report *r)
{
	const char *hint = hint_for(why);
	r->failed = step;
	int n = snprintf(r->text, sizeof(r->text), "%.80s:%u: %s%s%s",
	                 config->host, conn_port(config), why,
	                 hint == NULL ? "" : "; ", hint == NULL ? "" : hint);
	if (n >= (int)sizeof(r->text))
		(void)memcpy(r->text + sizeof(r->text) - 4, "...", 4);
	return err;
}

int failure_say_timeout(const struct conn_config *config, enum conn_step step,
                        struct conn_report *r)
{
	char why[64];
	(void)snprintf(why, sizeof(why), "%s: no answer within %d ms",
	               conn_step_name(step), config->timeout_ms);
	return failure_say(config, step, -ETIMEDOUT, why, r);
}

static int say_refusal(const struct conn_config *config, const char *words,
                       struct conn_report *r)
{
	char why[LOGIN_WORDS_SIZE + 64];
	bool passes = failure_is_passing(words);
	(void)snprintf(why, sizeof(why), "login refused: %s%s", words,
	               passes ? "" : "; check user and password");
	return failure_say(config, CONN_STEP_LOGIN,
	                   passes ? -EHOSTUNREACH : -EKEYREJECTED, why, r);
}

/* The server does not offer what we would use. */
static int say_no_way(const struct conn_config *config, const struct login *l,
                      struct conn_report *r)
{
	char why[160];
	const char *wanted = config->auth;
	if (wanted == NULL && config->secret_kind == CONN_SECRET_NONE)
		wanted = "EXTERNAL, which a tls-cert without a password needs";
	if (wanted == NULL && config->secret_kind == CONN_SECRET_TOKEN_COMMAND)
		wanted = "OAUTHBEARER or XOAUTH2, which token-command needs";
	if (wanted != NULL)
		(void)snprintf(why, sizeof(why),
		               "the server does not offer %.60s%s", wanted,
		               config->auth == NULL ? "" : "; leave auth out");
	else if (l->avoided != NULL)
		(void)snprintf(why, sizeof(why),
		               "the server offers no way to use the "
		               "password but %s; auth = %s would allow it",
		               l->avoided, l->avoided);
	else
		(void)snprintf(why, sizeof(why),
		               "the server offers no way to log in%s",
		               config->security == CONN_PLAIN
		                       ? "; it may want TLS: leave tls out"
		                       : "");
	return failure_say(config, CONN_STEP_LOGIN, -EKEYREJECTED, why, r);
}

static int say_unknown(const struct conn_config *config, struct conn_report *r)
{
	char why[128];
	(void)snprintf(why, sizeof(why),
	               "auth = %.60s: libcurl does not know it; leave auth out",
	               config->auth);
	return failure_say(config, CONN_STEP_LOGIN, -EKEYREJECTED, why, r);
}

int failure_say_code(const struct conn_config *config, const struct failure *f,
                     struct conn_report *r)
{
	const char *words = f->login->words;
	bool has_words = words[0] != '\0';
	const char *why =
		f->error[0] != '\0' ? f->error : curl_easy_strerror(f->code);
	if (f->code == CURLE_OPERATION_TIMEDOUT)
		return failure_say_timeout(config, f->step, r);
	if (f->code == CURLE_LOGIN_DENIED && has_words)
		return say_refusal(config, words, r);
	if (f->code == CURLE_LOGIN_DENIED && !f->login->has_begun)
		return say_no_way(config, f->login, r);
	/* libcurl says no more than this of an auth that it does not know. */
	if (f->code == CURLE_URL_MALFORMAT && config->auth != NULL)
		return say_unknown(config, r);
	if (f->code == CURLE_SSL_CONNECT_ERROR && is_broken_tls(f->error))
		return failure_say(config, CONN_STEP_TLS, -EHOSTUNREACH, why,
		                   r);
	/* A server that says BYE instead of a greeting is a mail server. */
	if (f->code == CURLE_WEIRD_SERVER_REPLY && has_words)
		return failure_say(config, CONN_STEP_LOGIN, -EHOSTUNREACH,
		                   words, r);
	/* Once TLS is up they would pass for its server's (CVE-2021-22947). */
	if (f->code == CURLE_WEIRD_SERVER_REPLY && f->login->has_asked_tls &&
	    f->step == CONN_STEP_TLS)
		return failure_say(config, CONN_STEP_TLS, -ENOKEY,
		                   "more was said behind the answer to "
		                   "STARTTLS, ahead of TLS",
		                   r);
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		const struct cause *cause = &causes[i];
		if (cause->code == f->code)
			return failure_say(config, cause->step, cause->err,
			                   cause->why != NULL ? cause->why
			                                      : why,
			                   r);
	}
	/* Everything else is a connection that was lost. */
	return failure_say(config, f->step, -EHOSTUNREACH,
	                   has_words ? words : why, r);
}

#include "net/login.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/mem.h"

/* libcurl takes the first that the server offers too. */
#define PASSWORD_MECHANISMS \
	"AUTH=SCRAM-SHA-256;AUTH=SCRAM-SHA-1;AUTH=CRAM-MD5;" \
	"AUTH=PLAIN;AUTH=LOGIN"

static bool begins_with(const char *text, const char *word)
{
	return strncasecmp(text, word, strlen(word)) == 0;
}

/*
 * What follows the refusal in a server's line, or NULL: "TAG NO text" and
 * "* BYE text" (RFC 3501 7.1), "-ERR text" (RFC 1939 3).
 */
static const char *refusal(const char *line)
{
	static const char *const answers[] = { "NO", "BAD", "BYE" };
	if (begins_with(line, "-ERR"))
		return line + 4;
	const char *blank = strchr(line, ' ');
	if (blank == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		size_t len = strlen(answers[i]);
		if (begins_with(blank + 1, answers[i]) &&
		    (blank[1 + len] == ' ' || blank[1 + len] == '\0'))
			return blank + 1 + len;
	}
	return NULL;
}

/* libcurl would wait for better lines; another protocol has none. */
static bool is_greeting(enum conn_protocol protocol, const char *line)
{
	if (protocol == CONN_IMAP)
		return strncmp(line, "* ", 2) == 0;
	return strncmp(line, "+OK", 3) == 0 || strncmp(line, "-ERR", 4) == 0;
}

/* "AUTH=NAME" for IMAP (RFC 3501 6.1.1), "NAME" for POP3 (RFC 5034 3). */
static bool is_offer_of(const char *word, size_t len, const char *mechanism)
{
	if (begins_with(word, "AUTH=")) {
		word += 5;
		len -= 5;
	}
	return len == strlen(mechanism) &&
	       strncasecmp(word, mechanism, len) == 0;
}

/* The last list counts: what came before STARTTLS, anyone may have written. */
static void take_offers(struct login *l, const char *list)
{
	static const char *const avoided[] = { "GSSAPI", "DIGEST-MD5", "NTLM" };
	l->is_disabled = false;
	l->has_plain = false;
	l->avoided = NULL;
	while (*(list += strspn(list, " ")) != '\0') {
		size_t len = strcspn(list, " ");
		for (size_t i = 0; i < sizeof(avoided) / sizeof(avoided[0]);
		     i++) {
			if (is_offer_of(list, len, avoided[i]))
				l->avoided = avoided[i];
		}
		if (is_offer_of(list, len, "PLAIN") ||
		    is_offer_of(list, len, "LOGIN"))
			l->has_plain = true;
		if (is_offer_of(list, len, "LOGINDISABLED"))
			l->is_disabled = true;
		list += len;
	}
}

static void keep_words(struct login *l, const char *line)
{
	const char *words = refusal(line);
	if (words == NULL)
		words = "";
	words += strspn(words, " ");
	size_t end = strlen(words);
	while (end > 0 && words[end - 1] == ' ')
		end--;
	(void)snprintf(l->words, sizeof(l->words), "%.*s", (int)end, words);
}

/* The answer to CONNECT ends with an empty line (RFC 9110 9.3.6). */
static void hear_proxy(struct login *l, const char *line)
{
	const char *status = strchr(line, ' ');
	if (begins_with(line, "HTTP/") && status != NULL)
		l->is_granted = status[1] == '2';
	if (l->is_granted && line[strspn(line, " ")] == '\0')
		l->is_at_proxy = false;
}

void login_heard(struct login *l, const char *line)
{
	static const char imap_list[] = "* CAPABILITY ", pop_list[] = "SASL ";
	if (l->is_at_proxy) {
		hear_proxy(l, line);
		return;
	}
	if (!l->has_greeting)
		l->is_foreign = !is_greeting(l->protocol, line);
	l->has_greeting = true;
	if (begins_with(line, imap_list))
		take_offers(l, line + strlen(imap_list));
	else if (begins_with(line, pop_list))
		take_offers(l, line + strlen(pop_list));
	keep_words(l, line);
}

/*
 * "TAG AUTHENTICATE NAME …" (RFC 3501 6.2.2) or "AUTH NAME …" (RFC 5034 4);
 * "TAG STARTTLS" (RFC 3501 6.2.1) or "STLS" (RFC 2595 4).
 */
void login_said(struct login *l, const char *line)
{
	static const char imap_command[] = " AUTHENTICATE ";
	static const char pop_command[] = "AUTH ";
	const char *at = strchr(line, ' ');
	const char *name = NULL;
	if (begins_with(line, "CONNECT "))
		l->is_at_proxy = true;
	if (begins_with(line, "STLS") ||
	    (at != NULL && begins_with(at, " STARTTLS")))
		l->has_asked_tls = true;
	if (at != NULL && begins_with(at, imap_command))
		name = at + strlen(imap_command);
	else if (begins_with(line, pop_command))
		name = line + strlen(pop_command);
	if (name == NULL)
		return;
	l->has_begun = true;
	l->is_challenge =
		begins_with(name, "CRAM-") || begins_with(name, "SCRAM-");
}

static bool is_apop(const struct conn_config *config)
{
	return config->protocol == CONN_POP3 && config->auth != NULL &&
	       strcmp(config->auth, "APOP") == 0;
}

char *login_options(const struct conn_config *config)
{
	if (is_apop(config))
		return xstrdup("AUTH=+APOP");
	if (config->auth != NULL)
		return xasprintf("AUTH=%s", config->auth);
	switch (config->secret_kind) {
	case CONN_SECRET_NONE:
		return xstrdup("AUTH=EXTERNAL");
	case CONN_SECRET_TOKEN_COMMAND:
		return xstrdup("AUTH=OAUTHBEARER;AUTH=XOAUTH2");
	case CONN_SECRET_PASSWORD:
	case CONN_SECRET_PASSWORD_COMMAND:
	case CONN_SECRET_PASSWORD_FILE:
	case CONN_SECRET_NETRC:
		break;
	}
	return xstrdup(PASSWORD_MECHANISMS);
}

static bool may_say_password(const struct conn_config *config)
{
	return config->auth == NULL &&
	       config->secret_kind != CONN_SECRET_NONE &&
	       config->secret_kind != CONN_SECRET_TOKEN_COMMAND;
}

bool login_is_by_user(const struct login *l, const struct conn_config *config)
{
	return config->protocol == CONN_POP3 && may_say_password(config) &&
	       !l->has_begun && l->avoided == NULL;
}

const char *login_options_after(const struct login *l,
                                const struct conn_config *config)
{
	if (!may_say_password(config))
		return NULL;
	/* Nothing for us: a command, unless libcurl would prefer the others. */
	if (!l->has_begun)
		return l->is_disabled || l->avoided != NULL ? NULL : "AUTH=*";
	/*
	 * The server may keep passwords in a form that its best mechanism
	 * cannot use.  Without TLS a refusal proves nothing: who listens in
	 * may have sent it to be told the password.
	 */
	if (l->is_challenge && l->has_plain && config->security != CONN_PLAIN)
		return "AUTH=PLAIN;AUTH=LOGIN";
	return NULL;
}

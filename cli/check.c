#include "cli/check.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "cli/exit_code.h"
#include "popclient/popclient.h"

/* Server words come through here: no control bytes to a terminal. */
static void say(void *arg, const char *line)
{
	FILE *out = arg;
	(void)fputs("    ", out);
	for (; *line != '\0'; line++) {
		unsigned char c = (unsigned char)*line;
		(void)fputc((c < 0x20 && c != '\t') || c == 0x7f ? '?' : c,
		            out);
	}
	(void)fputc('\n', out);
	(void)fflush(out);
}

static const char *advice(int err)
{
	switch (-err) {
	case ENOKEY:
		return "mend secret or TLS options, or the server its "
		       "certificate";
	case EKEYREJECTED:
		return "mend user or secret; mailmount stops trying after "
		       "three refusals";
	case EHOSTUNREACH:
		return "is the server's name right, and the network up?";
	case ETIMEDOUT:
		return "no answer in time: a firewall, or raise timeout";
	case EPROTO:
		return "is it a mail server of this kind, and the port right?";
	default:
		return strerror(-err);
	}
}

static void show_server(const struct config_account *account, FILE *out)
{
	const struct conn_config *conn = &account->imap.conn;
	(void)fprintf(out, "%s: %s%s://%s", account->name,
	              conn->protocol == CONN_POP3 ? "pop3" : "imap",
	              conn->security == CONN_TLS ? "s" : "", conn->host);
	if (conn->port != 0)
		(void)fprintf(out, ":%u", conn->port);
	(void)fprintf(out, " as %s%s\n", conn->user,
	              conn->security == CONN_PLAIN ? ", in the clear" : "");
	(void)fflush(out);
}

static int try_account(const struct config_account *account, FILE *out)
{
	const struct pop_config pop = { .conn = &account->imap.conn,
		                        .is_read_only =
		                                account->imap.read_only };
	return account->imap.conn.protocol == CONN_POP3
	               ? pop_check(&pop, say, out)
	               : imap_check(&account->imap, say, out);
}

/* The one that wants the user's hand most. */
static int worse(int a, int b)
{
	static const int order[] = { EX_OK, EX_TEMPFAIL, EX_UNAVAILABLE,
		                     EX_PROTOCOL, EX_NOPERM };
	int rank_a = (int)(sizeof(order) / sizeof(order[0])), rank_b = rank_a;
	for (int i = 0; i < (int)(sizeof(order) / sizeof(order[0])); i++) {
		if (order[i] == a)
			rank_a = i;
		if (order[i] == b)
			rank_b = i;
	}
	return rank_b > rank_a ? b : a;
}

int check_show(const struct config_account *const *accounts, size_t count,
               FILE *out)
{
	int code = EX_OK;
	for (size_t i = 0; i < count; i++) {
		show_server(accounts[i], out);
		int err = try_account(accounts[i], out);
		if (err < 0)
			(void)fprintf(out, "%s: FAILED: %s\n",
			              accounts[i]->name, advice(err));
		else
			(void)fprintf(out, "%s: ok\n", accounts[i]->name);
		code = worse(code, exit_code(err));
	}
	return code;
}

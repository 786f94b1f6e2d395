/*
 * Responses by table.  A response is written out as one line of text, so that
 * a row shows all that was understood.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "imapclient/response.h"

static void put(struct strbuf *sb, const char *name, struct imap_text text)
{
	strbuf_printf(sb, " %s=", name);
	if (text.bytes == NULL) {
		strbuf_puts(sb, "NIL");
		return;
	}
	strbuf_putc(sb, '<');
	imap_text_add(text, sb);
	strbuf_putc(sb, '>');
}

static void put_number(struct strbuf *sb, const char *name, uint64_t n)
{
	strbuf_printf(sb, " %s=%llu", name, (unsigned long long)n);
}

static void write_fetch(const struct imap_fetch *f, struct strbuf *sb)
{
	if (f->has & IMAP_FETCH_UID)
		put_number(sb, "uid", f->uid);
	if (f->has & IMAP_FETCH_FLAGS)
		put(sb, "flags", f->flags);
	if (f->has & IMAP_FETCH_INTERNALDATE)
		put(sb, "date", f->date);
	if (f->has & IMAP_FETCH_SIZE)
		put_number(sb, "size", f->size);
	if (f->has & IMAP_FETCH_MODSEQ)
		put_number(sb, "modseq", f->modseq);
	if (f->has & IMAP_FETCH_OBJECT_ID)
		put(sb, "id", f->object_id);
	if (f->has & IMAP_FETCH_BODY)
		put(sb, f->is_streamed ? "streamed" : "body", f->body);
}

static void write_status(const struct imap_status *status, struct strbuf *sb)
{
	static const char *const names[] = { "messages", "uidnext",
		                             "uidvalidity", "modseq" };
	put(sb, "name", status->name);
	for (unsigned i = 0; i < IMAP_STATUS_ITEMS; i++) {
		if (status->has & 1U << i)
			put_number(sb, names[i], status->items[i]);
	}
	if (status->id.len > 0)
		put(sb, "id", status->id);
}

static void write_condition(const struct imap_response *r, struct strbuf *sb)
{
	static const char *const words[] = { "OK", "NO", "BAD", "BYE",
		                             "PREAUTH" };
	strbuf_printf(sb, " %s", words[r->condition]);
	if (r->code != IMAP_CODE_NONE) {
		strbuf_printf(sb, r->code == IMAP_CODE_OTHER ? " other" : "");
		put(sb, "code", r->code_name);
		put(sb, "arg", r->code_text);
	}
	if (r->code_number != 0)
		put_number(sb, "number", r->code_number);
	put(sb, "text", r->text);
}

static void write_response(const struct imap_response *r, struct strbuf *sb)
{
	static const char *const names[] = {
		"tagged",  "untagged",  "+",        "capability", "enabled",
		"id",      "list",      "status",   "flags",      "exists",
		"recent",  "expunge",   "vanished", "fetch",      "search",
		"esearch", "namespace", "other",
	};
	strbuf_puts(sb, names[r->kind]);
	switch (r->kind) {
	case IMAP_TAGGED:
		put(sb, "tag", r->tag);
		write_condition(r, sb);
		break;
	case IMAP_CONDITION:
		write_condition(r, sb);
		break;
	case IMAP_LIST:
		strbuf_printf(sb, " %x '%c'", r->list.attributes,
		              r->list.delimiter == '\0' ? '0'
		                                        : r->list.delimiter);
		put(sb, "name", r->list.name);
		break;
	case IMAP_STATUS:
		write_status(&r->status, sb);
		break;
	case IMAP_FETCH:
		write_fetch(&r->fetch, sb);
		break;
	case IMAP_EXISTS:
	case IMAP_RECENT:
	case IMAP_EXPUNGE:
		put_number(sb, "n", r->number);
		break;
	case IMAP_VANISHED:
		strbuf_puts(sb, r->is_earlier ? " earlier" : "");
		put(sb, "set", r->text);
		break;
	case IMAP_ESEARCH:
		put(sb, "tag", r->tag);
		put(sb, "set", r->text);
		break;
	case IMAP_NAMESPACE:
		for (size_t i = 0; i < r->namespace_count; i++)
			put(sb, r->namespaces[i].is_personal ? "mine" : "other",
			    r->namespaces[i].prefix);
		break;
	case IMAP_OTHER:
		break;
	default:
		put(sb, "text", r->text);
	}
}

static const struct {
	const char *line;
	const char *expected; /* NULL: nonsense */
} rows[] = {
	/* RFC 9051 7.1 */
	{ "* OK IMAP4rev1 server ready",
	  "untagged OK text=<IMAP4rev1 server ready>" },
	{ "* OK [ALERT] System shutdown in 10 minutes",
	  "untagged OK code=<ALERT> arg=<> text=<System shutdown in 10 minutes>" },
	{ "A222 NO COPY failed: disk is full",
	  "tagged tag=<A222> NO text=<COPY failed: disk is full>" },
	{ "* BAD Empty command line",
	  "untagged BAD text=<Empty command line>" },
	{ "* BYE", "untagged BYE text=<>" },
	{ "* PREAUTH ready", "untagged PREAUTH text=<ready>" },
	{ "* OK [UIDVALIDITY 3857529045] UIDs valid",
	  "untagged OK code=<UIDVALIDITY> arg=<3857529045> number=3857529045 text=<UIDs valid>" },
	{ "* OK [UIDNEXT 4392]",
	  "untagged OK code=<UIDNEXT> arg=<4392> number=4392 text=<>" },
	{ "* OK [PERMANENTFLAGS (\\Deleted a]b \\*)] Limited",
	  "untagged OK code=<PERMANENTFLAGS> arg=<(\\Deleted a]b \\*)> text=<Limited>" },
	{ "A1 OK [READ-ONLY] done",
	  "tagged tag=<A1> OK code=<READ-ONLY> arg=<> text=<done>" },
	{ "A1 NO [X-FOO \"a]b\" 3] x",
	  "tagged tag=<A1> NO other code=<X-FOO> arg=<\"a]b\" 3> text=<x>" },
	{ "* OK [CAPABILITY IMAP4rev1 ID] hi",
	  "untagged OK code=<CAPABILITY> arg=<IMAP4rev1 ID> text=<hi>" },
	{ "* OK [no end", "untagged OK text=<[no end>" },
	{ "* OK []", "untagged OK text=<>" },
	{ "* OK [UIDNEXT none] x",
	  "untagged OK other code=<UIDNEXT> arg=<none> text=<x>" },
	{ "A1 OK", "tagged tag=<A1> OK text=<>" },
	/* RFC 7162; Gmail leaves the text out */
	{ "* OK [HIGHESTMODSEQ 715194045007]",
	  "untagged OK code=<HIGHESTMODSEQ> arg=<715194045007> number=715194045007 text=<>" },
	{ "* OK [NOMODSEQ] x", "untagged OK code=<NOMODSEQ> arg=<> text=<x>" },
	{ "* OK [CLOSED] Previous mailbox closed.",
	  "untagged OK code=<CLOSED> arg=<> text=<Previous mailbox closed.>" },
	{ "* VANISHED (EARLIER) 41,43:116",
	  "vanished earlier set=<41,43:116>" },
	{ "* VANISHED 405,407", "vanished set=<405,407>" },
	{ "* VANISHED (LATER) 1", NULL },
	{ "* 1 FETCH (UID 4 MODSEQ (65402) FLAGS (\\Seen))",
	  "fetch uid=4 flags=<\\Seen> modseq=65402" },
	/* continuations */
	{ "+ idling", "+ text=<idling>" },
	{ "+", "+ text=<>" },
	{ "+idling", "+ text=<idling>" },
	/* capabilities */
	{ "* CAPABILITY IMAP4rev1 LITERAL+ ",
	  "capability text=<IMAP4rev1 LITERAL+ >" },
	{ "* ENABLED QRESYNC", "enabled text=<QRESYNC>" },
	{ "* ID (\"name\" \"Cyrus\")", "id text=<(\"name\" \"Cyrus\")>" },
	{ "* ID NIL", "id text=<NIL>" },
	/* LIST */
	{ "* LIST (\\Noselect) \"/\" ~/Mail/foo",
	  "list 1 '/' name=<~/Mail/foo>" },
	{ "* LIST () NIL INBOX", "list 0 '0' name=<INBOX>" },
	{ "* LIST (\\HasNoChildren \\Sent \\Subscribed) \".\" \"INBOX.Sent \\\"x\\\"\"",
	  "list 42 '.' name=<INBOX.Sent \"x\">" },
	{ "* LIST (\\NonExistent) \"\\\\\" {3}\r\na b",
	  "list 20001 '\\' name=<a b>" },
	{ "* LIST () \"/\" \"foo\" (\"CHILDINFO\" (\"SUBSCRIBED\"))",
	  "list 0 '/' name=<foo>" },
	{ "* LIST () \"/\" a(b)", "list 0 '/' name=<a(b)>" },
	{ "* LIST () \"/\" NIL", "list 0 '/' name=<NIL>" },
	{ "*  LIST  ( \\Trash )  \"/\"  Bin", "list 80 '/' name=<Bin>" },
	{ "* LSUB () \".\" #news.comp", "list 0 '.' name=<#news.comp>" },
	{ "* LIST () \"/\"", NULL },
	{ "* LIST () \"/\" \"open", NULL },
	/* STATUS: the blank is Exchange's */
	{ "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)",
	  "status name=<blurdybloop> messages=231 uidnext=44292" },
	{ "* STATUS {5}\r\na (b) (UIDVALIDITY 1 HIGHESTMODSEQ 7011231777 X (1 (2))) ",
	  "status name=<a (b)> uidvalidity=1 modseq=7011231777" },
	{ "* STATUS \"x\" (MESSAGES 0 ) ", "status name=<x> messages=0" },
	{ "* STATUS \"x\" ()", "status name=<x>" },
	/* Mailutils */
	{ "* STATUS with space (MESSAGES 1)",
	  "status name=<with space> messages=1" },
	/* RFC 8474 4.3; with Mailutils' blanks, too */
	{ "* STATUS foo (MESSAGES 1 MAILBOXID (F2212ea87-6097) UIDNEXT 2)",
	  "status name=<foo> messages=1 uidnext=2 id=<F2212ea87-6097>" },
	{ "* STATUS a (b) c (MAILBOXID (x))", "status name=<a (b) c> id=<x>" },
	{ "* STATUS \"x\" (MAILBOXID x)", "status name=<x>" },
	{ "* STATUS \"x\" (MAILBOXID ())", "status name=<x>" },
	{ "* STATUS x (MAILBOXID (x)", NULL },
	{ "* STATUS (MESSAGES 1)", NULL },
	{ "* STATUS \"x\" (MESSAGES", NULL },
	/* mailbox data */
	{ "* FLAGS (\\Answered \\Seen)", "flags text=<\\Answered \\Seen>" },
	{ "* 23 EXISTS", "exists n=23" },
	{ "* 5 RECENT", "recent n=5" },
	{ "* 44 EXPUNGE", "expunge n=44" },
	{ "* 99999999999999999999999 EXISTS", "exists n=1844674407370955161" },
	{ "* SEARCH 2 3 6 ", "search text=<2 3 6 >" },
	{ "* SEARCH", "search text=<>" },
	{ "* ESEARCH (TAG \"A282\") UID ALL 4,16:22 MODSEQ 7",
	  "esearch tag=<A282> set=<4,16:22>" },
	{ "* ESEARCH (TAG \"A\") UID", "esearch tag=<A> set=NIL" },
	{ "* ESEARCH COUNT 5", "esearch tag=NIL set=NIL" },
	/* RFC 2342 */
	{ "* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\" \"X-PARAM\" (\"F1\" \"F2\"))) NIL",
	  "namespace mine=<> other=<~>" },
	{ "* NAMESPACE NIL NIL ((\"\" \".\"))", "namespace other=<>" },
	{ "* NAMESPACE ((\"\" \"/\"", NULL },
	/* FETCH */
	{ "* 23 FETCH (FLAGS (\\Seen) UID 4827313 RFC822.SIZE 44827 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\")",
	  "fetch uid=4827313 flags=<\\Seen> date=<17-Jul-1996 02:44:25 -0700> size=44827" },
	{ "* 1 FETCH (UID 7 EMAILID (M6d99ac3275bb4e) X-GM-LABELS (\"a b\" {2}\r\n)( c))",
	  "fetch uid=7 id=<M6d99ac3275bb4e>" },
	{ "* 1 FETCH (X-GM-MSGID 1278455344230334865 UID 7)",
	  "fetch uid=7 id=<1278455344230334865>" },
	{ "* 1 FETCH (BODY[HEADER.FIELDS (\"A\" B)]<0> {2}\r\n)) BODYSTRUCTURE ((\"t\" NIL) \"x\") UID 9)",
	  "fetch uid=9" },
	{ "* 1 FETCH (BODY[HEADER.FIELDS (\"A\" B)] {2}\r\n)) UID 9)",
	  "fetch uid=9 body=<))>" },
	{ "* 1 FETCH (UID 9 body[header.fields (A)] NIL)",
	  "fetch uid=9 body=NIL" },
	{ "* 1 FETCH (BODY[HEADER.FIELDS.NOT (A)]<0> \"x\" BODY[1.MIME] \"y\")",
	  "fetch" },
	{ "* 1 FETCH (BODY[] \"a\\\"b\" UID 3)", "fetch uid=3 body=<a\"b>" },
	{ "* 1 FETCH (UID 3 BODY[] NIL)", "fetch uid=3 body=NIL" },
	{ "* 1 FETCH (UID 3 BODY[] ~{3}\r\nabc)", "fetch uid=3 body=<abc>" },
	{ "* 1 FETCH (UID 0)", "fetch" },
	{ "* 1 FETCH (UID 4294967296 FLAGS ())", "fetch flags=<>" },
	{ "* 1 FETCH  ( UID  5   FLAGS  (a)  ) ", "fetch uid=5 flags=<a>" },
	{ "* 1 fetch (uid 5)", "fetch uid=5" },
	{ "* 1 FETCH ()", "fetch" },
	{ "* 1 FETCH (UID 5", NULL },
	{ "* 1 FETCH (FLAGS (a UID 5", NULL },
	{ "* 1 FETCH (UID x)", NULL },
	{ "* 1 FETCH (X {5}\r\nabc)", NULL },
	{ "* 1 FETCH (X {99999999999999999999}\r\nabc)", NULL },
	{ "* 1 FETCH UID 5", NULL },
	/* anything else */
	{ "* XAPPLEPUSHSERVICE \"a\"", "other" },
	{ "* 5 X-THING", "other" },
	{ "*", "other" },
	{ "A1 MAYBE", NULL },
	{ "hello", NULL },
	{ " ", NULL },
	{ "", NULL },
};

/* Copied to its exact size, so that a sanitizer sees a step too far. */
static int parse(const char *line, size_t streamed, struct strbuf *out)
{
	size_t len = strlen(line);
	char *exact = malloc(len + (len == 0));
	struct imap_response r;
	memset(&r, 0x5a, sizeof(r));
	memcpy(exact, line, len);
	int err = imap_response_parse(exact, len, streamed, &r);
	if (err == 0)
		write_response(&r, out);
	free(exact);
	return err;
}

static void responses_are_understood(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_strbuf struct strbuf text = { 0 };
		int err = parse(rows[i].line, IMAP_NOT_STREAMED, &text);
		if (rows[i].expected == NULL) {
			if (err != -EPROTO)
				fail_msg("understood: %s", rows[i].line);
			continue;
		}
		if (err != 0 ||
		    strcmp(strbuf_text(&text), rows[i].expected) != 0)
			fail_msg("%s\nis  %s\nnot %s", rows[i].line,
			         strbuf_text(&text), rows[i].expected);
	}
}

static void every_beginning_is_read_within_bounds(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (size_t len = strlen(rows[i].line); len-- > 0;) {
			auto_strbuf struct strbuf text = { 0 };
			char *part = strndup(rows[i].line, len);
			(void)parse(part, IMAP_NOT_STREAMED, &text);
			free(part);
		}
	}
}

static void a_body_may_be_elsewhere(void **state)
{
	static const char line[] = "* 1 FETCH (BODY[] {500}\r\n UID 7)";
	auto_strbuf struct strbuf text = { 0 };
	size_t streamed = (size_t)(strstr(line, "\r\n") + 2 - line);
	assert_int_equal(parse(line, streamed, &text), 0);
	assert_string_equal(strbuf_text(&text), "fetch uid=7 streamed=NIL");
}

static void nesting_has_a_limit(void **state)
{
	for (size_t depth = 31; depth <= 33; depth++) {
		auto_strbuf struct strbuf line = { 0 }, text = { 0 };
		strbuf_puts(&line, "* 1 FETCH (X ");
		for (size_t i = 0; i < depth; i++)
			strbuf_putc(&line, '(');
		for (size_t i = 0; i < depth; i++)
			strbuf_putc(&line, ')');
		strbuf_puts(&line, " UID 1)");
		assert_int_equal(parse(line.bytes, IMAP_NOT_STREAMED, &text),
		                 depth <= IMAP_NESTING_MAX ? 0 : -EPROTO);
	}
}

static void literals_are_found_at_the_end_of_a_line(void **state)
{
	static const struct {
		const char *line;
		size_t brace;
		uint64_t size;
		bool is_body;
	} lines[] = {
		{ "* 1 FETCH (BODY[] {12}", 18, 12, true },
		{ "* 1 FETCH (UID 1 body[]  ~{12+}", 26, 12, false },
		{ "* 1 FETCH (RFC822 {0}", 18, 0, true },
		{ "* 1 FETCH (XRFC822 {0}", 19, 0, false },
		{ "* 1 FETCH (BODY[HEADER] {3}", 24, 3, false },
		{ "* 1 FETCH (BODY[HEADER.FIELDS (\"A\" B)] {3}", 39, 3, true },
		{ "* 1 FETCH (UID 1 body[header.fields (a)] {3}", 41, 3, true },
		{ "* 1 FETCH (XBODY[HEADER.FIELDS (A)] {3}", 36, 3, false },
		{ "* 1 FETCH (BODY[HEADER.FIELDS (A)]<0> {3}", 38, 3, false },
		{ "* 1 FETCH (BODY[HEADER.FIELD (A)] {3}", 34, 3, false },
		{ "* 1 FETCH ] {3}", 12, 3, false },
		{ "* ] {3}", 4, 3, false },
		{ "* BODY[HEADER.FIELDS] {3}", 22, 3, true },
		{ "* LIST () \"/\" {99999999999999999999}", 14, UINT64_MAX / 10,
		  false },
		{ "{}", SIZE_MAX, 0, false },
		{ "x}", SIZE_MAX, 0, false },
		{ "* OK 12}", SIZE_MAX, 0, false },
		{ "* OK {x}", SIZE_MAX, 0, false },
		{ "", SIZE_MAX, 0, false },
	};
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		uint64_t size = 0;
		size_t brace = imap_literal_find(lines[i].line,
		                                 strlen(lines[i].line), &size);
		assert_int_equal(brace, lines[i].brace);
		if (brace == SIZE_MAX)
			continue;
		assert_int_equal(size, lines[i].size);
		assert_int_equal(imap_literal_is_body(lines[i].line, brace),
		                 lines[i].is_body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_understood),
		cmocka_unit_test(every_beginning_is_read_within_bounds),
		cmocka_unit_test(a_body_may_be_elsewhere),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(literals_are_found_at_the_end_of_a_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

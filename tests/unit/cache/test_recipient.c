/*
 * For whom a message was: every way in which MTAs write it.
 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/recipient.h"
#include "util/cleanup.h"
#include "util/mem.h"
#include "util/strbuf.h"

#define TEN(text)  text text text text text text text text text text
#define MANY(text) TEN(TEN(text))

static const struct {
	const char *source, *head, *expected;
} rows[] = {
	/* Postfix, Dovecot, Exim, qmail */
	{ "delivered-to", "Delivered-To: bob@example.org\n",
	  "bob@example.org " },
	{ "delivered-to", "Delivered-To: <bob@example.org>\n",
	  "bob@example.org " },
	{ "x-original-to", "X-Original-To: info+shop@Example.ORG\n",
	  "info+shop@example.org " },
	{ "envelope-to", "Envelope-to: a@x.org,\n b@x.org\n",
	  "a@x.org b@x.org " },
	{ "delivered-to", "Delivered-To: bob\n", "bob " },
	{ "delivered-to", "delivered-TO : a@x.org\n", "a@x.org " },
	/* Each of several, none twice; other fields, and the body, are not. */
	{ "delivered-to",
	  "Delivered-To: a@x.org\nTo: no@x.org\nDelivered-To: b@x.org\n"
	  "Delivered-To: a@X.org\n\nDelivered-To: body@x.org\n",
	  "a@x.org b@x.org " },
	{ "delivered-to", "X-Delivered-To: a@x.org\n", "" },
	{ "delivered-to", "Subject: none\n", "" },
	{ "delivered-to", "", "" },
	/* A local part is the server's business, a domain is not. */
	{ "delivered-to", "Delivered-To: Bob@X.org.\n", "Bob@x.org " },
	/* ezmlm: who reads the list, not for whom it was. */
	{ "delivered-to",
	  "Delivered-To: mailing list l@x.org\nDelivered-To: a@x.org\n",
	  "a@x.org " },
	/* RFC 5322 3.4, A.1, A.5 */
	{ "to", "To: Mary Smith <mary@example.net>\n", "mary@example.net " },
	{ "to",
	  "To: \"Joe Q. Public\" <john.q.public@example.com>, Mary Smith\n"
	  " <mary@x.test>, jdoe@example.org, Who? <one@y.test>\n",
	  "john.q.public@example.com mary@x.test jdoe@example.org "
	  "one@y.test " },
	{ "to", "To: A Group:Ed Jones <c@a.test>,joe@where.test;\n",
	  "c@a.test joe@where.test " },
	{ "to", "Cc: Undisclosed recipients:;\n", "" },
	{ "to", "To: Undisclosed recipients:;\n", "" },
	{ "to", "To: Pete(A nice \\) chap) <pete(his account)@silly.test>\n",
	  "pete@silly.test " },
	{ "to", "To: a@x.org (Bob (the \"builder\"), b@x.org)\n", "a@x.org " },
	{ "to", "To: \"a, <no@x.org>\" <a@x.org>\n", "a@x.org " },
	{ "to", "To: <@one.test,@two.test:joe@three.test>\n",
	  "joe@three.test " },
	{ "to", "To: \"john doe\"@x.org, <\"a@b\"@x.org>\n",
	  "john doe@x.org a@b@x.org " },
	{ "to", "To: user@[192.0.2.1]\n", "user@[192.0.2.1] " },
	{ "to", "To: <bob@x.org> <other@x.org>\n", "bob@x.org " },
	{ "to", "To: x@x.org y@x.org\n", "y@x.org " },
	{ "original-recipient", "Original-Recipient: rfc822;bob@x.org\n",
	  "bob@x.org " },
	/* What is none. */
	{ "to", "To: bob, mary\n", "" },
	{ "to", "To: bob@\nTo: @x.org\nTo: @\nTo: <>\nTo:\nTo: ,;:<\n", "" },
	{ "to", "To: a@x/../org, b@x org, c@x%org\n", "b@x " },
	{ "to", "To: \"unclosed@x.org\n", "" },
	{ "to", "To: (unclosed a@x.org\n", "" },
	{ "to", "To: <a@x.org\n", "a@x.org " },
	{ "to", "To: a@x.org\\", "" },
	{ "delivered-to", "Delivered-To: \"two words\"\n", "" },
	{ "delivered-to", "Delivered-To: ../../etc\n", "../../etc " },
	{ "to", "To: " MANY("aaaaaaaaaa") "@x.org\n", "" },
	/* RFC 5321 4.4; the topmost that says it. */
	{ "received-for",
	  "Received: from a (b [192.0.2.1]) by c (Postfix) with ESMTP id 1\n"
	  "\tfor <bob@X.org>; Mon, 1 Jan 2024 00:00:00 +0000 (UTC)\n"
	  "Received: by d for <other@x.org>; Mon, 1 Jan 2024 00:00:00 +0000\n",
	  "bob@x.org " },
	{ "received-for",
	  "Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\n"
	  "Received: from c by d for bob@x.org; Mon, 1 Jan 2024 +0000\n",
	  "bob@x.org " },
	{ "received-for",
	  "Received: from for (for <no@x.org>) by \"for\" ; for <no@x.org>\n",
	  "" },
	{ "received-for", "Received: by b id 1 for <a@x.org> (and others)\n",
	  "a@x.org " },
	{ "received-for", "Received: by b for\nReceived: by c for <a@x>;\n",
	  "a@x " },
	{ "Received-For", "Received-For: no@x.org\n", "" },
};

static void addresses_are_read_as_they_are_written(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_strbuf struct strbuf out = { 0 };
		struct recipients r;
		/* On the heap, so that reading too far is seen. */
		size_t len = strlen(rows[i].head);
		auto_free char *head = xmalloc(len + 1);
		memcpy(head, rows[i].head, len);
		recipients_read(head, len, rows[i].source, &r);
		for (size_t k = 0; k < r.count; k++)
			strbuf_printf(&out, "%s ", r.list[k]);
		recipients_release(&r);
		if (strcmp(strbuf_text(&out), rows[i].expected) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[i].head,
			         strbuf_text(&out), rows[i].expected);
	}
}

static void no_more_addresses_count_than_the_limit(void **state)
{
	auto_strbuf struct strbuf head = { 0 };
	struct recipients r;
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&head, "To: u%d@x.org, v%d@x.org\n", i, i);
	recipients_read(head.bytes, head.len, "to", &r);
	assert_int_equal(r.count, RECIPIENTS_MAX);
	assert_string_equal(r.list[0], "u0@x.org");
	recipients_release(&r);
}

static void a_nul_ends_nothing_but_its_member(void **state)
{
	static const char head[] = "To: a@x.org, b\0@x.org, c@x.org\n";
	struct recipients r;
	recipients_read(head, sizeof(head) - 1, "to", &r);
	assert_int_equal(r.count, 2);
	assert_string_equal(r.list[0], "a@x.org");
	assert_string_equal(r.list[1], "c@x.org");
	recipients_release(&r);
	static const char received[] = "Received: by a\0\0 for <a@x.org>\n";
	recipients_read(received, sizeof(received) - 1, "received-for", &r);
	assert_int_equal(r.count, 1);
	recipients_release(&r);
}

static void a_domain_is_that_behind_the_last_at(void **state)
{
	char one[] = "a.org", two[] = "B.net";
	char *const domains[] = { one, two };
	assert_true(recipient_is_of("x@a.org", domains, 2));
	assert_true(recipient_is_of("x@b.net", domains, 2));
	assert_false(recipient_is_of("x@sub.a.org", domains, 2));
	assert_false(recipient_is_of("x@a.org@c.org", domains, 2));
	assert_false(recipient_is_of("bob", domains, 2));
	assert_true(recipient_is_of("bob", NULL, 0));
}

static void levels_are_written_as_the_seam_says(void **state)
{
	static const struct {
		const char *address, *level;
	} levels[] = {
		{ "a+b@x.org", "a+b@x.org" },
		{ "a/b%c@x.org", "a%2Fb%25c@x.org" },
		{ "..", ".." },
		{ "\xc3\xbc@x\xfc", "\xc3\xbc@x%FC" },
		{ "a\x01\x7f@x", "a%01%7F@x" },
		{ "\xe0\x80\x80\xed\xa0\x80", "%E0%80%80%ED%A0%80" },
		{ "\xf0\x9f\x93\xa7\xf4\x90", "\xf0\x9f\x93\xa7%F4%90" },
		{ "\xc3", "%C3" },
	};
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		auto_free char *level = recipient_level(levels[i].address);
		assert_string_equal(level, levels[i].level);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_as_they_are_written),
		cmocka_unit_test(no_more_addresses_count_than_the_limit),
		cmocka_unit_test(a_nul_ends_nothing_but_its_member),
		cmocka_unit_test(a_domain_is_that_behind_the_last_at),
		cmocka_unit_test(levels_are_written_as_the_seam_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Letters of keywords, as programs see and give them.
 */
#include "tests/unit/test.h"

#include <sys/xattr.h>

#include "tests/unit/fs/mounted.h"

static void a_letter_is_set_and_taken_away_by_rename(void **state)
{
	struct mounted *m = *state;
	int64_t id = mounted_message(m, MAIL_SEEN | CACHE_KEYWORD(1));
	fake_keywords(m->cache, CACHE_KEYWORD(0) | CACHE_KEYWORD(1));
	mounted_now(m, FS_NESTED, 1);
	mounted_shell(m, "cd INBOX/cur; test $(ls) = " FIRST ":2,Sb; "
	                 "mv " FIRST ":2,Sb " FIRST ":2,Sab; "
	                 "test $(ls) = " FIRST ":2,Sab");
	/* It is still made of its facts. */
	assert_string_equal(mounted_entry(m, id).base, "");
	assert_int_equal(mounted_entry(m, id).flags,
	                 MAIL_SEEN | CACHE_KEYWORD(0) | CACHE_KEYWORD(1));
	mounted_shell(m, "cd INBOX/cur; mv " FIRST ":2,Sab " FIRST ":2,Fa; "
	                 "test $(ls) = " FIRST ":2,Fa");
	assert_int_equal(mounted_entry(m, id).flags,
	                 MAIL_FLAGGED | CACHE_KEYWORD(0));
	/* One that means nothing makes it a given name, as it was given. */
	mounted_shell(m, "cd INBOX/cur; mv " FIRST ":2,Fa " FIRST ":2,Faq; "
	                 "test $(ls) = " FIRST ":2,Faq");
	assert_string_equal(mounted_entry(m, id).base, FIRST);
	assert_int_equal(mounted_entry(m, id).flags,
	                 MAIL_FLAGGED | CACHE_KEYWORD(0));
}

static void keywords_set_elsewhere_show_in_cur(void **state)
{
	struct mounted *m = *state;
	fake_keywords(m->cache, CACHE_KEYWORD(0));
	int64_t id = mounted_message(m, 0);
	mounted_now(m, FS_NESTED, 1);
	mounted_shell(m, "ls -l INBOX/cur INBOX/new >/dev/null");
	fake_entry_set(m->cache, id, CACHE_CUR, CACHE_KEYWORD(0));
	mounted_shell(m, "cd INBOX/cur; until test $(ls) = " FIRST ":2,a; "
	                 "do :; done; test ! -e " FIRST ":2,");
	fake_entry_set(m->cache, id, CACHE_NEW, CACHE_KEYWORD(0));
	mounted_shell(m, "cd INBOX/new; until test \"$(ls)\" = " FIRST "; "
	                 "do :; done; test -z \"$(ls ../cur)\"");
	/* Who did not see it does not take it away, and finds the name. */
	mounted_shell(m, "cd INBOX; mv new/" FIRST " cur/" FIRST ":2,S; "
	                 "grep -q xxx cur/" FIRST ":2,S; "
	                 "test $(ls cur) = " FIRST ":2,S");
	assert_int_equal(mounted_entry(m, id).flags,
	                 MAIL_SEEN | CACHE_KEYWORD(0));
}

static int set_flags(void *arg)
{
	const char *path = "INBOX/cur/" FIRST ":2,Sa";
	char value[8];
	TRUE(getxattr(path, "user.mailmount.flags", value, 8) == 1);
	TRUE(value[0] == 'S');
	FAILS(setxattr(path, "user.mailmount.flags", "Sb", 2, 0), EINVAL);
	TRUE(setxattr(path, "user.mailmount.flags", "F", 1, 0) == 0);
	return 0;
}

static void an_attribute_has_flags_alone(void **state)
{
	struct mounted *m = *state;
	fake_keywords(m->cache, CACHE_KEYWORD(0));
	int64_t id = mounted_message(m, MAIL_SEEN | CACHE_KEYWORD(0));
	mounted_now(m, FS_NESTED, 1);
	mounted_run(m, set_flags, NULL);
	assert_int_equal(mounted_entry(m, id).flags,
	                 MAIL_FLAGGED | CACHE_KEYWORD(0));
	mounted_shell(m, "cd INBOX/cur; until test $(ls) = " FIRST ":2,Fa; "
	                 "do :; done");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNT_TEST(a_letter_is_set_and_taken_away_by_rename),
		MOUNT_TEST(keywords_set_elsewhere_show_in_cur),
		MOUNT_TEST(an_attribute_has_flags_alone),
	};
	return mounted_run_tests(tests);
}

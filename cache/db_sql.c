/*
 * Every line of SQL: the schema, and what is asked of it.
 */
#include "cache/db_conn.h"

#define FOLDER_COLUMNS \
	"SELECT f.id, f.parent, f.level, f.attributes, f.is_listed," \
	" f.new_count + f.cur_count, f.changed_ns, f.new_changed_ns," \
	" f.cur_changed_ns," \
	" (SELECT count(*) FROM folder c WHERE c.parent = f.id)," \
	" f.places, f.is_local, f.tmp_changed_ns" \
	" FROM folder f "

#define MESSAGE_COLUMNS \
	" m.id, m.received_at, m.claimed_size, m.size, m.body_bytes, m.kept," \
	" m.links, m.mode, m.uid, m.gid, m.mtime_ns, m.ctime_ns "

#define ENTRY_FIELDS \
	"SELECT e.dir, e.id, e.identity, e.flags, e.base, e.info, e.shown," \
	" e.keywords," MESSAGE_COLUMNS ", e.is_split "

#define ENTRY_COLUMNS \
	ENTRY_FIELDS "FROM entry e JOIN message m ON m.id = e.message "

/* In one of them it is.  For an IN, SQLite would make a table each time. */
#define PLACES "(VALUES(0), (1), (2), (3)) p CROSS JOIN "

/* The first entry that names a message has its number, in its folder. */
#define FROM_MESSAGE_AND_ENTRY \
	" FROM " PLACES "message m CROSS JOIN entry e" \
	" ON e.dir = m.folder * 4 + p.column1 AND e.id = m.id "

/* Whose key is void. */
#define ENTRY_OF_VOID \
	"e.dir IN (v.folder * 4, v.folder * 4 + 1) AND e.id = v.entry"

/* What its message will be known by. */
#define JOURNAL_FACTS \
	" (void_at, void_size) = (SELECT received_at, claimed_size" \
	" FROM message m WHERE m.id = message)"

#define JOURNAL_COLUMNS \
	"SELECT j.id, j.kind, j.state, j.message, j.entry, j.folder," \
	" j.target, j.is_void, j.key, j.flags, j.keywords, j.not_before," \
	" j.created_at, j.tries, j.after, j.mark, j.sent_at, j.wire_size," \
	" j.err, j.why, j.is_offered, j.unsure, j.unsure_keywords" \
	" FROM journal j "

/* Parameters of rows that one INSERT adds; DB_ROWS of them. */
#define TEN_ROWS(row) \
	row "," row "," row "," row "," row "," row "," row "," row "," row \
	    "," row
#define ROWS(row) TEN_ROWS(row) "," TEN_ROWS(row)

/* A time that rises, and is the wall's unless that was set back. */
#define RISE(column, now) column " = max(" column " + 1, " now ")"

const char *const db_sql[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_BUDGET_GET] = "SELECT spent_day, spent_bytes FROM account",
	[SQL_BUDGET_SET] = "UPDATE account SET spent_day = ?, spent_bytes = ?",
	[SQL_SPLIT_GET] = "SELECT split, split_low, split_high FROM account",
	[SQL_SPLIT_SET] =
		"UPDATE account SET split = ?, split_low = ?, split_high = ?",
	[SQL_SEQUENCE_SET] = "UPDATE account SET next_id = ?, next_folder = ?",

	[SQL_FOLDER_GET] = FOLDER_COLUMNS "WHERE f.id = ?",
	[SQL_FOLDER_FIND] = FOLDER_COLUMNS "WHERE f.parent = ? AND f.level = ?",
	[SQL_FOLDER_NEXT] = FOLDER_COLUMNS
	"WHERE f.parent = ? AND f.id > ? ORDER BY f.id LIMIT 1",
	[SQL_FOLDER_EACH] =
		FOLDER_COLUMNS "WHERE f.id > max(?, 0) ORDER BY f.id LIMIT 1",
	[SQL_FOLDER_BY_SERVER] = FOLDER_COLUMNS "WHERE f.server_name = ?",
	[SQL_FOLDER_SERVER_NAME] =
		"SELECT server_name FROM folder WHERE id = ?",
	[SQL_FOLDER_BY_OBJECT] = FOLDER_COLUMNS
	"WHERE f.object = ? AND f.server_name IS NOT NULL LIMIT 1",
	[SQL_FOLDER_OBJECT] = "SELECT object FROM folder WHERE id = ?",
	[SQL_FOLDER_SET_OBJECT] = "UPDATE folder SET object = ?2 WHERE id = ?1",
	[SQL_FOLDER_ADD] =
		"INSERT INTO folder(id, parent, level, attributes, changed_ns,"
		" new_changed_ns, cur_changed_ns, tmp_changed_ns, places,"
		" server_name)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?5, ?5, ?5, ?6, ?7)",
	[SQL_FOLDER_SET_SERVER_NAME] =
		"UPDATE folder SET server_name = ?2 WHERE id = ?1",
	/* What is below moves along: ?1 the old name, ?2 the new. */
	[SQL_FOLDER_MOVE_SERVER_NAMES] =
		"UPDATE folder SET server_name ="
		" ?2 || substr(server_name, length(?1) + 1)"
		" WHERE substr(server_name, 1, length(?1) + 1) = ?1 || '/'",
	[SQL_FOLDER_MOVE] =
		"UPDATE folder SET parent = ?2, level = ?3 WHERE id = ?1",
	[SQL_FOLDER_SET_PLACES] = "UPDATE folder SET places = ?2 WHERE id = ?1",
	[SQL_FOLDER_SET_LOCAL] =
		"UPDATE folder SET is_local = ?2 WHERE id = ?1",
	[SQL_FOLDER_SET_ATTRIBUTES] =
		"UPDATE folder SET attributes = ? WHERE id = ?",
	[SQL_FOLDER_REMOVE] = "DELETE FROM folder WHERE id = ?",
	[SQL_FOLDER_TOUCH] =
		"UPDATE folder SET " RISE("changed_ns", "?2") " WHERE id = ?1",
	[SQL_FOLDER_SET_LISTED] =
		"UPDATE folder SET is_listed = ? WHERE id = ?",
	[SQL_FOLDER_APPLY] =
		"UPDATE folder SET new_count = new_count + ?3,"
		" cur_count = cur_count + ?4,"
		" new_changed_ns = CASE ?5 WHEN 0 THEN new_changed_ns"
		" ELSE max(new_changed_ns + 1, ?2) END,"
		" cur_changed_ns = CASE ?6 WHEN 0 THEN cur_changed_ns"
		" ELSE max(cur_changed_ns + 1, ?2) END"
		", tmp_changed_ns = CASE ?7 WHEN 0 THEN tmp_changed_ns"
		" ELSE max(tmp_changed_ns + 1, ?2) END"
		", changed_ns = CASE ?8 WHEN 0 THEN changed_ns"
		" ELSE max(changed_ns + 1, ?2) END"
		" WHERE id = ?1",
	[SQL_PROGRESS_GET] = "SELECT cursor, state FROM folder WHERE id = ?",
	[SQL_PROGRESS_SET] =
		"UPDATE folder SET cursor = ?, state = ? WHERE id = ?",
	[SQL_TOTALS] = "SELECT count(*), coalesce(sum(is_listed), 0),"
		       " coalesce(sum(new_count + cur_count), 0)"
		       " FROM folder WHERE id > 0 AND attributes & 1 = 0"
		       " AND server_name IS NOT NULL",

	[SQL_MESSAGE_GET] =
		"SELECT" MESSAGE_COLUMNS "FROM message m WHERE m.id = ?",
	[SQL_MESSAGE_ADD] =
		"INSERT INTO message(id, folder, received_at, claimed_size)"
		" VALUES(?, ?, ?, ?)",
	[SQL_MESSAGE_ADD_ROWS] =
		"INSERT INTO message(id, folder, received_at, claimed_size)"
		" VALUES" ROWS("(?, ?, ?, ?)"),
	[SQL_MESSAGE_KEEP] =
		"INSERT INTO message(id, folder, received_at, claimed_size,"
		" kept) VALUES(?, ?, 0, 0, 1)",
	/* Its data is not kept any more, but in the cache; or the reverse. */
	[SQL_MESSAGE_SET_KEPT] =
		"UPDATE message SET kept = ?2, size = ?3, body_bytes = ?4,"
		" used_at = ?5 WHERE id = ?1",
	[SQL_MESSAGE_SET] =
		"UPDATE message SET received_at = ?2, mode = ?3, uid = ?4,"
		" gid = ?5, mtime_ns = ?6, ctime_ns = ?7 WHERE id = ?1",
	[SQL_MESSAGE_SET_FOLDER] =
		"UPDATE message SET folder = ?2 WHERE id = ?1",
	[SQL_MESSAGE_DATE] = "UPDATE message SET received_at = ?2"
			     " WHERE id = ?1 AND received_at = 0",
	/* A name that is made from the date must stay as it is. */
	[SQL_MESSAGE_REDATE] =
		"UPDATE message AS m SET received_at = ?2 WHERE id = ?1"
		" AND NOT EXISTS(SELECT 1 FROM entry e"
		" WHERE e.dir IN (m.folder * 4, m.folder * 4 + 1,"
		" m.folder * 4 + 2, m.folder * 4 + 3) AND e.id = m.id"
		" AND e.base IS NULL)"
		" AND NOT EXISTS(SELECT 1 FROM entry e WHERE e.message = ?1"
		" AND e.id <> e.message AND e.base IS NULL)",
	[SQL_MESSAGE_SET_CLAIMED] =
		"UPDATE message SET claimed_size = ?2 WHERE id = ?1",
	[SQL_MESSAGE_LINKS] =
		"UPDATE message SET links = links + ?2 WHERE id = ?1",
	[SQL_MESSAGE_KEPT_NEXT] =
		"SELECT id FROM message WHERE kept <> 0 AND id > ?"
		" ORDER BY id LIMIT 1",
	[SQL_MESSAGE_REMOVE] = "DELETE FROM message WHERE id = ?",
	[SQL_ENTRY_FIND] =
		ENTRY_COLUMNS "WHERE e.folder = ? AND e.identity = ?",
	[SQL_ENTRY_BY_KEY] = ENTRY_COLUMNS "WHERE e.folder = ? AND e.key = ?",
	[SQL_ENTRY_BY_MESSAGE] =
		ENTRY_FIELDS FROM_MESSAGE_AND_ENTRY "WHERE m.id = ?",
	[SQL_ENTRY_LINK] = ENTRY_COLUMNS
	"WHERE e.message = ?1 AND e.id <> e.message AND e.id ="
	" (SELECT min(id) FROM entry"
	" WHERE message = ?1 AND id <> message AND id > ?2)",
	[SQL_ENTRY_BY_ID] = ENTRY_FIELDS
	"FROM " PLACES "entry e CROSS JOIN message m ON m.id = e.message"
	" WHERE e.dir = ?1 * 4 + p.column1 AND e.id = ?2",
	/* Left alone, it would walk the directory, for its order. */
	[SQL_ENTRY_BY_BASE] = ENTRY_COLUMNS
	"WHERE e.dir = ?1 AND e.id ="
	" (SELECT min(id) FROM entry INDEXED BY entry_base"
	" WHERE dir = ?1 AND base = ?2 AND id > ?3)",
	[SQL_ENTRY_DUE] = ENTRY_COLUMNS
	"WHERE e.dir = ? AND e.id > ? AND e.received_at <= ?"
	" AND e.key IS NOT NULL ORDER BY e.id LIMIT 1",
	[SQL_ENTRY_ANY] = "SELECT 1 FROM entry WHERE dir = ? LIMIT 1",
	[SQL_ENTRY_KEY] = "SELECT coalesce(key, '') FROM entry"
			  " WHERE dir = ? AND id = ?",
	[SQL_ENTRY_SET_KEY] = "UPDATE entry SET key = ?3"
			      " WHERE dir = ?1 AND id = ?2",
	[SQL_ENTRY_SET_FLAGS] =
		"UPDATE entry SET dir = ?3, flags = ?4, keywords = ?5"
		" WHERE dir = ?1 AND id = ?2",
	[SQL_ENTRY_NAME] =
		"UPDATE entry SET dir = ?3, folder = ?4, base = ?5, info = ?6,"
		" shown = ?7, flags = ?8, identity = ?9, is_split = ?10"
		" WHERE dir = ?1 AND id = ?2",
	[SQL_ENTRY_ADD_NAMED] =
		"INSERT INTO entry(dir, id, folder, message, flags, keywords,"
		" identity, received_at, base, info, shown, is_split)"
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SQL_ENTRY_ADD_SPLIT] =
		"INSERT INTO entry(dir, id, folder, message, flags, keywords,"
		" identity, received_at, is_split)"
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, 1)",
	[SQL_ENTRY_UNSPLIT] = "UPDATE entry SET is_split = 0"
			      " WHERE message = ? AND id <> message",
	[SQL_ENTRY_ABOVE] = ENTRY_COLUMNS
	"WHERE e.dir = ? AND e.id > ? ORDER BY e.id LIMIT 1",
	[SQL_ENTRY_BELOW] = ENTRY_COLUMNS
	"WHERE e.dir = ? AND e.id < ? ORDER BY e.id DESC LIMIT 1",
	[SQL_ENTRY_COUNT] = "SELECT new_count, cur_count FROM folder"
			    " WHERE id = ?",
	[SQL_ENTRY_SCAN] =
		ENTRY_COLUMNS "WHERE e.dir = ? AND e.id > ? ORDER BY e.id",
	[SQL_ENTRY_SCAN_NAMES] =
		"SELECT dir, id, identity, flags, base, info, shown, NULL,"
		" message, received_at FROM entry WHERE dir = ? AND id > ?"
		" ORDER BY id",
	[SQL_ENTRY_ADD] =
		"INSERT INTO entry(dir, id, folder, message, key, flags,"
		" keywords, identity, received_at)"
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SQL_ENTRY_ADD_ROWS] =
		"INSERT INTO entry(dir, id, folder, message, key, flags,"
		" keywords, identity, received_at)"
		" VALUES" ROWS("(?, ?, ?, ?, ?, ?, ?, ?, ?)"),
	[SQL_ENTRY_UPDATE] =
		"UPDATE entry SET dir = ?3, flags = ?4, keywords = ?5, key = ?6"
		" WHERE dir = ?1 AND id = ?2",
	[SQL_ENTRY_REMOVE] = "DELETE FROM entry WHERE dir = ? AND id = ?",
	[SQL_ENTRY_RANGE] =
		"SELECT min(a), max(b) FROM ("
		"SELECT min(id) AS a, max(id) AS b FROM entry WHERE dir = ?1"
		" UNION ALL"
		" SELECT min(id), max(id) FROM entry WHERE dir = ?2)",

	[SQL_VOID_PICK] = "SELECT e.dir, e.id, m.received_at, m.claimed_size"
			  " FROM entry e JOIN message m ON m.id = e.message"
			  " WHERE e.folder = ? AND e.key IS NOT NULL LIMIT 1",
	[SQL_VOID_ADD] =
		"INSERT INTO void(folder, received_at, claimed_size, entry)"
		" VALUES(?, ?, ?, ?)",
	[SQL_VOID_KEY] = "UPDATE entry SET key = NULL WHERE dir = ? AND id = ?",
	[SQL_VOID_FIND] = ENTRY_COLUMNS
	"JOIN void v INDEXED BY void_facts ON " ENTRY_OF_VOID
	" WHERE v.folder = ? AND v.received_at = ? AND v.claimed_size = ?"
	" ORDER BY e.identity <> ?, v.entry LIMIT 1",
	[SQL_VOID_NEXT] = ENTRY_COLUMNS "JOIN void v ON " ENTRY_OF_VOID
					" WHERE v.folder = ? LIMIT 1",
	[SQL_VOID_HAS] = "SELECT 1 FROM void WHERE folder = ? AND entry = ?",
	[SQL_VOID_REMOVE] = "DELETE FROM void WHERE folder = ? AND entry = ?",

	[SQL_SOURCE_GET] =
		"SELECT e.folder, e.key, m.claimed_size, m.size, m.body_bytes" FROM_MESSAGE_AND_ENTRY
		"WHERE m.id = ?1 AND e.key IS NOT NULL"
		" UNION ALL "
		"SELECT j.folder, j.key, m.claimed_size, m.size, m.body_bytes"
		" FROM journal j JOIN message m ON m.id = j.message"
		" WHERE j.message = ?1 AND j.key IS NOT NULL"
		" AND j.is_void = 0"
		" UNION ALL "
		"SELECT e.folder, e.key, m.claimed_size, m.size, m.body_bytes"
		" FROM entry e JOIN message m ON m.id = e.message"
		" WHERE e.message = ?1 AND e.id <> e.message"
		" AND e.key IS NOT NULL"
		" UNION ALL "
		"SELECT m.folder, '', m.claimed_size, m.size, m.body_bytes"
		" FROM message m WHERE m.id = ?1 LIMIT 1",
	[SQL_BODY_SET] =
		"UPDATE message SET size = ?2, body_bytes = ?2, used_at = ?3"
		" WHERE id = ?1",
	[SQL_BODY_CLEAR] =
		"UPDATE message SET body_bytes = NULL, used_at = NULL"
		" WHERE id = ?",
	[SQL_BODY_TOUCH] = "UPDATE message SET used_at = ?2"
			   " WHERE id = ?1 AND body_bytes IS NOT NULL",
	[SQL_BODY_OLDEST] =
		"SELECT id, body_bytes FROM message"
		" WHERE body_bytes IS NOT NULL ORDER BY used_at LIMIT 1",
	[SQL_BODY_TOTALS] =
		"SELECT coalesce(sum(body_bytes), 0), coalesce(max(used_at), 0)"
		" FROM message WHERE body_bytes IS NOT NULL",

	[SQL_JOURNAL_NEXT] = JOURNAL_COLUMNS
	"WHERE j.state = ? AND j.id > ? ORDER BY j.id LIMIT 1",
	[SQL_JOURNAL_EACH] =
		JOURNAL_COLUMNS "WHERE j.id > ? ORDER BY j.id LIMIT 1",
	[SQL_JOURNAL_OF_FOLDER] = JOURNAL_COLUMNS
	"WHERE (j.folder = ?1 OR j.target = ?1) AND j.kind = 0 AND j.id > ?2"
	" ORDER BY j.id LIMIT 1",
	[SQL_JOURNAL_GET] = JOURNAL_COLUMNS "WHERE j.id = ?",
	[SQL_JOURNAL_BY_KEY] =
		JOURNAL_COLUMNS "WHERE j.folder = ? AND j.key = ?",
	[SQL_JOURNAL_BY_MESSAGE] = JOURNAL_COLUMNS
	"WHERE j.message = ? AND j.id > ? ORDER BY j.id LIMIT 1",
	[SQL_JOURNAL_VOID_NEXT] = JOURNAL_COLUMNS
	"WHERE j.folder = ? AND j.is_void <> 0 AND j.void_at = ?"
	" AND j.void_size = ? AND j.id > ? ORDER BY j.id LIMIT 1",
	[SQL_JOURNAL_VOID] =
		"UPDATE journal SET is_void = 1, key = NULL," JOURNAL_FACTS
		" WHERE folder = ? AND key IS NOT NULL",
	[SQL_JOURNAL_VOID_ENTRY] =
		"UPDATE journal SET (void_at, void_size) ="
		" (SELECT received_at, claimed_size FROM void"
		" WHERE folder = ?2 AND entry = ?3) WHERE id = ?1",
	[SQL_JOURNAL_HAS_VOID] = "SELECT 1 FROM journal WHERE folder = ?"
				 " AND is_void <> 0 LIMIT 1",
	[SQL_JOURNAL_FOLDER_ROW] = JOURNAL_COLUMNS
	"WHERE j.folder = ? AND j.kind <> 0 ORDER BY j.id LIMIT 1",
	[SQL_JOURNAL_SOURCE] =
		"SELECT e.folder, e.key" FROM_MESSAGE_AND_ENTRY
		"WHERE m.id = ?1 AND e.key IS NOT NULL UNION ALL "
		"SELECT folder, key FROM entry WHERE message = ?1"
		" AND id <> message AND key IS NOT NULL UNION ALL "
		"SELECT folder, key FROM journal WHERE message = ?1"
		" AND id <> ?2 AND key IS NOT NULL AND is_void = 0"
		" AND state IN (0, 1, 4, 5, 7) LIMIT 1",
	[SQL_JOURNAL_FOLDER_NEXT] = JOURNAL_COLUMNS
	"WHERE j.kind <> 0 AND j.state = ? AND j.id > ? ORDER BY j.id LIMIT 1",
	[SQL_JOURNAL_LAST] = "SELECT coalesce(max(id), 0) FROM journal",
	[SQL_JOURNAL_DUE] =
		"SELECT min(due) FROM ("
		"SELECT min(not_before) AS due FROM journal WHERE state = 0"
		" UNION ALL SELECT min(not_before) FROM journal WHERE state = 1"
		" UNION ALL SELECT min(not_before) FROM journal WHERE state = 2"
		" UNION ALL SELECT min(not_before) FROM journal WHERE state = 3"
		")",
	[SQL_JOURNAL_SETTLE] = "UPDATE journal SET state = 1 WHERE state = 0"
			       " AND not_before <= ? AND id = ?",
	[SQL_JOURNAL_ADD] =
		"INSERT INTO journal(id, kind, state, message, entry, folder,"
		" target, is_void, key, flags, keywords, not_before, created_at,"
		" after) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SQL_JOURNAL_SET] =
		"UPDATE journal SET state = ?2, not_before = ?3, tries = ?4,"
		" mark = ?5, sent_at = ?6, wire_size = ?7, err = ?8, why = ?9"
		" WHERE id = ?1",
	[SQL_JOURNAL_SET_SIDE] =
		"UPDATE journal SET folder = ?2, key = ?3, flags = ?4,"
		" keywords = ?5, is_void = ?6, unsure = ?7,"
		" unsure_keywords = ?8 WHERE id = ?1",
	[SQL_JOURNAL_SET_WISH] =
		"UPDATE journal SET target = ?2, entry = ?3, message = ?4,"
		" after = ?5 WHERE id = ?1",
	[SQL_JOURNAL_DROP] = "DELETE FROM journal WHERE id = ?",
	[SQL_JOURNAL_REMOVED_ADD] =
		"INSERT OR REPLACE INTO removed(id, dir, identity, flags,"
		" keywords, received_at, base, info, shown)"
		" SELECT ?3, e.dir, e.identity, e.flags, e.keywords,"
		" e.received_at, e.base, e.info, e.shown FROM entry e"
		" WHERE e.dir = ?1 AND e.id = ?2",
	/* To where the server has it. */
	[SQL_JOURNAL_REMOVED_BACK] =
		"INSERT INTO entry(dir, id, folder, message, key, flags,"
		" keywords, identity, received_at, base, info, shown)"
		" SELECT j.folder * 4 + r.dir % 4, j.entry, j.folder,"
		" j.message, NULL, r.flags,"
		" r.keywords, r.identity, r.received_at, r.base, r.info,"
		" r.shown FROM removed r JOIN journal j ON j.id = r.id"
		" WHERE r.id = ?",
	[SQL_JOURNAL_REMOVED_DROP] = "DELETE FROM removed WHERE id = ?",
	[SQL_JOURNAL_REMOVED_SET] =
		"INSERT OR REPLACE INTO removed(id, dir, identity, flags,"
		" keywords, received_at, base, info, shown, is_split)"
		" VALUES(?, ?, ?, ?, '', ?, ?, ?, ?, ?)",
	[SQL_JOURNAL_REMOVED_GET] =
		"SELECT dir, 0, identity, flags, base, info, shown, is_split"
		" FROM removed WHERE id = ?",
	[SQL_JOURNAL_OFFER] =
		"UPDATE journal SET is_offered = 1, state = 1, not_before = 0"
		" WHERE id = ?",
	[SQL_JOURNAL_ACCEPT] = "UPDATE journal SET is_offered = 0 WHERE id = ?",
	[SQL_JOURNAL_OFFERED] =
		JOURNAL_COLUMNS "WHERE j.is_offered <> 0 ORDER BY j.id LIMIT 1",
	[SQL_JOURNAL_COUNTS] =
		"SELECT coalesce(sum(state < 4), 0),"
		" coalesce(sum(state = 4), 0), coalesce(sum(state = 5), 0)"
		" FROM journal",
	[SQL_JOURNAL_RESTART] = "UPDATE journal SET not_before = 0",

	[SQL_KEYWORD_GET] =
		"SELECT word FROM keyword WHERE folder = ? AND number = ?",
	[SQL_KEYWORD_FIND] =
		"SELECT number FROM keyword WHERE folder = ? AND word = ?",
	[SQL_KEYWORD_COUNT] = "SELECT count(*) FROM keyword WHERE folder = ?",
	[SQL_KEYWORD_OTHER] =
		"SELECT 1 FROM entry WHERE dir = ? AND base <> ? LIMIT 1",
	[SQL_KEYWORD_ADD] =
		"INSERT INTO keyword(folder, number, word) VALUES(?, ?, ?)",
	[SQL_KEYWORD_REMOVE_ALL] = "DELETE FROM keyword WHERE folder = ?",
	[SQL_KEYWORDS_GET] = "SELECT keywords, unmapped FROM entry"
			     " WHERE dir = ? AND id = ?",
	[SQL_KEYWORDS_SET] = "UPDATE entry SET keywords = ?3, unmapped = ?4"
			     " WHERE dir = ?1 AND id = ?2",
	[SQL_KEYWORD_UNMAPPED] = ENTRY_COLUMNS
	"WHERE e.dir = ? AND e.id > ? AND e.unmapped & ? ORDER BY e.id LIMIT 1",
	[SQL_KEYWORD_ADOPT] =
		"UPDATE entry SET flags = flags | ?3, shown = shown | ?3,"
		" keywords = ?4, unmapped = unmapped & ~?3"
		" WHERE dir = ?1 AND id = ?2",
	[SQL_LANDED_ADD] =
		"INSERT OR IGNORE INTO landed(folder, key) VALUES(?, ?)",
	[SQL_LANDED_HAS] = "SELECT 1 FROM landed WHERE folder = ? AND key = ?",
	[SQL_LANDED_NEXT] = "SELECT key FROM landed WHERE folder = ?"
			    " AND key > ? ORDER BY key LIMIT 1",
	[SQL_LANDED_REMOVE] = "DELETE FROM landed WHERE folder = ? AND key = ?",
	[SQL_LANDED_CLEAR] = "DELETE FROM landed WHERE folder = ?",
	[SQL_LOGGED_ADD] =
		"INSERT OR REPLACE INTO logged(message, mode, uid, gid,"
		" mtime_ns, bytes) VALUES(?, ?, ?, ?, ?, ?)",
	[SQL_LOGGED_HAS] = "SELECT 1 FROM logged WHERE message = ?",
	[SQL_LOGGED_NEXT] = "SELECT message, mode, uid, gid, mtime_ns, bytes"
			    " FROM logged WHERE message > ? ORDER BY message"
			    " LIMIT 1",
	[SQL_LOGGED_REMOVE] = "DELETE FROM logged WHERE message = ?",
	[SQL_LOGGED_TOTALS] = "SELECT ifnull(max(message), 0),"
			      " ifnull(sum(length(bytes)), 0) FROM logged",
};

static const char schema_1[] =
	"CREATE TABLE account(name TEXT NOT NULL, epoch INTEGER NOT NULL,"
	" next_id INTEGER NOT NULL, next_folder INTEGER NOT NULL);"
	"CREATE TABLE folder(id INTEGER PRIMARY KEY, parent INTEGER NOT NULL,"
	" level TEXT NOT NULL, attributes INTEGER NOT NULL,"
	" is_listed INTEGER NOT NULL DEFAULT 0,"
	" cursor TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT '',"
	" new_count INTEGER NOT NULL DEFAULT 0,"
	" cur_count INTEGER NOT NULL DEFAULT 0,"
	" changed_ns INTEGER NOT NULL, new_changed_ns INTEGER NOT NULL,"
	" cur_changed_ns INTEGER NOT NULL, UNIQUE(parent, level));"
	"CREATE INDEX folder_parent ON folder(parent);"
	"CREATE TABLE message(id INTEGER PRIMARY KEY,"
	" folder INTEGER NOT NULL, received_at INTEGER NOT NULL, claimed_size INTEGER NOT NULL,"
	" size INTEGER, body_bytes INTEGER, used_at INTEGER);"
	"CREATE INDEX message_used ON message(used_at, body_bytes)"
	" WHERE body_bytes IS NOT NULL;"
	"CREATE TABLE entry(dir INTEGER NOT NULL, id INTEGER NOT NULL,"
	" folder INTEGER NOT NULL, message INTEGER NOT NULL, key TEXT,"
	" flags INTEGER NOT NULL, keywords TEXT NOT NULL,"
	" identity INTEGER NOT NULL, received_at INTEGER NOT NULL,"
	" PRIMARY KEY(dir, id)) WITHOUT ROWID;"
	"CREATE UNIQUE INDEX entry_key ON entry(folder, key)"
	" WHERE key IS NOT NULL;"
	"CREATE UNIQUE INDEX entry_identity ON entry(folder, identity);"
	"CREATE TABLE void(folder INTEGER NOT NULL,"
	" received_at INTEGER NOT NULL, claimed_size INTEGER NOT NULL,"
	" entry INTEGER NOT NULL, dir INTEGER NOT NULL,"
	" PRIMARY KEY(folder, entry)) WITHOUT ROWID;"
	"CREATE INDEX void_facts ON void(folder, received_at, claimed_size);"
	"INSERT INTO folder(id, parent, level, attributes, changed_ns,"
	" new_changed_ns, cur_changed_ns) VALUES(0, -1, '', 1, 1, 1, 1);";

/* Those that the journal has had from its beginning. */
#define JOURNAL_FIRST_COLUMNS \
	" kind INTEGER NOT NULL, state INTEGER NOT NULL," \
	" message INTEGER NOT NULL, entry INTEGER NOT NULL," \
	" folder INTEGER NOT NULL, target INTEGER NOT NULL," \
	" is_void INTEGER NOT NULL DEFAULT 0, key TEXT," \
	" flags INTEGER NOT NULL, keywords TEXT NOT NULL," \
	" not_before INTEGER NOT NULL, created_at INTEGER NOT NULL," \
	" tries INTEGER NOT NULL DEFAULT 0, after INTEGER NOT NULL," \
	" mark TEXT NOT NULL DEFAULT '', sent_at INTEGER NOT NULL DEFAULT 0," \
	" wire_size INTEGER NOT NULL DEFAULT 0," \
	" err INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT ''"

static const char schema_2[] =
	"ALTER TABLE folder ADD COLUMN places INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE folder ADD COLUMN is_local INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE folder ADD COLUMN server_name TEXT;"
	"ALTER TABLE folder ADD COLUMN tmp_changed_ns INTEGER NOT NULL"
	" DEFAULT 1;"
	"WITH RECURSIVE named(id, name) AS ("
	"SELECT id, level FROM folder WHERE parent = 0"
	" UNION ALL SELECT f.id, named.name || '/' || f.level"
	" FROM folder f JOIN named ON f.parent = named.id)"
	"UPDATE folder SET server_name ="
	" (SELECT name FROM named WHERE named.id = folder.id),"
	" places = CASE attributes & 1 WHEN 0 THEN 7 ELSE 0 END"
	" WHERE id > 0;"
	"CREATE UNIQUE INDEX folder_server ON folder(server_name)"
	" WHERE server_name IS NOT NULL;"
	"ALTER TABLE message ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE message ADD COLUMN links INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE message ADD COLUMN mode INTEGER;"
	"ALTER TABLE message ADD COLUMN uid INTEGER;"
	"ALTER TABLE message ADD COLUMN gid INTEGER;"
	"ALTER TABLE message ADD COLUMN mtime_ns INTEGER;"
	"ALTER TABLE message ADD COLUMN ctime_ns INTEGER;"
	"CREATE INDEX message_kept ON message(id) WHERE kept <> 0;"
	"ALTER TABLE entry ADD COLUMN base TEXT;"
	"ALTER TABLE entry ADD COLUMN info TEXT;"
	"ALTER TABLE entry ADD COLUMN shown INTEGER;"
	"CREATE UNIQUE INDEX entry_base ON entry(dir, base, info)"
	" WHERE base IS NOT NULL;"
	"CREATE INDEX entry_link ON entry(message) WHERE id <> message;"
	"CREATE TABLE journal(id INTEGER PRIMARY KEY AUTOINCREMENT," JOURNAL_FIRST_COLUMNS
	");"
	"CREATE UNIQUE INDEX journal_key ON journal(folder, key)"
	" WHERE key IS NOT NULL;"
	"CREATE INDEX journal_message ON journal(message);"
	"CREATE INDEX journal_state ON journal(state, not_before);"
	"CREATE INDEX journal_target ON journal(target);"
	"CREATE TABLE removed(id INTEGER PRIMARY KEY, dir INTEGER NOT NULL,"
	" identity INTEGER NOT NULL, flags INTEGER NOT NULL,"
	" keywords TEXT NOT NULL, received_at INTEGER NOT NULL, base TEXT,"
	" info TEXT, shown INTEGER);";

static const char schema_3[] =
	"ALTER TABLE journal ADD COLUMN is_offered INTEGER NOT NULL DEFAULT 0;";

/* So that no step of a walk through the journal costs more the longer it is. */
static const char schema_4[] =
	"CREATE INDEX journal_order ON journal(state);"
	"CREATE INDEX journal_folder ON journal(folder) WHERE kind <> 0;"
	"CREATE INDEX journal_void ON journal(folder) WHERE is_void <> 0;"
	"CREATE INDEX journal_offered ON journal(id) WHERE is_offered <> 0;";

/* Where there are keywords, a new listing gives them their numbers. */
static const char schema_5[] =
	"CREATE TABLE keyword(folder INTEGER NOT NULL,"
	" number INTEGER NOT NULL, word TEXT NOT NULL,"
	" PRIMARY KEY(folder, number)) WITHOUT ROWID;"
	"CREATE UNIQUE INDEX keyword_word ON keyword(folder, word);"
	"ALTER TABLE entry ADD COLUMN unmapped INTEGER NOT NULL DEFAULT 0;"
	"UPDATE folder SET cursor = '', state = '' WHERE id IN"
	" (SELECT DISTINCT folder FROM entry WHERE keywords <> '');";

static const char schema_6[] =
	"ALTER TABLE account ADD COLUMN split TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE account ADD COLUMN split_low INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE account ADD COLUMN split_high INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE entry ADD COLUMN is_split INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE removed ADD COLUMN is_split INTEGER NOT NULL DEFAULT 0;";

static const char schema_7[] =
	"ALTER TABLE account ADD COLUMN spent_day INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE account ADD COLUMN spent_bytes INTEGER NOT NULL DEFAULT 0;";

static const char schema_8[] =
	"ALTER TABLE journal ADD COLUMN unsure INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE journal ADD COLUMN unsure_keywords TEXT NOT NULL"
	" DEFAULT '';"
	"CREATE TABLE landed(folder INTEGER NOT NULL, key TEXT NOT NULL,"
	" PRIMARY KEY(folder, key)) WITHOUT ROWID;";

static const char schema_9[] =
	"ALTER TABLE folder ADD COLUMN object TEXT;"
	"CREATE INDEX folder_object ON folder(object) WHERE object IS NOT NULL;";

static const char schema_10[] =
	"ALTER TABLE void DROP COLUMN dir;"
	"ALTER TABLE journal ADD COLUMN void_at INTEGER;"
	"ALTER TABLE journal ADD COLUMN void_size INTEGER;"
	"UPDATE journal SET" JOURNAL_FACTS " WHERE is_void <> 0;"
	"DROP INDEX journal_void;"
	"CREATE INDEX journal_void ON journal(folder, void_at, void_size)"
	" WHERE is_void <> 0;";

static const char schema_11[] =
	"CREATE TABLE logged(message INTEGER PRIMARY KEY, mode INTEGER NOT NULL,"
	" uid INTEGER NOT NULL, gid INTEGER NOT NULL,"
	" mtime_ns INTEGER NOT NULL, bytes BLOB NOT NULL);";

/* Each page that a delivery need not write is one less to be synced. */
static const char schema_12[] =
	"UPDATE account SET next_id = max(next_id,"
	" (SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence));"
	"ALTER TABLE journal RENAME TO journal_11;"
	"CREATE TABLE journal(id INTEGER PRIMARY KEY," JOURNAL_FIRST_COLUMNS ","
	" is_offered INTEGER NOT NULL DEFAULT 0,"
	" unsure INTEGER NOT NULL DEFAULT 0,"
	" unsure_keywords TEXT NOT NULL DEFAULT '',"
	" void_at INTEGER, void_size INTEGER);"
	"INSERT INTO journal SELECT * FROM journal_11;"
	"DROP TABLE journal_11;"
	"CREATE UNIQUE INDEX journal_key ON journal(folder, key)"
	" WHERE key IS NOT NULL;"
	"CREATE INDEX journal_message ON journal(message);"
	"CREATE INDEX journal_state ON journal(state, not_before);"
	"CREATE INDEX journal_order ON journal(state);"
	"CREATE INDEX journal_folder ON journal(folder) WHERE kind <> 0;"
	"CREATE INDEX journal_void ON journal(folder, void_at, void_size)"
	" WHERE is_void <> 0;"
	"CREATE INDEX journal_offered ON journal(id) WHERE is_offered <> 0;";

/* What brings the schema from the version of its index to the next. */
const char *const db_migrations[DB_VERSION] = {
	schema_1, schema_2, schema_3, schema_4,  schema_5,  schema_6,
	schema_7, schema_8, schema_9, schema_10, schema_11, schema_12
};

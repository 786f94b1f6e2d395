/*
 * One line of an INI file.  Our own, because the library at hand silently
 * cuts lines at 200 bytes and values at " ;", which shell commands contain,
 * and joins sections of the same name.
 *
 * A line is blank, a comment (it begins with # or ;), "[section]", or
 * "key = value".  Blanks around each part do not count; a value is literal up
 * to the end of its line: no quotes, no comments behind it, no continuation.
 */
#ifndef CLI_INI_H
#define CLI_INI_H

#include <stddef.h>

#define INI_LINE_MAX 65536 /* bytes, without the line end */

enum ini_kind { INI_NOTHING, INI_SECTION, INI_VALUE, INI_WRONG };

struct ini_line {
	const char *name;  /* SECTION: what the brackets hold; VALUE: the key */
	const char *value; /* VALUE */
	const char *wrong; /* WRONG: what, for the user */
};

/*
 * Take apart a line of len bytes, its line end taken off or not, with a NUL
 * behind it; it is cut into the pieces that *line_out points to.
 */
enum ini_kind ini_parse_line(char *text, size_t len, struct ini_line *line_out);

#endif

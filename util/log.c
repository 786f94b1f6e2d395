#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static enum log_level log_threshold = LOG_LEVEL_WARN;
static bool log_to_syslog;

static _Thread_local const char *context_account;
static _Thread_local const char *context_folder;

void log_open(enum log_level level, bool to_syslog)
{
	log_threshold = level;
	log_to_syslog = to_syslog;
	if (to_syslog)
		openlog("mailmount", LOG_PID, LOG_MAIL);
}

void log_context(const char *account, const char *folder)
{
	context_account = account;
	context_folder = folder;
}

static int priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return LOG_ERR;
	case LOG_LEVEL_WARN:
		return LOG_WARNING;
	case LOG_LEVEL_INFO:
		return LOG_INFO;
	case LOG_LEVEL_DEBUG:
		return LOG_DEBUG;
	}
	return LOG_ERR;
}

/* Copy text to out, its control bytes as \xHH; cut where out is full. */
static void escape(const char *text, char *out, size_t size)
{
	size_t at = 0;
	for (const char *s = text; *s != '\0' && at + 5 < size; s++) {
		unsigned char c = (unsigned char)*s;
		if (c < 0x20 || c == 0x7f) {
			(void)snprintf(out + at, 5, "\\x%02x", c);
			at += 4;
		} else {
			out[at++] = (char)c;
		}
	}
	out[at] = '\0';
}

void log_line(enum log_level level, const char *format, ...)
{
	if (level > log_threshold)
		return;
	char text[LOG_LINE_MAX];
	char safe[LOG_LINE_MAX];
	int at = 0;
	if (context_account != NULL)
		at = snprintf(text, sizeof(text), "%s: ", context_account);
	if (context_folder != NULL && at < LOG_LINE_MAX / 2)
		at += snprintf(text + at, sizeof(text) - (size_t)at,
		               "%.200s: ", context_folder);
	if (at >= (int)sizeof(text))
		at = (int)sizeof(text) - 1;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text + at, sizeof(text) - (size_t)at, format, args);
	va_end(args);
	escape(text, safe, sizeof(safe));
	if (log_to_syslog)
		syslog(priority(level), "%s", safe);
	else
		(void)dprintf(STDERR_FILENO, "mailmount: %s\n", safe);
}

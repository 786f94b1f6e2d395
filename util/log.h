/*
 * The log.  A line names the account and folder its thread works on; server
 * text in it is made harmless: control bytes are escaped, lines are capped.
 *
 *	error	the user must act
 *	warn	we go on, but something is lost or late
 *	info	an account changed state
 *	debug	each remote call
 *
 * Secrets and the text of messages never come here, at any level.
 * All functions may be called from any thread.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Longest line, with its prefix; the rest is cut. */
#define LOG_LINE_MAX 1000

/* Before the first thread starts.  Until then: stderr, warnings and worse. */
void log_open(enum log_level level, bool to_syslog);

/*
 * What this thread works on: account and folder, NULL for none.  Borrowed:
 * the strings must live until the context is set again.
 */
void log_context(const char *account, const char *folder);

void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif

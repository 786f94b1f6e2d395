/*
 * Named failure points.  FAULT("name") is 0, and in builds with
 * -Dfault_points=true what the environment asks for:
 *
 *	MAILMOUNT_FAULT=NAME[:N][:ACTION]
 *
 * makes the Nth passage (1 when left out) of the point NAME act: "kill" (the
 * default) dies by SIGKILL, a number is returned as -number (an errno).
 * NAME "*" counts every point.  MAILMOUNT_FAULT_LOG=FILE appends the name of
 * each point passed.
 */
#ifndef UTIL_FAULT_H
#define UTIL_FAULT_H

#ifdef FAULT_POINTS
#define FAULT(name) fault_pass(name)
#else
#define FAULT(name) 0
#endif

int fault_pass(const char *name);

#endif

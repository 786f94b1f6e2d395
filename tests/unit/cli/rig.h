/*
 * For tests of the commands that talk to a daemon: one that follows a script,
 * and ears for what is said.
 */
#ifndef TESTS_UNIT_CLI_RIG_H
#define TESTS_UNIT_CLI_RIG_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/config.h"
#include "util/wake.h"

struct rig_step {
	const char *request, *answer;
};

/* An account called "work" and its daemon. */
struct rig {
	char dir[32];
	struct config_account account;
	const struct config_account *accounts[1];
	int listener;
	struct wake end;
	pthread_t thread;
	const struct rig_step *steps; /* borrowed; the last one is repeated */
	size_t step_count, step;
	const char *unexpected; /* a request that is not in the script */
};

void rig_start(struct rig *rig, const struct rig_step *steps, size_t count);
/* Fails unless each step was asked for. */
void rig_stop(struct rig *rig);

/* What is written to a descriptor meanwhile. */
struct ear {
	int fd, saved, file;
};
void ear_open(struct ear *ear, int fd);
/* To be freed. */
char *ear_close(struct ear *ear);

#endif

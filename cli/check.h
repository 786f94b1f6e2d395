/*
 * `mailmount check`: try accounts, step by step, and say what to do.
 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include <stdio.h>

#include "cli/config.h"

/* Returns an exit code: that of the worst account. */
int check_show(const struct config_account *const *accounts, size_t count,
               FILE *out);

#endif

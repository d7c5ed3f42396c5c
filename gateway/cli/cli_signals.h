/*
 * Signals as something to look at between two steps: while held, SIGINT, SIGTERM and SIGHUP end nothing by themselves.
 */
#ifndef GATEWAY_CLI_CLI_SIGNALS_H
#define GATEWAY_CLI_CLI_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

#include "common/base/err.h"

/* Init by cli_signals_hold. */
struct cli_signals {
    int fd; /* readable when one of them came */
    sigset_t before;
};

enum err_code cli_signals_hold(struct cli_signals *signals, struct err *err) MUST_CHECK;
void cli_signals_release(struct cli_signals *signals);

/* Whether this process was asked to end since the last look. */
bool cli_signals_came(struct cli_signals *signals);

#endif

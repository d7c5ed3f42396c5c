/*
 * The whole terminal for a view that is drawn again and again: its own screen, keys as they are pressed. What was there
 * before comes back with cli_screen_close.
 */
#ifndef GATEWAY_CLI_CLI_SCREEN_H
#define GATEWAY_CLI_CLI_SCREEN_H

#include <stdbool.h>
#include <termios.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "gateway/cli/cli_signals.h"
#include "gateway/cli/cli_style.h"

/* Init by cli_screen_open. */
struct cli_screen {
    struct cli_signals signals;
    struct termios before;
    bool keys; /* stdin is a terminal, and was changed */
};

enum err_code cli_screen_open(struct cli_screen *screen, struct err *err) MUST_CHECK;
void cli_screen_close(struct cli_screen *screen);

/* Replaces what is shown by as many lines of the text as fit. */
void cli_screen_show(const struct cli_style *style, const struct str *text);

enum cli_screen_event { CLI_SCREEN_TIME_OVER, CLI_SCREEN_KEY, CLI_SCREEN_END };

/* Waits for a key (q ends) or a signal (which ends), for at most timeout_ms. */
enum cli_screen_event cli_screen_wait(struct cli_screen *screen, int timeout_ms);

#endif

#include "gateway/cli/cli_signals.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum err_code cli_signals_hold(struct cli_signals *signals, struct err *err)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals->fd < 0)
        return ERR_SET(err, ERR_INTERNAL, "signalfd: %s", strerror(errno));
    (void)sigprocmask(SIG_BLOCK, &set, &signals->before);
    return ERR_OK;
}

void cli_signals_release(struct cli_signals *signals)
{
    if (signals->fd < 0)
        return;
    (void)close(signals->fd);
    signals->fd = -1;
    (void)sigprocmask(SIG_SETMASK, &signals->before, NULL);
}

bool cli_signals_came(struct cli_signals *signals)
{
    struct signalfd_siginfo info;

    return read(signals->fd, &info, sizeof info) == (ssize_t)sizeof info;
}

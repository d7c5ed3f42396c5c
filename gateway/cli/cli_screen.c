#include "gateway/cli/cli_screen.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_now(const char *text)
{
    (void)fputs(text, stdout);
    (void)fflush(stdout);
}

enum err_code cli_screen_open(struct cli_screen *screen, struct err *err)
{
    struct termios raw;
    enum err_code rc;

    *screen = (struct cli_screen){.keys = false};
    rc = cli_signals_hold(&screen->signals, err);
    if (rc != ERR_OK)
        return rc;
    if (isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &screen->before) == 0) {
        raw = screen->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* ^C goes on being a signal */
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        screen->keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    write_now("\033[?1049h\033[?25l\033[?7l"); /* the other screen, no cursor, lines that are cut at its edge */
    return ERR_OK;
}

void cli_screen_close(struct cli_screen *screen)
{
    write_now("\033[?7h\033[?25h\033[?1049l");
    if (screen->keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
    cli_signals_release(&screen->signals);
}

/* The rest of each old line goes with the new one, and what is below goes at the end: nothing flickers. */
void cli_screen_show(const struct cli_style *style, const struct str *text)
{
    const char *line = text->text != NULL && !text->failed ? text->text : "";
    struct str out = {0};

    str_append_text(&out, "\033[H");
    for (int row = 0; row + 1 < style->rows && *line != '\0'; row++) {
        size_t length = strcspn(line, "\n");

        str_append(&out, line, length);
        str_append_text(&out, "\033[K\r\n");
        line += length + (line[length] == '\n' ? 1 : 0);
    }
    str_append_text(&out, "\033[J");
    if (!out.failed)
        write_now(out.text);
    str_fini(&out);
}

enum cli_screen_event cli_screen_wait(struct cli_screen *screen, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = screen->signals.fd, .events = POLLIN},
                            {.fd = screen->keys ? STDIN_FILENO : -1, .events = POLLIN}};
    char key;

    if (poll(fds, 2, timeout_ms) <= 0)
        return CLI_SCREEN_TIME_OVER;
    if (fds[0].revents != 0 && cli_signals_came(&screen->signals))
        return CLI_SCREEN_END;
    if (fds[1].revents == 0)
        return CLI_SCREEN_TIME_OVER;
    if (read(STDIN_FILENO, &key, 1) != 1) { /* the terminal has gone */
        screen->keys = false;
        return CLI_SCREEN_END;
    }
    return key == 'q' || key == 'Q' ? CLI_SCREEN_END : CLI_SCREEN_KEY;
}

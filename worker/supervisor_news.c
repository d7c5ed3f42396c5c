#include "worker/supervisor_news.h"

#include "common/base/log.h"

void supervisor_news_ready(struct supervisor_news *news)
{
    if (news->told != SUPERVISOR_NEWS_READY)
        log_info("queue.ready", log_text("queues", news->queues));
    news->told = SUPERVISOR_NEWS_READY;
}

void supervisor_news_away(struct supervisor_news *news, const struct err *err)
{
    /* a replica is left after each refusal, which is no news; a network that fails is */
    bool is_known =
        news->told == SUPERVISOR_NEWS_AWAY || (news->told == SUPERVISOR_NEWS_REFUSED && err->code == ERR_UNAVAILABLE);

    if (is_known)
        return;
    log_warn("queue.away", log_text("message", err->message));
    news->told = SUPERVISOR_NEWS_AWAY;
}

bool supervisor_news_take(struct supervisor_news *news, const struct redis_reply *reply, const struct err *err)
{
    if (reply == NULL)
        return err->code == ERR_UNAVAILABLE || err->code == ERR_NETWORK || err->code == ERR_CANCELLED;
    if (redis_reply_is_error(reply, "UNBLOCKED"))
        return true; /* the stream was deleted, or the server became a replica: the next try tells */
    if (err->code != ERR_UNAVAILABLE)
        return false;
    if (news->told != SUPERVISOR_NEWS_REFUSED)
        log_warn("queue.refuses", log_text("message", err->message));
    news->told = SUPERVISOR_NEWS_REFUSED;
    return true;
}

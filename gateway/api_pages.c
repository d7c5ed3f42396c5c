#include "gateway/api_pages.h"

#include "gateway/web_page.h"

void api_pages_home(struct exchange *exchange)
{
    http_reply_add(&exchange->reply, "Vary", "Accept");
    if (http_request_wants_html(&exchange->request))
        exchange_answer_text(exchange, 200, "text/html; charset=utf-8", web_page_index);
    else
        exchange_answer_text(exchange, 200, "text/plain; charset=utf-8", "Hello, World!");
}

void api_pages_health(struct exchange *exchange)
{
    exchange_answer_text(exchange, 200, "application/json", "{\"status\":\"healthy\",\"service\":\"recommender\"}");
}

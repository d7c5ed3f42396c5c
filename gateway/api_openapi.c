#include "gateway/api_openapi.h"

#include "gateway/web_page.h"

void api_openapi_get(struct exchange *exchange)
{
    exchange_answer_text(exchange, 200, "application/json", web_page_openapi);
}

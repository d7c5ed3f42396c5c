/*
 * The pages of gateway/web/, embedded by CMake.
 */
#ifndef GATEWAY_WEB_PAGE_H
#define GATEWAY_WEB_PAGE_H

/* index.html, terminated */
extern const char web_page_index[];

#endif

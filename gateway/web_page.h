/*
 * The pages of gateway/web/, embedded by CMake.
 */
#ifndef GATEWAY_WEB_PAGE_H
#define GATEWAY_WEB_PAGE_H

/* index.html and openapi.json, terminated */
extern const char *const web_page_index;
extern const char *const web_page_openapi;

#endif

/*
 * The shop's CMS as a source: its API of activities and products, paged by offset (pipeline.md, Fetch). One thread.
 */
#ifndef WORKER_CONNECT_CMS_H
#define WORKER_CONNECT_CMS_H

#include "common/base/err.h"
#include "worker/pipeline/source.h"

struct cms;

struct cms_config {
    const char *url;        /* API_URL: http(s)://host[:port][/path]; copied */
    const char *token;      /* BEARER_TOKEN; NULL or "": none */
    const char *shop;       /* the CMS's namespace */
    int page_gap_ms;        /* between two requests of one action; 0: 50, negative: none */
    int retry_base_ms;      /* 0: 500; doubles with each try, with jitter */
    int max_retries;        /* of one request; 0: 5, negative: none */
    int connect_timeout_ms; /* 0: 10 s */
    int stall_timeout_s;    /* 0: 60 s */
};

enum err_code cms_create(struct cms **out, const struct cms_config *config, struct err *err) MUST_CHECK;
void cms_destroy(struct cms *cms);

/* Valid as long as the cms. */
struct source cms_source(struct cms *cms);

#endif

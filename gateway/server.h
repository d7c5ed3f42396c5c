/*
 * The gateway as a whole: the listener, the services behind the routes, signals, and an orderly end.
 * SIGTERM or SIGINT: stop listening, finish what is in flight within the grace time, close all. A second one cuts the
 * grace short. SIGHUP: read the files of keys and shops anew.
 */
#ifndef GATEWAY_SERVER_H
#define GATEWAY_SERVER_H

#include "common/base/env.h"
#include "common/base/err.h"
#include "gateway/settings.h"

struct api_keys;
struct job_shops;

/* Serves until a signal, on the machine's clock. ERR_IO: the address cannot be listened on; ERR_INTERNAL: something was
 * still open at the end. `settings` and the env that they are of are borrowed; keys and shops are taken. */
enum err_code server_run(const struct gateway_settings *settings, const struct env *env, struct api_keys *keys,
                         struct job_shops *shops, struct err *err) MUST_CHECK;

#endif

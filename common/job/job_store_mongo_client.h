/*
 * The connections to a MongoDB deployment: a pool with our options, the indexes, and what the driver's errors mean.
 */
#ifndef COMMON_JOB_JOB_STORE_MONGO_CLIENT_H
#define COMMON_JOB_JOB_STORE_MONGO_CLIENT_H

#include <mongoc/mongoc.h>

#include "common/base/err.h"

struct job_store_mongo_client;

/* Connects to nothing yet. */
enum err_code job_store_mongo_client_create(struct job_store_mongo_client **out, const char *url, int retention_days,
                                            struct err *err) MUST_CHECK;
void job_store_mongo_client_destroy(struct job_store_mongo_client *client);

/* A connection of the pool for one call, by one thread. */
struct job_store_mongo_session {
    struct job_store_mongo_client *owner;
    mongoc_client_t *connection;
    mongoc_collection_t *collection;
};

/* The first session that reaches the server makes the indexes. On failure there is nothing to end. */
enum err_code job_store_mongo_client_begin(struct job_store_mongo_session *session,
                                           struct job_store_mongo_client *client, const char *collection,
                                           struct err *err) MUST_CHECK;
void job_store_mongo_client_end(struct job_store_mongo_session *session);

enum err_code job_store_mongo_client_ping(struct job_store_mongo_client *client, struct err *err) MUST_CHECK;

/* A command of the session's database that reads; *reply is to be destroyed in any case. */
bool job_store_mongo_client_command(const struct job_store_mongo_session *session, const bson_t *command, bson_t *reply,
                                    bson_error_t *error);

bool job_store_mongo_client_is_duplicate(const bson_error_t *error);

/* What a server's error code means: ERR_EXISTS, ERR_CONFIG (credentials), ERR_UNAVAILABLE, ERR_REMOTE (for good). */
enum err_code job_store_mongo_client_code(uint32_t code);

/* STORE_URL as the driver takes it, with our options: for who needs a client of its own, whose commands may take so
 * long. *out goes to mongoc_uri_destroy. And the database of it. */
enum err_code job_store_mongo_client_uri(mongoc_uri_t **out, const char *url, int32_t answer_timeout_ms,
                                         struct err *err) MUST_CHECK;
const char *job_store_mongo_client_database_of(const mongoc_uri_t *uri);

/* Sets *err by the driver's error, with one of these. */
enum err_code job_store_mongo_client_failed(const bson_error_t *error, struct err *err);

#endif

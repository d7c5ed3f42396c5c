#include "worker/connect/warehouse_mongo.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_store_mongo_client.h"
#include "worker/connect/warehouse_mongo_parts.h"

enum { ANSWER_TIMEOUT_MS = 30 * 60 * 1000 }; /* indexes of millions of documents are one command */

static const char *const names[WAREHOUSE_TABLE_COUNT] = {
    [WAREHOUSE_INTERACTIONS] = "interactions",
    [WAREHOUSE_WEIGHTS] = "product_recommendations",
    [WAREHOUSE_PRODUCTS] = "warehouse_products",
};

/* Made once all is there: one scan of the documents for all indexes of a table. */
static const char *const indexes[WAREHOUSE_TABLE_COUNT] = {
    [WAREHOUSE_INTERACTIONS] = "["
                               "{\"name\":\"user\",\"key\":{\"user_uid\":1}},"
                               "{\"name\":\"product\",\"key\":{\"product_id\":1}},"
                               "{\"name\":\"action\",\"key\":{\"action\":1}},"
                               "{\"name\":\"created\",\"key\":{\"created\":1}},"
                               "{\"name\":\"user_product\",\"key\":{\"user_uid\":1,\"product_id\":1}},"
                               "{\"name\":\"user_action\",\"key\":{\"user_uid\":1,\"action\":1}},"
                               "{\"name\":\"date\",\"key\":{\"created_date\":1}}]",
    [WAREHOUSE_WEIGHTS] =
        "["
        "{\"name\":\"before\",\"key\":{\"product_to_recommend_id\":1}},"
        "{\"name\":\"behind\",\"key\":{\"product_for_recommendation_id\":1}},"
        "{\"name\":\"weight\",\"key\":{\"interaction_weight\":1}},"
        "{\"name\":\"before_weight\",\"key\":{\"product_to_recommend_id\":1,\"interaction_weight\":-1}}]",
    [WAREHOUSE_PRODUCTS] = "[{\"name\":\"product\",\"key\":{\"product_id\":1},\"unique\":true}]",
};

enum err_code warehouse_mongo_check(const char *url, struct err *err)
{
    if (str_starts_with(url, "mongodb://") || str_starts_with(url, "mongodb+srv://"))
        return ERR_OK;
    return ERR_SET(err, ERR_CONFIG, "a job warehouse needs MongoDB, and STORE_URL names a file of SQLite");
}

void warehouse_mongo_name_loading(const struct warehouse_mongo *warehouse, enum warehouse_table table, int64_t fence,
                                  char name[WAREHOUSE_MONGO_NAME_BYTES])
{
    (void)snprintf(name, WAREHOUSE_MONGO_NAME_BYTES, "loading.%lld.%.128s", (long long)fence, warehouse->names[table]);
}

static enum err_code open_client(struct warehouse_mongo *warehouse, const char *url, struct err *err)
{
    mongoc_uri_t *uri = NULL;
    enum err_code rc = job_store_mongo_client_uri(&uri, url, ANSWER_TIMEOUT_MS, err);

    if (rc != ERR_OK)
        return rc;
    warehouse->client = mongoc_client_new_from_uri(uri);
    if (warehouse->client == NULL) {
        rc = ERR_SET(err, ERR_CONFIG, "STORE_URL: the MongoDB client cannot use it (TLS not built in, or no memory)");
    } else {
        (void)mongoc_client_set_error_api(warehouse->client, MONGOC_ERROR_API_VERSION_2);
        warehouse->database = mongoc_client_get_database(warehouse->client, job_store_mongo_client_database_of(uri));
    }
    mongoc_uri_destroy(uri);
    return rc;
}

enum err_code warehouse_mongo_create(struct warehouse_mongo **out, const struct warehouse_mongo_config *config,
                                     struct err *err)
{
    struct warehouse_mongo *warehouse;
    enum err_code rc = warehouse_mongo_check(config->url, err);

    *out = NULL;
    if (rc != ERR_OK)
        return rc;
    warehouse = mem_zeroed(1, sizeof *warehouse);
    if (warehouse == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a warehouse");
    warehouse->fence = config->fence;
    warehouse->permit = config->permit;
    warehouse->context = config->context;
    rc = open_client(warehouse, config->url, err);
    for (unsigned table = 0; rc == ERR_OK && table < WAREHOUSE_TABLE_COUNT; table++) {
        char loading[WAREHOUSE_MONGO_NAME_BYTES];

        (void)snprintf(warehouse->names[table], sizeof warehouse->names[table], "%s%s%.63s", names[table],
                       config->shop != NULL ? "." : "", config->shop != NULL ? config->shop : "");
        warehouse_mongo_name_loading(warehouse, (enum warehouse_table)table, warehouse->fence, loading);
        warehouse->loading[table] = mongoc_database_get_collection(warehouse->database, loading);
    }
    if (rc != ERR_OK) {
        warehouse_mongo_destroy(warehouse);
        return rc;
    }
    *out = warehouse;
    return ERR_OK;
}

void warehouse_mongo_destroy(struct warehouse_mongo *warehouse)
{
    if (warehouse == NULL)
        return;
    for (unsigned table = 0; table < WAREHOUSE_TABLE_COUNT; table++)
        mongoc_collection_destroy(warehouse->loading[table]);
    mongoc_database_destroy(warehouse->database);
    mongoc_client_destroy(warehouse->client);
    free(warehouse);
}

int64_t warehouse_mongo_newest_fence(const struct warehouse_mongo *warehouse)
{
    return warehouse->newest_fence;
}

/* One document of a batch; its _id is its place, so that none is sent twice. */
typedef void (*append_fn)(bson_t *document, const void *rows, size_t row);

static void append_interaction(bson_t *document, const void *rows, size_t row)
{
    const struct warehouse_interaction *interaction = (const struct warehouse_interaction *)rows + row;

    BSON_APPEND_INT64(document, "id", interaction->id);
    BSON_APPEND_UTF8(document, "action", interaction->action);
    BSON_APPEND_UTF8(document, "user_uid", interaction->user_uid);
    BSON_APPEND_INT64(document, "product_id", interaction->product_id);
    BSON_APPEND_INT64(document, "created", interaction->created);
    BSON_APPEND_DATE_TIME(document, "created_datetime", interaction->created * 1000);
    BSON_APPEND_DATE_TIME(document, "created_date", interaction->local.date_s * 1000);
    BSON_APPEND_INT32(document, "created_hour", interaction->local.hour);
    BSON_APPEND_INT32(document, "created_day_of_week", interaction->local.weekday);
    BSON_APPEND_INT32(document, "created_month", interaction->local.month);
}

static void append_weight(bson_t *document, const void *rows, size_t row)
{
    const struct warehouse_weight *weight = (const struct warehouse_weight *)rows + row;

    BSON_APPEND_INT64(document, "product_to_recommend_id", weight->left);
    BSON_APPEND_INT64(document, "product_for_recommendation_id", weight->right);
    BSON_APPEND_DOUBLE(document, "interaction_weight", weight->weight);
}

static void append_product(bson_t *document, const void *rows, size_t row)
{
    const struct warehouse_product *product = (const struct warehouse_product *)rows + row;

    BSON_APPEND_INT64(document, "product_id", product->id);
    BSON_APPEND_UTF8(document, "title", product->title);
    BSON_APPEND_INT64(document, "stock", product->stock);
    BSON_APPEND_BOOL(document, "published", product->published);
}

static void destroy_documents(const bson_t **documents, size_t count)
{
    for (size_t row = 0; documents != NULL && row < count; row++)
        bson_destroy((bson_t *)(uintptr_t)documents[row]);
    free(documents);
}

static const bson_t **make_documents(const void *rows, size_t count, append_fn append, int64_t first)
{
    const bson_t **documents = mem_zeroed(count, sizeof(const bson_t *));

    for (size_t row = 0; documents != NULL && row < count; row++) {
        bson_t *document = bson_new();

        BSON_APPEND_INT64(document, "_id", first + (int64_t)row);
        append(document, rows, row);
        documents[row] = document;
    }
    return documents;
}

/* In no order: the server need not wait for one to take the next. */
static enum err_code insert(struct warehouse_mongo *warehouse, enum warehouse_table table, const void *rows,
                            size_t count, append_fn append, struct err *err)
{
    const bson_t **documents = make_documents(rows, count, append, warehouse->put[table]);
    bson_t *opts = BCON_NEW("ordered", BCON_BOOL(false));
    bson_error_t error = {0};
    enum err_code rc = ERR_OK;

    if (documents == NULL)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a batch of documents");
    else if (!mongoc_collection_insert_many(warehouse->loading[table], documents, count, opts, NULL, &error))
        rc = job_store_mongo_client_failed(&error, err);
    else
        warehouse->put[table] += (int64_t)count;
    destroy_documents(documents, count);
    bson_destroy(opts);
    return rc;
}

static enum err_code put_interactions(void *self, const struct warehouse_interaction *rows, size_t count,
                                      struct err *err)
{
    return insert(self, WAREHOUSE_INTERACTIONS, rows, count, append_interaction, err);
}

static enum err_code put_weights(void *self, const struct warehouse_weight *weights, size_t count, struct err *err)
{
    return insert(self, WAREHOUSE_WEIGHTS, weights, count, append_weight, err);
}

static enum err_code put_products(void *self, const struct warehouse_product *products, size_t count, struct err *err)
{
    return insert(self, WAREHOUSE_PRODUCTS, products, count, append_product, err);
}

/* Makes the collection too where nothing was put. */
static enum err_code complete(void *self, enum warehouse_table table, struct err *err)
{
    struct warehouse_mongo *warehouse = self;
    char *text = str_format("{\"createIndexes\":\"%s\",\"indexes\":%s}",
                            mongoc_collection_get_name(warehouse->loading[table]), indexes[table]);
    bson_error_t error = {0};
    bson_t *command = text != NULL ? bson_new_from_json((const uint8_t *)text, -1, &error) : NULL;
    enum err_code rc = ERR_OK;

    if (command == NULL)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for the indexes of a table");
    else if (!mongoc_database_write_command_with_opts(warehouse->database, command, NULL, NULL, &error))
        rc = job_store_mongo_client_failed(&error, err);
    bson_destroy(command);
    free(text);
    return rc;
}

struct warehouse warehouse_mongo_interface(struct warehouse_mongo *warehouse)
{
    return (struct warehouse){.raise_fence = warehouse_mongo_raise_fence,
                              .put_interactions = put_interactions,
                              .put_weights = put_weights,
                              .put_products = put_products,
                              .complete = complete,
                              .swap = warehouse_mongo_swap,
                              .self = warehouse};
}

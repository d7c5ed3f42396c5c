#include "tests/integration/warehouse_look.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static bson_t *parse(const char *text)
{
    bson_error_t error;
    bson_t *bson = bson_new_from_json((const uint8_t *)text, -1, &error);

    if (bson == NULL)
        fail_msg("%s: %s", text, error.message);
    return bson;
}

void warehouse_look_open(struct warehouse_look *look, const char *url)
{
    mongoc_uri_t *uri;

    mongoc_init();
    uri = mongoc_uri_new(url);
    assert_non_null(uri);
    look->client = mongoc_client_new_from_uri(uri);
    assert_non_null(look->client);
    look->database = mongoc_client_get_database(look->client, mongoc_uri_get_database(uri));
    mongoc_uri_destroy(uri);
}

void warehouse_look_close(struct warehouse_look *look)
{
    mongoc_database_destroy(look->database);
    mongoc_client_destroy(look->client);
    *look = (struct warehouse_look){0};
}

int64_t warehouse_look_count(const struct warehouse_look *look, const char *collection, const char *filter)
{
    mongoc_collection_t *found = mongoc_database_get_collection(look->database, collection);
    bson_t *bson = parse(filter);
    bson_error_t error;
    int64_t count = mongoc_collection_count_documents(found, bson, NULL, NULL, NULL, &error);

    if (count < 0)
        fail_msg("count in %s: %s", collection, error.message);
    bson_destroy(bson);
    mongoc_collection_destroy(found);
    return count;
}

bool warehouse_look_has(const struct warehouse_look *look, const char *prefix)
{
    bson_error_t error;
    char **names = mongoc_database_get_collection_names_with_opts(look->database, NULL, &error);
    bool found = false;

    if (names == NULL)
        fail_msg("collections: %s", error.message);
    for (size_t i = 0; names[i] != NULL; i++)
        found = found || strncmp(names[i], prefix, strlen(prefix)) == 0;
    bson_strfreev(names);
    return found;
}

bool warehouse_look_has_index(const struct warehouse_look *look, const char *collection, const char *index)
{
    mongoc_collection_t *of = mongoc_database_get_collection(look->database, collection);
    mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(of, NULL);
    const bson_t *document;
    bson_iter_t iter;
    bool found = false;

    while (mongoc_cursor_next(cursor, &document)) {
        if (bson_iter_init_find(&iter, document, "name") && strcmp(bson_iter_utf8(&iter, NULL), index) == 0)
            found = true;
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(of);
    return found;
}

void warehouse_look_command(const struct warehouse_look *look, const char *command)
{
    bson_t *bson = parse(command);
    bson_error_t error;

    if (!mongoc_database_write_command_with_opts(look->database, bson, NULL, NULL, &error))
        fail_msg("%s: %s", command, error.message);
    bson_destroy(bson);
}

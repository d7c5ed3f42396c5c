#include "gateway/api_keys.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file_text.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/hash.h"
#include "common/net/json_value.h"

struct api_key {
    char name[API_KEYS_NAME_BYTES];
    unsigned char digest[HASH_SHA256_BYTES];
    unsigned scopes;
};

struct api_keys {
    struct api_key *keys;
    size_t count;
    size_t capacity;
};

static enum err_code add_key(struct api_keys *keys, const struct api_key *key, struct err *err)
{
    enum err_code rc;

    if (keys->count == API_KEYS_MAX)
        return ERR_SET(err, ERR_CONFIG, "there are more than %d keys", API_KEYS_MAX);
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->keys[i].name, key->name) == 0)
            return ERR_SET(err, ERR_CONFIG, "the key name \"%s\" is given twice", key->name);
    }
    rc = mem_grow(&keys->keys, &keys->capacity, keys->count + 1, sizeof *keys->keys, err);
    if (rc == ERR_OK)
        keys->keys[keys->count++] = *key;
    return rc;
}

static bool parse_digest(const char *text, unsigned char *out)
{
    if (text == NULL || strlen(text) != 2 * (size_t)HASH_SHA256_BYTES ||
        strspn(text, "0123456789abcdefABCDEF") != 2 * (size_t)HASH_SHA256_BYTES)
        return false;
    for (size_t i = 0; i < HASH_SHA256_BYTES; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};

        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

static bool parse_scopes(const struct json *scopes, unsigned *out)
{
    static const struct {
        const char *name;
        unsigned scope;
    } known[] = {{"submit", API_SCOPE_SUBMIT}, {"read", API_SCOPE_READ}, {"admin", API_SCOPE_ADMIN}};

    *out = API_SCOPE_NONE;
    for (size_t i = 0; i < json_value_count(scopes); i++) {
        const char *name = json_value_text(json_value_at(scopes, i));
        unsigned before = *out;

        for (size_t k = 0; name != NULL && k < sizeof known / sizeof known[0]; k++)
            *out |= strcmp(name, known[k].name) == 0 ? known[k].scope : 0;
        if (*out == before)
            return false; /* unknown, or given twice */
    }
    return json_value_kind(scopes) == JSON_KIND_ARRAY && *out != API_SCOPE_NONE;
}

static enum err_code add_entry(struct api_keys *keys, const struct json *entry, size_t number, struct err *err)
{
    const char *name = json_value_get_text(entry, "name");
    struct api_key key = {0};

    if (name == NULL || name[0] == '\0' || strlen(name) >= sizeof key.name)
        return ERR_SET(err, ERR_CONFIG, "key %zu: \"name\" is not a text of 1 to %d bytes", number,
                       API_KEYS_NAME_BYTES - 1);
    str_copy(key.name, sizeof key.name, name);
    if (!parse_digest(json_value_get_text(entry, "sha256"), key.digest))
        return ERR_SET(err, ERR_CONFIG, "key \"%s\": \"sha256\" is not 64 hexadecimal digits", name);
    if (!parse_scopes(json_value_get(entry, "scopes"), &key.scopes))
        return ERR_SET(err, ERR_CONFIG, "key \"%s\": \"scopes\" is not a list of \"submit\", \"read\", \"admin\"",
                       name);
    return add_key(keys, &key, err);
}

static enum err_code load_file(struct api_keys *keys, const char *path, struct err *err)
{
    struct json *list = NULL;
    char *text = NULL;
    size_t length;
    enum err_code rc = file_text_read(&text, &length, path, API_KEYS_FILE_BYTES, err);

    if (rc == ERR_OK)
        rc = json_value_parse(&list, text, length, err);
    if (rc == ERR_OK && json_value_kind(list) != JSON_KIND_ARRAY)
        rc = ERR_SET(err, ERR_CONFIG, "this is not a JSON list of keys");
    for (size_t i = 0; rc == ERR_OK && i < json_value_count(list); i++)
        rc = add_entry(keys, json_value_at(list, i), i + 1, err);
    json_value_destroy(list);
    free(text);
    if (rc != ERR_OK)
        (void)err_wrap(err, "%s", path);
    return rc;
}

static enum err_code add_default(struct api_keys *keys, const char *text, struct err *err)
{
    struct api_key key = {.name = "default", .scopes = API_SCOPE_ALL};

    if (hash_sha256(text, strlen(text), key.digest) != ERR_OK)
        return ERR_SET(err, ERR_INTERNAL, "SHA-256 failed");
    return add_key(keys, &key, err);
}

enum err_code api_keys_create(struct api_keys **out, const char *key, const char *path, struct err *err)
{
    struct api_keys *keys = mem_zeroed(1, sizeof *keys);
    enum err_code rc = ERR_OK;

    *out = NULL;
    if (keys == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for keys");
    if (key != NULL)
        rc = add_default(keys, key, err);
    if (rc == ERR_OK && path != NULL)
        rc = load_file(keys, path, err);
    if (rc == ERR_OK && keys->count == 0)
        rc = ERR_SET(err, ERR_CONFIG, "no key is configured");
    if (rc != ERR_OK) {
        api_keys_destroy(keys);
        return rc;
    }
    *out = keys;
    return ERR_OK;
}

void api_keys_destroy(struct api_keys *keys)
{
    if (keys == NULL)
        return;
    free(keys->keys);
    free(keys);
}

size_t api_keys_count(const struct api_keys *keys)
{
    return keys->count;
}

const char *api_keys_find(const struct api_keys *keys, const char *presented, unsigned *scopes)
{
    unsigned char digest[HASH_SHA256_BYTES];
    const struct api_key *found = NULL;

    *scopes = API_SCOPE_NONE;
    if (hash_sha256(presented, strlen(presented), digest) != ERR_OK)
        return NULL;
    for (size_t i = 0; i < keys->count; i++) { /* all of them, whatever was found */
        if (hash_equal(keys->keys[i].digest, digest, sizeof digest))
            found = &keys->keys[i];
    }
    if (found == NULL)
        return NULL;
    *scopes = found->scopes;
    return found->name;
}

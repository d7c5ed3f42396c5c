#include "worker/pipeline/warm_start.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/hash.h"
#include "common/net/json_value.h"

/*
 * The file: a line of JSON {"recfleet": "factors 1", "identity", "solver", "factors", "regularization", "scaling",
 * "alpha", "users", "products", "user_bytes"}; the products' ids (64-bit, this machine's byte order), their factors
 * (floats), the users' ids, each with a NUL, user_bytes in all, and their factors; the SHA-256 of all that.
 */
static const char NAME[] = "factors.bin";
static const char FORMAT[] = "factors 1";
static const char *const solver_names[] = {"exact", "cg", "cholesky"};
static const char *const scaling_names[] = {"none", "frequency"};

enum { MOST_HEADER_BYTES = 8192, TAG_BYTES = 64 };

/* A file in memory; pointers are into `data`. */
struct file {
    char *data;
    struct json *header;
    size_t factors;
    size_t users;
    size_t products;
    const char *product_ids;
    const char *product_factors;
    const char *user_ids;
    size_t user_bytes;
    const char *user_factors;
};

static void file_fini(struct file *file)
{
    json_value_destroy(file->header);
    free(file->data);
}

static bool take_size(const struct json *header, const char *key, size_t *out)
{
    int64_t value;

    if (!json_value_get_int64(header, key, &value) || value < 0)
        return false;
    *out = (size_t)value;
    return true;
}

/* Moves *at by count * size bytes, which must lie before `end`. */
static bool take_bytes(const char **part, const char **at, const char *end, size_t count, size_t size)
{
    size_t bytes;

    if (!mem_multiply(&bytes, count, size) || bytes > (size_t)(end - *at))
        return false;
    *part = *at;
    *at += bytes;
    return true;
}

static bool split_parts(struct file *file, const char *at, const char *end)
{
    size_t product_cells;
    size_t user_cells;

    return take_size(file->header, "factors", &file->factors) && take_size(file->header, "users", &file->users) &&
           take_size(file->header, "products", &file->products) &&
           take_size(file->header, "user_bytes", &file->user_bytes) &&
           mem_multiply(&product_cells, file->products, file->factors) &&
           mem_multiply(&user_cells, file->users, file->factors) &&
           take_bytes(&file->product_ids, &at, end, file->products, sizeof(int64_t)) &&
           take_bytes(&file->product_factors, &at, end, product_cells, sizeof(float)) &&
           take_bytes(&file->user_ids, &at, end, file->user_bytes, 1) &&
           take_bytes(&file->user_factors, &at, end, user_cells, sizeof(float)) && at == end;
}

static enum err_code parse_file(struct file *file, size_t size, struct err *err)
{
    unsigned char digest[HASH_SHA256_BYTES];
    size_t body = size - HASH_SHA256_BYTES;
    const char *newline;
    enum err_code rc;

    if (size <= HASH_SHA256_BYTES)
        return ERR_SET(err, ERR_FORMAT, "%s is cut short", NAME);
    rc = hash_sha256(file->data, body, digest);
    if (rc != ERR_OK)
        return ERR_SET(err, rc, "%s cannot be checked", NAME);
    if (memcmp(digest, file->data + body, sizeof digest) != 0)
        return ERR_SET(err, ERR_FORMAT, "%s is damaged: its checksum is another", NAME);
    newline = memchr(file->data, '\n', body < MOST_HEADER_BYTES ? body : MOST_HEADER_BYTES);
    if (newline == NULL)
        return ERR_SET(err, ERR_FORMAT, "%s has no header", NAME);
    rc = json_value_parse(&file->header, file->data, (size_t)(newline - file->data), err);
    if (rc != ERR_OK)
        return err_wrap(err, "header of %s", NAME);
    if (!split_parts(file, newline + 1, file->data + body))
        return ERR_SET(err, ERR_FORMAT, "the header of %s does not fit its contents", NAME);
    return ERR_OK;
}

static bool has_text(const struct json *header, const char *key, const char *expected)
{
    const char *text = json_value_get_text(header, key);

    return text != NULL && strcmp(text, expected) == 0;
}

static bool has_number(const struct json *header, const char *key, double expected)
{
    double value;

    return json_value_get_double(header, key, &value) && fabs(value - expected) <= 1e-12 * fabs(expected);
}

/* Why the factors are none to begin with; NULL: they are. */
static const char *find_misfit(const struct file *file, const char *identity, const struct als_params *params)
{
    if (!has_text(file->header, "recfleet", FORMAT))
        return "is of another version";
    if (!has_text(file->header, "identity", identity))
        return "is of another shop or CMS";
    if (!has_text(file->header, "solver", solver_names[params->solver]) || file->factors != (size_t)params->factors ||
        !has_number(file->header, "regularization", params->regularization) ||
        !has_text(file->header, "scaling", scaling_names[params->regularization_scaling]) ||
        !has_number(file->header, "alpha", params->alpha))
        return "was made with other parameters";
    return NULL;
}

/* rows x f floats, no row known */
static float *make_unknown(size_t rows, size_t factors)
{
    float *start = mem_aligned(rows * factors, sizeof *start); /* no overflow: the model will be as large */

    for (size_t row = 0; start != NULL && row < rows; row++)
        start[row * factors] = NAN;
    return start;
}

/* Both sides ascend by product id. */
static void take_products(struct warm_start *out, const struct file *file, const struct matrix *matrix)
{
    size_t bytes = file->factors * sizeof(float);
    size_t row = 0;

    for (size_t i = 0; i < file->products; i++) {
        int64_t id;

        memcpy(&id, file->product_ids + i * sizeof id, sizeof id);
        while (row < matrix->products && matrix->product_ids[row] < id)
            row++;
        if (row == matrix->products || matrix->product_ids[row] != id)
            continue;
        memcpy(out->y + row * file->factors, file->product_factors + i * bytes, bytes);
        out->known_products++;
    }
}

/* Both sides ascend bytewise by user id. */
static void take_users(struct warm_start *out, const struct file *file, const struct matrix *matrix)
{
    const char *end = file->user_ids + file->user_bytes;
    size_t bytes = file->factors * sizeof(float);
    const char *id = file->user_ids;
    size_t row = 0;

    for (size_t i = 0; i < file->users && id < end; i++) {
        const char *next = memchr(id, '\0', (size_t)(end - id));

        if (next == NULL)
            return;
        while (row < matrix->users && strcmp(matrix->user_uids[row], id) < 0)
            row++;
        if (row < matrix->users && strcmp(matrix->user_uids[row], id) == 0)
            memcpy(out->x + row * file->factors, file->user_factors + i * bytes, bytes);
        id = next + 1;
    }
}

static enum err_code take_factors(struct warm_start *out, const struct file *file, const struct matrix *matrix,
                                  struct err *err)
{
    out->y = make_unknown(matrix->products, file->factors);
    out->x = file->users > 0 ? make_unknown(matrix->users, file->factors) : NULL;
    if (out->y == NULL || (file->users > 0 && out->x == NULL)) {
        warm_start_fini(out);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the factors of the last run");
    }
    take_products(out, file, matrix);
    if (out->x != NULL)
        take_users(out, file, matrix);
    (void)snprintf(out->note, sizeof out->note, "warm start: %zu of %zu products known", out->known_products,
                   matrix->products);
    return ERR_OK;
}

enum err_code warm_start_load(struct warm_start *out, const struct blob_store *store, const char *identity,
                              const struct matrix *matrix, const struct als_params *params, struct err *err)
{
    struct file file = {0};
    char tag[TAG_BYTES];
    struct err own = {0};
    size_t size = 0;
    const char *misfit = NULL;
    enum err_code rc = store->read(store->self, NAME, &file.data, &size, tag, &own);

    *out = (struct warm_start){0};
    if (rc == ERR_OK)
        rc = parse_file(&file, size, &own);
    if (rc == ERR_OK)
        misfit = find_misfit(&file, identity, params);
    if (rc == ERR_NO_MEMORY) {
        file_fini(&file);
        return ERR_SET(err, rc, "%s", own.message);
    }
    if (rc == ERR_NOT_FOUND)
        (void)snprintf(out->note, sizeof out->note, "cold start: no earlier factors");
    else if (rc != ERR_OK)
        (void)snprintf(out->note, sizeof out->note, "cold start: %.*s", WARM_START_NOTE_BYTES - 20, own.message);
    else if (misfit != NULL)
        (void)snprintf(out->note, sizeof out->note, "cold start: %s %s", NAME, misfit);
    rc = rc == ERR_OK && misfit == NULL ? take_factors(out, &file, matrix, err) : ERR_OK;
    file_fini(&file);
    return rc;
}

void warm_start_fini(struct warm_start *start)
{
    free(start->x);
    free(start->y);
    start->x = NULL;
    start->y = NULL;
}

static char *print_header(const char *identity, const struct matrix *matrix, const struct als_params *params,
                          size_t users, size_t user_bytes)
{
    struct json *header = json_value_new_object();
    char *text = NULL;

    if (json_value_set_text(header, "recfleet", FORMAT) && json_value_set_text(header, "identity", identity) &&
        json_value_set_text(header, "solver", solver_names[params->solver]) &&
        json_value_set_int(header, "factors", params->factors) &&
        json_value_set_real(header, "regularization", params->regularization) &&
        json_value_set_text(header, "scaling", scaling_names[params->regularization_scaling]) &&
        json_value_set_real(header, "alpha", params->alpha) && json_value_set_int(header, "users", (int64_t)users) &&
        json_value_set_int(header, "products", (int64_t)matrix->products) &&
        json_value_set_int(header, "user_bytes", (int64_t)user_bytes))
        text = json_value_print(header, false, 0);
    json_value_destroy(header);
    return text;
}

static enum err_code append_digest(struct str *out, struct err *err)
{
    unsigned char digest[HASH_SHA256_BYTES];
    enum err_code rc;

    if (out->failed)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to keep the factors");
    rc = hash_sha256(out->text, out->length, digest);
    if (rc != ERR_OK)
        return ERR_SET(err, rc, "the checksum of the factors");
    str_append(out, (const char *)digest, sizeof digest);
    return out->failed ? ERR_SET(err, ERR_NO_MEMORY, "no memory to keep the factors") : ERR_OK;
}

enum err_code warm_start_save(const struct blob_store *store, const char *identity, const struct matrix *matrix,
                              const struct als_params *params, const struct als_model *model, struct err *err)
{
    size_t users = params->solver == ALS_SOLVER_CG ? matrix->users : 0;
    size_t user_bytes = 0;
    struct str out = {0};
    char *header;
    enum err_code rc;

    for (size_t user = 0; user < users; user++)
        user_bytes += strlen(matrix->user_uids[user]) + 1;
    header = print_header(identity, matrix, params, users, user_bytes);
    if (header == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to keep the factors");
    str_append_format(&out, "%s\n", header);
    free(header);
    str_append(&out, (const char *)matrix->product_ids, matrix->products * sizeof *matrix->product_ids);
    str_append(&out, (const char *)model->y, matrix->products * model->factors * sizeof *model->y);
    for (size_t user = 0; user < users; user++)
        str_append(&out, matrix->user_uids[user], strlen(matrix->user_uids[user]) + 1);
    if (users > 0)
        str_append(&out, (const char *)model->x, users * model->factors * sizeof *model->x);
    rc = append_digest(&out, err);
    if (rc == ERR_OK)
        rc = store->write(store->self, NAME, out.text, out.length, NULL, err);
    str_fini(&out);
    return rc;
}

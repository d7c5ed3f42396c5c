#include "worker/pipeline/dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/pipeline/dump_file.h"

enum { FOLDER_MODE = 0777, NUMBER_BYTES = 32 };

static enum err_code make_folder(const char *path, struct err *err)
{
    if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST)
        return ERR_SET(err, ERR_IO, "make folder %s: %s", path, strerror(errno));
    return ERR_OK;
}

enum err_code dump_prepare(const char *dir, struct err *err)
{
    char *path = strdup(dir);
    enum err_code rc = ERR_OK;
    struct stat status;

    if (path == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the path %s", dir);
    for (char *slash = strchr(path + (path[0] == '/'), '/'); slash != NULL && rc == ERR_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        rc = make_folder(path, err);
        *slash = '/';
    }
    if (rc == ERR_OK)
        rc = make_folder(path, err);
    if (rc == ERR_OK && (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)))
        rc = ERR_SET(err, ERR_IO, "%s is not a folder", dir);
    if (rc == ERR_OK && access(path, W_OK | X_OK) != 0)
        rc = ERR_SET(err, ERR_IO, "folder %s: %s", dir, strerror(errno));
    free(path);
    return rc;
}

enum err_code dump_json(const char *dir, const char *name, const struct json *value, struct err *err)
{
    struct dump_file output;
    enum err_code rc = dump_file_open(&output, dir, name, err);
    char *text;

    if (rc != ERR_OK)
        return dump_file_close(&output, rc, err);
    text = json_value_print(value, false, 1);
    if (text == NULL)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory to write %s", output.path);
    else
        (void)fprintf(output.file, "%s\n", text);
    free(text);
    return dump_file_close(&output, rc, err);
}

/* Quoted as RFC 4180 says where that is needed. */
static void write_field(FILE *file, const char *text)
{
    if (text[strcspn(text, ",\"\r\n")] == '\0') {
        (void)fputs(text, file);
        return;
    }
    (void)fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            (void)fputc('"', file);
        (void)fputc(*text, file);
    }
    (void)fputc('"', file);
}

/* Entries by product, then user: what csr_transpose gives, but with the places of the values. */
struct by_product {
    size_t *starts;  /* products + 1 */
    size_t *entries; /* places in raw and bm25 */
    uint32_t *users;
};

static void by_product_fini(struct by_product *by)
{
    free(by->starts);
    free(by->entries);
    free(by->users);
}

static enum err_code by_product_init(struct by_product *by, const struct matrix *matrix, struct err *err)
{
    size_t *next = mem_zeroed(matrix->products + 1, sizeof *next);

    by->starts = mem_zeroed(matrix->products + 1, sizeof *by->starts);
    by->entries = mem_zeroed(matrix->pairs, sizeof *by->entries);
    by->users = mem_zeroed(matrix->pairs, sizeof *by->users);
    if (next == NULL || by->starts == NULL || by->entries == NULL || by->users == NULL) {
        free(next);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to write a matrix of %zu values", matrix->pairs);
    }
    for (size_t i = 0; i < matrix->pairs; i++)
        by->starts[matrix->values.columns[i] + 1]++;
    for (size_t product = 0; product < matrix->products; product++)
        by->starts[product + 1] += by->starts[product];
    memcpy(next, by->starts, (matrix->products + 1) * sizeof *next);
    for (size_t user = 0; user < matrix->users; user++) {
        for (int64_t i = matrix->values.offsets[user]; i < matrix->values.offsets[user + 1]; i++) {
            size_t place = next[matrix->values.columns[i]]++;

            by->entries[place] = (size_t)i;
            by->users[place] = (uint32_t)user;
        }
    }
    free(next);
    return ERR_OK;
}

static void write_matrix(FILE *file, const struct matrix *matrix, const struct by_product *by)
{
    (void)fputs("product_id,user_uid,value,bm25\n", file);
    for (size_t product = 0; product < matrix->products; product++) {
        for (size_t i = by->starts[product]; i < by->starts[product + 1]; i++) {
            (void)fprintf(file, "%lld,", (long long)matrix->product_ids[product]);
            write_field(file, matrix->user_uids[by->users[i]]);
            (void)fprintf(file, ",%.9g,%.9g\n", matrix->raw[by->entries[i]], matrix->bm25[by->entries[i]]);
        }
    }
}

enum err_code dump_matrix(const char *dir, const struct matrix *matrix, struct err *err)
{
    struct by_product by = {0};
    struct dump_file output;
    enum err_code rc = dump_file_open(&output, dir, "matrix.csv", err);

    if (rc == ERR_OK)
        rc = by_product_init(&by, matrix, err);
    if (rc == ERR_OK)
        write_matrix(output.file, matrix, &by);
    by_product_fini(&by);
    return dump_file_close(&output, rc, err);
}

/* The double nearest to its nine digits, so that a JSON writer of more digits shows just these. */
static double nine_digits(double value)
{
    char text[NUMBER_BYTES];

    (void)snprintf(text, sizeof text, "%.9g", value);
    return strtod(text, NULL);
}

static struct json *als_document(const struct matrix *matrix, const struct als_params *params, const double *loss,
                                 size_t iterations)
{
    struct json *document = json_value_new_object();
    struct json *setting = json_value_new_object();
    struct json *losses = json_value_new_array();
    bool good = document != NULL && setting != NULL && losses != NULL &&
                json_value_set_int(setting, "factors", params->factors) &&
                json_value_set_real(setting, "regularization", params->regularization) &&
                (params->regularization_scaling == ALS_SCALING_NONE ||
                 json_value_set_text(setting, "regularization_scaling", "frequency")) &&
                (!params->acceleration || json_value_set_text(setting, "acceleration", "on")) &&
                json_value_set_real(setting, "alpha", params->alpha) &&
                json_value_set_int(setting, "iterations", params->iterations);

    for (size_t i = 0; good && i < iterations; i++)
        good = json_value_append(losses, json_value_new_real(nine_digits(loss[i])));
    if (!good) {
        json_value_destroy(setting);
        json_value_destroy(losses);
        json_value_destroy(document);
        return NULL;
    }
    good = json_value_set(document, "setting", setting);
    good = json_value_set_int(document, "random_state", (int64_t)params->seed) && good;
    good = json_value_set_int(document, "users", (int64_t)matrix->users) && good;
    good = json_value_set_int(document, "products", (int64_t)matrix->products) && good;
    good = json_value_set_int(document, "pairs", (int64_t)matrix->pairs) && good;
    good = json_value_set(document, "loss_per_iteration", losses) && good;
    if (!good) {
        json_value_destroy(document);
        return NULL;
    }
    return document;
}

enum err_code dump_als(const char *dir, const struct matrix *matrix, const struct als_params *params,
                       const double *loss, size_t iterations, struct err *err)
{
    struct json *document = als_document(matrix, params, loss, iterations);
    enum err_code rc;

    if (document == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to write %s/als.json", dir);
    rc = dump_json(dir, "als.json", document, err);
    json_value_destroy(document);
    return rc;
}

static enum err_code dump_top_overall(const char *dir, const struct matrix *matrix,
                                      const struct recommendations *recommendations, struct err *err)
{
    struct dump_file output;
    enum err_code rc = dump_file_open(&output, dir, "top_overall.json", err);

    if (rc != ERR_OK)
        return dump_file_close(&output, rc, err);
    (void)fputs("[", output.file);
    for (size_t i = 0; i < recommendations->top_overall_count; i++)
        (void)fprintf(output.file, "%s\n [%lld, %.9g]", i > 0 ? "," : "",
                      (long long)matrix->product_ids[recommendations->top_overall[i]],
                      recommendations->top_overall_sums[i]);
    (void)fputs("\n]\n", output.file);
    return dump_file_close(&output, rc, err);
}

static void write_list(FILE *file, const struct matrix *matrix, const struct als_lists *lists, size_t row)
{
    for (int32_t i = 0; i < lists->counts[row]; i++) {
        size_t place = row * lists->n + (size_t)i;

        (void)fprintf(file, "%s%lld:%.5g", i > 0 ? " " : "", (long long)matrix->product_ids[lists->items[place]],
                      (double)lists->scores[place]);
    }
    (void)fputc('\n', file);
}

static enum err_code dump_lists(const char *dir, const struct matrix *matrix, const struct als_lists *lists,
                                struct err *err)
{
    struct dump_file output;
    enum err_code rc = dump_file_open(&output, dir, "lists.csv", err);

    if (rc != ERR_OK)
        return dump_file_close(&output, rc, err);
    (void)fputs("user_uid,recommended\n", output.file);
    for (size_t user = 0; user < matrix->users; user++) {
        write_field(output.file, matrix->user_uids[user]);
        (void)fputc(',', output.file);
        write_list(output.file, matrix, lists, user);
    }
    return dump_file_close(&output, rc, err);
}

static enum err_code dump_similar(const char *dir, const struct matrix *matrix, const struct als_lists *lists,
                                  struct err *err)
{
    struct dump_file output;
    enum err_code rc = dump_file_open(&output, dir, "similar.csv", err);

    if (rc != ERR_OK)
        return dump_file_close(&output, rc, err);
    (void)fputs("product_id,similar\n", output.file);
    for (size_t product = 0; product < matrix->products; product++) {
        (void)fprintf(output.file, "%lld,", (long long)matrix->product_ids[product]);
        write_list(output.file, matrix, lists, product);
    }
    return dump_file_close(&output, rc, err);
}

enum err_code dump_recommendations(const char *dir, const struct matrix *matrix,
                                   const struct recommendations *recommendations, struct err *err)
{
    enum err_code rc = dump_top_overall(dir, matrix, recommendations, err);

    if (rc == ERR_OK)
        rc = dump_lists(dir, matrix, &recommendations->users, err);
    return rc == ERR_OK ? dump_similar(dir, matrix, &recommendations->similar, err) : rc;
}

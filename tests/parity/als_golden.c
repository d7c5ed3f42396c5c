#include "als_golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"

struct input {
    FILE *file;
    bool is_pipe;
};

struct entry {
    int64_t product;
    char uid[ALS_GOLDEN_UID_BYTES];
    float value;
};

typedef void (*line_fn)(void *context, char *line);

const char *als_golden_root(void)
{
    const char *root = getenv("RECFLEET_SHARED");

    if (root == NULL) {
        print_message("skipped: RECFLEET_SHARED is not set, so there is no golden data\n");
        skip();
    }
    return root;
}

static struct input open_input(const char *folder, const char *name)
{
    struct input input = {0};
    char path[512];
    char command[600];

    (void)snprintf(path, sizeof path, "%s/golden/%s/%s", als_golden_root(), folder, name);
    input.is_pipe = access(path, R_OK) != 0;
    if (input.is_pipe) {
        (void)snprintf(command, sizeof command, "xz -dc '%s.xz'", path);
        input.file = popen(command, "r");
    } else {
        input.file = fopen(path, "r");
    }
    if (input.file == NULL)
        fail_msg("cannot read %s", path);
    return input;
}

/* Every line but the first `skipped`, without its end. */
static void read_lines(const char *folder, const char *name, size_t skipped, line_fn on_line, void *context)
{
    struct input input = open_input(folder, name);
    char *line = NULL;
    size_t capacity = 0;
    size_t count = 0;
    ssize_t length;

    while ((length = getline(&line, &capacity, input.file)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        if (count++ >= skipped)
            on_line(context, line);
    }
    free(line);
    assert_int_equal(input.is_pipe ? pclose(input.file) : fclose(input.file), 0);
    assert_true(count > skipped);
}

struct entries {
    struct entry *list;
    size_t count;
    size_t capacity;
};

/* product_id,user_uid,value,bm25 */
static void on_entry(void *context, char *line)
{
    struct entries *entries = context;
    struct entry *entry;
    long long product;
    char uid[ALS_GOLDEN_UID_BYTES];
    double bm25;

    assert_int_equal(sscanf(line, "%lld,%63[^,],%*[^,],%lf", &product, uid, &bm25), 3);
    assert_int_equal(mem_grow(&entries->list, &entries->capacity, entries->count + 1, sizeof *entry, NULL), ERR_OK);
    entry = &entries->list[entries->count++];
    entry->product = product;
    memcpy(entry->uid, uid, sizeof uid);
    entry->value = (float)bm25;
}

static int compare_uids(const void *left, const void *right)
{
    return strcmp(left, right);
}

static int compare_ids(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static void name_users(struct als_golden *golden, const struct entries *entries)
{
    golden->uids = mem_zeroed(entries->count, sizeof *golden->uids);
    assert_non_null(golden->uids);
    for (size_t i = 0; i < entries->count; i++)
        memcpy(golden->uids[i], entries->list[i].uid, sizeof golden->uids[i]);
    qsort(golden->uids, entries->count, sizeof *golden->uids, compare_uids);
    for (size_t i = 0; i < entries->count; i++) {
        if (golden->users == 0 || strcmp(golden->uids[golden->users - 1], golden->uids[i]) != 0)
            memmove(golden->uids[golden->users++], golden->uids[i], sizeof *golden->uids);
    }
}

/* The file is by product, then user. */
static void fill_matrix(struct als_golden *golden, const struct entries *entries)
{
    struct csr by_item;

    golden->product_ids = mem_zeroed(entries->count, sizeof *golden->product_ids);
    assert_non_null(golden->product_ids);
    for (size_t i = 0; i < entries->count; i++) {
        if (i == 0 || entries->list[i - 1].product != entries->list[i].product)
            golden->product_ids[golden->items++] = entries->list[i].product;
    }
    assert_int_equal(csr_init(&by_item, golden->items, golden->users, entries->count, NULL), ERR_OK);
    for (size_t i = 0, item = 0; i < entries->count; i++) {
        const char(*user)[ALS_GOLDEN_UID_BYTES] =
            bsearch(entries->list[i].uid, golden->uids, golden->users, sizeof *golden->uids, compare_uids);

        if (i > 0 && entries->list[i - 1].product != entries->list[i].product)
            item++;
        by_item.columns[i] = (int32_t)(user - (const char(*)[ALS_GOLDEN_UID_BYTES])golden->uids);
        by_item.values[i] = entries->list[i].value;
        by_item.offsets[item + 1] = (int64_t)i + 1;
    }
    assert_int_equal(csr_transpose(&golden->values, &by_item, NULL), ERR_OK);
    csr_fini(&by_item);
}

static int32_t item_of(const struct als_golden *golden, int64_t product)
{
    const int64_t *found =
        bsearch(&product, golden->product_ids, golden->items, sizeof *golden->product_ids, compare_ids);

    return found != NULL ? (int32_t)(found - golden->product_ids) : -1;
}

/* {"id":1,"stock":55,"status":"Draft","title":…}: by id; a negative stock counts as available */
static void on_product(void *context, char *line)
{
    struct als_golden *golden = context;
    long long id;
    long stock;
    char status[32];
    int32_t item;

    if (sscanf(line, "{\"id\":%lld,\"stock\":%ld,\"status\":\"%31[^\"]\"", &id, &stock, status) != 3)
        return; /* the brackets of the list */
    item = item_of(golden, id);
    if (item >= 0 && stock != 0 && strcmp(status, "Published") == 0)
        golden->candidates[golden->candidate_count++] = item;
}

void als_golden_init(struct als_golden *golden, const char *variant)
{
    struct entries entries = {0};
    char shop[64];

    *golden = (struct als_golden){.variant = variant};
    read_lines(variant, "matrix.csv", 1, on_entry, &entries);
    name_users(golden, &entries);
    fill_matrix(golden, &entries);
    free(entries.list);
    golden->candidates = mem_zeroed(golden->items, sizeof *golden->candidates);
    assert_non_null(golden->candidates);
    assert_int_equal(sscanf(variant, "%63[^/]", shop), 1);
    read_lines(shop, "products.json", 0, on_product, golden);
    assert_true(golden->candidate_count > golden->items / 2);
}

void als_golden_fini(struct als_golden *golden)
{
    csr_fini(&golden->values);
    free(golden->uids);
    free(golden->product_ids);
    free(golden->candidates);
    memset(golden, 0, sizeof *golden);
}

struct losses {
    double *list;
    size_t count;
    size_t found;
    bool inside;
};

static void on_loss_line(void *context, char *line)
{
    struct losses *losses = context;
    double value;

    if (strstr(line, "\"loss_per_iteration\"") != NULL)
        losses->inside = true;
    else if (losses->inside && strchr(line, ']') != NULL)
        losses->inside = false;
    else if (losses->inside && losses->found < losses->count && sscanf(line, " %lf", &value) == 1)
        losses->list[losses->found++] = value;
}

void als_golden_losses(const struct als_golden *golden, const char *file, double *losses, size_t count)
{
    struct losses state = {.list = losses, .count = count};

    read_lines(golden->variant, file, 0, on_loss_line, &state);
    assert_int_equal(state.found, count);
}

struct overlap {
    const struct als_golden *golden;
    const struct als_lists *lists;
    bool of_products; /* rows are named by product id, not by uid */
    double sum;
    size_t rows;
};

static bool list_has(const struct als_lists *lists, size_t row, int32_t item)
{
    for (int32_t i = 0; i < lists->counts[row]; i++) {
        if (lists->items[row * lists->n + (size_t)i] == item)
            return true;
    }
    return false;
}

static size_t row_of(const struct overlap *overlap, const char *key)
{
    const struct als_golden *golden = overlap->golden;
    const char(*user)[ALS_GOLDEN_UID_BYTES];
    int32_t item;

    if (overlap->of_products) {
        item = item_of(golden, strtoll(key, NULL, 10));
        assert_true(item >= 0);
        return (size_t)item;
    }
    user = bsearch(key, golden->uids, golden->users, sizeof *golden->uids, compare_uids);
    assert_non_null(user);
    return (size_t)(user - (const char(*)[ALS_GOLDEN_UID_BYTES])golden->uids);
}

/* KEY,id:score id:score … or KEY,id id … */
static void on_list(void *context, char *line)
{
    struct overlap *overlap = context;
    char *comma = strchr(line, ',');
    char *rest = NULL;
    size_t row;
    size_t listed = 0;
    size_t hits = 0;

    assert_non_null(comma);
    *comma = '\0';
    row = row_of(overlap, line);
    for (char *word = strtok_r(comma + 1, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        listed++;
        hits += list_has(overlap->lists, row, item_of(overlap->golden, strtoll(word, NULL, 10)));
    }
    if (listed > 0) {
        overlap->sum += (double)hits / (double)listed;
        overlap->rows++;
    }
}

double als_golden_overlap(const struct als_golden *golden, const char *file, const struct als_lists *lists)
{
    struct overlap overlap = {.golden = golden, .lists = lists};

    read_lines(golden->variant, file, 1, on_list, &overlap);
    assert_int_equal(overlap.rows, golden->users);
    return overlap.sum / (double)overlap.rows;
}

double als_golden_similar_overlap(const struct als_golden *golden, const char *file, const struct als_lists *lists)
{
    struct overlap overlap = {.golden = golden, .lists = lists, .of_products = true};

    read_lines(golden->variant, file, 1, on_list, &overlap);
    assert_true(overlap.rows > 0);
    return overlap.sum / (double)overlap.rows;
}

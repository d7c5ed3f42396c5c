/* The cache's table: what is read is written so that it is read again as it was. */
#include <string.h>

#include "tests/fuzz/fuzz_support.h"
#include "worker/pipeline/cache_csv.h"

static void check_same(const struct interactions *a, const struct interactions *b)
{
    FUZZ_CHECK(a->count == b->count);
    for (size_t row = 0; row < a->count; row++) {
        FUZZ_CHECK(a->activity_id[row] == b->activity_id[row] && a->created[row] == b->created[row]);
        FUZZ_CHECK(a->product_id[row] == b->product_id[row] && a->action[row] == b->action[row]);
        FUZZ_CHECK(strcmp(id_table_text(a->users, a->user[row]), id_table_text(b->users, b->user[row])) == 0);
    }
}

static void check_written(const struct interactions *rows)
{
    struct interactions again;
    struct str text = {0};
    struct err err;

    FUZZ_CHECK(interactions_init(&again, &err) == ERR_OK);
    FUZZ_CHECK(cache_csv_write(&text, rows, NULL, &err) == ERR_OK);
    FUZZ_CHECK(cache_csv_read(&again, text.text, text.length, &err) == ERR_OK);
    check_same(rows, &again);
    str_fini(&text);
    interactions_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct interactions rows;
    struct err err = {0};
    enum err_code rc;

    FUZZ_CHECK(interactions_init(&rows, &err) == ERR_OK);
    rc = cache_csv_read(&rows, (const char *)data, size, &err);
    FUZZ_CHECK(rc == ERR_OK || (rc == ERR_FORMAT && err.message[0] != '\0'));
    if (rc == ERR_OK)
        check_written(&rows);
    interactions_fini(&rows);
    return 0;
}

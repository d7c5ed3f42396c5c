#include "worker/pipeline/matrix_places.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum err_code matrix_places_of_users(int32_t **places, const struct matrix *matrix, const struct id_table *users,
                                     struct err *err)
{
    size_t count = id_table_count(users);

    *places = mem_zeroed(count, sizeof **places);
    if (*places == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu users", count);
    for (size_t i = 0; i < count; i++)
        (*places)[i] = -1;
    for (size_t row = 0; row < matrix->users; row++) {
        uint32_t id;

        if (id_table_find(users, matrix->user_uids[row], strlen(matrix->user_uids[row]), &id))
            (*places)[id] = (int32_t)row;
    }
    return ERR_OK;
}

static int compare_ids(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

int32_t matrix_place_of_product(const struct matrix *matrix, int64_t product_id)
{
    const int64_t *found =
        bsearch(&product_id, matrix->product_ids, matrix->products, sizeof *matrix->product_ids, compare_ids);

    return found != NULL ? (int32_t)(found - matrix->product_ids) : -1;
}

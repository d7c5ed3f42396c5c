#include "worker/pipeline/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

void catalogue_init(struct catalogue *catalogue)
{
    *catalogue = (struct catalogue){0};
}

void catalogue_fini(struct catalogue *catalogue)
{
    for (size_t i = 0; i < catalogue->count; i++)
        free(catalogue->products[i].title);
    free(catalogue->products);
    *catalogue = (struct catalogue){0};
}

enum err_code catalogue_add(struct catalogue *catalogue, int64_t id, int64_t stock, bool published, const char *title,
                            struct err *err)
{
    enum err_code rc =
        mem_grow(&catalogue->products, &catalogue->capacity, catalogue->count + 1, sizeof *catalogue->products, err);
    char *copy;

    if (rc != ERR_OK)
        return rc;
    copy = strdup(title != NULL ? title : "");
    if (copy == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the title of product %lld", (long long)id);
    catalogue->products[catalogue->count++] =
        (struct product){.id = id, .stock = stock, .published = published, .title = copy};
    return ERR_OK;
}

/* qsort is not stable: the place in the input decides between equal ids. */
struct placed_product {
    struct product product;
    size_t place;
};

static int compare_placed(const void *left, const void *right)
{
    const struct placed_product *a = left;
    const struct placed_product *b = right;

    if (a->product.id != b->product.id)
        return a->product.id < b->product.id ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

enum err_code catalogue_sort(struct catalogue *catalogue, struct err *err)
{
    struct placed_product *placed = mem_zeroed(catalogue->count, sizeof *placed);
    size_t kept = 0;

    if (placed == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to sort %zu products", catalogue->count);
    for (size_t i = 0; i < catalogue->count; i++)
        placed[i] = (struct placed_product){.product = catalogue->products[i], .place = i};
    qsort(placed, catalogue->count, sizeof *placed, compare_placed);
    for (size_t i = 0; i < catalogue->count; i++) {
        if (kept > 0 && catalogue->products[kept - 1].id == placed[i].product.id)
            free(placed[i].product.title);
        else
            catalogue->products[kept++] = placed[i].product;
    }
    catalogue->count = kept;
    free(placed);
    return ERR_OK;
}

const struct product *catalogue_find(const struct catalogue *catalogue, int64_t id)
{
    size_t low = 0;
    size_t high = catalogue->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (catalogue->products[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < catalogue->count && catalogue->products[low].id == id ? &catalogue->products[low] : NULL;
}

bool product_is_recommendable(const struct product *product)
{
    return product != NULL && product->published && product->stock > 0;
}

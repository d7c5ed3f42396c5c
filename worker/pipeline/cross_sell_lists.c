#include "worker/pipeline/cross_sell_lists.h"

#include <stdlib.h>

#include "common/base/mem.h"

enum err_code cross_sell_lists_init(struct cross_sell_lists *lists, size_t list_size, struct err *err)
{
    *lists = (struct cross_sell_lists){.list_size = list_size};
    return list_size > 0 ? ERR_OK : ERR_SET(err, ERR_ARGUMENT, "lists of no products were asked for");
}

void cross_sell_lists_fini(struct cross_sell_lists *lists)
{
    free(lists->lists);
    free(lists->items);
    *lists = (struct cross_sell_lists){.list_size = lists->list_size};
}

/* Puts a product where it belongs among the best; what falls off the end is forgotten. Products come by id, so that an
 * equal weight goes behind. */
static void insert(struct cross_sell_list *list, struct cross_sell_item *items, size_t list_size,
                   const struct cross_sell_item *item)
{
    size_t place = list->length < list_size ? list->length++ : list_size - 1;

    for (; place > 0 && items[place - 1].weight < item->weight; place--)
        items[place] = items[place - 1];
    items[place] = *item;
}

enum err_code cross_sell_lists_add(struct cross_sell_lists *lists, const struct cross_sell_row *row,
                                   const struct cross_sell_list_params *params, const struct catalogue *catalogue,
                                   struct err *err)
{
    size_t list_size = lists->list_size;
    struct cross_sell_list *list;
    struct cross_sell_item *items;
    enum err_code rc = mem_grow(&lists->lists, &lists->lists_capacity, lists->count + 1, sizeof *lists->lists, err);

    if (rc == ERR_OK)
        rc = mem_grow(&lists->items, &lists->items_capacity, (lists->count + 1) * list_size, sizeof *lists->items, err);
    if (rc != ERR_OK)
        return rc;
    list = &lists->lists[lists->count];
    items = &lists->items[lists->count * list_size];
    *list = (struct cross_sell_list){.product_id = row->product_id};
    for (size_t i = 0; i < row->count; i++) {
        struct cross_sell_item item = {row->product_ids[row->right[i]], row->weights[row->right[i]]};
        bool may_enter = list->length < list_size || item.weight > items[list_size - 1].weight;

        if (item.weight > params->minimum_weight && may_enter && item.product_id != row->product_id &&
            product_is_recommendable(catalogue_find(catalogue, item.product_id)))
            insert(list, items, list_size, &item);
    }
    lists->count++;
    return ERR_OK;
}

struct cross_sell_list_counts cross_sell_lists_count(const struct cross_sell_lists *lists)
{
    struct cross_sell_list_counts counts = {.lists = lists->count};

    for (size_t i = 0; i < lists->count; i++) {
        counts.empty += lists->lists[i].length == 0;
        counts.full += lists->lists[i].length == lists->list_size;
        counts.items += lists->lists[i].length;
    }
    return counts;
}

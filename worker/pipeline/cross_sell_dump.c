#include "worker/pipeline/cross_sell_dump.h"

#include <stdio.h>

enum err_code cross_sell_dump_open(struct cross_sell_dump *dump, const char *dir, struct err *err)
{
    enum err_code rc;

    *dump = (struct cross_sell_dump){0};
    rc = dump_file_open(&dump->rows, dir, "cross_sell_rows.csv", err);
    if (rc == ERR_OK)
        rc = dump_file_open(&dump->weights, dir, "cross_sell_weights.csv", err);
    if (rc == ERR_OK) {
        (void)fputs("product_id,pairs,self_weight,sum_weight,max_weight_other\n", dump->rows.file);
        (void)fputs("product_id,other_product_id,weight\n", dump->weights.file);
    }
    return rc;
}

void cross_sell_dump_add(struct cross_sell_dump *dump, const struct cross_sell_row *row)
{
    double self = 0;
    double sum = 0;
    double most = 0;

    for (size_t i = 0; i < row->count; i++) {
        int64_t other = row->product_ids[row->right[i]];
        double weight = row->weights[row->right[i]];

        sum += weight;
        if (other == row->product_id)
            self = weight;
        else if (weight > most)
            most = weight;
        (void)fprintf(dump->weights.file, "%lld,%lld,%.9g\n", (long long)row->product_id, (long long)other, weight);
    }
    (void)fprintf(dump->rows.file, "%lld,%zu,%.9g,%.9g,%.9g\n", (long long)row->product_id, row->count, self, sum,
                  most);
}

enum err_code cross_sell_dump_close(struct cross_sell_dump *dump, enum err_code rc, struct err *err)
{
    rc = dump_file_close(&dump->rows, rc, err);
    return dump_file_close(&dump->weights, rc, err);
}

enum err_code cross_sell_dump_lists(const char *dir, const struct cross_sell_lists *lists, struct err *err)
{
    struct dump_file file;
    enum err_code rc = dump_file_open(&file, dir, "cross_sell_lists.csv", err);

    if (rc != ERR_OK)
        return dump_file_close(&file, rc, err);
    (void)fputs("product_id,recommended\n", file.file);
    for (size_t i = 0; i < lists->count; i++) {
        (void)fprintf(file.file, "%lld,", (long long)lists->lists[i].product_id);
        for (size_t k = 0; k < lists->lists[i].length; k++) {
            const struct cross_sell_item *item = &lists->items[i * lists->list_size + k];

            (void)fprintf(file.file, "%s%lld:%.9g", k > 0 ? " " : "", (long long)item->product_id, item->weight);
        }
        (void)fputc('\n', file.file);
    }
    return dump_file_close(&file, rc, err);
}

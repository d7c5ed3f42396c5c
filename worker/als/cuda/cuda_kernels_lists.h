/*
 * The other half of cuda_kernels.h: sums over all entries, and lists. Include that.
 */
#ifndef WORKER_ALS_CUDA_CUDA_KERNELS_LISTS_H
#define WORKER_ALS_CUDA_CUDA_KERNELS_LISTS_H

/* partial[CUDA_LOSS_PARTS]: what the entries add to sum (x.y)^2, c (p - s)^2 - s^2 with s = x.y; in parts, always the
 * same rows in each. */
enum { CUDA_LOSS_PARTS = 256 };
struct cuda_loss_args {
    struct cuda_rows rows;
    int row_count;
    const float *x;
    const float *y;
    double *partial;
};
cudaError_t cuda_loss_sum_entries(const struct cuda_loss_args *args, cudaStream_t stream);

/* Offers a tile of scores (count rows x columns, `stride` apart) to the lists of its rows. */
struct cuda_top_args {
    const float *scores;
    size_t stride;
    int count;
    int columns;
    int first_row;                /* of the tile */
    const int32_t *items;         /* columns: the item of each */
    const float *scale;           /* count: what a row's scores are multiplied by, 0: no list; NULL: 1 */
    const int64_t *known_offsets; /* of all rows; NULL: none */
    const int32_t *known_columns; /* ascending in a row */
    int skips_itself;             /* item i is no answer for row i */
    float floor;
    int n;
    float *list_scores;  /* count x n: heaps, the worst on top */
    int32_t *list_items; /* count x n */
    int32_t *list_counts;
};
cudaError_t cuda_top_offer(const struct cuda_top_args *args, cudaStream_t stream);
/* The heaps become lists, best first. */
cudaError_t cuda_top_sort(const struct cuda_top_args *args, cudaStream_t stream);

#endif

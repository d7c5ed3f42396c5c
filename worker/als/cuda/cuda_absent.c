#include "worker/als/cuda/cuda_backend.h"

#include <stddef.h>

const struct als_backend *const cuda_backend = NULL;

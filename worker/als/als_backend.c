#include "worker/als/als_backend.h"

#include "worker/als/cpu/cpu_backend.h"
#include "worker/als/cuda/cuda_backend.h"

const struct als_backend *als_backend_find(enum als_backend_kind kind)
{
    switch (kind) {
    case ALS_BACKEND_AUTO:
        return cuda_backend != NULL && cuda_backend->probe(NULL) == ERR_OK ? cuda_backend : &cpu_backend;
    case ALS_BACKEND_CPU:
        return &cpu_backend;
    case ALS_BACKEND_CUDA:
        return cuda_backend;
    default:
        return NULL;
    }
}

#include "worker/als/als_backend.h"

#include "worker/als/cpu/cpu_backend.h"

const struct als_backend *als_backend_find(enum als_backend_kind kind)
{
    switch (kind) {
    case ALS_BACKEND_AUTO:
    case ALS_BACKEND_CPU:
        return &cpu_backend;
    case ALS_BACKEND_CUDA:
    default:
        return NULL;
    }
}

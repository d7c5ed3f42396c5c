recfleet_test(NAME test_als_pcg64 SOURCES test_als_pcg64.c LIBS recfleet_als)
recfleet_test(NAME test_als_parts SOURCES test_als_parts.c als_reference.c LIBS recfleet_als recfleet_als_cpu)
recfleet_test(NAME test_als_kernels SOURCES test_als_kernels.c als_reference.c LIBS recfleet_als recfleet_als_cpu)
recfleet_test(NAME test_als_rows SOURCES test_als_rows.c als_reference.c LIBS recfleet_als recfleet_als_cpu)
foreach(part IN ITEMS train top memory)
  recfleet_test(NAME test_als_${part} SOURCES test_als_${part}.c als_reference.c LIBS recfleet_als)
endforeach()
target_link_options(test_als_memory PRIVATE
  -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=aligned_alloc -Wl,--wrap=free)

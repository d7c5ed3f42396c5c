foreach(module IN ITEMS search_grid holdout)
  recfleet_test(NAME test_${module} SOURCES test_${module}.c LIBS recfleet_pipeline)
endforeach()
recfleet_test(NAME test_search_job SOURCES test_search_job.c fake_shop.c LIBS recfleet_pipeline)
recfleet_test(NAME test_job_setup_search SOURCES test_job_setup_search.c LIBS recfleet_worker_settings)
recfleet_test(NAME test_search_memory SOURCES test_search_memory.c fake_shop.c LIBS recfleet_pipeline)
target_link_options(test_search_memory PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=strdup)

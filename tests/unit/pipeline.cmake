foreach(module IN ITEMS id_table interactions catalogue clean)
  recfleet_test(NAME test_${module} SOURCES test_${module}.c LIBS recfleet_pipeline_data)
endforeach()
foreach(module IN ITEMS outliers weigh matrix recommend dump report homepage_job pipeline_memory)
  recfleet_test(NAME test_${module} SOURCES test_${module}.c LIBS recfleet_pipeline)
endforeach()
target_link_options(test_pipeline_memory PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=strdup)

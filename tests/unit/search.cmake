foreach(module IN ITEMS search_grid holdout)
  recfleet_test(NAME test_${module} SOURCES test_${module}.c LIBS recfleet_pipeline)
endforeach()
recfleet_test(NAME test_search_job SOURCES test_search_job.c fake_shop.c LIBS recfleet_pipeline)

recfleet_test(NAME test_shop_time SOURCES test_shop_time.c LIBS recfleet_pipeline)
recfleet_test(NAME test_warehouse_job SOURCES test_warehouse_job.c fake_shop.c LIBS recfleet_pipeline)
target_link_options(test_warehouse_job PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=strdup)

recfleet_test(NAME test_cross_sell SOURCES test_cross_sell.c LIBS recfleet_pipeline)
recfleet_test(NAME test_cross_sell_job SOURCES test_cross_sell_job.c fake_shop.c LIBS recfleet_pipeline)
recfleet_test(NAME test_cross_sell_memory SOURCES test_cross_sell_memory.c LIBS recfleet_pipeline)
target_link_options(test_cross_sell_memory PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=strdup)

recfleet_test(NAME test_page_overlap SOURCES test_page_overlap.c LIBS recfleet_cms)
recfleet_test(NAME test_cache_csv SOURCES test_cache_csv.c LIBS recfleet_fetch)
recfleet_test(NAME test_cache SOURCES test_cache.c memory_store.c LIBS recfleet_fetch)
recfleet_test(NAME test_warm_start SOURCES test_warm_start.c memory_store.c LIBS recfleet_pipeline)
recfleet_test(NAME test_blob_folder SOURCES test_blob_folder.c LIBS recfleet_blob)
recfleet_test(NAME test_fetch SOURCES test_fetch.c fake_shop.c memory_store.c LIBS recfleet_fetch)
recfleet_test(NAME test_connect_memory SOURCES test_connect_memory.c fake_shop.c memory_store.c
  LIBS recfleet_fetch recfleet_cms recfleet_folder recfleet_http recfleet_blob recfleet_failing_memory)

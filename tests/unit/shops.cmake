recfleet_test(NAME test_file_text SOURCES test_file_text.c LIBS recfleet_base)
recfleet_test(NAME test_job_routes SOURCES test_job_routes.c LIBS recfleet_job_settings)
recfleet_test(NAME test_job_shops SOURCES test_job_shops.c LIBS recfleet_job_settings)
recfleet_test(NAME test_shops_memory SOURCES test_shops_memory.c LIBS recfleet_worker_settings)
target_link_options(test_shops_memory PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=strndup)
recfleet_test(NAME test_http_query SOURCES test_http_query.c LIBS recfleet_gateway_http)

recfleet_test(NAME test_client_address SOURCES test_client_address.c LIBS recfleet_gateway_lib)
recfleet_test(NAME test_metrics SOURCES test_metrics.c LIBS recfleet_metrics recfleet_metrics_text)
target_link_options(test_metrics PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)

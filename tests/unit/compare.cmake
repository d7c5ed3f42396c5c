recfleet_test(NAME test_report_compare SOURCES test_report_compare.c LIBS recfleet_gateway_lib recfleet_cli_lib)
target_link_options(test_report_compare PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup)

recfleet_test(NAME test_control_memory SOURCES test_control_memory.c LIBS recfleet_gateway_lib)
target_link_options(test_control_memory PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)

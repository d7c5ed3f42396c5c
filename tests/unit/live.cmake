recfleet_test(NAME test_event_text SOURCES test_event_text.c LIBS recfleet_gateway_lib)
recfleet_test(NAME test_live_memory SOURCES test_live_memory.c LIBS recfleet_gateway_lib)
target_link_options(test_live_memory PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)

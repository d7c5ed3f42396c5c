recfleet_test(NAME test_cli_arguments SOURCES test_cli_arguments.c LIBS recfleet_cli_lib)
recfleet_test(NAME test_cli_events SOURCES test_cli_events.c LIBS recfleet_cli_lib)
recfleet_test(NAME test_cli_text SOURCES test_cli_text.c LIBS recfleet_cli_lib)
recfleet_test(NAME test_cli_memory SOURCES test_cli_memory.c LIBS recfleet_cli_lib recfleet_failing_memory)

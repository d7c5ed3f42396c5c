# recfleet_cli_test(NAME): the real command line beside a real gateway.
function(recfleet_cli_test name)
  recfleet_gateway_test(${name} test_${name}.c cli_fixture.c cli_gateway.c ${ARGN})
  add_dependencies(test_${name} recfleet)
endfunction()

recfleet_cli_test(cli)
recfleet_cli_test(cli_control)
recfleet_cli_test(cli_watch)
recfleet_integration_test(NAME test_cli_answers SOURCES test_cli_answers.c canned_gateway.c cli_fixture.c
  LIBS recfleet_base Threads::Threads)
add_dependencies(test_cli_answers recfleet)
recfleet_integration_test(NAME test_http_client_send SOURCES test_http_client_send.c canned_gateway.c
  LIBS recfleet_http Threads::Threads)

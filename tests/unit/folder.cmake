foreach(module IN ITEMS folder folder_csv folder_time)
  recfleet_test(NAME test_${module} SOURCES test_${module}.c LIBS recfleet_folder recfleet_fetch)
endforeach()

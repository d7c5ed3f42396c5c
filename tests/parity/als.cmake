recfleet_parity_test(NAME test_als_curve SOURCES test_als_curve.c als_golden.c LIBS recfleet_als TIMEOUT 600)
recfleet_parity_test(NAME test_als_golden_rows
  SOURCES test_als_golden_rows.c als_golden.c ../unit/als_reference.c LIBS recfleet_als TIMEOUT 600)
recfleet_optimize_solver(test_als_golden_rows) # the reference is plain loops over 800^3 products
recfleet_parity_test(NAME test_evaluate SOURCES test_evaluate.c als_golden.c LIBS recfleet_als recfleet_json TIMEOUT 300)

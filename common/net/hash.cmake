recfleet_library(recfleet_hash SOURCES ${CMAKE_CURRENT_LIST_DIR} /
                 hash.c PUBLIC recfleet_base PRIVATE PkgConfig::LIBCRYPTO)

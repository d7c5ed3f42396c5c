recfleet_library(recfleet_hash SOURCES hash.c PUBLIC recfleet_base PRIVATE PkgConfig::LIBCRYPTO)

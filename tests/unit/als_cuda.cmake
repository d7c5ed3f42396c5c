# The CUDA backend on the host, as tests/support/cuda_emulation runs it: kernels and host side, in every build. The
# emulation's switches of stacks are more than ThreadSanitizer follows, and than libFuzzer's build needs.
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER AND NOT RECFLEET_SANITIZE MATCHES "thread|fuzzer")
  enable_language(CXX)
  set(emulation ${CMAKE_SOURCE_DIR}/tests/support/cuda_emulation)
  get_property(cuda_sources GLOBAL PROPERTY recfleet_als_cuda_sources)
  get_property(cuda_kernels GLOBAL PROPERTY recfleet_als_cuda_kernels)
  get_target_property(als_sources recfleet_als SOURCES)
  list(TRANSFORM als_sources PREPEND ${CMAKE_SOURCE_DIR}/worker/als/)
  set_source_files_properties(${cuda_kernels} PROPERTIES LANGUAGE CXX)
  add_library(als_cuda_emulated STATIC ${als_sources} ${cuda_sources} ${cuda_kernels}
    ${emulation}/emulated_blas.c ${emulation}/emulated_blocks.cc ${emulation}/emulated_runtime.c)
  set_target_properties(als_cuda_emulated PROPERTIES CXX_STANDARD 17 CXX_EXTENSIONS OFF)
  target_include_directories(als_cuda_emulated SYSTEM PUBLIC ${emulation})
  target_compile_options(als_cuda_emulated PRIVATE $<$<NOT:$<BOOL:${RECFLEET_COVERAGE}>>:-O2>
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-unknown-pragmas -fno-exceptions -U_FORTIFY_SOURCE>)
  target_link_libraries(als_cuda_emulated PUBLIC recfleet_options recfleet_base recfleet_csr recfleet_als_cpu
    PRIVATE PkgConfig::OPENBLAS)
  recfleet_test(NAME test_als_cuda_emulated SOURCES test_als_cuda.c als_reference.c LIBS als_cuda_emulated)
endif()

# The same on a device.
if(RECFLEET_HAS_CUDA)
  recfleet_labelled_test(gpu NAME test_als_cuda SOURCES test_als_cuda.c als_reference.c LIBS recfleet_als)
endif()

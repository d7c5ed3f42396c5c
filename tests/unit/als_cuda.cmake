# The CUDA backend on the host, as tests/support/cuda_emulation runs it: kernels and host side, with no device. Not in
# builds with sanitizers: a switch of stacks is nothing to ThreadSanitizer, and to AddressSanitizer twenty times the
# work (where it finds nothing; -DRECFLEET_EMULATION=ON in the asan build runs it there).
option(RECFLEET_EMULATION "Test the CUDA backend by emulation under AddressSanitizer too" OFF)
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER AND (RECFLEET_EMULATION OR NOT RECFLEET_SANITIZE))
  enable_language(CXX)
  set(emulation ${CMAKE_SOURCE_DIR}/tests/support/cuda_emulation)
  get_property(cuda_sources GLOBAL PROPERTY recfleet_als_cuda_sources)
  get_property(cuda_kernels GLOBAL PROPERTY recfleet_als_cuda_kernels)
  get_target_property(als_sources recfleet_als SOURCES)
  list(TRANSFORM als_sources PREPEND ${CMAKE_SOURCE_DIR}/worker/als/)
  set_source_files_properties(${cuda_kernels} PROPERTIES LANGUAGE CXX)
  if(RECFLEET_SANITIZE)
    set_source_files_properties(${emulation}/emulated_blocks.cc PROPERTIES
      COMPILE_OPTIONS "-fno-sanitize=all;-DFIBERS_ARE_ANNOTATED")
  endif()
  add_library(als_cuda_emulated STATIC ${als_sources} ${cuda_sources} ${cuda_kernels}
    ${emulation}/emulated_blas.c ${emulation}/emulated_blocks.cc ${emulation}/emulated_runtime.c)
  set_target_properties(als_cuda_emulated PROPERTIES CXX_STANDARD 17 CXX_EXTENSIONS OFF)
  target_include_directories(als_cuda_emulated SYSTEM PUBLIC ${emulation})
  target_compile_options(als_cuda_emulated PRIVATE $<$<NOT:$<BOOL:${RECFLEET_COVERAGE}>>:-O2>
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-unknown-pragmas -fno-exceptions -U_FORTIFY_SOURCE>)
  target_link_libraries(als_cuda_emulated PUBLIC recfleet_options recfleet_base recfleet_csr recfleet_als_cpu
    PRIVATE PkgConfig::OPENBLAS)
  foreach(part IN ITEMS cuda cuda_lists)
    recfleet_test(NAME test_als_${part}_emulated SOURCES test_als_${part}.c als_reference.c LIBS als_cuda_emulated)
  endforeach()
  recfleet_test(NAME test_als_cuda_faults SOURCES test_als_cuda_faults.c als_reference.c LIBS als_cuda_emulated)
endif()

# The same on a device.
if(RECFLEET_HAS_CUDA)
  foreach(part IN ITEMS cuda cuda_lists)
    recfleet_labelled_test(gpu NAME test_als_${part} SOURCES test_als_${part}.c als_reference.c LIBS recfleet_als)
  endforeach()
endif()

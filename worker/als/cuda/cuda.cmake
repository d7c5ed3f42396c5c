# Finds CUDA (the compiler, the runtime, cuBLAS; -DCUDAToolkit_ROOT=DIR says where) and says how kernels are compiled.
# Sets RECFLEET_HAS_CUDA. nvcc is called by a rule of our own, not as a language of the project: so the programs are
# linked as C whatever the C compiler and the sanitizers are.
set(RECFLEET_CUDA_ARCHITECTURES "75;80;86;89;90" CACHE STRING
  "Compute capabilities that kernels are compiled for; of the last one PTX too, for later devices")
set(RECFLEET_HAS_CUDA OFF)
if(NOT RECFLEET_CUDA STREQUAL "OFF")
  find_package(CUDAToolkit 12.4 QUIET)
  if(TARGET CUDA::cudart_static AND TARGET CUDA::cublas AND CUDAToolkit_NVCC_EXECUTABLE)
    set(RECFLEET_HAS_CUDA ON)
    message(STATUS "CUDA ${CUDAToolkit_VERSION}: ${CUDAToolkit_NVCC_EXECUTABLE}")
  elseif(RECFLEET_CUDA STREQUAL "AUTO")
    message(STATUS "CUDA: no toolkit >= 12.4 with cuBLAS found, the solver is built for CPUs only")
  else()
    message(FATAL_ERROR "RECFLEET_CUDA=${RECFLEET_CUDA}: no CUDA toolkit >= 12.4 with nvcc and cuBLAS found; "
      "CUDAToolkit_ROOT says where it is")
  endif()
endif()

# recfleet_cuda_objects(OUT file.cu…): compiles each; OUT gets the objects.
function(recfleet_cuda_objects out)
  set(flags -std=c++17 -O3 -I${CMAKE_SOURCE_DIR} -Xcompiler=-fPIC,-Wall,-Wextra,-fno-exceptions,-fno-threadsafe-statics)
  foreach(architecture IN LISTS RECFLEET_CUDA_ARCHITECTURES)
    list(APPEND flags -gencode=arch=compute_${architecture},code=sm_${architecture})
    set(last ${architecture})
  endforeach()
  list(APPEND flags -gencode=arch=compute_${last},code=compute_${last})
  if(RECFLEET_WERROR)
    list(APPEND flags -Werror=all-warnings)
  endif()
  set(objects)
  foreach(source IN LISTS ARGN)
    get_filename_component(name ${source} NAME)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
    add_custom_command(OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d
      COMMAND ${CUDAToolkit_NVCC_EXECUTABLE} ${flags} -MD -MF ${object}.d -c ${source} -o ${object}
      COMMENT "Compiling kernels ${name}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  set(${out} ${objects} PARENT_SCOPE)
endfunction()

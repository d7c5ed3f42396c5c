# The Lua scripts as one C file: texts and their SHA-1, by which EVALSHA names them.
file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/scripts/*.lua)
set(generated "#include \"common/job/job_scripts.h\"\n")
foreach(script IN LISTS scripts)
  get_filename_component(name ${script} NAME_WE)
  file(READ ${script} bytes HEX)
  file(SHA1 ${script} sha1)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND generated "static const unsigned char ${name}_text[] = {${bytes}0};\n"
    "const struct redis_script job_script_${name} = {\"${name}\", (const char *)${name}_text, \"${sha1}\"};\n")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${script})
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/job_scripts.c CONTENT "${generated}" @ONLY)

recfleet_library(recfleet_job_queue
  SOURCES job_queue.c job_queue_worker.c job_queue_control.c job_queue_events.c ${CMAKE_CURRENT_BINARY_DIR}/job_scripts.c
  PUBLIC recfleet_job recfleet_redis)

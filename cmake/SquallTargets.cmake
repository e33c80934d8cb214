# One way to declare a library, a program and a test.

# A compiler spends most of its time in headers, which the sources of a target share: they are compiled several at a time, as units
# that include them. A unit is filled up to this size, so that an edit costs seconds; larger sources stand alone. Who builds once and
# does not edit is better off with large units, a third less work: `make` configures them (UNIT_BYTES in the Makefile).
option(SQUALL_UNITS "Compile several sources of a target at a time" ON)
set(SQUALL_UNIT_BYTES 60000 CACHE STRING "Sources of so many bytes are a unit")

# squall_units(VARIABLE target sources...): what to compile in place of the sources.
function(squall_units out target)
  list(LENGTH ARGN count)
  if(NOT SQUALL_UNITS OR count EQUAL 1)
    set(${out} ${ARGN} PARENT_SCOPE)
    return()
  endif()
  file(RELATIVE_PATH folder "${CMAKE_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  set(units)
  set(last -1)  # of the units whose texts are text_0, text_1, ...
  set(filled 0)
  foreach(source IN LISTS ARGN)
    get_source_file_property(flags "${source}" COMPILE_OPTIONS)
    get_source_file_property(apart "${source}" SKIP_UNITY_BUILD_INCLUSION)
    if(flags OR apart OR IS_ABSOLUTE "${source}")
      list(APPEND units "${source}")
      continue()
    endif()
    file(SIZE "${CMAKE_CURRENT_SOURCE_DIR}/${source}" size)
    math(EXPR filled "${filled} + ${size}")
    if(last EQUAL -1 OR filled GREATER SQUALL_UNIT_BYTES)
      math(EXPR last "${last} + 1")
      set(text_${last} "")
      set(filled ${size})
    endif()
    string(APPEND text_${last} "#include \"${folder}/${source}\"\n")
  endforeach()
  if(NOT last EQUAL -1)
    foreach(n RANGE ${last})
      file(CONFIGURE OUTPUT "${target}.units/${n}.cc" CONTENT "${text_${n}}" @ONLY)
      list(APPEND units "${CMAKE_CURRENT_BINARY_DIR}/${target}.units/${n}.cc")
    endforeach()
  endif()
  set(${out} ${units} PARENT_SCOPE)
endfunction()

# squall_library(NAME SOURCES a.cc b.cc [DEPS targets...])
function(squall_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  squall_units(units ${name} ${ARG_SOURCES})
  add_library(${name} STATIC ${units})
  target_link_libraries(${name} PUBLIC squall_options squall_sanitizers ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS}
                        $<BUILD_INTERFACE:squall_warnings>)
endfunction()

# squall_reuse_parsed_api(target [CARRIER]): the API's generated headers cost four seconds a file; the target takes them from the
# precompiled header of `squall_parsed_api` (libraries) or of the carrier named.
function(squall_reuse_parsed_api target)
  if(SQUALL_FUZZ)  # flags differ there, and clang minds
    target_precompile_headers(${target} PRIVATE <base/api/pch.h>)
  elseif(ARGC GREATER 1)
    target_precompile_headers(${target} REUSE_FROM ${ARGV1})
  else()
    target_precompile_headers(${target} REUSE_FROM squall_parsed_api)
  endif()
endfunction()

# squall_program(NAME SOURCES main.cc [DEPS targets...]); all programs land in <build>/bin.
function(squall_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  squall_units(units ${name} ${ARG_SOURCES})
  add_executable(${name} ${units})
  target_link_libraries(${name} PRIVATE squall_options squall_sanitizers squall_warnings ${ARG_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
endfunction()

# The tests' own code, a third of the first build, takes a fifth less time to compile unoptimised. What it tests stays as it is.
if(NOT SQUALL_SANITIZE)
  set(SQUALL_TEST_CODE "$<$<CONFIG:RelWithDebInfo>:-O0>")
endif()

# squall_test(NAME SOURCES x_test.cc [DEPS targets...] [PARSED_API] [LABELS unit|integration|meta|tidy] [TIMEOUT seconds]
#             [PROGRAMS programs that it starts] [PROCESSORS n] [COST seconds] [ENV A=B...])
# COST: what takes long starts first, for else it runs alone at the end; ctest knows times of its own only after a first run. What takes
# two processors has a higher one than all that take one, which would leave it no gap.
function(squall_test name)
  cmake_parse_arguments(ARG "PARSED_API" "TIMEOUT;PROCESSORS;COST" "SOURCES;DEPS;LABELS;PROGRAMS;ENV" ${ARGN})
  squall_units(units ${name} ${ARG_SOURCES})
  add_executable(${name} ${units})
  target_link_libraries(${name} PRIVATE squall_options squall_sanitizers squall_warnings ${ARG_DEPS}
                        GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  target_compile_options(${name} PRIVATE ${SQUALL_TEST_CODE})
  if(ARG_PARSED_API)
    squall_reuse_parsed_api(${name} squall_parsed_api_for_tests)
  endif()
  if(ARG_PROGRAMS)
    add_dependencies(${name} ${ARG_PROGRAMS})
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  if(NOT ARG_PROCESSORS)
    set(ARG_PROCESSORS 1)
  endif()
  math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * ${SQUALL_TEST_TIMEOUT_SCALE}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} PROCESSORS ${ARG_PROCESSORS}
    ENVIRONMENT "SQUALL_SOURCE_DIR=${CMAKE_SOURCE_DIR};SQUALL_BIN_DIR=${CMAKE_BINARY_DIR}/bin;SQUALL_VENV=${CMAKE_SOURCE_DIR}/.venv;${ARG_ENV}")
  if(ARG_COST)
    set_tests_properties(${name} PROPERTIES COST ${ARG_COST})
  endif()
endfunction()

# squall_link_archives(program): takes what has an archive from it (mold then leaves the shared library out), and no
# position-independent executable, whose every pointer would be relocated: a program that starts in milliseconds and needs little
# around it. Its sources are to have lazy_descriptors.cc, with which protobuf registers descriptors when they are asked for.
function(squall_link_archives program)
  set(archives)
  foreach(name protobuf nghttp2 ssl crypto z absl_status)
    find_library(SQUALL_ARCHIVE_${name} lib${name}.a)
    mark_as_advanced(SQUALL_ARCHIVE_${name})
    if(SQUALL_ARCHIVE_${name})
      list(APPEND archives "${SQUALL_ARCHIVE_${name}}")
    endif()
  endforeach()
  if(SQUALL_ARCHIVE_absl_status)  # and all that it needs
    get_filename_component(folder "${SQUALL_ARCHIVE_absl_status}" DIRECTORY)
    file(GLOB absl_archives "${folder}/libabsl_*.a")
    list(APPEND archives ${absl_archives})
  endif()
  get_target_property(libraries ${program} LINK_LIBRARIES)
  set_property(TARGET ${program} PROPERTY LINK_LIBRARIES ${archives} ${libraries})  # first, so that they are found first
  target_link_options(${program} PRIVATE
    -Wl,--as-needed
    -Wl,--wrap=_ZN6google8protobuf8internal20AddDescriptorsRunnerC1EPKNS1_15DescriptorTableE)
  if(NOT SQUALL_SANITIZE)
    target_link_options(${program} PRIVATE -no-pie)
  endif()
endfunction()

# squall_uses_regex(sources...): gcc 12 warns of uninitialized members inside libstdc++'s <regex> once a sanitizer has rewritten it
# (GCC bug 105562); the warning is off for these files in sanitizer builds only.
function(squall_uses_regex)
  if(SQUALL_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -Wno-maybe-uninitialized)
  endif()
endfunction()

# The flags of our own code, as interface targets: generated code takes none of the warnings.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
# Line tables are enough for stacks, and full debug information doubles build time and disk.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g1")

set(SQUALL_SANITIZE "" CACHE STRING "Sanitizers for our own code, comma separated: address,undefined | thread | fuzzer")
option(SQUALL_COVERAGE "Instrument our own code for gcov" OFF)

add_library(squall_options INTERFACE)
target_include_directories(squall_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(squall_options INTERFACE BOOST_ASIO_NO_DEPRECATED)

add_library(squall_warnings INTERFACE)
target_compile_options(squall_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror)

add_library(squall_sanitizers INTERFACE)
if(SQUALL_SANITIZE)
  target_compile_options(squall_sanitizers INTERFACE -fsanitize=${SQUALL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(squall_sanitizers INTERFACE -fsanitize=${SQUALL_SANITIZE})
endif()
if(SQUALL_COVERAGE)
  target_compile_options(squall_sanitizers INTERFACE --coverage)
  target_link_options(squall_sanitizers INTERFACE --coverage)
endif()

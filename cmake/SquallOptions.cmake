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
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")

# gcc collects its garbage less often: a twentieth of its time, for some hundred MB a unit.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  string(APPEND CMAKE_CXX_FLAGS " --param=ggc-min-heapsize=700000")
endif()

set(SQUALL_SANITIZE "" CACHE STRING "Sanitizers for our own code, comma separated: address,undefined | thread | fuzzer")
option(SQUALL_COVERAGE "Instrument our own code for gcov" OFF)

add_library(squall_options INTERFACE)
target_include_directories(squall_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(squall_options INTERFACE BOOST_ASIO_NO_DEPRECATED)

add_library(squall_warnings INTERFACE)
target_compile_options(squall_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror)

# A source in a unit (squall_units) looks like a header to gcc, and there a member of a local type would be a mistake.
target_compile_options(squall_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)

# From -O2 on gcc 12 finds overlaps in std::string's operator+ (its bug 105651) and, inlining std::vector and std::string, bounds and
# deletions that are not there.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(squall_warnings INTERFACE $<$<CONFIG:Release>:-Wno-restrict;-Wno-free-nonheap-object;-Wno-array-bounds>)
endif()

# CTest's own limits; the presets give the same number to what runs (SQUALL_TIMEOUT_SCALE).
set(SQUALL_TEST_TIMEOUT_SCALE 1)
if(SQUALL_SANITIZE MATCHES "thread")
  set(SQUALL_TEST_TIMEOUT_SCALE 10)
elseif(SQUALL_SANITIZE)
  set(SQUALL_TEST_TIMEOUT_SCALE 3)
endif()

add_library(squall_sanitizers INTERFACE)
if(SQUALL_SANITIZE)
  target_compile_options(squall_sanitizers INTERFACE -fsanitize=${SQUALL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(squall_sanitizers INTERFACE -fsanitize=${SQUALL_SANITIZE})
  if(SQUALL_SANITIZE MATCHES "thread")
    # Asio's fences, which ThreadSanitizer does not know (-Wtsan); the queues that its handlers go through are locked as well.
    target_compile_definitions(squall_sanitizers INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
    # protobuf's headers lay out maps otherwise where this macro says ThreadSanitizer, and Debian's library was built without. It
    # goes; what libstdc++ and base/util/hand_over.h make of it is said in their own terms.
    target_compile_options(squall_sanitizers INTERFACE -U__SANITIZE_THREAD__)
    target_compile_definitions(squall_sanitizers INTERFACE _GLIBCXX_TSAN=1 SQUALL_THREAD_SANITIZER=1)
  endif()
endif()
if(SQUALL_COVERAGE)
  target_compile_options(squall_sanitizers INTERFACE --coverage)
  target_link_options(squall_sanitizers INTERFACE --coverage)
endif()

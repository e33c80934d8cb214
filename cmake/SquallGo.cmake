# Go programs as CMake targets.
#
# squall_go_program(NAME DIR) builds the module in DIR with the Go toolchain into <build>/bin/NAME, and makes `go test` of it
# the test NAME_go_test. What go compiles stays in the user's cache folder (go's own), whatever the build folder; what it
# fetches was fetched by tools/setup.sh. Without Go there is no such target, and scenarios that need the program are skipped.

set(SQUALL_GO_MINIMUM 1.26)

function(squall_go_program name dir)
  find_program(SQUALL_GO go HINTS /usr/local/go/bin)
  set(version "")
  if(SQUALL_GO)
    execute_process(COMMAND "${SQUALL_GO}" env GOVERSION OUTPUT_VARIABLE version ERROR_QUIET)
    string(REGEX MATCH "[0-9]+\\.[0-9]+(\\.[0-9]+)?" version "${version}")
  endif()
  if(NOT version OR version VERSION_LESS SQUALL_GO_MINIMUM)
    message(STATUS "${name} is left out: it needs Go >= ${SQUALL_GO_MINIMUM}")
    return()
  endif()
  file(GLOB sources CONFIGURE_DEPENDS "${dir}/*.go")
  set(program "${CMAKE_BINARY_DIR}/bin/${name}")
  # Without cgo and with paths cut, two clones share all of go's cache.
  set(go "${CMAKE_COMMAND}" -E env CGO_ENABLED=0 GOFLAGS=-mod=readonly "${SQUALL_GO}")
  add_custom_command(
    OUTPUT "${program}"
    COMMAND ${go} build -trimpath -o "${program}" .
    DEPENDS ${sources} "${dir}/go.mod" "${dir}/go.sum"
    WORKING_DIRECTORY "${dir}"
    COMMENT "Building ${name} with go"
    VERBATIM)
  add_custom_target(${name} ALL DEPENDS "${program}")
  add_test(NAME ${name}_go_test COMMAND ${go} test -trimpath ./... WORKING_DIRECTORY "${dir}")
  set_tests_properties(${name}_go_test PROPERTIES LABELS unit TIMEOUT 300 COST 20)
endfunction()

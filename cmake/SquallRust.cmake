# Rust crates as CMake targets.
#
# squall_import_rust_crate(NAME DIR) builds the crate in DIR (a staticlib whose file is libNAME.a) with cargo and makes the
# imported target NAME. Cargo's own artefacts live in the user's cache folder, keyed by the lock file, so that neither a
# second build folder nor a clean checkout builds core's 300 crates again; the archive is linked into the build folder.

set(SQUALL_RUST_MINIMUM 1.88)

function(squall_find_cargo)
  find_program(SQUALL_CARGO cargo HINTS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin")
  if(NOT SQUALL_CARGO)
    message(FATAL_ERROR "squall needs Rust >= ${SQUALL_RUST_MINIMUM} (cargo was not found): install it from https://rustup.rs")
  endif()
  get_filename_component(bin "${SQUALL_CARGO}" DIRECTORY)
  find_program(SQUALL_RUSTC rustc HINTS "${bin}")
  if(NOT SQUALL_RUSTC)
    message(FATAL_ERROR "squall needs Rust >= ${SQUALL_RUST_MINIMUM} (rustc was not found next to ${SQUALL_CARGO}): install it from https://rustup.rs")
  endif()
  execute_process(COMMAND "${SQUALL_RUSTC}" --version OUTPUT_VARIABLE version RESULT_VARIABLE failed ERROR_VARIABLE why)
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" version "${version}")
  if(failed OR NOT version)
    message(FATAL_ERROR "squall needs Rust >= ${SQUALL_RUST_MINIMUM}, but '${SQUALL_RUSTC} --version' fails: ${why}")
  endif()
  if(version VERSION_LESS SQUALL_RUST_MINIMUM)
    message(FATAL_ERROR "squall needs Rust >= ${SQUALL_RUST_MINIMUM}, found ${version} (${SQUALL_RUSTC}): run 'rustup update stable'")
  endif()
endfunction()

function(squall_import_rust_crate name dir)
  squall_find_cargo()
  file(SHA256 "${dir}/Cargo.lock" lock_hash)
  string(SUBSTRING ${lock_hash} 0 12 lock_hash)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${dir}/Cargo.lock" "${dir}/Cargo.toml")

  # Once the crates are fetched (make setup: cargo fetch --locked) cargo has no business on the network.
  execute_process(COMMAND "${SQUALL_CARGO}" metadata --offline --locked --format-version 1
                          --manifest-path "${dir}/Cargo.toml"
                  RESULT_VARIABLE not_fetched OUTPUT_QUIET ERROR_QUIET)
  if(not_fetched)
    set(offline "")
    message(STATUS "The crates of ${name} are not fetched yet: cargo will do so")
  else()
    set(offline --offline)
  endif()

  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    set(profile release)
  else()
    set(profile quick)
  endif()
  set(archive "${CMAKE_CURRENT_BINARY_DIR}/lib${name}.a")
  set(depfile "${CMAKE_CURRENT_BINARY_DIR}/lib${name}.d")
  add_custom_command(
    OUTPUT "${archive}"
    COMMAND "${CMAKE_COMMAND}"
            -DCARGO=${SQUALL_CARGO} -DRUSTC=${SQUALL_RUSTC} -DOFFLINE=${offline} -DCRATE_DIR=${dir} -DNAME=${name} -DPROFILE=${profile}
            -DTARGET_DIR=${SQUALL_CACHE_DIR}/cargo-${lock_hash} -DARCHIVE=${archive} -DDEPFILE=${depfile}
            -P "${CMAKE_SOURCE_DIR}/cmake/SquallCargo.cmake"
    DEPENDS "${dir}/Cargo.toml" "${dir}/Cargo.lock" "${CMAKE_SOURCE_DIR}/cmake/SquallCargo.cmake"
    DEPFILE "${depfile}"
    COMMENT "Building ${name} with cargo (the first time takes some minutes)"
    USES_TERMINAL VERBATIM)
  # What `rustc --print native-static-libs` asks for.
  set(needs gcc_s util rt Threads::Threads m dl)

  if(SQUALL_SANITIZE MATCHES "thread")
    # As a shared library of its own: ThreadSanitizer sees calls of libc functions (memcpy, malloc) by the Rust code, which is
    # not instrumented, but none of the synchronization between them. It can pass over a library, not over a part of a program
    # (tests/sanitizers/tsan.supp).
    set(shared "${CMAKE_CURRENT_BINARY_DIR}/lib${name}.so")
    set(exports "${CMAKE_CURRENT_BINARY_DIR}/${name}.exports")
    file(CONFIGURE OUTPUT "${exports}" CONTENT "{ global: squall_*; local: *; };\n")
    if(SQUALL_MOLD)
      set(linker -fuse-ld=mold)
    endif()
    add_custom_command(
      OUTPUT "${shared}"
      COMMAND "${CMAKE_CXX_COMPILER}" -shared ${linker} -o "${shared}" -Wl,-soname,lib${name}.so
              -Wl,--version-script,${exports} -Wl,--gc-sections
              -Wl,--whole-archive "${archive}" -Wl,--no-whole-archive -lgcc_s -lutil -lrt -lpthread -lm -ldl
      DEPENDS "${archive}" "${exports}"
      COMMENT "Linking lib${name}.so"
      VERBATIM)
    add_custom_target(${name}_cargo DEPENDS "${shared}")
    add_library(${name} SHARED IMPORTED GLOBAL)
    set_target_properties(${name} PROPERTIES IMPORTED_LOCATION "${shared}" IMPORTED_SONAME lib${name}.so)
  else()
    add_custom_target(${name}_cargo DEPENDS "${archive}")
    add_library(${name} STATIC IMPORTED GLOBAL)
    set_target_properties(${name} PROPERTIES IMPORTED_LOCATION "${archive}" INTERFACE_LINK_LIBRARIES "${needs}")
  endif()
  add_dependencies(${name} ${name}_cargo)
endfunction()

# Runs cargo for squall_import_rust_crate: builds, puts the archive in place, writes the dependency file.
#
# The finished archive is kept in the cache under a key made of everything that it is made from, so that a fresh clone
# does not compile the crate again (cargo itself would: it keys our crate by its path and by file times).

file(GLOB_RECURSE sources "${CRATE_DIR}/src/*.rs" "${CRATE_DIR}/include/*.h")
list(APPEND sources "${CRATE_DIR}/Cargo.toml" "${CRATE_DIR}/Cargo.lock" "${CRATE_DIR}/build.rs")
list(SORT sources)
execute_process(COMMAND "${RUSTC}" --version --verbose OUTPUT_VARIABLE key COMMAND_ERROR_IS_FATAL ANY)
string(APPEND key "${PROFILE}")
foreach(source IN LISTS sources)
  file(SHA256 "${source}" hash)
  string(APPEND key "${hash}")
endforeach()
string(SHA256 key "${key}")
string(SUBSTRING ${key} 0 12 key)
set(kept "${TARGET_DIR}/kept-${key}/lib${NAME}.a")

if(NOT EXISTS "${kept}")
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env "CARGO_TARGET_DIR=${TARGET_DIR}" "RUSTC=${RUSTC}"
            "${CARGO}" build --profile ${PROFILE} --locked ${OFFLINE}
    WORKING_DIRECTORY "${CRATE_DIR}"
    RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "cargo build of ${NAME} failed; the reason is above")
  endif()
  # With SQUALL_BRIDGE_UPDATE_HEADER=1 the key is that of the old header; the next build finds its own.
  if(NOT "$ENV{SQUALL_BRIDGE_UPDATE_HEADER}" STREQUAL "1")
    # The last ones of other keys are for switching between branches and presets; the archives are large.
    file(GLOB others "${TARGET_DIR}/kept-*")
    list(LENGTH others count)
    if(count GREATER 3)
      file(REMOVE_RECURSE ${others})
    endif()
    get_filename_component(folder "${kept}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    file(COPY_FILE "${TARGET_DIR}/${PROFILE}/lib${NAME}.a" "${kept}.part")
    file(RENAME "${kept}.part" "${kept}")
  else()
    set(kept "${TARGET_DIR}/${PROFILE}/lib${NAME}.a")
  endif()
endif()

# A link where the file systems allow it.
file(REMOVE "${ARCHIVE}")
file(CREATE_LINK "${kept}" "${ARCHIVE}" COPY_ON_ERROR)
file(TOUCH_NOCREATE "${ARCHIVE}")

list(JOIN sources " " sources)
file(WRITE "${DEPFILE}" "${ARCHIVE}: ${sources}\n")

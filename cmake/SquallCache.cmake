# What makes a second build quick, on this checkout or on a fresh clone: compiler cache, fast linker, and one folder
# in the user's cache for generated sources and Rust artefacts, keyed by what they were made from.

if(DEFINED ENV{SQUALL_CACHE})
  set(SQUALL_CACHE_DIR "$ENV{SQUALL_CACHE}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(SQUALL_CACHE_DIR "$ENV{XDG_CACHE_HOME}/squall")
else()
  set(SQUALL_CACHE_DIR "$ENV{HOME}/.cache/squall")
endif()

find_program(SQUALL_CCACHE ccache)
if(SQUALL_CCACHE)
  # Paths are made relative to the checkout so that two clones share their results. What a file includes is taken from the
  # compiler's own list, which saves preprocessing it first.
  set(launcher "${CMAKE_COMMAND}" -E env
      "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
      CCACHE_SLOPPINESS=pch_defines,time_macros "CCACHE_IGNOREOPTIONS=--param=*"
      "${SQUALL_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

find_program(SQUALL_MOLD mold)
if(SQUALL_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

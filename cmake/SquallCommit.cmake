# cmake -DSOURCE=... -DOUTPUT=... -P: the commit of the sources as a function of the simulator, written anew only when it is another one.
execute_process(COMMAND git -C "${SOURCE}" describe --always --dirty --exclude "*" --abbrev=9
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit)
  set(commit "unknown")
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT
  "#include \"sim/run/swarm.h\"\n\nconst char* squall::sim::Commit() { return \"${commit}\"; }\n" @ONLY)

# Writes the page's files into a C++ source: cmake -DOUTPUT=x.cc -DFOLDER=reports/timeline -P embed.cmake
#
# A raw string of gcc may be of any length, but its delimiter must not occur in the text, and CMake would take brackets and semicolons
# of a list apart: each file is read as one text and never as a list.
set(scripts format.js data.js paint.js plot.js detail.js overview.js app.js)

function(embed name out)
  set(text "")
  foreach(file IN LISTS ARGN)
    file(READ "${FOLDER}/${file}" part)
    string(FIND "${part}" ")page\"" clash)
    if(NOT clash EQUAL -1)
      message(FATAL_ERROR "${file}: holds the end of the raw string that it is written into")
    endif()
    string(APPEND text "${part}")
  endforeach()
  set(${out} "const std::string_view ${name} = R\"page(${text})page\";\n" PARENT_SCOPE)
endfunction()

embed(kTimelinePage page page.html)
embed(kTimelineStyle style style.css)
embed(kTimelineScript script ${scripts})
file(WRITE "${OUTPUT}.new" "// Written by reports/timeline/embed.cmake.\n#include \"reports/html_assets.h\"\n
namespace squall::reports {\n\n${page}\n${style}\n${script}\n}  // namespace squall::reports\n")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")

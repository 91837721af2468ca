# Flags every target of Braid is built with, as one interface target.
add_library(braid_options INTERFACE)
target_compile_options(braid_options INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-align -Woverloaded-virtual
  -Wswitch-enum -fno-math-errno -fno-trapping-math)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Clang takes the zero behind <=> for a null pointer (libstdc++ is written so), and has no -Winterference-size.
  target_compile_options(braid_options INTERFACE -Wzero-as-null-pointer-constant -Wno-interference-size)
endif()
target_include_directories(braid_options INTERFACE ${CMAKE_SOURCE_DIR}/lib)

if(BRAID_SANITIZE)
  # Clang, so that a second compiler reads everything, and one build serves the fuzz targets too. -O1: with full
  # optimisation the instrumented code takes twice as long to compile and runs hardly faster.
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "BRAID_SANITIZE needs clang: configure with -DCMAKE_CXX_COMPILER=clang++")
  endif()
  target_compile_options(braid_options INTERFACE -fsanitize=address,undefined,fuzzer-no-link
    -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
  target_link_options(braid_options INTERFACE -fsanitize=address,undefined)
endif()
if(BRAID_COVERAGE)
  target_compile_options(braid_options INTERFACE --coverage)
  target_link_options(braid_options INTERFACE --coverage)
endif()
if(BRAID_LTO)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(DPDK REQUIRED IMPORTED_TARGET libdpdk)
# DPDK's C headers draw warnings in C++20: they come in as system headers.
add_library(braid_dpdk_headers INTERFACE)
target_include_directories(braid_dpdk_headers SYSTEM INTERFACE ${DPDK_INCLUDE_DIRS})
target_compile_options(braid_dpdk_headers INTERFACE ${DPDK_CFLAGS_OTHER})

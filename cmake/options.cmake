# Flags every target of Braid is built with, as one interface target.
add_library(braid_options INTERFACE)
target_compile_options(braid_options INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-align -Woverloaded-virtual
  -Wswitch-enum -Wzero-as-null-pointer-constant -Wno-interference-size -fno-math-errno -fno-trapping-math)
target_include_directories(braid_options INTERFACE ${CMAKE_SOURCE_DIR}/lib)

if(BRAID_SANITIZE)
  # -O1: with full optimisation the instrumented code takes twice as long to compile and runs hardly faster.
  target_compile_options(braid_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer -O1)
  target_link_options(braid_options INTERFACE -fsanitize=address,undefined)
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

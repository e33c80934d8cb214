#include "sim/kernel/code_place.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdlib>

#include "sim/kernel/raw.h"

extern "C" const char __executable_start, etext;

namespace squall::sim {
namespace {

// The program's file, past the simulation, which has no /proc.
class OwnFile {
 public:
  OwnFile() {
    const long fd =
        Raw(SYS_openat, AT_FDCWD, reinterpret_cast<long>("/proc/self/exe"), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    struct stat about {};
    if (Raw(SYS_fstat, fd, reinterpret_cast<long>(&about)) == 0) {
      size_ = static_cast<std::size_t>(about.st_size);
      const long at = Raw(SYS_mmap, 0, static_cast<long>(size_), PROT_READ, MAP_PRIVATE, fd, 0);
      if (at > 0) bytes_ = reinterpret_cast<const char*>(at);
    }
    Raw(SYS_close, fd);
    FindSymbols();
  }
  ~OwnFile() {
    if (bytes_ != nullptr)
      Raw(SYS_munmap, reinterpret_cast<long>(bytes_), static_cast<long>(size_));
  }
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;

  std::span<const Elf64_Sym> symbols() const { return symbols_; }
  const char* NameOf(const Elf64_Sym& symbol) const { return names_ + symbol.st_name; }

 private:
  void FindSymbols() {
    if (bytes_ == nullptr || size_ < sizeof(Elf64_Ehdr)) return;
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(bytes_);
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(bytes_ + header->e_shoff);
    for (int i = 0; i < header->e_shnum; ++i) {
      if (sections[i].sh_type != SHT_SYMTAB) continue;
      symbols_ = {reinterpret_cast<const Elf64_Sym*>(bytes_ + sections[i].sh_offset),
                  sections[i].sh_size / sizeof(Elf64_Sym)};
      names_ = bytes_ + sections[sections[i].sh_link].sh_offset;
    }
  }

  const char* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::span<const Elf64_Sym> symbols_;
  const char* names_ = nullptr;
};

bool IsFunction(const Elf64_Sym& symbol) {
  return ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_size > 0;
}

std::string Readable(const char* name) {
  int failed = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &failed);
  std::string readable = failed == 0 ? text : name;
  std::free(text);
  return readable;
}

std::string_view FileName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

CodeRange OwnCode() {
  return {reinterpret_cast<std::uintptr_t>(&__executable_start),
          reinterpret_cast<std::uintptr_t>(&etext)};
}

}  // namespace

std::string PlaceOf(std::uintptr_t address) {
  if (OwnCode().Holds(address)) {
    const OwnFile file;
    for (const Elf64_Sym& symbol : file.symbols()) {
      if (IsFunction(symbol) &&
          CodeRange{symbol.st_value, symbol.st_value + symbol.st_size}.Holds(address))
        return fmt::format("squall-sim ({})", Readable(file.NameOf(symbol)));
    }
    return fmt::format("squall-sim at {:#x}", address);
  }
  Dl_info about{};
  if (::dladdr(reinterpret_cast<void*>(address), &about) == 0 || about.dli_fname == nullptr)
    return fmt::format("{:#x}, in no library", address);
  // The place within the library is the same in every run.
  std::string text = fmt::format("{}+{:#x}", FileName(about.dli_fname),
                                 address - reinterpret_cast<std::uintptr_t>(about.dli_fbase));
  if (about.dli_sname != nullptr) text += fmt::format(" (after {})", Readable(about.dli_sname));
  return text;
}

std::vector<CodeRange> OwnFunctions(std::span<const std::string_view> prefixes) {
  const OwnFile file;
  std::vector<CodeRange> found;
  for (const Elf64_Sym& symbol : file.symbols()) {
    if (!IsFunction(symbol)) continue;
    const std::string_view name = file.NameOf(symbol);
    if (std::any_of(prefixes.begin(), prefixes.end(),
                    [name](std::string_view prefix) { return name.starts_with(prefix); }))
      found.push_back({symbol.st_value, symbol.st_value + symbol.st_size});
  }
  std::sort(found.begin(), found.end(),
            [](const CodeRange& a, const CodeRange& b) { return a.begin < b.begin; });
  return found;
}

CodeRange LibraryCode(std::string_view file_name) {
  struct Search {
    std::string_view name;
    CodeRange found;
  } search{file_name, {}};
  ::dl_iterate_phdr(
      [](dl_phdr_info* library, std::size_t, void* argument) {
        auto* of = static_cast<Search*>(argument);
        if (!FileName(library->dlpi_name).starts_with(of->name)) return 0;
        for (int i = 0; i < library->dlpi_phnum; ++i) {
          const Elf64_Phdr& segment = library->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
          const std::uintptr_t begin = library->dlpi_addr + segment.p_vaddr;
          of->found = {begin, begin + segment.p_memsz};
        }
        return 1;
      },
      &search);
  return search.found;
}

}  // namespace squall::sim

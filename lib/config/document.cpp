#include "config/document.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>

#include "config/scalars.hpp"
#include "config/survey.hpp"

namespace braid::config {

namespace {

Mistake whole_file(std::string text) { return Mistake{0, 0, {}, std::move(text)}; }

// Returns false when there is no tree to look at; why is in `mistakes`.
bool parse(std::string_view text, const std::string& example, YAML::Node& root,
           std::vector<Mistake>& mistakes) {
  try {
    if (!survey(text, mistakes)) return false;
    root = YAML::Load(std::string(text));
    if (root.IsNull()) {
      mistakes.push_back(whole_file("is empty; start from " + example));
      return false;
    }
    return true;
  } catch (const YAML::Exception& e) {
    // yaml-cpp's words for text nested beyond its bound.
    const auto why = e.msg == "bad file" ? std::string("nested too deeply") : e.msg;
    const auto [line, column] = line_and_column(e.mark);
    mistakes.push_back(
        {line, column, {}, "is no YAML: " + why + "; correct the syntax, then the values are checked"});
  } catch (const std::exception& e) {
    mistakes.push_back(whole_file(std::string("cannot be parsed: ") + e.what() + "; correct the syntax"));
  }
  return false;
}

// Reads as much as tells whether the file is too large. Nothing on success, else what is wrong with it as a
// whole.
std::string read_bytes(const std::string& file, std::string& out) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0)
    return std::string("cannot be read: ") + std::strerror(errno) + "; give the path of a YAML file";
  if (S_ISDIR(info.st_mode)) return "is a directory; give the path of a YAML file";
  const std::unique_ptr<FILE, int (*)(FILE*)> in(std::fopen(file.c_str(), "rb"), std::fclose);
  if (in == nullptr)
    return std::string("cannot be read: ") + std::strerror(errno) + "; give the path of a readable YAML file";
  char buffer[16384];
  std::size_t n = 0;
  while (out.size() <= kMaxFileBytes && (n = std::fread(buffer, 1, sizeof buffer, in.get())) != 0)
    out.append(buffer, n);
  if (std::ferror(in.get()) != 0)
    return std::string("cannot be read: ") + std::strerror(errno) + "; try again";
  return {};
}

}  // namespace

Document parse_document(std::string_view text, const std::string& example) {
  Document out;
  if (text.size() > kMaxFileBytes) {
    out.mistakes.push_back(
        whole_file("is larger than " + print_size(kMaxFileBytes) + "; such a file is a few KiB"));
    return out;
  }
  YAML::Node root;
  if (parse(text, example, root, out.mistakes)) out.root = Item{root, root.Mark(), {}, true};
  return out;
}

Document read_document(const std::string& file, const std::string& example) {
  std::string text;
  if (auto wrong = read_bytes(file, text); !wrong.empty()) return {{}, {whole_file(std::move(wrong))}};
  return parse_document(text, example);
}

}  // namespace braid::config

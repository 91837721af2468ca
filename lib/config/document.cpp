#include "config/document.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>

#include "config/scalars.hpp"

namespace braid::config {

namespace {

Mistake whole_file(std::string text) { return Mistake{0, 0, {}, std::move(text)}; }

// Control characters break YAML readers and terminals alike: found before the parser sees them.
bool find_control_character(std::string_view text, std::vector<Mistake>& mistakes) {
  unsigned line = 1;
  unsigned column = 1;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f) {
      mistakes.push_back(
          {line,
           column,
           {},
           "byte " + quote(std::string_view(&c, 1)) + " is a control character; must be plain UTF-8 text"});
      return true;
    }
    ++column;
    if (c == '\n') {
      ++line;
      column = 1;
    }
  }
  return false;
}

// Returns false when there is no tree to look at; why is in `mistakes`.
bool parse(std::string_view text, const std::string& example, YAML::Node& root,
           std::vector<Mistake>& mistakes) {
  if (find_control_character(text, mistakes)) return false;
  try {
    const auto documents = YAML::LoadAll(std::string(text));
    if (documents.empty() || documents.front().IsNull()) {
      mistakes.push_back(whole_file("is empty; start from " + example));
      return false;
    }
    if (documents.size() > 1) {
      const auto mark = documents[1].Mark();
      mistakes.push_back({static_cast<unsigned>(mark.line + 1),
                          1,
                          {},
                          "is a second YAML document; must be one document (remove the line ---)"});
      return false;
    }
    root = documents.front();
    return true;
  } catch (const YAML::Exception& e) {
    // yaml-cpp's words for text nested beyond its bound.
    const auto why = e.msg == "bad file" ? std::string("nested too deeply") : e.msg;
    Mistake m = whole_file("is no YAML: " + why + "; correct the syntax, then the values are checked");
    if (!e.mark.is_null()) {
      m.line = static_cast<unsigned>(e.mark.line + 1);
      m.column = static_cast<unsigned>(e.mark.column + 1);
    }
    mistakes.push_back(std::move(m));
  } catch (const std::exception& e) {
    mistakes.push_back(whole_file(std::string("cannot be parsed: ") + e.what() + "; correct the syntax"));
  }
  return false;
}

// Nothing on success, else what is wrong with the file as a whole.
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
  while ((n = std::fread(buffer, 1, sizeof buffer, in.get())) != 0) {
    out.append(buffer, n);
    if (out.size() > kMaxFileBytes)
      return "is larger than " + print_size(kMaxFileBytes) + "; such a file is a few KiB";
  }
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

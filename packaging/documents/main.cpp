// Writes the manual pages and the completions into a folder, when the program is built. It is not
// installed.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/help.hpp"
#include "packaging/documents/manual_page.hpp"
#include "packaging/documents/vocabulary.hpp"

namespace update::documents {
namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

void write_pages(const std::filesystem::path& folder, const Vocabulary& words) {
  const std::string program = "banger-update";
  const auto write_page = [&](const std::string& name, const std::vector<std::string>& others) {
    write(folder / (page_name(name == program ? name : program + " " + name) + ".1"),
          manual_page(cli::help_of(name), BANGER_UPDATE_VERSION, others));
  };
  std::vector<std::string> all;
  for (const Family& family : words.families) all.push_back(page_name(program + " " + family.name));
  write_page(program, all);
  for (const Family& family : words.families) write_page(family.name, {program});
}

void write_all(const std::filesystem::path& folder) {
  const Vocabulary words = vocabulary();
  write_pages(folder, words);
  write(folder / "banger-update.bash", bash_completion(words));
  write(folder / "_banger-update", zsh_completion(words));
  write(folder / "banger-update.fish", fish_completion(words));
}

}  // namespace
}  // namespace update::documents

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: update_documents FOLDER\n";
    return EXIT_FAILURE;
  }
  try {
    update::documents::write_all(argv[1]);
  } catch (const std::exception& problem) {
    std::cerr << "update_documents: " << problem.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

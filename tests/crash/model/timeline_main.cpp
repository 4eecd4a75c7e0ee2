// usage: timeline          print the timeline of an update
//        timeline FILE     bring it up to date in FILE, between its two markers
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/crash/model/timeline.hpp"

int main(int count, char** arguments) {
  try {
    if (count < 2) {
      std::cout << update::crash::timeline();
      return 0;
    }
    std::ifstream file(arguments[1]);
    std::stringstream text;
    text << file.rdbuf();
    const std::string changed = update::crash::with_timeline(text.str());
    std::ofstream(arguments[1]) << changed;
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "timeline: " << error.what() << "\n";
    return 1;
  }
}

#include "cli/toml_text.hpp"

#include <algorithm>
#include <array>

namespace update::cli {
namespace {

// A basic string (TOML 1.0). Only printable ASCII stands as it is, so that no terminal can be
// misled; the configuration is valid UTF-8, or it would not have been read.
std::string in_quotes(std::string_view text) {
  std::string quoted = "\"";
  const auto append_code = [&quoted](char32_t code) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    quoted += code > 0xFFFF ? "\\U" : "\\u";
    for (int shift = code > 0xFFFF ? 28 : 12; shift >= 0; shift -= 4) {
      quoted += kDigits[code >> static_cast<unsigned>(shift) & 15U];
    }
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at++]);
    if (lead < 0x80) {
      if (lead == '"' || lead == '\\') quoted += '\\';
      if (lead >= 0x20 && lead < 0x7F) {
        quoted += static_cast<char>(lead);
      } else {
        append_code(lead);
      }
      continue;
    }
    const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    char32_t code = lead & (0x3FU >> static_cast<unsigned>(more));
    for (int left = more; left > 0 && at < text.size(); --left) {
      code = code << 6 | (static_cast<unsigned char>(text[at++]) & 0x3FU);
    }
    append_code(code);
  }
  return quoted + "\"";
}

std::string array(const std::vector<std::string>& texts) {
  std::string text = "[";
  for (const std::string& element : texts) {
    if (text.size() > 1) text += ", ";
    text += in_quotes(element);
  }
  return text + "]";
}

std::string quoted_duration(std::int64_t duration_ms) {
  const bool whole = duration_ms % 1000 == 0;
  return in_quotes(std::to_string(whole ? duration_ms / 1000 : duration_ms) + (whole ? "s" : "ms"));
}

std::string octal_text(std::uint32_t mode) {
  std::string digits = "0";
  for (const unsigned shift : {6U, 3U, 0U}) digits += static_cast<char>('0' + (mode >> shift & 7U));
  return digits;
}

std::string flag(bool value) {
  return value ? "true" : "false";
}

std::string files_toml(const Configuration& config) {
  std::string text;
  for (const ConfiguredFile& file : config.files) {
    text += "\n[[file]]\nname = " + in_quotes(file.name) +
            "\ndestination = " + in_quotes(file.destination.text()) +
            "\noptional = " + flag(file.optional) + "\n";
    if (file.mode) text += "mode = " + in_quotes(octal_text(*file.mode)) + "\n";
    if (file.owner) text += "owner = " + in_quotes(*file.owner) + "\n";
    if (file.group) text += "group = " + in_quotes(*file.group) + "\n";
  }
  return text;
}

std::string restart_toml(const RestartConfiguration& restart, bool offline) {
  const bool no_units = offline;
  const bool no_command = offline && !restart.given;
  return "\n[restart]\nunits = " + array(no_units ? std::vector<std::string>() : restart.units) +
         "\ncommand = " + array(no_command ? std::vector<std::string>() : restart.command) +
         "\ntimeout = " + quoted_duration(restart.timeout_ms) +
         "\nkeep_processes = " + array(restart.keep_processes) + "\n";
}

std::string doctor_toml(const DoctorConfiguration& doctor, bool offline) {
  const bool no_command = offline && !doctor.given;
  return "\n[doctor]\ncommand = " +
         array(no_command ? std::vector<std::string>() : doctor.command) +
         "\ntimeout = " + quoted_duration(doctor.timeout_ms) +
         "\nattempts = " + std::to_string(doctor.attempts) +
         "\npasses = " + std::to_string(doctor.passes) +
         "\ninterval = " + quoted_duration(doctor.interval_ms) +
         "\nsoak = " + quoted_duration(doctor.soak_ms) +
         "\nbaseline = " + in_quotes(name_of(doctor.baseline)) + "\n";
}

}  // namespace

std::string to_toml(const Configuration& config, bool offline) {
  std::vector<std::string> keys;
  for (const AbsolutePath& path : config.trust.keys) keys.push_back(path.text());
  return "product = " + in_quotes(config.product) +
         "\n\n[paths]\nstate = " + in_quotes(config.state.text()) +
         "\nstaging = " + in_quotes(config.staging.text()) +
         "\nbackup_suffix = " + in_quotes(config.backup_suffix) + "\n" + files_toml(config) +
         restart_toml(config.restart, offline) + doctor_toml(config.doctor, offline) +
         "\n[trust]\nrequire_signature = " + flag(config.trust.require_signature) +
         "\nkeys = " + array(keys) + "\nallow_downgrade = " + flag(config.trust.allow_downgrade) +
         "\n\n[recovery]\npolicy = " + in_quotes(name_of(config.recovery_policy)) +
         "\n\n[retention]\ngenerations = " + std::to_string(config.generations) + "\n";
}

}  // namespace update::cli

#include "engine/base/json.hpp"

#include "engine/base/text.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace update {
namespace {

// nlohmann's own parser keeps the last of two equal keys, which makes one signed text mean two
// things; this handler builds the same value and refuses them. It also stops at the depth limit
// before anything deeper is built.
class StrictBuilder : public nlohmann::json_sax<Json> {
 public:
  explicit StrictBuilder(std::size_t depth_limit) : depth_limit_(depth_limit) {}

  bool null() override { return add(Json(nullptr)); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(number_integer_t value) override { return add(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return add(Json(value)); }
  bool number_float(number_float_t value, const string_t& /*text*/) override {
    return add(Json(value));
  }
  bool string(string_t& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t& /*value*/) override { return refuse("binary value"); }
  bool start_object(std::size_t /*elements*/) override { return open(Json::object()); }
  bool start_array(std::size_t /*elements*/) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& value) override {
    if (!open_.back().keys.insert(value).second) return refuse("repeated key " + quote(value));
    open_.back().key = std::move(value);
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return refuse("no valid JSON at byte " + std::to_string(position));
  }

  const std::string& problem() const { return problem_; }
  Json take() { return std::move(root_); }

 private:
  struct Level {
    Json value;
    std::string key;
    std::set<std::string> keys;
  };

  bool refuse(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  bool open(Json value) {
    if (open_.size() >= depth_limit_) return refuse("nested too deep");
    open_.push_back({std::move(value), {}, {}});
    return true;
  }
  bool close() {
    Json value = std::move(open_.back().value);
    open_.pop_back();
    return add(std::move(value));
  }
  bool add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().value.is_object()) {
      // The key is known to be new, so it is appended without ordered_json's search for it.
      open_.back().value.get_ref<Json::object_t&>().push_back(
          {std::move(open_.back().key), std::move(value)});
    } else {
      open_.back().value.push_back(std::move(value));
    }
    return true;
  }

  std::size_t depth_limit_;
  std::vector<Level> open_;
  Json root_;
  std::string problem_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.bytes) {
    return fail(ErrorCode::not_trusted, "JSON of " + std::to_string(text.size()) +
                                            " bytes, more than " + std::to_string(limits.bytes));
  }
  // nlohmann's lexer takes a NUL byte for the end of its input and would accept anything after it.
  if (text.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::not_trusted, "no valid JSON: it holds a NUL byte");
  }
  StrictBuilder builder(limits.depth);
  const bool parsed = Json::sax_parse(text.begin(), text.end(), &builder);
  if (!parsed || !builder.problem().empty()) {
    return fail(ErrorCode::not_trusted,
                builder.problem().empty() ? "no valid JSON" : builder.problem());
  }
  return builder.take();
}

Json error_json(const Error& error) {
  return {{"code", exit_code(error.code())},
          {"name", name_of(error.code())},
          {"message", error.message()},
          {"hint", error.hint().empty() ? Json(nullptr) : Json(error.hint())}};
}

std::string to_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace update

#include "tests/fake/loss_pattern.hpp"

#include <random>
#include <utility>

namespace update {

const char* name_of(Fate fate) {
  switch (fate) {
    case Fate::kept: return "kept";
    case Fate::lost: return "lost";
    case Fate::torn: return "torn";
    case Fate::zeroed: return "zeroed";
  }
  return "";
}

LossPattern LossPattern::keep_all() {
  return {"all kept", [](std::size_t) { return Fate::kept; }};
}

LossPattern LossPattern::keep_nothing() {
  return {"all lost", [](std::size_t) { return Fate::lost; }};
}

LossPattern LossPattern::all_but(std::size_t index, Fate fate) {
  return {"all kept but " + std::to_string(index) + " " + name_of(fate),
          [index, fate](std::size_t each) { return each == index ? fate : Fate::kept; }};
}

LossPattern LossPattern::all_but_two(std::size_t first, std::size_t second) {
  return {"all kept but " + std::to_string(first) + " and " + std::to_string(second) + " lost",
          [first, second](std::size_t each) {
            return each == first || each == second ? Fate::lost : Fate::kept;
          }};
}

LossPattern LossPattern::only(std::size_t index, Fate fate) {
  return {"all lost but " + std::to_string(index) + " " + name_of(fate),
          [index, fate](std::size_t each) { return each == index ? fate : Fate::lost; }};
}

LossPattern LossPattern::first(std::size_t count) {
  return {"first " + std::to_string(count) + " kept",
          [count](std::size_t each) { return each < count ? Fate::kept : Fate::lost; }};
}

LossPattern LossPattern::random(std::uint64_t seed) {
  return {"random " + std::to_string(seed), [seed](std::size_t each) {
            // A generator an operation, so that a fate depends on nothing but seed and index.
            std::seed_seq sequence{static_cast<std::uint32_t>(seed),
                                   static_cast<std::uint32_t>(seed >> 32U),
                                   static_cast<std::uint32_t>(each)};
            std::minstd_rand generator(sequence);
            generator.discard(2);
            const auto ten = generator() % 10;
            if (ten < 5) return Fate::kept;
            if (ten < 8) return Fate::lost;
            return ten == 8 ? Fate::torn : Fate::zeroed;
          }};
}

LossPattern LossPattern::chosen(std::vector<Fate> fates) {
  std::string name = "chosen:";
  for (const Fate fate : fates) name.append(" ").append(name_of(fate));
  return chosen(std::move(fates), std::move(name));
}

LossPattern LossPattern::chosen(std::vector<Fate> fates, std::string name) {
  return {std::move(name), [fates = std::move(fates)](std::size_t each) {
            return each < fates.size() ? fates[each] : Fate::lost;
          }};
}

std::vector<LossPattern> every_pattern(std::size_t pending, bool pairs) {
  std::vector<LossPattern> patterns{LossPattern::keep_all(), LossPattern::keep_nothing()};
  for (std::size_t index = 0; index < pending; ++index) {
    patterns.push_back(LossPattern::first(index));
    for (const Fate fate : {Fate::lost, Fate::torn, Fate::zeroed}) {
      patterns.push_back(LossPattern::all_but(index, fate));
    }
    for (const Fate fate : {Fate::kept, Fate::torn, Fate::zeroed}) {
      patterns.push_back(LossPattern::only(index, fate));
    }
  }
  if (!pairs) return patterns;
  for (std::size_t first = 0; first < pending; ++first) {
    for (std::size_t second = first + 1; second < pending; ++second) {
      patterns.push_back(LossPattern::all_but_two(first, second));
    }
  }
  return patterns;
}

}  // namespace update

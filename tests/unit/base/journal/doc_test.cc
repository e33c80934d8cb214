// docs/journal.md and event.h say the same: every kind, word and field, in the same order, with the
// same type.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/journal/event.h"
#include "tests/unit/base/journal/payloads.h"

namespace squall::journal {
namespace {

using ::testing::ContainerEq;

struct Section {
  std::vector<std::string> words;
  std::vector<std::pair<std::string, std::string>> fields;  // name, type
};

std::vector<std::string> Cells(const std::string& row) {
  std::vector<std::string> cells;
  std::size_t start = 1;
  while (start < row.size()) {
    std::size_t end = row.find('|', start);
    if (end == std::string::npos) end = row.size();
    std::string cell = row.substr(start, end - start);
    cell.erase(0, cell.find_first_not_of(' '));
    cell.erase(cell.find_last_not_of(' ') + 1);
    if (cell.size() > 1 && cell.front() == '`' && cell.back() == '`')
      cell = cell.substr(1, cell.size() - 2);
    cells.push_back(cell);
    start = end + 1;
  }
  return cells;
}

// The page as it is read by people: "### `kind`", then a table headed "word" and one headed
// "field".
struct Page {
  std::vector<std::string> kinds;
  std::map<std::string, Section> sections;
  Section every_line;  // the table headed "key"
  std::string version;
};

Page ReadPage() {
  const char* source = std::getenv("SQUALL_SOURCE_DIR");
  const std::string path = std::string(source != nullptr ? source : ".") + "/docs/journal.md";
  std::ifstream in(path);
  EXPECT_TRUE(in) << "no " << path;
  Page page;
  Section* section = &page.every_line;
  std::string table;
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("Schema version: **"))
      page.version = line.substr(18, line.find("**", 18) - 18);
    if (line.starts_with("### `")) {
      page.kinds.push_back(line.substr(5, line.size() - 6));
      section = &page.sections[page.kinds.back()];
    }
    if (!line.starts_with("|")) {
      table.clear();
      continue;
    }
    const std::vector<std::string> cells = Cells(line);
    if (cells[0].find_first_not_of('-') == std::string::npos) continue;
    if (table.empty()) {
      table = cells[0];
      continue;
    }
    EXPECT_FALSE(cells.back().empty()) << "no meaning: " << line;
    if (table == "word") section->words.push_back(cells[0]);
    if (table == "field" || table == "key") section->fields.emplace_back(cells[0], cells[1]);
  }
  return page;
}

TEST(JournalPage, NamesEveryKindInOrder) {
  const Page page = ReadPage();
  const std::vector<std::string> kinds(AllKinds().begin(), AllKinds().end());
  EXPECT_THAT(page.kinds, ContainerEq(kinds));
  EXPECT_EQ(page.version, std::to_string(kSchemaVersion));
}

TEST(JournalPage, NamesEveryWordAndFieldWithItsType) {
  Page page = ReadPage();
  for (Payload& payload : OneOfEachKind()) {
    const Event event{.payload = payload};
    const Section& section = page.sections[std::string(event.kind())];
    const Words words = WordsOf(event.kind());
    EXPECT_THAT(section.words, ContainerEq(std::vector<std::string>(words.begin(), words.end())))
        << event.kind();
    FieldTypes types;
    std::visit([&](auto& p) { p.Visit(types); }, payload);
    EXPECT_THAT(section.fields, ContainerEq(types.fields)) << event.kind();
  }
}

TEST(JournalPage, NamesTheKeysOfEveryLine) {
  const Page page = ReadPage();
  const auto line = nlohmann::json::parse(ToJson(Event{.payload = LogEvent{.what = "stdout"}}));
  std::map<std::string, std::string> described(page.every_line.fields.begin(),
                                               page.every_line.fields.end());
  EXPECT_EQ(described.size(), line.size());
  for (const auto& [key, value] : line.items()) {
    ASSERT_TRUE(described.contains(key)) << key;
    EXPECT_EQ(described[key] == "string", value.is_string()) << key;
  }
}

}  // namespace
}  // namespace squall::journal

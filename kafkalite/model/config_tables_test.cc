// docs/configuration.md says what the table of settings says.

#include "kafkalite/model/config_tables.h"

#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"
#include "kafkalite/model/topic_config.h"

namespace kafkalite::model {
namespace {

std::string Document() {
  std::ifstream file("docs/configuration.md");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The table below a heading.
std::string TableBelow(const std::string& document, const std::string& heading) {
  const size_t section = document.find("\n## " + heading + "\n");
  const size_t start = document.find("\n|", section);
  if (section == std::string::npos || start == std::string::npos) return "";
  const size_t end = document.find("\n\n", start);
  return document.substr(start + 1, end == std::string::npos ? end : end - start);
}

TEST(ConfigurationDocumentTest, SaysWhatTheTableOfSettingsSays) {
  const std::string document = Document();
  ASSERT_FALSE(document.empty());
  const std::string remedy = "bazelw run //kafkalite/model:print_config_tables";
  EXPECT_EQ(TableBelow(document, "Settings of topics"), TopicSettingsTable()) << remedy;
  EXPECT_EQ(TableBelow(document, "Settings of brokers"), BrokerSettingsTable()) << remedy;
}

TEST(ConfigurationDocumentTest, NoCellBreaksItsTable) {
  for (const TopicSetting& setting : TopicSettings()) {
    EXPECT_EQ(setting.documentation.find_first_of("|\n"), std::string_view::npos) << setting.key;
  }
}

}  // namespace
}  // namespace kafkalite::model

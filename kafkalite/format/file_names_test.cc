#include "kafkalite/format/file_names.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "kafkalite/format/test_bytes.h"

namespace kafkalite::format {
namespace {

using model::Offset;
using State = LogFolderName::State;

model::TopicPartition Tp(const std::string& topic, int32_t partition) {
  return {topic, model::PartitionId(partition)};
}

TEST(FileNamesTest, AreKafkas) {
  EXPECT_EQ(ToString({Offset(0), LogFileKind::kLog}), "00000000000000000000.log");
  EXPECT_EQ(ToString({Offset(1500), LogFileKind::kOffsetIndex}), "00000000000000001500.index");
  EXPECT_EQ(ToString({Offset(INT64_MAX), LogFileKind::kTimeIndex}),
            "09223372036854775807.timeindex");
  EXPECT_EQ(ToString({Offset(1), LogFileKind::kTransactionIndex}), "00000000000000000001.txnindex");
  EXPECT_EQ(ToString({Offset(1), LogFileKind::kProducerSnapshot}), "00000000000000000001.snapshot");
}

TEST(FileNamesTest, ComeBack) {
  for (const int64_t offset : {int64_t{0}, int64_t{1500}, INT64_MAX}) {
    for (const auto kind : {LogFileKind::kLog, LogFileKind::kOffsetIndex, LogFileKind::kTimeIndex,
                            LogFileKind::kTransactionIndex, LogFileKind::kProducerSnapshot}) {
      const LogFileName name{Offset(offset), kind};
      EXPECT_EQ(ParseLogFileName(ToString(name)), name);
    }
  }
}

TEST(FileNamesTest, OtherFilesAreNoLogFiles) {
  for (const std::string_view name :
       {"", ".log", "1.log", "00000000000000000000", "00000000000000000000.lo",
        "00000000000000000000.log.deleted", "00000000000000000000.log.cleaned",
        "000000000000000000000.log", "-0000000000000000001.log", "+0000000000000000001.log",
        "09223372036854775808.log", "99999999999999999999.log", "0000000000000000000x.log",
        "leader-epoch-checkpoint", "00000000000000000000.LOG"}) {
    EXPECT_EQ(ParseLogFileName(name), std::nullopt) << name;
  }
}

TEST(FileNamesTest, AFolderIsNamedByItsPartition) {
  for (const auto& tp : {Tp("orders", 0), Tp("a-b.c_d", 17), Tp("x-1", 2), Tp("x-delete", 3),
                         Tp("t", INT32_MAX), Tp(std::string(249, 't'), 1)}) {
    EXPECT_EQ(ParseLogFolderName(model::ToString(tp)), (LogFolderName{tp, State::kInUse}));
  }
}

TEST(FileNamesTest, AFolderMayBeOnItsWay) {
  EXPECT_EQ(DeletedFolderName(Tp("a.b-c", 3), "5f0a"), "a.b-c-3.5f0a-delete");
  EXPECT_EQ(ParseLogFolderName("a.b-c-3.5f0a-delete"),
            (LogFolderName{Tp("a.b-c", 3), State::kDeleted}));
  EXPECT_EQ(ParseLogFolderName("a.b-c-3.5f0a-future"),
            (LogFolderName{Tp("a.b-c", 3), State::kFuture}));
}

TEST(FileNamesTest, ALongTopicLosesItsEndBeforeTheFolderNameIsTooLong) {
  const std::string unique(32, 'f');
  const std::string name = DeletedFolderName(Tp(std::string(249, 't'), 7), unique);
  EXPECT_EQ(name.size(), 255u);
  EXPECT_EQ(ParseLogFolderName(name).value().state, State::kDeleted);
  EXPECT_EQ(ParseLogFolderName(name).value().tp.partition, model::PartitionId(7));
}

TEST(FileNamesTest, OtherFoldersAreNoLogs) {
  for (const std::string_view name :
       {"", "-", "t", "t-", "-0", "t-x",

        "t-00", "t-+1", "t-2147483648", "a b-0", "..-0", "/-0", "lost+found", "t-0-delete",
        "t-0.-delete", "t-0.x-deleted", "t-x.5f-delete", "-delete", ".5f-future"}) {
    EXPECT_EQ(ParseLogFolderName(name), std::nullopt) << name;
  }
}

TEST(FileNamesTest, TakeAnyBytes) {
  FeedVariations("00000000000000001500.index", [](std::string_view name) {
    const auto parsed = ParseLogFileName(name);
    if (parsed) {
      ASSERT_EQ(ToString(*parsed), name);
    }
  });
  FeedVariations("orders-12.5f0a-delete", [](std::string_view name) {
    const auto parsed = ParseLogFolderName(name);
    if (parsed && parsed->state == State::kInUse) {
      ASSERT_EQ(model::ToString(parsed->tp), name);
    }
  });
}

}  // namespace
}  // namespace kafkalite::format

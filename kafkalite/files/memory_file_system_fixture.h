// File: memory_file_system_fixture.h
//
// What the tests of MemoryFileSystem share.

#ifndef KAFKALITE_FILES_MEMORY_FILE_SYSTEM_FIXTURE_H_
#define KAFKALITE_FILES_MEMORY_FILE_SYSTEM_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/memory_file_system.h"

namespace kafkalite::files {

class MemoryFileSystemFixture : public testing::Test {
 protected:
  using Mode = FileSystem::Mode;
  using Names = std::vector<std::string>;

  std::unique_ptr<File> Open(const std::string& path, Mode mode = Mode::kCreate) {
    return fs_.Open(path, mode).value();
  }
  static absl::Status Write(File& file, int64_t position, std::string_view bytes) {
    const std::string_view pieces[] = {bytes};
    return file.WriteAt(position, pieces);
  }
  // A file that no crash can harm.
  void MakeDurable(const std::string& path, std::string_view bytes) {
    const auto file = Open(path, Mode::kTruncate);
    ASSERT_TRUE(Write(*file, 0, bytes).ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(fs_.SyncDirectory("/").ok());
  }
  std::string Contents(const std::string& path) { return ReadFile(fs_, path).value(); }
  Names List(const std::string& path = "/") { return fs_.List(path).value(); }

  static constexpr MemoryFileSystem::CrashOptions kLoseAll = {.keep_some = false};

  MemoryFileSystem fs_;
};

}  // namespace kafkalite::files

#endif  // KAFKALITE_FILES_MEMORY_FILE_SYSTEM_FIXTURE_H_

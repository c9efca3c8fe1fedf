// File: memory_disk.h
//
// The disk of a MemoryFileSystem: bytes and names, each twice: as they were written, and as a crash
// of the machine would leave them. Between the two is what was not synced, in order.
//
// Names follow POSIX: they lead to files and folders, and these live on without one while somebody
// has them open. Calls that can fail return 0 or an errno, as the system's do.
//
// Thread safety: none.

#ifndef KAFKALITE_FILES_MEMORY_DISK_H_
#define KAFKALITE_FILES_MEMORY_DISK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kafkalite/base/random.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/memory_file_system.h"

namespace kafkalite::files {

// Bytes that several may have, until one of them changes them.
class SharedBytes {
 public:
  const std::string& get() const { return *bytes_; }
  // To be changed: nobody else's.
  std::string& Own() {
    if (shared_) *this = SharedBytes(std::make_shared<std::string>(*bytes_), false);
    return *bytes_;
  }
  // For another owner, who may be of another disk, and another thread.
  SharedBytes Share() {
    shared_ = true;
    return *this;
  }

  SharedBytes() : bytes_(std::make_shared<std::string>()) {}

 private:
  SharedBytes(std::shared_ptr<std::string> bytes, bool shared)
      : bytes_(std::move(bytes)), shared_(shared) {}

  std::shared_ptr<std::string> bytes_;
  bool shared_ = false;  // for good, as far as this owner knows
};

// The bytes of a file.
class MemoryContents {
 public:
  int64_t size() const { return static_cast<int64_t>(bytes_.get().size()); }
  // What is written, and durable there.
  MemoryContents Clone();
  size_t Read(int64_t position, std::span<char> out) const;
  void Write(int64_t position, std::string_view bytes);
  void Truncate(int64_t size);
  void Sync();
  // A sync that failed. What it was for can still be read, and nobody tries to keep it any more.
  void Forget() { unsynced_.clear(); }
  void Crash(base::Random random, const MemoryFileSystem::CrashOptions& options);
  void Corrupt(int64_t position, std::string_view bytes);

 private:
  struct Change {
    int64_t position;
    std::optional<std::string> bytes;  // none: a truncation
  };
  static void Apply(std::string& to, int64_t position, std::string_view bytes);
  static void Apply(std::string& to, const Change& change);

  SharedBytes bytes_;
  SharedBytes durable_;
  std::vector<Change> unsynced_;
};

// A file or a folder, apart from its name.
struct MemoryNode {
  using Names = std::map<std::string, std::shared_ptr<MemoryNode>, std::less<>>;

  bool is_folder = false;
  MemoryContents contents;  // of a file
  Names names;              // in a folder
  Names durable_names;
  bool removed = false;  // a folder that is
  bool gone = false;     // and durably so: what was done in it does not matter any more
};

class MemoryDisk {
 public:
  using Mode = FileSystem::Mode;
  using Node = std::shared_ptr<MemoryNode>;

  // Paths start at the root, with or without "/". ".." is a name like any other.
  int Find(std::string_view path, Node& node) const;
  int Open(std::string_view path, Mode mode, Node& node);
  int Rename(std::string_view from, std::string_view to);
  int Remove(std::string_view path);
  int CreateDirectories(std::string_view path);
  int SyncDirectory(std::string_view path);

  // ENOSPC writes what there is room for.
  int Write(MemoryNode& node, int64_t position, std::string_view bytes) const;
  int Truncate(MemoryNode& node, int64_t size) const;
  void set_capacity(int64_t bytes) { capacity_ = bytes; }

  void Crash(const MemoryFileSystem::CrashOptions& options);
  // What is written, and durable there; no capacity.
  MemoryDisk Clone() const;

 private:
  // `name` in `folder` leads to `node`, or nowhere.
  struct Edit {
    Node folder;
    std::string name;
    Node node;
  };
  // Happens as a whole. A rename has two edits.
  using Change = std::vector<Edit>;

  // The folder that `path` is in, and its name there, which may not exist: then `node` is null.
  struct Place {
    Node folder;
    std::string name;
    Node node;
  };
  int FindPlace(std::string_view path, Place& place) const;
  void Do(Change change);
  // Makes those of the unsynced changes durable, and the earlier ones that they build on.
  void Persist(const std::function<bool(const Change&)>& wanted);
  int64_t Room() const;  // bytes until the disk is full

  Node root_ = std::make_shared<MemoryNode>(MemoryNode{.is_folder = true});
  std::vector<Change> unsynced_;
  int64_t capacity_ = -1;
};

}  // namespace kafkalite::files

#endif  // KAFKALITE_FILES_MEMORY_DISK_H_

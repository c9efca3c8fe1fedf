#include "kafkalite/files/memory_disk.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <set>
#include <utility>

namespace kafkalite::files {
namespace {

// A size that nobody means, and that would only be an allocation that fails.
constexpr int64_t kMaxFileBytes = int64_t{1} << 32;

std::vector<std::string_view> SplitPath(std::string_view path) {
  std::vector<std::string_view> names;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    if (!name.empty() && name != ".") names.push_back(name);
    path.remove_prefix(std::min(name.size() + 1, path.size()));
  }
  return names;
}

int64_t BytesIn(const MemoryNode& node) {
  int64_t bytes = node.contents.size();
  for (const auto& [name, child] : node.names) bytes += BytesIn(*child);
  return bytes;
}

// What the machine finds when it starts again. In the order of names, so that the same random
// numbers go to the same files.
void Restart(MemoryNode& node, base::Random& random,
             const MemoryFileSystem::CrashOptions& options) {
  node.contents.Crash(random.Fork(), options);
  node.names = node.durable_names;
  node.removed = false;
  for (const auto& [name, child] : node.names) Restart(*child, random, options);
}

// A name for each node, as far as folders go: there are no links.
void CloneInto(MemoryNode& from, MemoryNode& to) {
  to.is_folder = from.is_folder;
  to.contents = from.contents.Clone();
  for (const auto& [name, child] : from.names) {
    to.names[name] = std::make_shared<MemoryNode>();
    CloneInto(*child, *to.names[name]);
  }
  to.durable_names = to.names;
}

}  // namespace

// --- MemoryContents ------------------------------------------------------------------------------

void MemoryContents::Apply(std::string& to, int64_t position, std::string_view bytes) {
  const size_t start = static_cast<size_t>(position);
  if (bytes.empty()) return;
  if (to.size() < start + bytes.size()) to.resize(start + bytes.size(), '\0');
  std::copy(bytes.begin(), bytes.end(), to.begin() + position);
}

void MemoryContents::Apply(std::string& to, const Change& change) {
  if (change.bytes.has_value()) {
    Apply(to, change.position, *change.bytes);
  } else {
    to.resize(static_cast<size_t>(change.position), '\0');
  }
}

size_t MemoryContents::Read(int64_t position, std::span<char> out) const {
  if (position >= size()) return 0;
  return bytes_.get().copy(out.data(), out.size(), static_cast<size_t>(position));
}

void MemoryContents::Write(int64_t position, std::string_view bytes) {
  if (bytes.empty()) return;
  unsynced_.push_back({position, std::string(bytes)});
  Apply(bytes_.Own(), unsynced_.back());
}

void MemoryContents::Truncate(int64_t size) {
  unsynced_.push_back({size, std::nullopt});
  Apply(bytes_.Own(), unsynced_.back());
}

void MemoryContents::Sync() {
  // Not simply all of bytes_: some of it may be forgotten.
  for (const Change& change : unsynced_) Apply(durable_.Own(), change);
  unsynced_.clear();
}

void MemoryContents::Crash(base::Random random, const MemoryFileSystem::CrashOptions& options) {
  const size_t kept = options.keep_some ? random.Below(unsynced_.size() + 1) : 0;
  for (size_t i = 0; i < kept; ++i) {
    Change& change = unsynced_[i];
    const bool last = i + 1 == kept;
    if (change.bytes.has_value()) {
      if (!options.in_order && !last && random.OneIn(3)) continue;
      const bool whole = (options.in_order && !last) || random.OneIn(2);
      if (!whole) change.bytes->resize(random.Below(change.bytes->size() + 1));
    }
    Apply(durable_.Own(), change);
  }
  unsynced_.clear();
  bytes_ = durable_.Share();
}

MemoryContents MemoryContents::Clone() {
  MemoryContents clone;
  clone.bytes_ = bytes_.Share();
  clone.durable_ = clone.bytes_.Share();
  return clone;
}

void MemoryContents::Corrupt(int64_t position, std::string_view bytes) {
  const auto overlay = [&](std::string& to, int64_t to_position) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      const int64_t at = position + static_cast<int64_t>(i) - to_position;
      if (at >= 0 && at < static_cast<int64_t>(to.size())) to[static_cast<size_t>(at)] = bytes[i];
    }
  };
  overlay(bytes_.Own(), 0);
  overlay(durable_.Own(), 0);
  for (Change& change : unsynced_) {
    if (change.bytes.has_value()) overlay(*change.bytes, change.position);
  }
}

// --- MemoryDisk ----------------------------------------------------------------------------------

int MemoryDisk::Find(std::string_view path, Node& node) const {
  if (path.empty()) return ENOENT;
  Node found = root_;
  for (const std::string_view name : SplitPath(path)) {
    if (!found->is_folder) return ENOTDIR;
    const auto it = found->names.find(name);
    if (it == found->names.end()) return ENOENT;
    found = it->second;
  }
  node = std::move(found);
  return 0;
}

int MemoryDisk::FindPlace(std::string_view path, Place& place) const {
  const std::vector<std::string_view> names = SplitPath(path);
  if (names.empty()) return path.empty() ? ENOENT : EBUSY;  // the root has no place
  place.name = names.back();
  const size_t start = static_cast<size_t>(names.back().data() - path.data());
  const std::string_view folder = path.substr(0, start);
  if (const int error = Find(folder.empty() ? "/" : folder, place.folder)) return error;
  if (!place.folder->is_folder) return ENOTDIR;
  const auto it = place.folder->names.find(place.name);
  place.node = it == place.folder->names.end() ? nullptr : it->second;
  return 0;
}

int MemoryDisk::Open(std::string_view path, Mode mode, Node& node) {
  Place place;
  if (const int error = FindPlace(path, place)) return error == EBUSY ? EISDIR : error;
  if (place.node == nullptr) {
    if (mode == Mode::kRead || mode == Mode::kWrite) return ENOENT;
    place.node = std::make_shared<MemoryNode>();
    Do({{place.folder, place.name, place.node}});
  }
  if (place.node->is_folder) return EISDIR;
  if (mode == Mode::kTruncate) place.node->contents.Truncate(0);
  node = place.node;
  return 0;
}

int MemoryDisk::Rename(std::string_view from, std::string_view to) {
  Place source;
  Place target;
  if (const int error = FindPlace(from, source)) return error;
  if (const int error = FindPlace(to, target)) return error;
  if (source.node == nullptr) return ENOENT;
  if (source.node == target.node) return 0;
  // See FileSystem::Rename. So folders keep their place, and no crash can make a loop of them.
  if (source.node->is_folder && source.folder != target.folder) return EXDEV;
  if (target.node != nullptr) {
    if (source.node->is_folder && !target.node->is_folder) return ENOTDIR;
    if (!source.node->is_folder && target.node->is_folder) return EISDIR;
    if (!target.node->names.empty()) return ENOTEMPTY;
  }
  Do({{source.folder, source.name, nullptr}, {target.folder, target.name, source.node}});
  return 0;
}

int MemoryDisk::Remove(std::string_view path) {
  Place place;
  if (const int error = FindPlace(path, place)) return error;
  if (place.node == nullptr) return ENOENT;
  if (!place.node->names.empty()) return ENOTEMPTY;
  place.node->removed = place.node->is_folder;
  Do({{place.folder, place.name, nullptr}});
  return 0;
}

int MemoryDisk::CreateDirectories(std::string_view path) {
  if (path.empty()) return ENOENT;
  Node folder = root_;
  for (const std::string_view name : SplitPath(path)) {
    if (!folder->is_folder) return ENOTDIR;
    if (!folder->names.contains(name)) {
      Do({{folder, std::string(name),
           std::make_shared<MemoryNode>(MemoryNode{.is_folder = true})}});
    }
    folder = folder->names.find(name)->second;
  }
  return folder->is_folder ? 0 : ENOTDIR;
}

int MemoryDisk::SyncDirectory(std::string_view path) {
  Node folder;
  if (const int error = Find(path, folder)) return error;
  if (!folder->is_folder) return ENOTDIR;
  Persist([&folder](const Change& change) {
    return std::any_of(change.begin(), change.end(),
                       [&folder](const Edit& edit) { return edit.folder == folder; });
  });
  return 0;
}

int64_t MemoryDisk::Room() const {
  if (capacity_ < 0) return std::numeric_limits<int64_t>::max();
  return std::max<int64_t>(0, capacity_ - BytesIn(*root_));
}

int MemoryDisk::Write(MemoryNode& node, int64_t position, std::string_view bytes) const {
  const int64_t length = static_cast<int64_t>(bytes.size());
  if (position < 0) return EINVAL;
  if (position > kMaxFileBytes || length > kMaxFileBytes - position) return EFBIG;
  const int64_t growth = length > 0 ? position + length - node.contents.size() : 0;
  const int64_t missing = growth > 0 ? growth - Room() : 0;
  if (missing > 0) bytes.remove_suffix(static_cast<size_t>(std::min(missing, length)));
  node.contents.Write(position, bytes);
  return missing > 0 ? ENOSPC : 0;
}

int MemoryDisk::Truncate(MemoryNode& node, int64_t size) const {
  if (size < 0) return EINVAL;
  if (size > kMaxFileBytes) return EFBIG;
  if (size > node.contents.size() && size - node.contents.size() > Room()) return ENOSPC;
  node.contents.Truncate(size);
  return 0;
}

void MemoryDisk::Do(Change change) {
  for (const Edit& edit : change) {
    if (edit.node == nullptr) {
      edit.folder->names.erase(edit.name);
    } else {
      edit.folder->names[edit.name] = edit.node;
    }
  }
  unsynced_.push_back(std::move(change));
}

void MemoryDisk::Persist(const std::function<bool(const Change&)>& wanted) {
  // From the last to the first: one that is kept needs those before it that are about one of its
  // names. A file would have two names if a second rename were kept without the first.
  std::set<std::pair<const MemoryNode*, std::string>> needed;
  std::vector<bool> keep(unsynced_.size());
  for (size_t i = unsynced_.size(); i-- > 0;) {
    const Change& change = unsynced_[i];
    keep[i] = wanted(change) || std::any_of(change.begin(), change.end(), [&](const Edit& edit) {
                return needed.contains({edit.folder.get(), edit.name});
              });
    if (!keep[i]) continue;
    for (const Edit& edit : change) needed.emplace(edit.folder.get(), edit.name);
  }
  std::vector<Change> rest;
  for (size_t i = 0; i < unsynced_.size(); ++i) {
    if (!keep[i]) {
      rest.push_back(std::move(unsynced_[i]));
      continue;
    }
    for (const Edit& edit : unsynced_[i]) {
      if (edit.node == nullptr) {
        const auto name = edit.folder->durable_names.find(edit.name);
        if (name == edit.folder->durable_names.end()) continue;
        name->second->gone = name->second->removed;
        edit.folder->durable_names.erase(name);
      } else {
        edit.folder->durable_names[edit.name] = edit.node;
      }
    }
  }
  std::erase_if(rest, [](const Change& change) {
    return std::all_of(change.begin(), change.end(),
                       [](const Edit& edit) { return edit.folder->gone; });
  });
  unsynced_ = std::move(rest);
}

MemoryDisk MemoryDisk::Clone() const {
  MemoryDisk clone;
  CloneInto(*root_, *clone.root_);
  return clone;
}

void MemoryDisk::Crash(const MemoryFileSystem::CrashOptions& options) {
  base::Random random(options.seed);
  if (options.keep_some) {
    Persist([&random](const Change&) { return random.OneIn(2); });
  }
  unsynced_.clear();
  Restart(*root_, random, options);
}

}  // namespace kafkalite::files

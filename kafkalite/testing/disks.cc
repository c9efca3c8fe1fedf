#include "kafkalite/testing/disks.h"

#include <charconv>
#include <string_view>

#include "kafkalite/base/status_macros.h"

namespace kafkalite::testing {
namespace {

constexpr std::string_view kBrokerFolder = "/broker-";

// Where the number of the broker whose folder the path is in, or is, begins and ends.
struct BrokerPart {
  int32_t broker = 0;  // 0: no broker's
  size_t end = 0;
};

BrokerPart FindBroker(std::string_view path) {
  for (size_t at = path.find(kBrokerFolder); at != std::string_view::npos;
       at = path.find(kBrokerFolder, at + 1)) {
    const char* const begin = path.data() + at + kBrokerFolder.size();
    const char* const end = path.data() + path.size();
    BrokerPart part;
    const auto [rest, error] = std::from_chars(begin, end, part.broker);
    if (error != std::errc() || part.broker <= 0 || (rest != end && *rest != '/')) continue;
    part.end = static_cast<size_t>(rest - path.data());
    return part;
  }
  return {};
}

}  // namespace

files::MemoryFileSystem& Disks::machine(int32_t broker) {
  base::MutexLock lock(mu_);
  auto& machine = machines_[broker];
  if (machine == nullptr) machine = std::make_unique<files::MemoryFileSystem>();
  return *machine;
}

files::MemoryFileSystem& Disks::MachineOf(const std::string& path) {
  return machine(FindBroker(path).broker);
}

std::shared_ptr<Disks> Disks::Clone() const {
  auto clone = std::make_shared<Disks>();
  base::MutexLock lock(mu_);
  base::MutexLock clone_lock(clone->mu_);
  for (const auto& [broker, machine] : machines_) clone->machines_[broker] = machine->Clone();
  return clone;
}

absl::StatusOr<std::unique_ptr<files::File>> Disks::Open(const std::string& path, Mode mode) {
  return MachineOf(path).Open(path, mode);
}

absl::Status Disks::Rename(const std::string& from, const std::string& to) {
  return MachineOf(from).Rename(from, to);
}

absl::Status Disks::Remove(const std::string& path) { return MachineOf(path).Remove(path); }

absl::Status Disks::CreateDirectories(const std::string& path) {
  files::MemoryFileSystem& machine = MachineOf(path);
  KL_RETURN_IF_ERROR(machine.CreateDirectories(path));
  // The broker's folder itself is where its disk is mounted: no crash of its machine takes it away.
  for (std::string mounted = path.substr(0, FindBroker(path).end); mounted.size() > 1;
       mounted = files::FolderOf(mounted)) {
    KL_RETURN_IF_ERROR(machine.SyncDirectory(files::FolderOf(mounted)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> Disks::List(const std::string& path) {
  return MachineOf(path).List(path);
}

absl::StatusOr<bool> Disks::IsDirectory(const std::string& path) {
  return MachineOf(path).IsDirectory(path);
}

absl::Status Disks::SyncDirectory(const std::string& path) {
  return MachineOf(path).SyncDirectory(path);
}

absl::StatusOr<std::unique_ptr<files::FileLock>> Disks::Lock(const std::string& path) {
  return MachineOf(path).Lock(path);
}

std::string Disks::BootId(const std::string& path) { return MachineOf(path).BootId(path); }

}  // namespace kafkalite::testing

#include "kafkalite/files/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/files/errno_status.h"

namespace kafkalite::files {
namespace {

// Calls again what a signal interrupted.
template <class Call>
auto Retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// 0, or the errno of a call that returned `result`.
int ErrorOf(int result) { return result < 0 ? errno : 0; }

// Owns a descriptor; -1 is none.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  // Not again after EINTR: Linux has closed it, and another thread may have the number.
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }

 private:
  int fd_;
};

absl::StatusOr<Descriptor> OpenDescriptor(const std::string& path, int flags) {
  // The umask decides who else may read.
  Descriptor fd(Retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); }));
  if (fd.get() < 0) return ErrnoStatus(errno, "open", path);
  return fd;
}

// The rest of a gathered write, from byte `skip` of its first piece on.
struct Rest {
  std::span<const std::string_view> pieces;
  size_t skip = 0;

  void Advance(size_t bytes) {
    skip += bytes;
    while (!pieces.empty() && skip >= pieces.front().size()) {
      skip -= pieces.front().size();
      pieces = pieces.subspan(1);
    }
  }
};

// One system call's worth of it. The number of bytes written, or -1.
ssize_t WriteSome(int fd, int64_t position, const Rest& rest) {
  std::array<iovec, IOV_MAX> vectors;
  size_t count = 0;
  size_t skip = rest.skip;
  for (const std::string_view piece :
       rest.pieces.first(std::min<size_t>(rest.pieces.size(), IOV_MAX))) {
    const std::string_view left = piece.substr(std::exchange(skip, 0));
    vectors[count++] = {const_cast<char*>(left.data()), left.size()};
  }
  return Retry([&] { return ::pwritev(fd, vectors.data(), static_cast<int>(count), position); });
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor fd, std::string path)
      : owner_(std::make_shared<const Descriptor>(std::move(fd))),
        fd_(*owner_),
        path_(std::move(path)) {}

  absl::StatusOr<size_t> ReadAt(int64_t position, std::span<char> out) const override;
  absl::Status WriteAt(int64_t position, std::span<const std::string_view> pieces) override;
  absl::StatusOr<int64_t> Size() const override {
    struct stat info;
    if (::fstat(fd_.get(), &info) < 0) return ErrnoStatus(errno, "stat", path_);
    return info.st_size;
  }
  absl::Status Truncate(int64_t size) override {
    return Result(Retry([&] { return ::ftruncate(fd_.get(), size); }), "truncate");
  }
  // Its size counts as data for fdatasync; what it leaves out is the time of the last change.
  absl::Status Sync() override {
    return Result(Retry([&] { return ::fdatasync(fd_.get()); }), "sync");
  }
  FileDescriptor descriptor() const override { return {owner_, fd_.get()}; }

 private:
  absl::Status Result(int result, std::string_view operation) const {
    return ErrnoStatus(ErrorOf(result), operation, path_);
  }

  const std::shared_ptr<const Descriptor> owner_;
  const Descriptor& fd_;
  const std::string path_;
};

absl::StatusOr<size_t> PosixFile::ReadAt(int64_t position, std::span<char> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const std::span<char> rest = out.subspan(done);
    const ssize_t n = Retry([&] {
      return ::pread(fd_.get(), rest.data(), rest.size(), position + static_cast<int64_t>(done));
    });
    if (n < 0) return ErrnoStatus(errno, "read", path_);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

absl::Status PosixFile::WriteAt(int64_t position, std::span<const std::string_view> pieces) {
  Rest rest{pieces};
  rest.Advance(0);  // over empty pieces: with nothing to write there is no call at all
  while (!rest.pieces.empty()) {
    const ssize_t n = WriteSome(fd_.get(), position, rest);
    if (n < 0) return ErrnoStatus(errno, "write", path_);
    if (n == 0) return ErrnoStatus(EIO, "write", path_);  // or this would go on for ever
    position += n;
    rest.Advance(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

// A lock of the open file description: unlike one of the process, it is refused to a second
// descriptor of the same process, and stays when another descriptor of the file is closed.
class PosixLock final : public FileLock {
 public:
  explicit PosixLock(Descriptor fd) : fd_(std::move(fd)) {}
  // Closing is not enough: a child that was forked has the description too.
  ~PosixLock() override { Set(fd_.get(), F_UNLCK); }

  // As fcntl does: -1 and errno.
  static int Set(int fd, short type) {
    struct flock lock = {};  // from 0 to the end: all of it
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return Retry([&] { return ::fcntl(fd, F_OFD_SETLK, &lock); });
  }

 private:
  const Descriptor fd_;
};

// 0 or an errno.
int MakeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0777) == 0) return 0;
  if (errno != EEXIST) return errno;
  struct stat info;
  if (::stat(path.c_str(), &info) < 0) return errno;
  return S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
}

// From the end, so that parents that exist are not touched: one may not be allowed to.
int MakeDirectories(const std::string& path) {
  const int error = MakeDirectory(path);
  if (error != ENOENT) return error;
  const size_t end = path.find_last_not_of('/');
  const size_t slash = path.rfind('/', end);
  if (end == std::string::npos || slash == std::string::npos || slash == 0) return ENOENT;
  if (const int above = MakeDirectories(path.substr(0, slash)); above != 0) return above;
  return MakeDirectory(path);
}

class PosixFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override;
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return RenameStatus(ErrorOf(::rename(from.c_str(), to.c_str())), from, to);
  }
  absl::Status Remove(const std::string& path) override {
    return ErrnoStatus(ErrorOf(::remove(path.c_str())), "remove", path);
  }
  absl::Status CreateDirectories(const std::string& path) override {
    return ErrnoStatus(MakeDirectories(path), "create folder", path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override;
  absl::StatusOr<bool> IsDirectory(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) < 0) return ErrnoStatus(errno, "stat", path);
    return S_ISDIR(info.st_mode);
  }
  absl::Status SyncDirectory(const std::string& path) override {
    KL_ASSIGN_OR_RETURN(const Descriptor fd, OpenDescriptor(path, O_RDONLY | O_DIRECTORY));
    return ErrnoStatus(ErrorOf(Retry([&] { return ::fsync(fd.get()); })), "sync folder", path);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  std::string BootId(const std::string& path) override;
};

absl::StatusOr<std::unique_ptr<File>> PosixFileSystem::Open(const std::string& path, Mode mode) {
  int flags = mode == Mode::kRead ? O_RDONLY : O_RDWR;
  if (mode == Mode::kCreate || mode == Mode::kTruncate) flags |= O_CREAT;
  if (mode == Mode::kTruncate) flags |= O_TRUNC;
  KL_ASSIGN_OR_RETURN(Descriptor fd, OpenDescriptor(path, flags));
  struct stat info;
  if (::fstat(fd.get(), &info) < 0) return ErrnoStatus(errno, "open", path);
  // To be read, the system opens it, and fails later.
  if (S_ISDIR(info.st_mode)) return ErrnoStatus(EISDIR, "open", path);
  return std::make_unique<PosixFile>(std::move(fd), path);
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::List(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (folder == nullptr) return ErrnoStatus(errno, "list", path);
  std::vector<std::string> names;
  while (true) {
    errno = 0;  // the end is an error only if this says so
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return ErrnoStatus(errno, "list", path);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::unique_ptr<FileLock>> PosixFileSystem::Lock(const std::string& path) {
  KL_ASSIGN_OR_RETURN(Descriptor fd, OpenDescriptor(path, O_RDWR | O_CREAT));
  if (PosixLock::Set(fd.get(), F_WRLCK) == 0) return std::make_unique<PosixLock>(std::move(fd));
  if (errno == EAGAIN || errno == EACCES) return LockHeldStatus(path);
  return ErrnoStatus(errno, "lock", path);
}

std::string PosixFileSystem::BootId(const std::string& /*path*/) {
  const auto file = Open("/proc/sys/kernel/random/boot_id", Mode::kRead);
  if (!file.ok()) return "";
  std::array<char, 64> buffer;
  const absl::StatusOr<size_t> read = (*file)->ReadAt(0, buffer);
  if (!read.ok()) return "";
  const std::string_view line(buffer.data(), *read);
  return std::string(line.substr(0, line.find('\n')));
}

}  // namespace

size_t MaxOpenFiles() {
  constexpr size_t kUnknown = 1024;
  struct rlimit limit;
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : kUnknown;
}

std::shared_ptr<FileSystem> MakePosixFileSystem() { return std::make_shared<PosixFileSystem>(); }

}  // namespace kafkalite::files

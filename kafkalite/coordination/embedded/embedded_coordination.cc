#include "kafkalite/coordination/embedded/embedded_coordination.h"

#include <string>
#include <utility>
#include <vector>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/coordination/embedded/session_client.h"
#include "kafkalite/coordination/embedded/tree_files.h"
#include "kafkalite/coordination/embedded/tree_server.h"

namespace kafkalite::coordination {
namespace {

// The user's hold on a session: letting go of it ends the session.
class EmbeddedSession final : public Session {
 public:
  explicit EmbeddedSession(std::shared_ptr<SessionClient> client) : client_(std::move(client)) {}
  ~EmbeddedSession() override { client_->Close(); }

  uint64_t id() const override { return client_->id(); }
  void Commit(std::vector<Operation> operations, CommitCallback callback) override {
    client_->Commit(std::move(operations), std::move(callback));
  }
  void Get(std::string path, Watch watch, GetCallback callback) override {
    client_->Get(std::move(path), std::move(watch), std::move(callback));
  }
  void Children(std::string path, Watch watch, ChildrenCallback callback) override {
    client_->Children(std::move(path), std::move(watch), std::move(callback));
  }

 private:
  const std::shared_ptr<SessionClient> client_;
};

}  // namespace

EmbeddedCoordination::EmbeddedCoordination(base::Executor& executor, base::Network& network)
    : EmbeddedCoordination(executor, network, std::make_shared<TreeServer>(executor, network)) {}

EmbeddedCoordination::EmbeddedCoordination(base::Executor& executor, base::Network& network,
                                           std::shared_ptr<TreeServer> server)
    : executor_(executor), network_(network), server_(std::move(server)) {}

EmbeddedCoordination::~EmbeddedCoordination() { Close(); }

absl::StatusOr<std::unique_ptr<EmbeddedCoordination>> EmbeddedCoordination::Open(
    base::Executor& executor, base::Network& network, const Files& files) {
  KL_ASSIGN_OR_RETURN(TreeFiles::Opened kept,
                      TreeFiles::Open(executor, {files.fs, files.folder, files.journal_bytes}));
  return std::unique_ptr<EmbeddedCoordination>(new EmbeddedCoordination(
      executor, network, TreeServer::Restore(executor, network, std::move(kept))));
}

std::unique_ptr<Session> EmbeddedCoordination::Connect(const SessionOptions& options,
                                                       SessionListener listener) {
  return std::make_unique<EmbeddedSession>(
      SessionClient::Open(executor_, network_, server_, options, std::move(listener)));
}

void EmbeddedCoordination::ExpireSession(uint64_t id) { server_->ExpireSession(id); }
void EmbeddedCoordination::ExpireClient(int32_t client) { server_->ExpireClient(client); }
std::vector<uint64_t> EmbeddedCoordination::DisownClient(int32_t client) {
  return server_->DisownClient(client);
}
void EmbeddedCoordination::LoseCommitAnswers(int32_t client, int times) {
  server_->LoseCommitAnswers(client, times);
}

GetResult EmbeddedCoordination::Peek(std::string_view path) const { return server_->Peek(path); }
ChildrenResult EmbeddedCoordination::PeekChildren(std::string_view path) const {
  return server_->PeekChildren(path);
}
int64_t EmbeddedCoordination::last_transaction() const { return server_->last_transaction(); }
size_t EmbeddedCoordination::session_count() const { return server_->session_count(); }
void EmbeddedCoordination::Close() { server_->CloseFiles(); }
absl::Status EmbeddedCoordination::status() const { return server_->status(); }

}  // namespace kafkalite::coordination

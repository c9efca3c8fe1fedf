// File: mutants.h
//
// Wrong rules, one a build flag: `--copt=-DKAFKALITE_MUTANT_ELECT_OUTSIDE_ISR` and so on. Each has
// to be caught by the tests (kafkalite/testing/mutants.sh); a product build defines none.

#ifndef KAFKALITE_REPLICATION_MUTANTS_H_
#define KAFKALITE_REPLICATION_MUTANTS_H_

namespace kafkalite::replication {

#ifdef KAFKALITE_MUTANT_TRUNCATE_TO_HIGH_WATERMARK
inline constexpr bool kMutantTruncateToHighWatermark = true;
#else
inline constexpr bool kMutantTruncateToHighWatermark = false;
#endif

#ifdef KAFKALITE_MUTANT_SKIP_FETCH_EPOCH_CHECK
inline constexpr bool kMutantSkipFetchEpochCheck = true;
#else
inline constexpr bool kMutantSkipFetchEpochCheck = false;
#endif

#ifdef KAFKALITE_MUTANT_HIGH_WATERMARK_OVER_PROPOSED_ISR
inline constexpr bool kMutantHighWatermarkOverProposedIsr = true;
#else
inline constexpr bool kMutantHighWatermarkOverProposedIsr = false;
#endif

#ifdef KAFKALITE_MUTANT_ELECT_OUTSIDE_ISR
inline constexpr bool kMutantElectOutsideIsr = true;
#else
inline constexpr bool kMutantElectOutsideIsr = false;
#endif

#ifdef KAFKALITE_MUTANT_ACKNOWLEDGE_AT_LEADER_APPEND
inline constexpr bool kMutantAcknowledgeAtLeaderAppend = true;
#else
inline constexpr bool kMutantAcknowledgeAtLeaderAppend = false;
#endif

#ifdef KAFKALITE_MUTANT_DEDUP_WINDOW_OF_ONE
inline constexpr bool kMutantDedupWindowOfOne = true;
#else
inline constexpr bool kMutantDedupWindowOfOne = false;
#endif

}  // namespace kafkalite::replication

#endif  // KAFKALITE_REPLICATION_MUTANTS_H_

// For builds under ThreadSanitizer only.
//
// absl::Status counts its references atomically, but the half that counts down lies in Debian's
// library, which is not instrumented: the sanitizer sees one thread count up and another one free,
// and not the order that the count gives them. Every Status that two threads have held could be
// reported. Nothing else of ours runs below this function.

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
extern "C" const char* __tsan_default_suppressions() { return "race:absl::*Status::Unref\n"; }
#endif
#endif

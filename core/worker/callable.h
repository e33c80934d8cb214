#pragma once
// Turns a typed function, lambda or coroutine into one over payloads: the glue under registration
// and handlers.

#include <functional>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

#include "core/worker/payload.h"
#include "core/worker/task.h"

namespace squall::core::internal {

template <typename... T>
struct TypeList {};

template <typename F>
struct CallableTraits : CallableTraits<decltype(&F::operator())> {};
template <typename R, typename... Args>
struct CallableTraits<R (*)(Args...)> {
  using Result = R;
  using Arguments = std::tuple<std::decay_t<Args>...>;
};
template <typename R, typename C, typename... Args>
struct CallableTraits<R (C::*)(Args...) const> : CallableTraits<R (*)(Args...)> {};
template <typename R, typename C, typename... Args>
struct CallableTraits<R (C::*)(Args...)> : CallableTraits<R (*)(Args...)> {};

// The arguments without the first: what comes from the caller behind the context.
template <typename Tuple>
struct Tail;
template <typename First, typename... Rest>
struct Tail<std::tuple<First, Rest...>> {
  using type = std::tuple<Rest...>;
};

template <typename Tuple>
struct TupleDecoder;
template <typename... Args>
struct TupleDecoder<std::tuple<Args...>> {
  static StatusOr<std::tuple<Args...>> Decode(const Payloads& in) {
    return DecodeArguments<Args...>(in);
  }
};

// Calls and encodes what comes back; for functions that are no coroutines.
template <typename F, typename... Args>
Payload CallAndEncode(F& function, Args&&... args) {
  if constexpr (std::is_void_v<std::invoke_result_t<F&, Args...>>) {
    std::invoke(function, std::forward<Args>(args)...);
    return NullPayload();
  } else {
    return Encode(std::invoke(function, std::forward<Args>(args)...));
  }
}

// gcc 12 takes the frame of a coroutine template for a type of this header, and warns that it has a
// field of a type local to the .cc file that instantiates it. The frame is as local as that type.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsubobject-linkage"

// The same for functions that may be coroutines. Keeps function and arguments alive in its own
// frame: a coroutine may hold references to both.
template <typename F, typename Tuple>
Task<Payload> CallAsTask(std::shared_ptr<F> function, Tuple args) {
  using Result = decltype(std::apply(*function, std::move(args)));
  if constexpr (!kIsTask<Result>) {
    co_return std::apply(
        [&](auto&... each) { return CallAndEncode(*function, std::move(each)...); }, args);
  } else if constexpr (std::is_void_v<typename Result::value_type>) {
    co_await std::apply(*function, std::move(args));
    co_return NullPayload();
  } else {
    co_return Encode(co_await std::apply(*function, std::move(args)));
  }
}

#pragma GCC diagnostic pop

}  // namespace squall::core::internal

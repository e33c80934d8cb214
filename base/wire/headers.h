#pragma once
// Header blocks of HTTP/2: as fields of ours, and as they came.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct nghttp2_rcbuf;

namespace squall::wire {

// A header or trailer field. Names are lower case; pseudo-headers begin with a colon and come
// first.
struct Header {
  std::string name;
  std::string value;
  bool operator==(const Header&) const = default;
};
using Headers = std::vector<Header>;

// The value of the first field of that name; empty when there is none.
std::string_view FindHeader(const Headers& headers, std::string_view name);

// A block as a peer sent it: shares of nghttp2's own texts instead of copies. For who passes blocks
// on and looks at few of their fields. May outlive the connection that it came from, on the same
// thread: the shares are counted without atomics.
class HeaderBlock {
 public:
  HeaderBlock() = default;
  ~HeaderBlock() { clear(); }
  HeaderBlock(const HeaderBlock&) = delete;
  HeaderBlock& operator=(const HeaderBlock&) = delete;
  HeaderBlock(HeaderBlock&& other) noexcept : fields_(std::move(other.fields_)) {
    other.fields_.clear();
  }
  HeaderBlock& operator=(HeaderBlock&& other) noexcept {
    clear();
    swap(other);
    return *this;
  }

  // Takes a share of each.
  void Add(nghttp2_rcbuf* name, nghttp2_rcbuf* value);

  std::size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }
  std::string_view name(std::size_t i) const { return fields_[i].name; }
  std::string_view value(std::size_t i) const { return fields_[i].value; }
  // As FindHeader.
  std::string_view Find(std::string_view name) const;
  Headers ToHeaders() const;

  // Keeps the room for as many fields.
  void clear() noexcept;
  // With the room: blocks that are handed on by swapping are made without allocating.
  void swap(HeaderBlock& other) noexcept { fields_.swap(other.fields_); }

 private:
  struct Field {
    nghttp2_rcbuf* name_share;
    nghttp2_rcbuf* value_share;
    std::string_view name, value;
  };
  std::vector<Field> fields_;
};

}  // namespace squall::wire

#include "base/wire/headers.h"

#include <nghttp2/nghttp2.h>

namespace squall::wire {
namespace {

std::string_view TextOf(nghttp2_rcbuf* buffer) {
  const nghttp2_vec text = nghttp2_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(text.base), text.len};
}

}  // namespace

std::string_view FindHeader(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

void HeaderBlock::Add(nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  if (fields_.capacity() == 0) fields_.reserve(12);
  fields_.push_back({name, value, TextOf(name), TextOf(value)});
  nghttp2_rcbuf_incref(name);
  nghttp2_rcbuf_incref(value);
}

std::string_view HeaderBlock::Find(std::string_view name) const {
  for (const Field& field : fields_) {
    if (field.name == name) return field.value;
  }
  return {};
}

Headers HeaderBlock::ToHeaders() const {
  Headers headers;
  headers.reserve(fields_.size());
  for (const Field& field : fields_) {
    headers.push_back({std::string(field.name), std::string(field.value)});
  }
  return headers;
}

void HeaderBlock::clear() noexcept {
  for (const Field& field : fields_) {
    nghttp2_rcbuf_decref(field.name_share);
    nghttp2_rcbuf_decref(field.value_share);
  }
  fields_.clear();
}

}  // namespace squall::wire

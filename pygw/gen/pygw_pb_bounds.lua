-- The bounds of messages of Protocol Buffers for LuaJIT, and the number all look at as bytes.
-- Owns: what a program may set: `require("pygw_pb").max_bytes = 1024 * 1024`.
-- Never does: read or write.
-- Read next: pygw_pb_read.lua, pygw_pb_write.lua.
local ffi = require("ffi")

return {
  depth = 100,                -- messages within messages
  max_bytes = 64 * 1024 * 1024, -- of one message, in both directions
  -- One number as bytes, integers or a float.
  cell = ffi.new([[union {
    uint8_t b[8]; uint64_t u; int64_t i; double d; float f; uint32_t w; int32_t s; int32_t h[2];
  }]]),
}

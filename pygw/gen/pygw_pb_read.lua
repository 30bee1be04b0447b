-- The wire of Protocol Buffers for LuaJIT: reading.
-- Owns: each kind of field as it comes: a reader takes a pointer, the offset and the end, and
--   returns a value and the next offset.
-- Never does: read behind the end of a message.
-- Read next: pygw_pb_bounds.lua.
local ffi = require("ffi")
local bit = require("bit")
local band, bor, bxor, lshift, rshift = bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift
local copy, cast, str = ffi.copy, ffi.cast, ffi.string
local error, type, tostring, floor = error, type, tostring, math.floor

local bounds = require("pygw_pb_bounds")
local U64, I64 = ffi.typeof("uint64_t"), ffi.typeof("int64_t")
local POINTER = ffi.typeof("const uint8_t *")
local HIGH = ffi.abi("le") and 1 or 0
local NAN = 0 / 0
local cell = bounds.cell

local function fail(what, i)
  error("pb: " .. what .. " at byte " .. tostring(i), 0)
end

local function cut(i) fail("the message ends within a value", i) end

-- The rest of a varint of more than one byte: 28, 28 and 8 bits, from the lowest.
local function long_varint(b, i, e)
  if e - i < 10 then
    local j = i
    while j < e and b[j] > 127 do j = j + 1 end
    if j >= e then cut(e) end
  end
  local lo = band(b[i], 127)
  local c = b[i + 1]
  lo = bor(lo, lshift(band(c, 127), 7))
  if c < 128 then return lo, 0, 0, i + 2 end
  c = b[i + 2]
  lo = bor(lo, lshift(band(c, 127), 14))
  if c < 128 then return lo, 0, 0, i + 3 end
  c = b[i + 3]
  lo = bor(lo, lshift(band(c, 127), 21))
  if c < 128 then return lo, 0, 0, i + 4 end
  c = b[i + 4]
  local mid = band(c, 127)
  if c < 128 then return lo, mid, 0, i + 5 end
  c = b[i + 5]
  mid = bor(mid, lshift(band(c, 127), 7))
  if c < 128 then return lo, mid, 0, i + 6 end
  c = b[i + 6]
  mid = bor(mid, lshift(band(c, 127), 14))
  if c < 128 then return lo, mid, 0, i + 7 end
  c = b[i + 7]
  mid = bor(mid, lshift(band(c, 127), 21))
  if c < 128 then return lo, mid, 0, i + 8 end
  c = b[i + 8]
  local hi = band(c, 127)
  if c < 128 then return lo, mid, hi, i + 9 end
  c = b[i + 9]
  if c > 1 then fail("a varint of more than 64 bits", i) end
  return lo, mid, bor(hi, lshift(c, 7)), i + 10
end

local function varint(b, i, e)
  if i >= e then cut(i) end
  local c = b[i]
  if c < 128 then return c, 0, 0, i + 1 end
  return long_varint(b, i, e)
end

local function low32(b, i, e)
  local lo, mid, _, j = varint(b, i, e)
  return bor(lo, lshift(mid, 28)), j
end

local function u32(b, i, e)
  local v, j = low32(b, i, e)
  if v < 0 then v = v + 4294967296 end
  return v, j
end

local function s32(b, i, e)
  local v, j = low32(b, i, e)
  return bxor(rshift(v, 1), -band(v, 1)), j
end

local function bool(b, i, e)
  local lo, mid, hi, j = varint(b, i, e)
  return lo ~= 0 or mid ~= 0 or hi ~= 0, j
end

local function whole(lo, mid, hi)
  return bor(bor(lshift(U64(hi), 56), lshift(U64(mid), 28)), U64(lo))
end

-- Numbers up to 2^53 are Lua's own; beyond, they are int64_t or uint64_t.
local function narrow_u(u)
  if u <= 9007199254740992ULL then return tonumber(u) end
  return u
end

local function narrow_i(v)
  if v <= 9007199254740992LL and v >= -9007199254740992LL then return tonumber(v) end
  return v
end

local function u64(b, i, e)
  local lo, mid, hi, j = varint(b, i, e)
  if hi == 0 and mid < 33554432 then return lo + mid * 268435456, j end
  return narrow_u(whole(lo, mid, hi)), j
end

local function i64(b, i, e)
  local lo, mid, hi, j = varint(b, i, e)
  if hi == 0 and mid < 33554432 then return lo + mid * 268435456, j end
  return narrow_i(cast(I64, whole(lo, mid, hi))), j
end

local function s64(b, i, e)
  local lo, mid, hi, j = varint(b, i, e)
  local u = whole(lo, mid, hi)
  return narrow_i(cast(I64, bxor(rshift(u, 1), -band(u, 1ULL)))), j
end

local function fixed(b, i, e, n)
  if e - i < n then cut(i) end
  copy(cell.b, b + i, n)
  return i + n
end

-- LuaJIT keeps types in the bits of a NaN: one that came from outside would be read as a pointer.
-- So any NaN becomes the one that Lua knows.
local function f64(b, i, e)
  i = fixed(b, i, e, 8)
  local high = cell.h[HIGH]
  if band(high, 0x7ff00000) == 0x7ff00000
    and (band(high, 0xfffff) ~= 0 or cell.h[1 - HIGH] ~= 0) then
    return NAN, i
  end
  return cell.d, i
end

local function f32(b, i, e)
  i = fixed(b, i, e, 4)
  local bits = cell.s
  if band(bits, 0x7f800000) == 0x7f800000 and band(bits, 0x7fffff) ~= 0 then return NAN, i end
  return tonumber(cell.f), i
end

local function x32(b, i, e) i = fixed(b, i, e, 4) return tonumber(cell.w), i end
local function y32(b, i, e) i = fixed(b, i, e, 4) return tonumber(cell.s), i end
local function x64(b, i, e) i = fixed(b, i, e, 8) return narrow_u(cell.u), i end
local function y64(b, i, e) i = fixed(b, i, e, 8) return narrow_i(cell.i), i end

-- How long the next value is; it lies before the end.
local function length(b, i, e)
  local lo, mid, hi, j = varint(b, i, e)
  if hi ~= 0 or mid > 7 then fail("a length of more than 2^31", i) end
  local n = lo + mid * 268435456
  if n > e - j then cut(i) end
  return n, j
end

local function bytes(b, i, e)
  local n, j = length(b, i, e)
  return str(b + j, n), j + n
end

local function continues(b, i, e, n)
  if e - i <= n then return false end
  for k = 1, n do
    if band(b[i + k], 192) ~= 128 then return false end
  end
  return true
end

-- Whether bytes are UTF-8 (RFC 3629).
local function utf8(b, i, e)
  while i < e do
    local c = b[i]
    if c < 128 then
      i = i + 1
    elseif c < 194 or c > 244 then
      return false
    elseif c < 224 then
      if not continues(b, i, e, 1) then return false end
      i = i + 2
    elseif c < 240 then
      if not continues(b, i, e, 2) then return false end
      local d = b[i + 1]
      if (c == 224 and d < 160) or (c == 237 and d > 159) then return false end
      i = i + 3
    else
      if not continues(b, i, e, 3) then return false end
      local d = b[i + 1]
      if (c == 240 and d < 144) or (c == 244 and d > 143) then return false end
      i = i + 4
    end
  end
  return true
end

local function text(b, i, e)
  local n, j = length(b, i, e)
  if not utf8(b, j, j + n) then fail("a string that is not UTF-8", j) end
  return str(b + j, n), j + n
end

local function tag(b, i, e)
  local lo, mid, hi, j = varint(b, i, e)
  if hi ~= 0 or mid > 15 then fail("a field's number of more than 29 bits", i) end
  local t = lo + mid * 268435456
  if t < 8 then fail("a field with number 0", i) end
  return t, j
end

local function skip_value(b, i, e, t)
  local kind = band(t, 7)
  if kind == 0 then
    local _, _, _, j = varint(b, i, e)
    return j
  elseif kind == 2 then
    local n, j = length(b, i, e)
    return j + n
  elseif kind == 1 then
    return fixed(b, i, e, 8)
  elseif kind == 5 then
    return fixed(b, i, e, 4)
  end
  fail("a wire type that there is not", i)
end

-- A field that nobody knows; groups are skipped with all they hold.
local function skip(b, i, e, t)
  local open, depth = nil, 0
  while true do
    local kind = band(t, 7)
    if kind == 3 then
      open = open or {}
      depth = depth + 1
      if depth > bounds.depth then fail("groups within groups too deep", i) end
      open[depth] = floor(t / 8)
    elseif kind == 4 then
      if depth == 0 or open[depth] ~= floor(t / 8) then
        fail("a group's end without its begin", i)
      end
      depth = depth - 1
    else
      i = skip_value(b, i, e, t)
    end
    if depth == 0 then return i end
    t, i = tag(b, i, e)
  end
end

-- The next message within a message: its end.
local function enter(b, i, e, depth)
  if depth >= bounds.depth then fail("messages within messages too deep", i) end
  local n, j = length(b, i, e)
  return j, j + n
end

-- A key of a map: 64-bit numbers that Lua has no number for are decimal digits.
local function key(v)
  if type(v) == "cdata" then return (tostring(v):gsub("U?LL$", "")) end
  return v
end

-- decode(bytes) or decode(pointer, size): the message as a table, or nil and what is wrong.
local function decoder(read, new)
  return function(s, size)
    local n = size or (type(s) == "string" and #s)
    if not n or (type(s) ~= "string" and type(s) ~= "cdata") then
      error("pb: decode needs a string, or a pointer and a size", 2)
    end
    if n > bounds.max_bytes then
      return nil, "pb: the message has more than " .. bounds.max_bytes .. " bytes (max_bytes)"
    end
    local good, m = pcall(read, cast(POINTER, s), 0, n, 0, new())
    if not good then return nil, m end
    return m
  end
end

return {
  decoder = decoder, utf8 = utf8,
  varint = varint, tag = tag, skip = skip, length = length, enter = enter, key = key, str = str,
  bytes = bytes, text = text, bool = bool, i32 = low32, u32 = u32, s32 = s32, i64 = i64, u64 = u64,
  s64 = s64, f64 = f64, f32 = f32, x32 = x32, y32 = y32, x64 = x64, y64 = y64,
}

-- The wire of Protocol Buffers for LuaJIT: what all modules written by `pygw gen lua` share.
-- Owns: reading within bounds, writing into one buffer that grows, the numbers of 64 bits.
-- Never does: read behind the end of a message, or keep a buffer of more than KEPT bytes.
-- Read next: proto/README.md, "Protocol Buffers for LuaJIT".
--
-- Readers take a pointer, the offset and the end, and return a value and the next offset. Writers
-- take how many bytes lie at the buffer's end already, and return how many then do: a message is
-- written from its last byte to its first, so that lengths are known when they are written.
local ffi = require("ffi")
local bit = require("bit")
local band, bor, bxor, lshift, rshift, tobit =
  bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift, bit.tobit
local copy, cast, istype, str = ffi.copy, ffi.cast, ffi.istype, ffi.string
local error, type, tostring, floor = error, type, tostring, math.floor

local P = {
  depth = 100,                -- messages within messages
  max_bytes = 64 * 1024 * 1024, -- of one message, in both directions
}
local KEPT = 1024 * 1024
local EXACT = 2 ^ 53
local U64, I64 = ffi.typeof("uint64_t"), ffi.typeof("int64_t")
local BYTES, POINTER = ffi.typeof("uint8_t[?]"), ffi.typeof("const uint8_t *")
-- One number, looked at as bytes, integers or a float.
local cell = ffi.new([[union {
  uint8_t b[8]; uint64_t u; int64_t i; double d; float f; uint32_t w; int32_t s; int32_t h[2];
}]])
local HIGH = ffi.abi("le") and 1 or 0
local NAN = 0 / 0

local function fail(what, i)
  error("pb: " .. what .. " at byte " .. tostring(i), 0)
end

-- --- reading -------------------------------------------------------------------------------------

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
      if depth > P.depth then fail("groups within groups too deep", i) end
      open[depth] = floor(t / 8)
    elseif kind == 4 then
      if depth == 0 or open[depth] ~= floor(t / 8) then fail("a group's end without its begin", i) end
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
  if depth >= P.depth then fail("messages within messages too deep", i) end
  local n, j = length(b, i, e)
  return j, j + n
end

-- A key of a map: 64-bit numbers that Lua has no number for are decimal digits.
local function key(v)
  if type(v) == "cdata" then return (tostring(v):gsub("U?LL$", "")) end
  return v
end

-- --- writing -------------------------------------------------------------------------------------

local cap = 4096
local buf = ffi.new(BYTES, cap)
local turn = 0

local function grow(r, n)
  local need = r + n
  if need > P.max_bytes then
    error("pb: the message has more than " .. P.max_bytes .. " bytes (max_bytes)", 0)
  end
  local size = cap
  repeat size = size * 2 until size >= need
  local new = ffi.new(BYTES, size)
  copy(new + (size - r), buf + (cap - r), r)
  buf, cap = new, size
end

local function put_byte(r, v)
  if r >= cap then grow(r, 1) end
  r = r + 1
  buf[cap - r] = v
  return r
end

local function put_whole(r, u)
  if r + 10 > cap then grow(r, 10) end
  local n = 1
  local rest = rshift(u, 7)
  while rest ~= 0ULL do
    n = n + 1
    rest = rshift(rest, 7)
  end
  r = r + n
  local at = cap - r
  for k = 0, n - 2 do
    buf[at + k] = bor(tonumber(band(u, 127ULL)), 128)
    u = rshift(u, 7)
  end
  buf[at + n - 1] = tonumber(u)
  return r
end

-- A varint of a number from 0 to 2^53.
local function put_number(r, v)
  if v < 128 then return put_byte(r, v) end
  if v < 16384 then
    if r + 2 > cap then grow(r, 2) end
    r = r + 2
    local at = cap - r
    buf[at] = bor(band(v, 127), 128)
    buf[at + 1] = rshift(v, 7)
    return r
  end
  return put_whole(r, cast(U64, v))
end

local function put_raw(r, s, n)
  if r + n > cap then grow(r, n) end
  r = r + n
  copy(buf + (cap - r), s, n)
  return r
end

local function wrong(where, needed, v)
  local got = type(v)
  if got == "number" or got == "string" or got == "boolean" then got = tostring(v) end
  error("pb: " .. where .. " needs " .. needed .. ", not " .. got, 0)
end

local function put_bytes(r, v, where)
  if type(v) ~= "string" then wrong(where, "a string", v) end
  local n = #v
  r = put_raw(r, v, n)
  return put_number(r, n)
end

local function put_text(r, v, where)
  if type(v) ~= "string" then wrong(where, "a string", v) end
  local n = #v
  if not utf8(cast(POINTER, v), 0, n) then wrong(where, "UTF-8", v) end
  r = put_raw(r, v, n)
  return put_number(r, n)
end

local function int(v, low, high, where)
  if type(v) ~= "number" or v < low or v > high or v % 1 ~= 0 then
    wrong(where, "an integer from " .. low .. " to " .. high, v)
  end
  return v
end

local function put_u32(r, v, where) return put_number(r, int(v, 0, 4294967295, where)) end

local function put_i32(r, v, where)
  int(v, -2147483648, 2147483647, where)
  if v >= 0 then return put_number(r, v) end
  return put_whole(r, cast(U64, cast(I64, v)))
end

local function put_s32(r, v, where)
  int(v, -2147483648, 2147483647, where)
  v = tobit(v)
  local u = bxor(lshift(v, 1), -rshift(v, 31))
  if u < 0 then u = u + 4294967296 end
  return put_number(r, u)
end

-- A number, or cdata of 64 bits, as int64_t; the keys of maps may be digits.
local function signed(v, where)
  if istype(I64, v) then return v end
  if istype(U64, v) and v <= 9223372036854775807ULL then return cast(I64, v) end
  if type(v) ~= "number" or v % 1 ~= 0 or v < -EXACT or v > EXACT then
    wrong(where, "an integer up to 2^53, or int64_t", v)
  end
  return cast(I64, v)
end

local function unsigned(v, where)
  if istype(U64, v) then return v end
  if istype(I64, v) and v >= 0LL then return cast(U64, v) end
  if type(v) ~= "number" or v % 1 ~= 0 or v < 0 or v > EXACT then
    wrong(where, "an integer from 0 to 2^53, or uint64_t", v)
  end
  return cast(U64, v)
end

local function put_i64(r, v, where)
  if type(v) == "number" and v >= 0 and v < 2147483648 and v % 1 == 0 then
    return put_number(r, v)
  end
  return put_whole(r, cast(U64, signed(v, where)))
end

local function put_u64(r, v, where)
  if type(v) == "number" and v >= 0 and v < 2147483648 and v % 1 == 0 then
    return put_number(r, v)
  end
  return put_whole(r, unsigned(v, where))
end

local function put_s64(r, v, where)
  local u = cast(U64, signed(v, where))
  return put_whole(r, bxor(lshift(u, 1), -rshift(u, 63)))
end

local function put_bool(r, v, where)
  if type(v) ~= "boolean" then wrong(where, "true or false", v) end
  return put_byte(r, v and 1 or 0)
end

local function number(v, where)
  if type(v) ~= "number" then wrong(where, "a number", v) end
  return v
end

-- The sign of a NaN depends on the processor: all leave as the same.
local function put_f64(r, v, where)
  cell.d = number(v, where)
  if v ~= v then cell.u = 0x7ff8000000000000ULL end
  return put_raw(r, cell.b, 8)
end

local function put_f32(r, v, where)
  cell.f = number(v, where)
  if v ~= v then cell.w = 0x7fc00000 end
  return put_raw(r, cell.b, 4)
end

local function put_x32(r, v, where)
  cell.w = int(v, 0, 4294967295, where)
  return put_raw(r, cell.b, 4)
end

local function put_y32(r, v, where)
  cell.s = int(v, -2147483648, 2147483647, where)
  return put_raw(r, cell.b, 4)
end

local function put_x64(r, v, where) cell.u = unsigned(v, where) return put_raw(r, cell.b, 8) end
local function put_y64(r, v, where) cell.i = signed(v, where) return put_raw(r, cell.b, 8) end

-- Whether a number is 0 and not -0.
local function is_zero(v) return v == 0 and (type(v) ~= "number" or 1 / v > 0) end

local function message(v, depth, where)
  if type(v) ~= "table" then wrong(where, "a table", v) end
  if depth >= P.depth then error("pb: " .. where .. " lies too deep, or in itself", 0) end
  return v
end

local function list(v, where)
  if type(v) ~= "table" then wrong(where, "a table", v) end
  return v
end

-- A 64-bit key of a map, which may be digits.
local function number_of_key(v, where, is_signed)
  if type(v) ~= "string" then return v end
  local minus, digits = v:match("^(%-?)(%d+)$")
  if not digits or #digits > 20 or (minus == "-" and not is_signed) then
    wrong(where, "an integer as key", v)
  end
  local u, most = 0ULL, is_signed and 9223372036854775807ULL or 18446744073709551615ULL
  if minus == "-" then most = 9223372036854775808ULL end
  for k = 1, #digits do
    local digit = cast(U64, digits:byte(k) - 48)
    if u > (most - digit) / 10ULL then wrong(where, "an integer of 64 bits as key", v) end
    u = u * 10ULL + digit
  end
  if not is_signed then return u end
  return minus == "-" and cast(I64, -u) or cast(I64, u)
end

-- --- messages ------------------------------------------------------------------------------------

-- decode(bytes) or decode(pointer, size): the message as a table, or nil and what is wrong.
function P.decoder(read, new)
  return function(s, size)
    local n = size or (type(s) == "string" and #s)
    if not n or (type(s) ~= "string" and type(s) ~= "cdata") then
      error("pb: decode needs a string, or a pointer and a size", 2)
    end
    if n > P.max_bytes then
      return nil, "pb: the message has more than " .. P.max_bytes .. " bytes (max_bytes)"
    end
    local good, m = pcall(read, cast(POINTER, s), 0, n, 0, new())
    if not good then return nil, m end
    return m
  end
end

-- encode(table): the bytes. Raises what is wrong, with the field's name.
function P.encoder(write)
  return function(m)
    turn = turn + 1
    local mine = turn
    local r = write(0, message(m, 0, "the message"), 0)
    if turn ~= mine then error("pb: encode was called by a metamethod of what it encodes", 2) end
    if r > P.max_bytes then grow(r, 0) end
    local s = str(buf + (cap - r), r)
    if cap > KEPT then
      cap = 4096
      buf = ffi.new(BYTES, cap)
    end
    return s
  end
end

P.read = {
  varint = varint, tag = tag, skip = skip, length = length, enter = enter, key = key, str = str,
  bytes = bytes, text = text, bool = bool, i32 = low32, u32 = u32, s32 = s32, i64 = i64, u64 = u64,
  s64 = s64, f64 = f64, f32 = f32, x32 = x32, y32 = y32, x64 = x64, y64 = y64,
}
P.write = {
  byte = put_byte, number = put_number, raw = put_raw, bytes = put_bytes, text = put_text,
  bool = put_bool, i32 = put_i32, u32 = put_u32, s32 = put_s32, i64 = put_i64, u64 = put_u64,
  s64 = put_s64, f64 = put_f64, f32 = put_f32, x32 = put_x32, y32 = put_y32, x64 = put_x64,
  y64 = put_y64, is_zero = is_zero, message = message, list = list, key = number_of_key,
  wrong = wrong,
}
return P

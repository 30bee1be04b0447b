-- The wire of Protocol Buffers for LuaJIT: writing, into one buffer that grows.
-- Owns: each kind of field as it leaves: a writer takes how many bytes lie at the buffer's end
--   already, and returns how many then do. A message is written from its last byte to its first, so
--   that lengths are known when they are written.
-- Never does: keep a buffer of more than KEPT bytes.
-- Read next: pygw_pb_bounds.lua.
local ffi = require("ffi")
local bit = require("bit")
local band, bor, bxor, lshift, rshift, tobit =
  bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift, bit.tobit
local copy, cast, istype, str = ffi.copy, ffi.cast, ffi.istype, ffi.string
local error, type, tostring = error, type, tostring

local bounds = require("pygw_pb_bounds")
local utf8 = require("pygw_pb_read").utf8
local KEPT = 1024 * 1024
local EXACT = 2 ^ 53
local U64, I64 = ffi.typeof("uint64_t"), ffi.typeof("int64_t")
local BYTES, POINTER = ffi.typeof("uint8_t[?]"), ffi.typeof("const uint8_t *")
local cell = bounds.cell

local cap = 4096
local buf = ffi.new(BYTES, cap)
local turn = 0

local function grow(r, n)
  local need = r + n
  if need > bounds.max_bytes then
    error("pb: the message has more than " .. bounds.max_bytes .. " bytes (max_bytes)", 0)
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
  if depth >= bounds.depth then error("pb: " .. where .. " lies too deep, or in itself", 0) end
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

-- encode(table): the bytes. Raises what is wrong, with the field's name.
local function encoder(write)
  return function(m)
    turn = turn + 1
    local mine = turn
    local r = write(0, message(m, 0, "the message"), 0)
    if turn ~= mine then error("pb: encode was called by a metamethod of what it encodes", 2) end
    if r > bounds.max_bytes then grow(r, 0) end
    local s = str(buf + (cap - r), r)
    if cap > KEPT then
      cap = 4096
      buf = ffi.new(BYTES, cap)
    end
    return s
  end
end

return {
  encoder = encoder,
  byte = put_byte, number = put_number, raw = put_raw, bytes = put_bytes, text = put_text,
  bool = put_bool, i32 = put_i32, u32 = put_u32, s32 = put_s32, i64 = put_i64, u64 = put_u64,
  s64 = put_s64, f64 = put_f64, f32 = put_f32, x32 = put_x32, y32 = put_y32, x64 = put_x64,
  y64 = put_y64, is_zero = is_zero, message = message, list = list, key = number_of_key,
  wrong = wrong,
}

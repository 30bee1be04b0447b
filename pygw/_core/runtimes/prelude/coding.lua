-- Bytes in other clothes: hexadecimal, digests, base64.
local P = ...
local ffi, host, shared, need_text = P.ffi, P.host, P.shared, P.need_text
local text, floor, byte, error = ffi.string, math.floor, string.byte, error

local C = {}
P.coding = C

local HEX = {}
for i = 0, 255 do HEX[i] = string.format("%02x", i) end
local concat = table.concat
--: gw.hex(text: string): string  Bytes as lower-case hexadecimal.
function C.hex(s)
  s = need_text("gw.hex", s, 1)
  local out = {}
  for i = 1, #s do out[i] = HEX[byte(s, i)] end
  return concat(out)
end

local function digest_function(name, kind)
  return function(s)
    s = need_text(name, s, 1)
    local size = host.digest(kind, s, #s, shared.out)
    if size < 0 then error(name .. ": this Python has no libcrypto", 2) end
    return text(shared.out, size)
  end
end
--: gw.sha256(text: string): string  The digest's bytes.
--: gw.sha1(text: string): string  The digest's bytes.
--: gw.sha512(text: string): string  The digest's bytes.
C.sha256 = digest_function("gw.sha256", 0)
C.sha1 = digest_function("gw.sha1", 1)
C.sha512 = digest_function("gw.sha512", 2)
local KINDS = { sha256 = 0, sha1 = 1, sha512 = 2 }
--: gw.hmac(key: string, text: string, digest?: "sha256"|"sha1"|"sha512"): string  The code's bytes.
function C.hmac(key, message, kind)
  key, message = need_text("gw.hmac", key, 1), need_text("gw.hmac", message, 2)
  kind = KINDS[kind or "sha256"]
  if not kind then error("gw.hmac: the digest is sha256, sha1 or sha512", 2) end
  local size = host.hmac(kind, key, #key, message, #message, shared.out)
  if size < 0 then error("gw.hmac: this Python has no libcrypto", 2) end
  return text(shared.out, size)
end

--: gw.equal(a: string, b: string): boolean  Compares secrets, in time that tells nothing of them.
function C.equal(a, b)
  a, b = need_text("gw.equal", a, 1), need_text("gw.equal", b, 2)
  if #a ~= #b then return false end
  local differ = 0
  for i = 1, #a do differ = bit.bor(differ, bit.bxor(byte(a, i), byte(b, i))) end
  return differ == 0
end

local rshift, band, bor, lshift = bit.rshift, bit.band, bit.bor, bit.lshift
local function alphabet(last)
  local all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" .. last
  local to, from = ffi.new("uint8_t[64]"), ffi.new("int16_t[256]")
  ffi.fill(from, 512, 0xff)
  for i = 0, 63 do
    to[i] = byte(all, i + 1)
    from[byte(all, i + 1)] = i
  end
  return to, from
end
local PLAIN, FROM_PLAIN = alphabet("+/")
local URL, FROM_URL = alphabet("-_")

local function encoder(name, to, padded)
  return function(s)
    s = need_text(name, s, 1)
    local n = #s
    if n > 8388608 then error(name .. ": at most 8 MiB", 2) end
    local out, at = ffi.new("uint8_t[?]", floor((n + 2) / 3) * 4), 0
    for i = 1, n, 3 do
      local a, b, c = byte(s, i, i + 2)
      local v = bor(lshift(a, 16), lshift(b or 0, 8), c or 0)
      out[at], out[at + 1] = to[rshift(v, 18)], to[band(rshift(v, 12), 63)]
      at = at + 2
      if b then
        out[at] = to[band(rshift(v, 6), 63)]
        at = at + 1
      elseif padded then
        out[at] = 61
        at = at + 1
      end
      if c then
        out[at] = to[band(v, 63)]
        at = at + 1
      elseif padded then
        out[at] = 61
        at = at + 1
      end
    end
    return text(out, at)
  end
end

-- nil for what is no base64 (RFC 4648): no white space, no bits that say nothing.
local function decoder(name, from, padded)
  return function(s)
    s = need_text(name, s, 1)
    local n = #s
    if padded and n % 4 ~= 0 then return nil end
    for _ = 1, 2 do
      if n > 0 and byte(s, n) == 61 then n = n - 1 end
    end
    if #s > n and (not padded or #s % 4 ~= 0) or n % 4 == 1 or #s > 16777216 then return nil end
    local out, at, v, bits = ffi.new("uint8_t[?]", floor(n * 3 / 4) + 1), 0, 0, 0
    for i = 1, n do
      local d = from[byte(s, i)]
      if d < 0 then return nil end
      v = band(bor(lshift(v, 6), d), 0xffff)
      bits = bits + 6
      if bits >= 8 then
        bits = bits - 8
        out[at] = band(rshift(v, bits), 255)
        at = at + 1
      end
    end
    if bits > 0 and band(v, lshift(1, bits) - 1) ~= 0 then return nil end
    return text(out, at)
  end
end
--: gw.base64.encode(text: string): string  With the padding (RFC 4648 section 4).
--: gw.base64.decode(text: string): string?  nil for what is none.
--: gw.base64.encode_url(text: string): string  For URLs, without padding (section 5).
--: gw.base64.decode_url(text: string): string?  nil for what is none.
C.base64 = {
  encode = encoder("gw.base64.encode", PLAIN, true),
  decode = decoder("gw.base64.decode", FROM_PLAIN, true),
  encode_url = encoder("gw.base64.encode_url", URL, false),
  decode_url = decoder("gw.base64.decode_url", FROM_URL, false),
}

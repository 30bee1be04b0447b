-- JSON (RFC 8259) for hooks: bounded in depth, counted in time; null is gw.null.
local P = ...
local byte, sub, char, concat, format, find = string.byte, string.sub, string.char, table.concat,
  string.format, string.find
local type, tonumber, pairs, error = type, tonumber, pairs, error
local floor, huge = math.floor, math.huge
local check, steps = P.check, P.steps
local DEPTH = 64

--: gw.null: table  What null is in JSON.
local null = setmetatable({}, { __tostring = function() return "null" end, __metatable = false,
  __newindex = function() error("gw.null cannot be changed", 2) end })
P.null = null

local ESCAPES = { [34] = '"', [92] = "\\", [47] = "/", [98] = "\b", [102] = "\f", [110] = "\n",
  [114] = "\r", [116] = "\t" }

local work = 0
local function step()
  work = work + 1
  if work > steps then
    work = 0
    check()
  end
end

local function fail(at, what) error({ at = at, what = what }, 0) end

local function blank(s, at)
  local c = byte(s, at)
  while c == 32 or c == 10 or c == 13 or c == 9 do
    at = at + 1
    c = byte(s, at)
  end
  return at, c
end

local function utf8(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64,
    0x80 + floor(code / 64) % 64, 0x80 + code % 64)
end

local function hex4(s, at)
  local text = sub(s, at, at + 3)
  if not find(text, "^%x%x%x%x$") then fail(at, "bad \\u escape") end
  return tonumber(text, 16)
end

local function escaped(s, at)
  local c = byte(s, at)
  if ESCAPES[c] then return ESCAPES[c], at + 1 end
  if c ~= 117 then fail(at, "bad escape") end
  local code = hex4(s, at + 1)
  at = at + 5
  if code >= 0xD800 and code <= 0xDBFF and sub(s, at, at + 1) == "\\u" then
    local low = hex4(s, at + 2)
    if low >= 0xDC00 and low <= 0xDFFF then
      return utf8(0x10000 + (code - 0xD800) * 1024 + low - 0xDC00), at + 6
    end
  end
  if code >= 0xD800 and code <= 0xDFFF then fail(at, "half a surrogate pair") end
  return utf8(code), at
end

local function decode_string(s, at)
  local from, out, n = at, nil, 0
  while true do
    local stop = find(s, '[%c"\\]', at)
    local c = stop and byte(s, stop)
    if not c then fail(#s + 1, "unfinished string") end
    step()
    if c == 34 then
      local last = sub(s, from, stop - 1)
      if not out then return last, stop + 1 end
      out[n + 1] = last
      return concat(out), stop + 1
    elseif c == 92 then
      out = out or {}
      out[n + 1] = sub(s, from, stop - 1)
      out[n + 2], at = escaped(s, stop + 1)
      n = n + 2
      from = at
    elseif c == 127 then
      at = stop + 1
    else
      fail(stop, "control character in a string")
    end
  end
end

local decode_value

local function decode_array(s, at, depth)
  local out, n = {}, 0
  local c
  at, c = blank(s, at)
  if c == 93 then return out, at + 1 end
  while true do
    n = n + 1
    out[n], at = decode_value(s, at, depth)
    at, c = blank(s, at)
    if c == 93 then return out, at + 1 end
    if c ~= 44 then fail(at, "',' or ']' expected") end
    at = at + 1
  end
end

local function decode_object(s, at, depth)
  local out, key, c = {}, nil, nil
  at, c = blank(s, at)
  if c == 125 then return out, at + 1 end
  while true do
    at, c = blank(s, at)
    if c ~= 34 then fail(at, "a name in quotes expected") end
    key, at = decode_string(s, at + 1)
    at, c = blank(s, at)
    if c ~= 58 then fail(at, "':' expected") end
    out[key], at = decode_value(s, at + 1, depth)
    at, c = blank(s, at)
    if c == 125 then return out, at + 1 end
    if c ~= 44 then fail(at, "',' or '}' expected") end
    at = at + 1
  end
end

local function decode_number(s, at)
  local _, last = find(s, "^-?%d+", at)
  if not last then fail(at, "a value expected") end
  if find(s, "^-?0%d", at) then fail(at, "a number with a leading zero") end
  local _, more = find(s, "^%.%d+", last + 1)
  last = more or last
  _, more = find(s, "^[eE][+-]?%d+", last + 1)
  last = more or last
  return tonumber(sub(s, at, last)), last + 1
end

decode_value = function(s, at, depth)
  step()
  if depth > DEPTH then fail(at, "nested deeper than " .. DEPTH) end
  local c
  at, c = blank(s, at)
  if c == 34 then return decode_string(s, at + 1) end
  if c == 123 then return decode_object(s, at + 1, depth + 1) end
  if c == 91 then return decode_array(s, at + 1, depth + 1) end
  if sub(s, at, at + 3) == "true" then return true, at + 4 end
  if sub(s, at, at + 4) == "false" then return false, at + 5 end
  if sub(s, at, at + 3) == "null" then return null, at + 4 end
  return decode_number(s, at)
end

local function decode_all(s)
  local value, at = decode_value(s, 1, 0)
  at = blank(s, at)
  if at <= #s then fail(at, "more text behind the value") end
  return value
end

-- The value, or nil and what is wrong where.
local function decode(s)
  if type(s) ~= "string" then error("gw.json.decode needs a string", 2) end
  local ok, value = pcall(decode_all, s)
  if ok then return value end
  if type(value) == "table" and value.what then
    return nil, value.what .. " at byte " .. value.at
  end
  error(value, 0)
end

local QUOTED = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
  ["\b"] = "\\b", ["\f"] = "\\f" }
local gsub = P.string.gsub
local function quote(s)
  if not find(s, '[%c"\\]') then return '"' .. s .. '"' end
  return '"' .. gsub(s, '[%c"\\]', function(c)
    return QUOTED[c] or format("\\u%04x", byte(c))
  end) .. '"'
end

local encode_value

local function array_size(t)
  local n = #t
  if n == 0 then return nil end
  for key in next, t do
    step()
    if type(key) ~= "number" or key < 1 or key > n or key ~= floor(key) then return nil end
  end
  return n
end

local function encode_table(t, out, depth)
  if depth > DEPTH then error("gw.json.encode: nested deeper than " .. DEPTH, 0) end
  local size = array_size(t)
  if size then
    for i = 1, size do
      out[#out + 1] = i == 1 and "[" or ","
      encode_value(t[i], out, depth + 1)
    end
    out[#out + 1] = "]"
    return
  end
  local first = true
  for key, value in next, t do
    if type(key) ~= "string" and type(key) ~= "number" then
      error("gw.json.encode: a key that is a " .. type(key), 0)
    end
    out[#out + 1] = (first and "{" or ",") .. quote(P.tostring(key)) .. ":"
    first = false
    encode_value(value, out, depth + 1)
  end
  out[#out + 1] = first and "{}" or "}"
end

--: gw.json.array: table  An empty list: [].
--: gw.json.null: table  As gw.null.
P.array = setmetatable({}, { __tostring = function() return "[]" end, __metatable = false })
encode_value = function(value, out, depth)
  step()
  local kind = type(value)
  if value == null or value == nil then
    out[#out + 1] = "null"
  elseif value == P.array then
    out[#out + 1] = "[]"
  elseif kind == "string" then
    out[#out + 1] = quote(value)
  elseif kind == "number" then
    if value ~= value or value == huge or value == -huge then
      error("gw.json.encode: a number that JSON cannot say", 0)
    end
    out[#out + 1] = value == floor(value) and value > -2 ^ 53 and value < 2 ^ 53
      and format("%d", value) or format("%.17g", value)
  elseif kind == "boolean" then
    out[#out + 1] = value and "true" or "false"
  elseif kind == "table" then
    encode_table(value, out, depth)
  else
    error("gw.json.encode: a value that is a " .. kind, 0)
  end
end

P.tostring = tostring
--: gw.json.decode(text: string): any, string?  The value, or nil and what is wrong.
--: gw.json.encode(value: any): string  An empty table is {}.
P.json = {
  decode = decode,
  encode = function(value)
    local out = {}
    encode_value(value, out, 0)
    return concat(out)
  end,
}

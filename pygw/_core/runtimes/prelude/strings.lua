-- Strings for hooks: patterns by a matcher that ends in bounded time, and that traces can call.
local P = ...
local ffi, shared, match, find_bytes = P.ffi, P.shared, P.host.match, P.host.find
local m = shared.match
local sub, byte, concat = string.sub, string.byte, table.concat
local type, tostring, error = type, tostring, error
local check = P.check

local function text_of(value, at, name)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" then return tostring(value) end
  error("bad argument #" .. at .. " to '" .. name .. "' (string expected, got " ..
    (value == nil and "no value" or kind) .. ")", 3)
end

local REASONS = {
  [-1] = "pattern takes too long",
  [-2] = "pattern too complex",
  [-3] = "malformed pattern",
  [-4] = "too many captures, or an unfinished one",
}

-- One search: true when found; m has the places. `anchor` 0: '^' is a character like others.
local function search(text, pattern, init, anchor)
  m.init, m.anchor = init, anchor
  local found = match(m, text, #text, pattern, #pattern)
  if m.steps > 2000 then check() end
  if found < 0 then error(REASONS[found], 3) end
  return found == 1
end

local function capture(text, i)
  local len = m.len[i]
  if len == -2 then return m.start[i] + 1 end
  local first = m.start[i]
  return sub(text, first + 1, first + len)
end

local function captures(text, i, count)
  if i >= count then return end
  return capture(text, i), captures(text, i + 1, count)
end

-- The captures, or the whole match where there are none.
local function values(text)
  local count = m.count
  if count == 0 then return sub(text, m.first + 1, m.last) end
  if count == 1 then return capture(text, 0) end
  return captures(text, 0, count)
end

local function start_of(init, size)
  if init == nil or init == 1 then return 0 end
  if not (init > 0) and not (init <= 0) then return 0 end   -- no number: C would take it for any
  if init < 0 then
    init = size + init
    return init < 0 and 0 or init
  end
  return init == 0 and 0 or init - 1
end

local S = {}
for _, name in ipairs { "byte", "char", "format", "len", "lower", "rep", "reverse", "sub",
    "upper" } do
  S[name] = string[name]
end

-- Magic characters: none of them, and a search for bytes is the same.
local function is_plain(pattern)
  for i = 1, #pattern do
    local c = byte(pattern, i)
    if c == 36 or c == 37 or (c >= 40 and c <= 43) or c == 45 or c == 46 or c == 63 or c == 91
        or c == 94 then
      return false
    end
  end
  return true
end

function S.find(text, pattern, init, plain)
  text, pattern = text_of(text, 1, "find"), text_of(pattern, 2, "find")
  local at = start_of(init, #text)
  if at > #text then return nil end
  if plain or is_plain(pattern) then
    local found = find_bytes(text, #text, pattern, #pattern, at)
    if #text > 65536 then check() end
    if found < 0 then return nil end
    return found + 1, found + #pattern
  end
  if not search(text, pattern, at, 1) then return nil end
  if m.count == 0 then return m.first + 1, m.last end
  return m.first + 1, m.last, captures(text, 0, m.count)
end

function S.match(text, pattern, init)
  text, pattern = text_of(text, 1, "match"), text_of(pattern, 2, "match")
  local at = start_of(init, #text)
  if at > #text or not search(text, pattern, at, 1) then return nil end
  return values(text)
end

function S.gmatch(text, pattern)
  text, pattern = text_of(text, 1, "gmatch"), text_of(pattern, 2, "gmatch")
  local at = 0
  return function()
    if at > #text or not search(text, pattern, at, 0) then return nil end
    at = m.last > m.first and m.last or m.last + 1
    return values(text)
  end
end

local function expand(text, with)
  local out, from = {}, 1
  while true do
    local at = find_bytes(with, #with, "%", 1, from - 1)
    if at < 0 then break end
    out[#out + 1] = sub(with, from, at)
    local c = byte(with, at + 2)
    if c == 37 then
      out[#out + 1] = "%"
    elseif c == 48 or (c == 49 and m.count == 0) then
      out[#out + 1] = sub(text, m.first + 1, m.last)
    elseif c and c >= 49 and c <= 57 and c - 49 < m.count then
      out[#out + 1] = tostring(capture(text, c - 49))
    elseif c and c >= 49 and c <= 57 then
      error("invalid capture index in replacement string", 4)
    else
      error("invalid use of '%' in replacement string", 4)
    end
    from = at + 3
  end
  out[#out + 1] = sub(with, from)
  return concat(out)
end

local function replacement(text, with, kind)
  local value
  if kind == "string" then return expand(text, with) end
  if kind == "table" then
    value = with[(values(text))]
  else
    value = with(values(text))
  end
  if not value then return nil end
  local got = type(value)
  if got == "number" then return tostring(value) end
  if got ~= "string" then error("invalid replacement value (a " .. got .. ")", 3) end
  return value
end

function S.gsub(text, pattern, with, limit)
  text, pattern = text_of(text, 1, "gsub"), text_of(pattern, 2, "gsub")
  local kind = type(with)
  if kind == "number" then
    with, kind = tostring(with), "string"
  elseif kind ~= "string" and kind ~= "table" and kind ~= "function" then
    error("bad argument #3 to 'gsub' (string/function/table expected)", 2)
  end
  local out, n, at, count, work = {}, 0, 0, 0, 0
  local anchored = byte(pattern, 1) == 94
  while count < (limit or math.huge) do
    if not search(text, pattern, at, 1) then break end
    local first, last = m.first, m.last
    work = work + m.steps
    if work > 2000 then
      work = 0
      check()
    end
    count = count + 1
    n = n + 1
    out[n] = sub(text, at + 1, first)
    n = n + 1
    out[n] = replacement(text, with, kind) or sub(text, first + 1, last)
    if last > first then
      at = last
    elseif last < #text then
      n = n + 1
      out[n] = sub(text, last + 1, last + 1)
      at = last + 1
    else
      at = #text + 1
    end
    if at > #text or anchored then break end
  end
  if count == 0 then return text, 0 end
  n = n + 1
  out[n] = sub(text, at + 1)
  return concat(out), count
end

P.string = S
-- Methods of strings are these; nobody can reach the table to change it.
local methods = {}
for name, f in pairs(S) do methods[name] = f end
local meta = getmetatable("")
meta.__index = methods
meta.__metatable = false

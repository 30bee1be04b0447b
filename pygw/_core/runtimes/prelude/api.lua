-- What a hook calls: req, resp, gw; and how its file becomes functions in the registry's slots.
local P = ...
local ffi, api, ctx, host, shared = P.ffi, P.api, P.ctx, P.host, P.shared
local refuse, json, null = P.refuse, P.json, P.null
local text = ffi.string
local type, tostring, error, pairs, select, floor = type, tostring, error, pairs, select, math.floor
local setmetatable, sub, byte = setmetatable, string.sub, string.byte

local request, response = api.request, api.response
local header_find, header_next, header_set = api.header_find, api.header_next, api.header_set
local header_add, header_del = api.header_add, api.header_del

local function need_text(what, value, at)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" then return tostring(value) end
  error(what .. ": argument " .. at .. " must be a string, not " .. kind, 3)
end

local function span_text(s)
  if s.len == 0 then return "" end
  return text(s.ptr, s.len)
end

-- Functions on one head: side 0 is the request's, 1 the response's.
local function head(name, side)
  local H = {}
  function H.header(field)
    field = need_text(name .. ".header", field, 1)
    local h = header_find(ctx, side, field, #field, nil)
    if h == nil then return nil end
    return text(h.value.ptr, h.value.len)
  end
  -- A list of {name, value}, of all fields or of those of one name.
  function H.headers(field)
    local out, n = {}, 0
    local h
    if field ~= nil then
      field = need_text(name .. ".headers", field, 1)
      h = header_find(ctx, side, field, #field, nil)
    else
      h = header_next(ctx, side, nil)
    end
    while h ~= nil do
      n = n + 1
      out[n] = { text(h.name.ptr, h.name.len), text(h.value.ptr, h.value.len) }
      if field ~= nil then
        h = header_find(ctx, side, field, #field, h)
      else
        h = header_next(ctx, side, h)
      end
    end
    return out
  end
  function H.set_header(field, value)
    field = need_text(name .. ".set_header", field, 1)
    value = need_text(name .. ".set_header", value, 2)
    local code = header_set(ctx, side, field, #field, value, #value)
    if code ~= 0 then refuse(name .. ".set_header", code) end
  end
  function H.add_header(field, value)
    field = need_text(name .. ".add_header", field, 1)
    value = need_text(name .. ".add_header", value, 2)
    local code = header_add(ctx, side, field, #field, value, #value)
    if code ~= 0 then refuse(name .. ".add_header", code) end
  end
  function H.del_header(field)
    field = need_text(name .. ".del_header", field, 1)
    local code = header_del(ctx, side, field, #field)
    if code < 0 then refuse(name .. ".del_header", code) end
    return code
  end
  return H
end

-- Properties: read through the view, written through the host table.
local function view(what)
  local v = request(ctx)
  if v == nil then error(what .. ": only while a request runs", 3) end
  return v
end

local GET = {}
for _, name in pairs { "method", "scheme", "authority", "path", "query", "client" } do
  GET[name] = function() return span_text(view("req." .. name)[name]) end
end
function GET.id()
  local s = api.request_id(ctx)
  if s == nil then error("req.id: only while a request runs", 3) end
  return span_text(s)
end
function GET.body()
  local v = view("req.body")
  if v.body.ptr == nil then return nil end
  return span_text(v.body)
end
function GET.version() return tonumber(view("req.version").version) / 10 end

local function setter(what, call)
  return function(value)
    value = need_text(what, value, 1)
    local code = call(ctx, value, #value)
    if code ~= 0 then refuse(what, code, 3) end
  end
end
local SET = {
  method = setter("req.method", api.method_set),
  path = setter("req.path", api.path_set),
  query = setter("req.query", api.query_set),
  body = setter("req.body", api.body_set),
}

local RESP_GET = {
  status = function()
    local v = response(ctx)
    if v == nil or v.status == 0 then refuse("resp.status", -5, 3) end
    return tonumber(v.status)
  end,
  body = function()
    local v = response(ctx)
    if v == nil or v.body.ptr == nil then return nil end
    return span_text(v.body)
  end,
}
local RESP_SET = {
  status = function(value)
    if type(value) ~= "number" then error("resp.status: must be a number", 3) end
    local code = api.status_set(ctx, value >= 0 and value < 1000 and value or 0)
    if code ~= 0 then refuse("resp.status", code, 3) end
  end,
  body = setter("resp.body", api.body_set),
}

local function meta_of(name, get, set)
  return {
    __metatable = false,
    __index = function(_, key)
      local f = get[key]
      if f then return f() end
      error(name .. " has no '" .. tostring(key) .. "'", 2)
    end,
    __newindex = function(_, key, value)
      local f = set[key]
      if not f then error(name .. "." .. tostring(key) .. " cannot be set", 2) end
      f(value)
    end,
  }
end
local REQ, RESP = head("req", 0), head("resp", 1)
local REQ_META, RESP_META = meta_of("req", GET, SET), meta_of("resp", RESP_GET, RESP_SET)

local function copy(members, into)
  for key, value in pairs(members) do into[key] = value end
  return into
end

-- --- gw ------------------------------------------------------------------------------------------

local GW = { json = copy(json, {}), null = null }
GW.json.array, GW.json.null = P.array, null

local LEVELS = { debug = 0, info = 1, warning = 2, warn = 2, error = 3 }
function GW.log(level, message)
  local n = LEVELS[level]
  if not n then error("gw.log: the level is debug, info, warning or error", 2) end
  message = tostring(message)
  api.log(ctx, n, message, #message)
end

local function var_get(name)
  name = need_text("gw.var", name, 1)
  local s = api.var_get(ctx, name, #name)
  if s == nil then return nil end
  return span_text(s)
end
local VAR_META = {
  __metatable = false,
  __index = function(_, name) return var_get(name) end,
  __newindex = function(_, name, value)
    name, value = need_text("gw.var", name, 1), need_text("gw.var", value, 2)
    local code = api.var_set(ctx, name, #name, value, #value)
    if code ~= 0 then refuse("gw.var." .. name, code) end
  end,
}

-- gw.reply(status [, headers [, body]]): the answer is the hook's own.
function GW.reply(status, headers, body)
  if type(status) ~= "number" then error("gw.reply: the status must be a number", 2) end
  if type(headers) == "string" and body == nil then headers, body = nil, headers end
  if headers ~= nil and type(headers) ~= "table" then
    error("gw.reply: headers must be a table of names to values", 2)
  end
  body = body == nil and "" or need_text("gw.reply", body, 3)
  local code = api.reply(ctx, status >= 0 and status < 1000 and status or 0, "text/plain", 10, body,
    #body)
  if code ~= 0 then refuse("gw.reply", code) end
  if not headers then return end
  for name, value in pairs(headers) do
    name = need_text("gw.reply", name, 2)
    local many = type(value) == "table" and value or { value }
    for i = 1, #many do
      local one = need_text("gw.reply", many[i], 2)
      code = api.reply_header(ctx, name, #name, one, #one)
      if code ~= 0 then refuse("gw.reply: header " .. name, code) end
    end
  end
end

-- Ends the exchange without an answer of the hook's.
function GW.abort() shared.aborted = 1 end

GW.now = function() return host.now() end

local yield = coroutine.yield
function GW.sleep(seconds)
  if type(seconds) ~= "number" then error("gw.sleep: seconds must be a number", 2) end
  local code = host.sleep(P.self, seconds * 1000)
  if code ~= 0 then refuse("gw.sleep", code) end
  yield()
  shared.mark = 0
end

function GW.uuid()
  if host.uuid(P.self, shared.out) == 0 then error("gw.uuid: only while a request runs", 2) end
  return text(shared.out, 36)
end

local HEX = {}
for i = 0, 255 do HEX[i] = string.format("%02x", i) end
local concat = table.concat
function GW.hex(s)
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
GW.sha256 = digest_function("gw.sha256", 0)
GW.sha1 = digest_function("gw.sha1", 1)
GW.sha512 = digest_function("gw.sha512", 2)
local KINDS = { sha256 = 0, sha1 = 1, sha512 = 2 }
function GW.hmac(key, message, kind)
  key, message = need_text("gw.hmac", key, 1), need_text("gw.hmac", message, 2)
  kind = KINDS[kind or "sha256"]
  if not kind then error("gw.hmac: the digest is sha256, sha1 or sha512", 2) end
  local size = host.hmac(kind, key, #key, message, #message, shared.out)
  if size < 0 then error("gw.hmac: this Python has no libcrypto", 2) end
  return text(shared.out, size)
end

-- In time that does not tell where two secrets differ.
function GW.equal(a, b)
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
GW.base64 = {
  encode = encoder("gw.base64.encode", PLAIN, true),
  decode = decoder("gw.base64.decode", FROM_PLAIN, true),
  encode_url = encoder("gw.base64.encode_url", URL, false),
  decode_url = decoder("gw.base64.decode_url", FROM_URL, false),
}

-- --- gw.kv: a bounded store of the worker, least recently written out first --------------------

-- Three quarters of a power of two: a full table would be built anew for each key.
local KV_ENTRIES, KV_BYTES, KV_KEY, KV_VALUE = 12288, 8388608, 512, 65536
local entries, kv_count, kv_bytes = {}, 0, 0
local ends = {}
ends.next, ends.prev = ends, ends

local function kv_drop(e)
  e.prev.next, e.next.prev = e.next, e.prev
  entries[e.key] = nil
  kv_count = kv_count - 1
  kv_bytes = kv_bytes - e.size
end

local function kv_find(key)
  local e = entries[key]
  if e and e.expires and e.expires <= host.now() then
    kv_drop(e)
    return nil
  end
  return e
end

local KV = {}
local function kv_key(what, key)
  key = need_text(what, key, 1)
  if #key > KV_KEY then error(what .. ": a key has at most " .. KV_KEY .. " bytes", 3) end
  return key
end

local function kv_put(key, value, ttl)
  local e = entries[key]
  if e then kv_drop(e) end
  local size = #key + (type(value) == "string" and #value or 8) + 160
  while kv_count > 0 and (kv_count >= KV_ENTRIES or kv_bytes + size > KV_BYTES) do
    kv_drop(ends.next)
  end
  e = { key = key, value = value, size = size, expires = ttl and host.now() + ttl or nil,
    prev = ends.prev, next = ends }
  ends.prev.next = e
  ends.prev = e
  entries[key] = e
  kv_count = kv_count + 1
  kv_bytes = kv_bytes + size
end

local function kv_ttl(what, ttl)
  if ttl ~= nil and (type(ttl) ~= "number" or not (ttl > 0)) then
    error(what .. ": ttl is a number of seconds above 0", 3)
  end
end

function KV.get(key)
  local e = kv_find(kv_key("gw.kv.get", key))
  if e then return e.value end
  return nil
end
function KV.set(key, value, ttl)
  key = kv_key("gw.kv.set", key)
  kv_ttl("gw.kv.set", ttl)
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
    error("gw.kv.set: a value is a string, a number or a boolean, not " .. kind, 2)
  end
  if kind == "string" and #value > KV_VALUE then
    error("gw.kv.set: a value has at most " .. KV_VALUE .. " bytes", 2)
  end
  kv_put(key, value, ttl)
end
function KV.incr(key, by, ttl)
  key = kv_key("gw.kv.incr", key)
  kv_ttl("gw.kv.incr", ttl)
  by = by == nil and 1 or by
  if type(by) ~= "number" then error("gw.kv.incr: the step must be a number", 2) end
  local e = kv_find(key)
  if not e then
    kv_put(key, by, ttl)
    return by
  end
  if type(e.value) ~= "number" then error("gw.kv.incr: the value there is no number", 2) end
  e.value = e.value + by
  return e.value
end
function KV.delete(key)
  local e = kv_find(kv_key("gw.kv.delete", key))
  if e then kv_drop(e) end
  return e ~= nil
end
GW.kv = KV

-- --- files ---------------------------------------------------------------------------------------

local PHASES = { "request", "request_body", "attempt", "response", "response_body", "log" }
local KNOWN = { config = "table", init = "function", wait = "boolean" }
for _, phase in pairs(PHASES) do KNOWN[phase] = "function" end

local function wrong(file, phase, value)
  shared.wrong = 1
  error(file .. ": " .. phase .. " returned a " .. type(value) ..
    ": a hook returns nothing, and answers with gw.reply", 0)
end

-- Called from C without arguments: what it runs is known to the compiler.
local function entry(f, req, resp, file, phase)
  return function()
    local value = f(req, resp)
    if value ~= nil then wrong(file, phase, value) end
  end
end

local function parts_of(file, value)
  local kind = type(value)
  if kind == "function" then return { request = value } end
  if kind ~= "table" then
    error(file .. ": returns a " .. (value == nil and "nil" or kind) ..
      ": a hook's file returns a function, or a table of functions by phase", 0)
  end
  local parts, count = {}, 0
  for key, member in next, value do
    local expected = KNOWN[key]
    if not expected then
      error(file .. ": returns a table with '" .. tostring(key) ..
        "': known are config, init, wait, " .. concat(PHASES, ", "), 0)
    end
    if type(member) ~= expected then
      error(file .. ": '" .. key .. "' must be a " .. expected .. ", not a " .. type(member), 0)
    end
    parts[key] = member
    if expected == "function" and key ~= "init" then count = count + 1 end
  end
  if count == 0 then error(file .. ": has no function for a phase: " .. concat(PHASES, ", "), 0) end
  return parts
end

local registry, refill, loadstring = P.registry, P.refill, loadstring
local declared = {}
local load = load

registry[2] = function(code, code_len, file, file_len, config, config_len)
  file = text(ffi.cast("const char *", file), file_len)
  local env = P.environment()
  local chunk, message = load(text(ffi.cast("const char *", code), code_len), "@" .. file, "t", env)
  if not chunk then error(message, 0) end
  local gw = copy(GW, {})
  gw.json, gw.base64, gw.kv = copy(GW.json, {}), copy(GW.base64, {}), copy(GW.kv, {})
  gw.var = setmetatable({}, VAR_META)
  env.gw = gw
  env.print = function(...)
    local out = {}
    for i = 1, select("#", ...) do out[i] = tostring((select(i, ...))) end
    GW.log("info", concat(out, "\t"))
  end
  local req = setmetatable(copy(REQ, {}), REQ_META)
  local resp = setmetatable(copy(RESP, {}), RESP_META)
  local parts = parts_of(file, chunk(refill))
  if config_len > 0 then
    local values = json.decode(text(ffi.cast("const char *", config), config_len)) or {}
    gw.config = values
    if parts.init then parts.init(values) end
  end
  local slot = P.slots_take()
  for i, phase in ipairs(PHASES) do
    registry[slot + i - 1] = parts[phase] and entry(parts[phase], req, resp, file, phase) or false
  end
  declared[slot] = parts
  return slot
end

registry[3] = function(slot)
  declared[slot] = nil
  P.slots_give(slot)
end

registry[6] = function(slot)
  local parts, phases = declared[slot], {}
  for _, phase in ipairs(PHASES) do
    if parts[phase] then phases[#phases + 1] = phase end
  end
  return json.encode { phases = phases, wait = parts.wait, config = parts.config or {} }
end

-- What a hook calls: req, resp, gw; and how its file becomes functions in the registry's slots.
local P = ...
local ffi, api, ctx, host, shared = P.ffi, P.api, P.ctx, P.host, P.shared
local refuse, json, null, need_text = P.refuse, P.json, P.null, P.need_text
local text = ffi.string
local type, tostring, error, pairs, select = type, tostring, error, pairs, select
local setmetatable, concat = setmetatable, table.concat

local request, response = api.request, api.response
local header_find, header_next, header_set = api.header_find, api.header_next, api.header_set
local header_add, header_del = api.header_add, api.header_del

local function span_text(s)
  if s.len == 0 then return "" end
  return text(s.ptr, s.len)
end

-- Functions on one head: side 0 is the request's, 1 the response's.
local function head(name, side)
  local H = {}
  --: head.header(name: string): string?  The first field of the name, in any case, or nil.
  function H.header(field)
    field = need_text(name .. ".header", field, 1)
    local h = header_find(ctx, side, field, #field, nil)
    if h == nil then return nil end
    -- No tail call: a compiler that begins with this function would give up at one to a builtin.
    local value = text(h.value.ptr, h.value.len)
    return value
  end
  --: head.headers(name?: string): string[][]  All fields {name, value}, or one name's.
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
  --: head.set_header(name: string, value: string|number)  In place of all of the name.
  function H.set_header(field, value)
    field = need_text(name .. ".set_header", field, 1)
    value = need_text(name .. ".set_header", value, 2)
    local code = header_set(ctx, side, field, #field, value, #value)
    if code ~= 0 then refuse(name .. ".set_header", code) end
  end
  --: head.add_header(name: string, value: string|number)  One more field.
  function H.add_header(field, value)
    field = need_text(name .. ".add_header", field, 1)
    value = need_text(name .. ".add_header", value, 2)
    local code = header_add(ctx, side, field, #field, value, #value)
    if code ~= 0 then refuse(name .. ".add_header", code) end
  end
  --: head.del_header(name: string): integer  Takes the name out: how many they were.
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

--: req.method: string  Written too: the service gets it; the route stays.
--: req.scheme: string  http or https.
--: req.authority: string  Host and port as the client said them.
--: req.path: string  Written too; as it came, escapes and all.
--: req.query: string  Written too; what follows the ?.
--: req.client: string  The client's address, behind trusted proxies.
--: req.id: string  The request's id, of the client's making or ours.
--: req.version: number  1.0 or 1.1.
--: req.body: string?  Written too, in request_body; nil where no body is.
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

--: resp.status: integer  Written too.
--: resp.body: string?  Written too, in response_body; nil where no body is.
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

local GW = copy(P.coding, { json = copy(json, {}), kv = P.kv, null = null,
  fetch = P.fetch })
GW.json.array, GW.json.null = P.array, null

local LEVELS = { debug = 0, info = 1, warning = 2, warn = 2, error = 3 }
--: gw.log(level: "debug"|"info"|"warning"|"error", text: any)  A line on standard error.
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
--: gw.var: table<string,string?>  Texts that all hooks of an exchange share.
local VAR_META = {
  __metatable = false,
  __index = function(_, name) return var_get(name) end,
  __newindex = function(_, name, value)
    name, value = need_text("gw.var", name, 1), need_text("gw.var", value, 2)
    local code = api.var_set(ctx, name, #name, value, #value)
    if code ~= 0 then refuse("gw.var." .. name, code) end
  end,
}

--: gw.reply(status: integer, headers?: table<string,string|string[]>|string, body?: string)  Once.
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

--: gw.abort()  Ends the exchange without an answer.
function GW.abort() shared.aborted = 1 end

--: gw.now(): number  Seconds since 1970.
GW.now = function() return host.now() end

local yield = coroutine.yield
--: gw.sleep(seconds: number)  Waits; the worker goes on with others.
function GW.sleep(seconds)
  if type(seconds) ~= "number" then error("gw.sleep: seconds must be a number", 2) end
  local code = host.sleep(P.self, seconds * 1000)
  if code ~= 0 then refuse("gw.sleep", code) end
  yield()
  shared.mark = 0
end

--: gw.uuid(): string  A UUID of version 7.
function GW.uuid()
  if host.uuid(P.self, shared.out) == 0 then error("gw.uuid: only while a request runs", 2) end
  return text(shared.out, 36)
end

-- --- files ---------------------------------------------------------------------------------------

local PHASES = { "request", "request_body", "attempt", "response", "response_body", "log" }
local KNOWN =
  { config = "table", init = "function", reads = "table", wait = "boolean", writes = "table" }
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
        "': known are config, init, reads, wait, writes, " .. concat(PHASES, ", "), 0)
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

--: gw.config: table<string,any>  The hook's configuration, checked, with defaults.
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

-- Compiled traces begin in functions of ours, which stay, and hold what they called: without them
-- nothing holds the hook. Those of other hooks are compiled again when they are hot.
local flush = jit.flush
registry[3] = function(slot)
  declared[slot] = nil
  P.slots_give(slot)
  flush()
end

registry[6] = function(slot)
  local parts, phases = declared[slot], {}
  for _, phase in ipairs(PHASES) do
    if parts[phase] then phases[#phases + 1] = phase end
  end
  return json.encode { phases = phases, wait = parts.wait, config = parts.config or {},
    reads = parts.reads, writes = parts.writes }
end

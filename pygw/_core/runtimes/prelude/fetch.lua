-- gw.fetch: a request to an upstream of the configuration, which the hook's coroutine waits for.
local P = ...
local ffi, host, self, shared, need_text, refuse = P.ffi, P.host, P.self, P.shared, P.need_text,
  P.refuse
local text, lower = ffi.string, string.lower
local type, error, pairs, tostring, tonumber = type, error, pairs, tostring, tonumber
local yield, band = coroutine.yield, bit.band

local OPTIONS = { method = true, path = true, headers = true, body = true, timeout = true }

-- What came: plain values of the hook's own.
local function answer(status, list, body)
  local A = { status = status, body = body }
  function A.header(name)
    name = lower(need_text("header", name, 1))
    for i = 1, #list do
      if lower(list[i][1]) == name then return list[i][2] end
    end
    return nil
  end
  function A.headers(name)
    if name ~= nil then name = lower(need_text("headers", name, 1)) end
    local out = {}
    for i = 1, #list do
      if name == nil or lower(list[i][1]) == name then
        out[#out + 1] = { list[i][1], list[i][2] }
      end
    end
    return out
  end
  return A
end

local function read(r)
  if r == nil then error("gw.fetch: went on without what it waited for", 3) end
  if r.error ~= nil then return nil, text(r.error), text(r.cause) end
  local list, n = {}, 0
  for i = 0, r.field_count - 1 do
    local h = r.fields[i]
    if band(h.flags, 5) == 0 then   -- HF_HOP, HF_REMOVED
      n = n + 1
      list[n] = { text(h.name.ptr, h.name.len), text(h.value.ptr, h.value.len) }
    end
  end
  return answer(tonumber(r.status), list, r.body.len == 0 and "" or text(r.body.ptr, r.body.len))
end

local function fields(headers)
  if type(headers) ~= "table" then
    error("gw.fetch: headers must be a table of names to values", 3)
  end
  for name, value in pairs(headers) do
    name = need_text("gw.fetch", name, 2)
    local many = type(value) == "table" and value or { value }
    for i = 1, #many do
      local one = need_text("gw.fetch", many[i], 2)
      local code = host.fetch_field(self, name, #name, one, #one)
      if code ~= 0 then refuse("gw.fetch: header " .. name, code, 3) end
    end
  end
end

-- An answer; or nil, why, and the cause as in the access log.
--: gw.fetch(upstream: string, options?: pygw.Fetch): pygw.Fetched?, string?, string?  Waits for it.
function P.fetch(upstream, options)
  upstream = need_text("gw.fetch", upstream, 1)
  if options == nil then options = {} end
  if type(options) ~= "table" then error("gw.fetch: options must be a table", 2) end
  for key in pairs(options) do
    if not OPTIONS[key] then
      error("gw.fetch: there is no option '" .. tostring(key) ..
        "': known are method, path, headers, body, timeout", 2)
    end
  end
  local body = options.body
  if body ~= nil then body = need_text("gw.fetch", body, 2) end
  local method = need_text("gw.fetch", options.method or (body and "POST" or "GET"), 2)
  local path = need_text("gw.fetch", options.path or "/", 2)
  local seconds = options.timeout
  if seconds ~= nil and (type(seconds) ~= "number" or not (seconds > 0)) then
    error("gw.fetch: timeout is a number of seconds above 0", 2)
  end
  local code = host.fetch_open(self, upstream, #upstream)
  if code == -6 then return nil, "limit", "too_many_fetches" end
  if code == -7 then
    error("gw.fetch: '" .. upstream .. "' is not among the upstreams in this hook's fetch:", 2)
  end
  if code ~= 0 then refuse("gw.fetch", code) end
  code = host.fetch_line(self, method, #method, path, #path)
  if code ~= 0 then refuse("gw.fetch: method or path", code) end
  if options.headers ~= nil then fields(options.headers) end
  code = host.fetch_send(self, body, body and #body or 0, (seconds or 0) * 1000)
  if code ~= 0 then refuse("gw.fetch: body or timeout", code) end
  yield()
  shared.mark = 0
  return read(host.fetch_result(self))
end

-- gw.kv: a bounded store of the worker; what was written least recently goes first.
local P = ...
local host, need_text = P.host, P.need_text
local type, error = type, error

local KV = {}
P.kv = KV

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

local function kv_key(what, key)
  key = need_text(what, key, 1)
  if #key > KV_KEY then error(what .. ": a key has at most " .. KV_KEY .. " bytes", 3) end
  return key
end

local function kv_put(key, value, ttl)
  local old = entries[key]
  local size = #key + (type(value) == "string" and #value or 8) + 160
  local e = { key = key, value = value, size = size, expires = ttl and host.now() + ttl or nil,
    prev = ends, next = ends }
  entries[key] = e   -- what fails for memory fails by now, and has changed nothing
  if old then
    kv_drop(old)
    entries[key] = e   -- its place is still there
  end
  while kv_count > 0 and (kv_count >= KV_ENTRIES or kv_bytes + size > KV_BYTES) do
    kv_drop(ends.next)
  end
  e.prev = ends.prev
  ends.prev.next = e
  ends.prev = e
  kv_count = kv_count + 1
  kv_bytes = kv_bytes + size
end

local function kv_ttl(what, ttl)
  if ttl ~= nil and (type(ttl) ~= "number" or not (ttl > 0)) then
    error(what .. ": ttl is a number of seconds above 0", 3)
  end
end

--: gw.kv.get(key: string): string|number|boolean|nil  What is kept in this worker.
function KV.get(key)
  local e = kv_find(kv_key("gw.kv.get", key))
  if e then return e.value end
  return nil
end
--: gw.kv.set(key: string, value: string|number|boolean, ttl?: number)  For ttl seconds.
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
--: gw.kv.incr(key: string, by?: number, ttl?: number): number  The sum; ttl holds for a new key.
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
--: gw.kv.delete(key: string): boolean  Whether there was one.
function KV.delete(key)
  local e = kv_find(kv_key("gw.kv.delete", key))
  if e then kv_drop(e) end
  return e ~= nil
end

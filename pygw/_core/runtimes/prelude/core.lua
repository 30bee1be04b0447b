-- What the other parts stand on: the structs of C, the registry's slots, errors. Trusted code: it
-- has ffi and debug, and no function that it hands to a hook ever returns a cdata. P is private.
local at, hooks_at, api_at, host_at, api_size, request_size, response_size, header_size,
  shared_size, steps, nested = ...
local ffi = require("ffi")

ffi.cdef [[
typedef struct { const char *ptr; uint32_t len; } pygw_span_t;
typedef struct { pygw_span_t name, value; uint16_t id, flags; uint32_t raw_len; } pygw_header_t;
typedef struct {
  uint32_t size; uint8_t version, has_body;
  pygw_span_t method, scheme, authority, path, query, client, id, body;
  const pygw_header_t *headers; uint32_t header_count;
} pygw_request_t;
typedef struct {
  uint32_t size; uint16_t status; uint8_t has_body; pygw_span_t body;
  const pygw_header_t *headers; uint32_t header_count;
} pygw_response_t;
typedef struct {
  uint32_t size, abi; uint64_t layout;
  const pygw_request_t *(*request)(void *ctx);
  const pygw_response_t *(*response)(void *ctx);
  const pygw_header_t *(*header_find)(void *ctx, int side, const char *name, uint32_t name_len,
                                      const pygw_header_t *after);
  const pygw_header_t *(*header_next)(void *ctx, int side, const pygw_header_t *after);
  int (*header_set)(void *ctx, int side, const char *name, uint32_t name_len, const char *value,
                    uint32_t value_len);
  int (*header_add)(void *ctx, int side, const char *name, uint32_t name_len, const char *value,
                    uint32_t value_len);
  int (*header_del)(void *ctx, int side, const char *name, uint32_t name_len);
  int (*method_set)(void *ctx, const char *ptr, uint32_t len);
  int (*path_set)(void *ctx, const char *ptr, uint32_t len);
  int (*query_set)(void *ctx, const char *ptr, uint32_t len);
  int (*status_set)(void *ctx, uint32_t status);
  int (*reply)(void *ctx, uint32_t status, const char *content_type, uint32_t type_len,
               const char *body, uint32_t body_len);
  int (*reply_header)(void *ctx, const char *name, uint32_t name_len, const char *value,
                      uint32_t value_len);
  int (*body_set)(void *ctx, const char *ptr, uint32_t len);
  const pygw_span_t *(*var_get)(void *ctx, const char *name, uint32_t name_len);
  int (*var_set)(void *ctx, const char *name, uint32_t name_len, const char *value,
                 uint32_t value_len);
  int (*log)(void *ctx, uint32_t level, const char *ptr, uint32_t len);
  uint64_t (*unix_ms)(void *ctx);
  uint64_t (*monotonic_ns)(void *ctx);
  const pygw_span_t *(*request_id)(void *ctx);
  int (*fail)(void *ctx, const char *ptr, uint32_t len);
  int (*fetch)(void *ctx, const void *what, void *done, void *arg);
} pygw_api_t;
typedef struct {
  uint32_t init, anchor; int32_t first, last; uint32_t count, steps; int32_t start[32], len[32];
} pygw_match_t;
typedef struct {
  int32_t mark, depth, wrong, aborted; uint8_t out[64]; pygw_match_t match;
} pygw_shared_t;
typedef struct {
  const char *error, *cause; uint32_t status, field_count; const pygw_header_t *fields;
  pygw_span_t body;
} pygw_fetched_t;
typedef struct {
  uint32_t size;
  int (*late)(void *l);
  int (*sleep)(void *l, double ms);
  int (*match)(pygw_match_t *m, const char *text, size_t size, const char *pattern,
               size_t pattern_size);
  int32_t (*find)(const char *text, size_t size, const char *part, size_t part_size, size_t init);
  double (*now)(void);
  int (*digest)(int kind, const char *data, size_t size, uint8_t *out);
  int (*hmac)(int kind, const char *key, uint32_t key_size, const char *data, size_t size,
              uint8_t *out);
  int (*uuid)(void *l, uint8_t *out);
  int (*fetch_open)(void *l, const char *upstream, uint32_t size);
  int (*fetch_line)(void *l, const char *method, uint32_t method_size, const char *target,
                    uint32_t size);
  int (*fetch_field)(void *l, const char *name, uint32_t name_size, const char *value,
                     uint32_t size);
  int (*fetch_send)(void *l, const char *body, size_t size, double timeout_ms);
  const pygw_fetched_t *(*fetch_result)(void *l);
} pygw_lua_t;
]]

-- The layout must be C's, or every read would be a wild one.
for name, size in pairs { pygw_api_t = api_size, pygw_request_t = request_size,
    pygw_response_t = response_size, pygw_header_t = header_size, pygw_shared_t = shared_size } do
  if ffi.sizeof(name) ~= size then
    error(name .. " has " .. ffi.sizeof(name) .. " bytes here and " .. size .. " in C", 0)
  end
end

local P = { ffi = ffi, steps = steps, nested = nested }
P.self = ffi.cast("void *", at)
P.ctx = ffi.cast("void *", hooks_at)
P.shared = ffi.cast("pygw_shared_t *", at)
P.api = ffi.cast("pygw_api_t *", api_at)
P.host = ffi.cast("pygw_lua_t *", host_at)
P.registry = debug.getregistry()

-- Errors of hooks. `wrong` says that what it answered means nothing.
local shared = P.shared
local REASONS = {
  [-1] = "the request is over",
  [-2] = "a value that cannot stand there",
  [-3] = "the gateway writes this field itself",
  [-4] = "too late: that head has left, or there is a reply already",
  [-5] = "this has no meaning in this phase",
  [-6] = "too much of it, or no memory",
  [-7] = "there is no such thing",
  [-8] = "the hook's writes does not name it",
}

function P.refuse(what, code, level)
  if code == -2 or code == -4 then shared.wrong = 1 end
  error(what .. ": " .. (REASONS[code] or "failed"), (level or 2) + 1)
end

-- The step counter's other half: a hook that is over its time ends, each time that it asks.
local late, self = P.host.late, P.self
function P.refill()
  local ms = late(self)
  if ms ~= 0 then error("ran for more than " .. ms .. " ms", 2) end
  return steps
end

-- Long work of ours counts like a hook's loop.
function P.check()
  local ms = late(self)
  if ms ~= 0 then error("ran for more than " .. ms .. " ms", 3) end
end

local traceback, type, tostring = debug.traceback, type, tostring
local string_gsub, string_sub = string.gsub, string.sub
local function handler(e)
  local kind = type(e)
  if kind == "number" then e = tostring(e) end
  if kind ~= "string" and kind ~= "number" then e = "failed with a " .. kind .. " for an error" end
  local ok, trace = pcall(traceback, "", 2)
  if not ok then return e end
  -- Only the hook's own lines tell a reader something.
  trace = string_gsub(trace, "^%s*stack traceback:%s*", "")
  local lines = {}
  for line in string.gmatch(trace, "[^\n]+") do
    line = string_gsub(line, "^%s+", "")
    if not string.find(line, "^pygw%.") and not string.find(line, "^%[C%]") then
      lines[#lines + 1] = line
    end
  end
  local place = lines[1] and string.match(lines[1], "^(.-:%d+):")
  if place and string_sub(e, 1, #place) ~= place and not string.find(e, "^[^%s]*:%d+: ") then
    e = place .. ": " .. e
  end
  if #lines > 1 then
    e = e .. " (by " .. table.concat(lines, ", by ", 2, #lines > 6 and 6 or #lines) .. ")"
  end
  return e
end
P.handler = handler

-- Slots: 1 to 7 are functions of ours; behind them eight for each hook, and one for a coroutine.
local registry = P.registry
local free_hooks, free_runs = {}, {}
local next_slot = 16
function P.slots_take()
  local slot = free_hooks[#free_hooks]
  if slot then
    free_hooks[#free_hooks] = nil
    return slot
  end
  slot = next_slot
  next_slot = slot + 8
  return slot
end
function P.slots_give(slot)
  for i = slot, slot + 7 do registry[i] = false end
  free_hooks[#free_hooks + 1] = slot
end

-- Coroutines that hooks run in. Each waits for a function, runs it, and says how it went.
local yield, xpcall = coroutine.yield, xpcall
local function work()
  local message
  while true do
    local ok
    local entry = yield(message)
    ok, message = xpcall(entry, handler)
    entry = nil
    shared.mark = ok and 1 or 2
    if ok then message = nil end
  end
end
local create, resume = coroutine.create, coroutine.resume
registry[1] = handler
registry[4] = function()
  local co = create(work)
  local ok, message = resume(co)
  if not ok then error(message, 0) end
  local slot = free_runs[#free_runs]
  if slot then
    free_runs[#free_runs] = nil
  else
    slot = next_slot
    next_slot = slot + 1
  end
  registry[slot] = co
  return slot
end
registry[7] = function(slot)
  registry[slot] = false
  free_runs[#free_runs + 1] = slot
end
local collect = collectgarbage
registry[5] = function()
  collect("collect")
  collect("collect")
end

-- The text of an argument; the error names the line of who called the function with it. What is
-- long takes C long, such as its digest, and a loop of the hook looks at the clock but seldom.
local check = P.check
function P.need_text(what, value, at)
  local kind = type(value)
  if kind == "string" then
    if #value > 65536 then check() end
    return value
  end
  if kind == "number" then return tostring(value) end
  error(what .. ": argument " .. at .. " must be a string, not " .. kind, 3)
end
return P

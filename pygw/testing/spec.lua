-- Specs of Lua hooks: describe, it and assert as busted has them, in small.
-- Called with the functions that Python gives; returns what loads a spec and runs its cases.
local make_hook, make_gateway, ask, told = ...
local type, pairs, ipairs, tostring, error, pcall = type, pairs, ipairs, tostring, error, pcall
local traceback = debug.traceback

-- --- values -------------------------------------------------------------------------------------

local function shown(value, depth)
  depth = depth or 0
  if type(value) == "string" then return string.format("%q", value) end
  if type(value) ~= "table" or depth > 4 then return tostring(value) end
  local keys, out = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, key in ipairs(keys) do
    if i > 20 then
      out[#out + 1] = "..."
      break
    end
    local name = type(key) == "string" and key or "[" .. tostring(key) .. "]"
    out[#out + 1] = name .. " = " .. shown(value[key], depth + 1)
  end
  return "{" .. (#out > 0 and " " .. table.concat(out, ", ") .. " " or "") .. "}"
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

-- --- assertions ---------------------------------------------------------------------------------

local spec                              -- the name of the file that runs
-- Ends a case, and says where in the spec it was.
local function failed(text)
  local level, where = 2, "?"
  local info = debug.getinfo(level, "Sl")
  while info do
    if info.source == "@" .. spec then
      where = spec .. ":" .. info.currentline
      break
    end
    level = level + 1
    info = debug.getinfo(level, "Sl")
  end
  error({ failed = text, where = where }, 0)
end

local check = {}
local function expected(name, test, phrase)
  check[name] = function(negated, a, b, ...)
    local good, more = test(a, b, ...)
    if good == not negated then return end
    local text = string.format(phrase, negated and "not " or "", shown(a), shown(b))
    failed(text .. (more and "\n" .. more or ""))
  end
end
expected("equal", function(a, b) return a == b end, "expected %s%s, got %s")
expected("same", same, "expected %s%s, got %s")
expected("is_true", function(a) return a == true end, "expected %strue, got %s")
expected("is_false", function(a) return a == false end, "expected %sfalse, got %s")
expected("is_nil", function(a) return a == nil end, "expected %snil, got %s")
expected("truthy", function(a) return a and true or false end, "expected %sa true value, got %s")
expected("falsy", function(a) return not a end, "expected %sa false value, got %s")
expected("matches", function(pattern, text)
  return type(text) == "string" and text:find(pattern) ~= nil
end, "expected %sa match of %s, got %s")
expected("near", function(a, b, by)
  return type(a) == "number" and type(b) == "number" and math.abs(a - b) <= (by or 1e-9)
end, "expected %sabout %s, got %s")
check.has_error = function(negated, call, pattern)
  local good, problem = pcall(call)
  local text = type(problem) == "table" and problem.failed or tostring(problem)
  if good == not negated then
    failed(negated and "expected no error, got: " .. text or "expected an error")
  elseif not negated and pattern and not text:find(pattern) then
    failed("expected an error that matches " .. shown(pattern) .. ", got: " .. text)
  end
end
local ALSO = { equals = "equal", ["true"] = "is_true", ["false"] = "is_false", ["nil"] = "is_nil",
  is_equal = "equal", is_same = "same", is_truthy = "truthy", is_falsy = "falsy",
  match = "matches", error = "has_error", errors = "has_error", error_matches = "has_error" }
local NEGATED = { is_not_nil = "is_nil", not_equal = "equal", not_equals = "equal",
  not_same = "same", has_no_error = "has_error", no_error = "has_error", not_nil = "is_nil",
  is_not_true = "is_true", is_not_false = "is_false" }
local MODIFIERS = { are = false, is = false, has = false, does = false, is_not = true,
  are_not = true, has_no = true, no = true, not_ = true, isnt = true }

local function assertions(negated)
  return setmetatable({}, {
    __call = function(_, value, message)
      if not value then failed(message or "assertion failed") end
      return value
    end,
    __index = function(_, name)
      if MODIFIERS[name] ~= nil then return assertions(negated ~= MODIFIERS[name]) end
      local invert = NEGATED[name] ~= nil
      local test = check[NEGATED[name] or ALSO[name] or name]
      if not test then error("there is no assert." .. tostring(name), 2) end
      local wanted = negated ~= invert
      return function(...) test(wanted, ...) end
    end,
  })
end

-- --- gateways -----------------------------------------------------------------------------------

local FIELDS = { __index = function(t, name)
  if type(name) ~= "string" then return nil end
  return rawget(t, name:lower())
end }
local function fields(message)
  if message then
    setmetatable(message.headers, FIELDS)
    if message.trailers then setmetatable(message.trailers, FIELDS) end
  end
  return message
end

local function answered(answer)
  fields(answer)
  for _, seen in ipairs(answer.seen) do fields(seen) end
  answer.origin = answer.seen[#answer.seen]
  function answer.outcome(hook, phase)
    for i = #answer.hooks, 1, -1 do
      local run = answer.hooks[i]
      if run.phase == (phase or "request") and (hook == nil or run.hook == hook) then
        return run.outcome
      end
    end
  end
  return answer
end

-- Python's part of a call: its error becomes one at the spec's line.
local function of_python(call, ...)
  local good, value = call(...)
  if not good then failed(value) end
  return value
end

-- `hook.get(...)` and `hook:get(...)` mean the same.
local function method(call)
  return function(...)
    local self = ...
    if type(self) == "table" and rawget(self, "__gateway") then return call(select(2, ...)) end
    return call(...)
  end
end

local function gateway_of(number)
  local gateway = { __gateway = number, origin = { __gateway = number } }
  local function request(verb, target, parts)
    return answered(of_python(ask, number, verb, target or "/", parts or {}))
  end
  gateway.request = method(request)
  for _, verb in ipairs { "get", "head", "post", "put", "patch", "delete", "options" } do
    gateway[verb] = method(function(target, parts) return request(verb:upper(), target, parts) end)
  end
  for _, name in ipairs { "advance", "now", "log" } do
    gateway[name] = method(function(...) return of_python(told, number, name, "", ...) end)
  end
  local function origin(of, address)
    for _, name in ipairs { "answer", "next", "refuse", "silent" } do
      of[name] = method(function(...) return of_python(told, number, name, address, ...) end)
    end
    of.requests = method(function()
      local seen = of_python(told, number, "requests", address)
      for _, one in ipairs(seen) do fields(one) end
      return seen
    end)
    return of
  end
  origin(gateway.origin, "")
  gateway.upstream = method(function(address)
    return origin({ __gateway = number }, address)
  end)
  return gateway
end

local pygw = {
  hook = function(...) return gateway_of(of_python(make_hook, ...)) end,
  gateway = function(...) return gateway_of(of_python(make_gateway, ...)) end,
}

-- --- specs --------------------------------------------------------------------------------------

-- What failed, with its place; of an error its own, and where it came from.
local function reason(problem)
  if type(problem) == "table" and problem.failed then
    return problem.where .. ": " .. problem.failed
  end
  local lines = {}
  for line in traceback(tostring(problem), 3):gmatch("[^\n]+") do
    if not line:find("%[C%]") and not line:find("[^%w_]pygw:%d") then lines[#lines + 1] = line end
  end
  return table.concat(lines, "\n")
end

-- Loads a spec and runs its cases one by one: report(names, nil or what failed).
return function(source, name, report)
  spec = name
  local environment = setmetatable({}, { __index = _G })
  local block = { names = {}, before = {}, after = {} }
  local function each(list)
    for _, call in ipairs(list) do call() end
  end
  local function joined(list, one)
    local out = {}
    for _, value in ipairs(list) do out[#out + 1] = value end
    out[#out + 1] = one
    return out
  end
  local function describe(title, body)
    local outer = block
    block = { names = joined(outer.names, title), before = joined(outer.before),
      after = joined(outer.after) }
    local good, problem = xpcall(body, reason)
    if not good then report(block.names, problem) end
    block = outer
  end
  local function it(title, body)
    local here = block
    local good, problem = xpcall(function()
      each(here.before)
      body()
    end, reason)
    local ended, late = xpcall(function() each(here.after) end, reason)
    report(joined(here.names, title), not good and problem or not ended and late or nil)
  end
  environment.describe, environment.context, environment.it = describe, describe, it
  environment.before_each = function(call) table.insert(block.before, call) end
  environment.after_each = function(call) table.insert(block.after, call) end
  environment.assert, environment.pygw = assertions(false), pygw
  local chunk, problem = loadstring(source, "@" .. name)
  if not chunk then return report({}, problem) end
  setfenv(chunk, environment)
  local good, why = xpcall(chunk, reason)
  if not good then report({}, why) end
end

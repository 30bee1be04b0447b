-- What a hook finds around it: the language without what reaches beyond it, in tables of its own.
local P = ...
local shared, steps, nested = P.shared, P.steps, P.nested
local check = P.check
local error, type, select, pairs = error, type, select, pairs
local real_resume, real_yield, create = coroutine.resume, coroutine.yield, coroutine.create
local status, running = coroutine.status, coroutine.running

-- Coroutines. A wait inside of one goes through all that are around it up to the worker: `mark` is
-- then 3, and what is resumed next is the innermost again. Nesting is bounded: C's stack is. Only
-- its own run goes on with a coroutine that waits: a request that found it kept would get an answer
-- that is not there, or another's.
local waiting = setmetatable({}, { __mode = "k" })
local carry
local function resumed(co, depth, ok, ...)
  if ok and shared.mark == 3 then
    waiting[co] = true
    real_yield()
    waiting[co] = nil
    shared.depth = depth + 1
    return carry(co, depth)
  end
  shared.depth = depth
  return ok, ...
end
carry = function(co, depth)
  return resumed(co, depth, real_resume(co))
end
local function resume(co, ...)
  local depth = shared.depth
  if depth >= nested then return false, "coroutines are nested too deep" end
  if waiting[co] then return false, "the coroutine waits in a request of its own" end
  shared.depth = depth + 1
  return resumed(co, depth, real_resume(co, ...))
end
local function yield(...)
  if shared.depth == 0 then error("yields outside of a coroutine of its own", 2) end
  shared.mark = 0   -- a wait that failed, such as in a __tostring, is none of this one's
  return real_yield(...)
end
local function unwrap(ok, ...)
  if not ok then
    local e = ...
    error(e, 0)
  end
  return ...
end
local function wrap(f)
  local co = create(f)
  return function(...) return unwrap(resume(co, ...)) end
end

-- Sorting by merging: n log n whatever the order and the comparison, and each step counts.
local function sort(t, before)
  before = before or function(a, b) return a < b end
  local n, work = #t, 0
  local from, to, width = t, {}, 1
  while width < n do
    for low = 1, n, 2 * width do
      local middle, high = low + width, low + 2 * width
      if middle > n + 1 then middle = n + 1 end
      if high > n + 1 then high = n + 1 end
      local i, j = low, middle
      for k = low, high - 1 do
        if i < middle and (j >= high or not before(from[j], from[i])) then
          to[k] = from[i]
          i = i + 1
        else
          to[k] = from[j]
          j = j + 1
        end
        work = work + 1
        if work > steps then
          work = 0
          check()
        end
      end
    end
    from, to, width = to, from == t and {} or from, 2 * width
    if to == t then to = {} end
  end
  if from ~= t then
    for i = 1, n do t[i] = from[i] end
  end
end

-- table.move of LuaJIT runs without a step of ours: this one counts.
local function move(a, first, last, at, b)
  b = b or a
  if last >= first then
    if last - first > 4194304 then error("too many elements to move", 2) end
    local work = 0
    local from, to, by = first, last, 1
    if at > first and at <= last and a == b then from, to, by = last, first, -1 end
    for i = from, to, by do
      b[at + i - first] = a[i]
      work = work + 1
      if work > steps then
        work = 0
        check()
      end
    end
  end
  return b
end

local LIBRARIES = {
  math = { "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor",
    "fmod", "frexp", "huge", "ldexp", "log", "log10", "max", "min", "modf", "pi", "pow", "rad",
    "random", "sin", "sinh", "sqrt", "tan", "tanh" },
  table = { "concat", "insert", "maxn", "remove" },
  bit = { "arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift",
    "tobit", "tohex" },
}
local GLOBALS = { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal",
  "rawget", "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "unpack", "xpcall",
  "_VERSION" }

local globals = {}
for _, name in pairs(GLOBALS) do globals[name] = _G[name] end
local libraries = {}
for name, members in pairs(LIBRARIES) do
  libraries[name] = {}
  for _, member in pairs(members) do libraries[name][member] = _G[name][member] end
end
libraries.table.sort, libraries.table.move, libraries.table.unpack = sort, move, unpack
libraries.coroutine = { create = create, resume = resume, yield = yield, wrap = wrap,
  status = status,
  running = function()
    if shared.depth == 0 then return nil end
    return running()
  end }
libraries.string = P.string
local collect = collectgarbage
globals.collectgarbage = function(what)
  if what ~= "count" then error("collectgarbage is the gateway's but for 'count'", 2) end
  return collect("count")
end

-- Tables of a hook's own: what it changes there, no other hook sees.
function P.environment()
  local env = {}
  for name, value in pairs(globals) do env[name] = value end
  for name, members in pairs(libraries) do
    env[name] = {}
    for member, value in pairs(members) do env[name][member] = value end
  end
  env._G = env
  return env
end

math.randomseed(P.host.now() * 1e6 % 2 ^ 31)
-- The prelude's own globals lose what nobody needs from here on.
io, os, package, require, module, newproxy, dofile, loadfile = nil

-- rewrite_response: changes the status, fields and texts of responses.
-- docs/ready-made.md has the table, and what becomes of ETag, ranges and encodings.
---@type pygw.Hook
local hook = {}

hook.config = {
  status = { type = "map", max = 100,
    description = "A status, or a class such as 5xx, to the status that is sent in its place." },
  remove = { type = "list", items = "string", max = 100,
    description = "Fields of the response that are taken out." },
  set = { type = "map", max = 100,
    description = "Field to its value, or to a list of them, in place of what the service sent." },
  replace = { type = "list", items = "map", max = 100,
    description = "Texts in bodies: {from, to, count}, one after the other; no count: all." },
  types = { type = "list", items = "string", max = 50, default = { "text/html" },
    description = "Media types of bodies in which texts are replaced; text/* is all of text." },
  encoded = { type = "string", default = "pass", enum = { "pass", "refuse" },
    description = "What becomes of compressed bodies of these types: refused is 502." },
}

local TEXT_MAX, GROWN_MAX = 10000, 8388608
-- The gateway's own, or what would no longer say what the body is.
local OURS = {}
for name in ("connection content-encoding content-length content-range host keep-alive " ..
    "proxy-connection te trailer transfer-encoding upgrade"):gmatch("%S+") do
  OURS[name] = true
end
-- They have no body, or a part of one: no other status can stand for them.
local FRAMED = { [204] = true, [205] = true, [206] = true, [304] = true }
-- What vouches for bytes that are not those of the service any more.
local VOUCHERS = { "Accept-Ranges", "Content-Digest", "Content-MD5", "Digest", "Repr-Digest" }

local BODY_VAR = "rewrite_response.body"

local statuses, classes, removed, set = {}, {}, {}, {}
local rules, exact, families = {}, {}, {}
local maps, replaces, refuses

local function wrong(key, what)
  error("config." .. key .. " " .. what, 0)
end

local function need_field(key, name)
  if not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then
    wrong(key, "has " .. name .. ", which is not the name of a field")
  end
  if OURS[name:lower()] then
    wrong(key, "has " .. name .. ", which says how the body is sent: the gateway writes it")
  end
  return name
end

local function take_status(from, to)
  local key = "status." .. from
  if type(to) ~= "number" or to % 1 ~= 0 or to < 200 or to > 599 or FRAMED[to] then
    wrong(key, "must be a status from 200 to 599 other than 204, 205, 206 and 304")
  end
  local number = tonumber(from:match("^[2-5]%d%d$"))
  if number and not FRAMED[number] then
    statuses[number] = to
  elseif from:find("^[2-5]xx$") then
    classes[tonumber(from:sub(1, 1))] = to
  else
    wrong(key, "is none: 200 to 599 but 204, 205, 206 and 304, or 2xx to 5xx")
  end
end

local function take_field(name, given)
  local list = type(given) == "table" and given or { given }
  if #list == 0 then wrong("set." .. name, "has no value: remove takes fields out") end
  for _, value in ipairs(list) do
    if type(value) ~= "string" or value:find("[%z\1-\8\10-\31\127]") or value:find("^[ \t]")
        or value:find("[ \t]$") then
      wrong("set." .. name, "must be text without controls and blanks at its ends, or a list of it")
    end
  end
  set[#set + 1] = { need_field("set", name), list }
end

local function take_rule(at, rule)
  local key = "replace[" .. (at - 1) .. "]"
  for name in pairs(rule) do
    if name ~= "from" and name ~= "to" and name ~= "count" then
      wrong(key, "has " .. name .. ": known are from, to, count")
    end
  end
  local from, to, count = rule.from, rule.to, rule.count
  if type(from) ~= "string" or from == "" or #from > TEXT_MAX then
    wrong(key .. ".from", "must be text of 1 to " .. TEXT_MAX .. " bytes")
  end
  if type(to) ~= "string" or #to > TEXT_MAX then
    wrong(key .. ".to", "must be text of at most " .. TEXT_MAX .. " bytes; empty takes it out")
  end
  if count ~= nil and (type(count) ~= "number" or count % 1 ~= 0 or count < 1) then
    wrong(key .. ".count", "must be a whole number from 1")
  end
  rules[at] = { from, to, count or math.huge }
end

function hook.init(config)
  for from, to in pairs(config.status or {}) do take_status(from, to) end
  for i, name in ipairs(config.remove or {}) do removed[i] = need_field("remove", name) end
  for name, given in pairs(config.set or {}) do take_field(name, given) end
  for i, rule in ipairs(config.replace or {}) do take_rule(i, rule) end
  for i, name in ipairs(config.types) do
    local family = name:lower():match("^([%w!#$&^_.+-]+)/%*$")
    if family then
      families[family] = true
    elseif name:find("^[%w!#$&^_.+-]+/[%w!#$&^_.+-]+$") then
      exact[name:lower()] = true
    else
      wrong("types[" .. (i - 1) .. "]", "must be a media type such as text/html or text/*")
    end
  end
  maps, replaces, refuses = next(config.status or {}) ~= nil, #rules > 0, config.encoded == "refuse"
  if not maps and not replaces and #removed == 0 and #set == 0 then
    error("config has nothing to do: status, remove, set and replace are empty", 0)
  end
end

-- A service that sends no parts and no compressed bodies has texts that can be replaced.
function hook.request(req)
  if not replaces then return end
  req.set_header("Accept-Encoding", "identity")
  req.del_header("Range")
  req.del_header("If-Range")
end

local function has_texts(resp)
  local media = resp.header("content-type")
  media = media and media:match("^%s*([^;%s]+)")
  if not media then return false end
  media = media:lower()
  return exact[media] or families[media:match("^[^/]*")] or false
end

local function is_encoded(resp)
  for _, field in ipairs(resp.headers("content-encoding")) do
    for coding in field[2]:gmatch("[^,%s]+") do
      if coding:lower() ~= "identity" then return true end
    end
  end
  return false
end

-- Other bytes, and the same to who reads them: RFC 9110 section 8.8.1 calls such a tag weak.
local function weaken(resp)
  local tag = resp.header("etag")
  if tag and tag:find('^"') then resp.set_header("ETag", "W/" .. tag) end
end

-- Also of answers that come without their body: they are told as if it came.
local function announce(req, resp, status)
  weaken(resp)
  for i = 1, #VOUCHERS do resp.del_header(VOUCHERS[i]) end
  if status == 304 or req.method == "HEAD" then resp.del_header("Content-Length") end
end

function hook.response(req, resp)
  local status = resp.status
  if replaces then
    gw.var[BODY_VAR] = "as it is" -- another hook of this file may have said something else
    if status == 304 then
      announce(req, resp, status)
    elseif status ~= 206 and has_texts(resp) then
      if not is_encoded(resp) then
        announce(req, resp, status)
        gw.var[BODY_VAR] = "to rewrite"
      elseif refuses then
        gw.log("error", "a body that is compressed cannot be rewritten")
        gw.reply(502, { ["Cache-Control"] = "no-store" }, "the service's answer cannot be used\n")
        return
      end
    end
  end
  for i = 1, #removed do resp.del_header(removed[i]) end
  for i = 1, #set do
    local name, values = set[i][1], set[i][2]
    resp.set_header(name, values[1])
    for k = 2, #values do resp.add_header(name, values[k]) end
  end
  if not maps or FRAMED[status] then return end
  local to = statuses[status] or classes[(status - status % 100) / 100]
  if to then resp.status = to end
end

local function replaced(text, from, to, count)
  local first, last = text:find(from, 1, true)
  if not first then return text end
  local out, n, at, size = {}, 0, 1, #text
  while first and count > 0 do
    size = size + #to - #from
    if size > GROWN_MAX then error("the body would grow beyond " .. GROWN_MAX .. " bytes", 0) end
    out[n + 1], out[n + 2], n = text:sub(at, first - 1), to, n + 2
    at, count = last + 1, count - 1
    first, last = text:find(from, at, true)
  end
  out[n + 1] = text:sub(at)
  return table.concat(out)
end

function hook.response_body(_, resp)
  if gw.var[BODY_VAR] ~= "to rewrite" then return end
  local before = resp.body
  if not before or before == "" then return end
  local body = before
  for i = 1, #rules do body = replaced(body, rules[i][1], rules[i][2], rules[i][3]) end
  if body ~= before then resp.body = body end
end

return hook

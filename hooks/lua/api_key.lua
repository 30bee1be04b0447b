-- api_key: lets in who brings a key that is known, and tells the service whose it is.
-- The configuration holds digests of keys, never keys. docs/ready-made.md has the table.
---@type pygw.Hook
local hook = {}

hook.config = {
  keys = { type = "map", required = true, min = 1, max = 1000,
    description = "Consumer to the SHA-256 of its key in hexadecimal, or to a list of them." },
  header = { type = "string", default = "X-API-Key", min = 1,
    description = "The field that carries the key." },
  query = { type = "string", default = "",
    description = "The query parameter that may carry it too; empty: none does." },
  consumer_header = { type = "string", default = "X-Consumer", min = 1,
    description = "The field by which the service is told whose key it is." },
  realm = { type = "string", default = "api", description = "Named in WWW-Authenticate." },
}

local MAX_DIGESTS = 1000
local digests, consumers = {}, {} -- side by side: a digest's bytes, and whose it is
local header, query, consumer_header, refusal

local function wrong(key, what)
  error("config." .. key .. " " .. what, 0)
end

local function byte_of(hex)
  return string.char(tonumber(hex, 16))
end

local function take(name, digest)
  if type(digest) ~= "string" or #digest ~= 64 or digest:find("%X") then
    wrong("keys." .. name, "must be 64 hexadecimal digits, the SHA-256 of a key: " ..
      "printf %s KEY | sha256sum")
  end
  if #digests == MAX_DIGESTS then wrong("keys", "has more than " .. MAX_DIGESTS .. " digests") end
  local bytes = digest:gsub("%x%x", byte_of)
  for i = 1, #digests do
    if digests[i] == bytes then wrong("keys." .. name, "has the key of " .. consumers[i]) end
  end
  digests[#digests + 1], consumers[#consumers + 1] = bytes, name
end

local function need_field(key, value)
  if not value:find("^[%w!#$%%&'*+.^_`|~-]+$") then wrong(key, "must be the name of a field") end
  return value
end

function hook.init(config)
  header = need_field("header", config.header)
  consumer_header = need_field("consumer_header", config.consumer_header)
  if header:lower() == consumer_header:lower() then
    wrong("consumer_header", "must be another field than header")
  end
  query = config.query
  if config.realm:find('[%c"\\\128-\255]') then
    wrong("realm", "must be visible ASCII without quotes and backslashes")
  end
  for name, given in pairs(config.keys) do
    if name == "" or name:find("[%c\128-\255]") or name:find("^ ") or name:find(" $") then
      wrong("keys", "has a consumer that no field can carry: ASCII without controls may")
    end
    local list = type(given) == "table" and given or { given }
    if #list == 0 then wrong("keys." .. name, "has no digest") end
    for i = 1, #list do take(name, list[i]) end
  end
  refusal = {
    ["WWW-Authenticate"] = 'ApiKey realm="' .. config.realm .. '"',
    ["Cache-Control"] = "no-store",
  }
end

local function decoded(text)
  if not text:find("[%%+]") then return text end
  return (text:gsub("+", " "):gsub("%%(%x%x)", byte_of))
end

-- The parameter's value and the query without it. False: it came twice.
local function take_query(text)
  local found
  local kept, n = {}, 0
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    if decoded(name) == query then
      if found == nil then found = decoded(value) else found = false end
    else
      n = n + 1
      kept[n] = pair
    end
  end
  return found, table.concat(kept, "&")
end

-- Every digest is compared, whichever it is: time tells nothing of which one was near.
local function consumer_of(key)
  local digest, found = gw.sha256(key), nil
  for i = 1, #digests do
    if gw.equal(digest, digests[i]) then found = consumers[i] end
  end
  return found
end

function hook.request(req)
  local key = req.header(header)
  local count = req.del_header(header)
  local several = count > 1
  if query ~= "" and req.query ~= "" then
    local value, rest = take_query(req.query)
    if value ~= nil then
      req.query = rest
      if value == false or key then several = true else key = value end
    end
  end
  local consumer = not several and key and key ~= "" and consumer_of(key)
  if not consumer then
    gw.reply(401, refusal, "a valid API key is needed\n")
    return
  end
  gw.var.consumer = consumer
  req.set_header(consumer_header, consumer)
end

return hook

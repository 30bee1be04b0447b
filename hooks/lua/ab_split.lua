-- ab_split: gives each client a variant by weight, keeps it in a cookie, and tells the service.
---@type pygw.Hook
local hook = {}

hook.config = {
  variants = { type = "map", required = true, min = 2, max = 20,
    description = "Name to weight, whole numbers from 0 to 10000; 0: no new clients." },
  cookie = { type = "string", default = "ab", min = 1, max = 64,
    description = "The cookie that keeps the variant." },
  header = { type = "string", default = "X-Variant", min = 1,
    description = "The field by which the service is told." },
  max_age = { type = "integer", default = 2592000, min = 1, max = 34560000,
    description = "Seconds for which the cookie stays." },
  secure = { type = "boolean", default = true,
    description = "Whether the cookie goes over TLS only." },
}

local WEIGHT_MAX = 10000
local weights, names = {}, {}
local total = 0
local cookie, header, pattern, attributes, chosen_var

function hook.init(config)
  if not config.cookie:find("^[%w_-]+$") then
    error("config.cookie must be of letters, digits, _ and -", 0)
  end
  if not config.header:find("^[%w!#$%%&'*+.^_`|~-]+$") then
    error("config.header must be the name of a field", 0)
  end
  for name, weight in pairs(config.variants) do
    if not name:find("^[%w_-]+$") or #name > 64 then
      error("config.variants has a name that is not 1 to 64 letters, digits, _ and -", 0)
    end
    if type(weight) ~= "number" or weight % 1 ~= 0 or weight < 0 or weight > WEIGHT_MAX then
      error("config.variants." .. name .. " must be a whole number from 0 to " .. WEIGHT_MAX, 0)
    end
    weights[name], total = weight, total + weight
    names[#names + 1] = name
  end
  if total == 0 then error("config.variants has no weight above 0", 0) end
  table.sort(names)
  cookie, header = config.cookie, config.header
  attributes = "; Path=/; Max-Age=" .. config.max_age .. "; SameSite=Lax; HttpOnly" ..
    (config.secure and "; Secure" or "")
  pattern = "^%s*" .. cookie:gsub("%-", "%%-") .. "=([%w_-]+)%s*$"
  chosen_var = "ab_split." .. cookie
end

-- What the client brought, if it is a variant there is.
local function kept(req)
  for _, field in ipairs(req.headers("cookie")) do
    for pair in field[2]:gmatch("[^;]+") do
      local name = pair:match(pattern)
      if name and weights[name] then return name end
    end
  end
end

-- The last 32 bits of a UUID are random.
local function drawn()
  local at = tonumber(gw.uuid():sub(-8), 16) % total
  for i = 1, #names do
    at = at - weights[names[i]]
    if at < 0 then return names[i] end
  end
end

function hook.request(req)
  local name = kept(req)
  if not name then
    name = drawn()
    gw.var[chosen_var] = name
  end
  gw.var.variant = name
  req.set_header(header, name)
end

local function varies(resp)
  for _, field in ipairs(resp.headers("vary")) do
    for name in field[2]:lower():gmatch("[^,%s]+") do
      if name == "cookie" or name == "*" then return true end
    end
  end
  return false
end

function hook.response(_, resp)
  if not varies(resp) then resp.add_header("Vary", "Cookie") end
  local name = gw.var[chosen_var]
  if not name then return end
  -- A cache that kept this would give its variant to all who have none yet.
  resp.set_header("Cache-Control", "no-store")
  resp.add_header("Set-Cookie", cookie .. "=" .. name .. attributes)
end

return hook

-- bot_filter: refuses requests by words in their User-Agent, and those that have none or several.
---@type pygw.Hook
local hook = {}

hook.config = {
  deny = { type = "list", items = "string", max = 200,
    description = "Plain texts, in any case: an agent that holds one is refused." },
  allow = { type = "list", items = "string", max = 200,
    description = "Plain texts, in any case: an agent that holds one passes, whatever deny says." },
  deny_empty = { type = "boolean", default = true,
    description = "Whether requests without an agent are refused." },
  status = { type = "integer", default = 403, enum = { 403, 404, 429 },
    description = "What they are answered." },
  body = { type = "string", default = "not for robots\n", max = 4096,
    description = "What they read." },
}

local TEXT_MAX = 200
local deny, allow, deny_empty, status, body

local function texts(config, key)
  local out = {}
  for i, text in ipairs(config[key] or {}) do
    if text:find("^%s*$") or #text > TEXT_MAX then
      error("config." .. key .. "[" .. (i - 1) .. "] must be 1 to " .. TEXT_MAX ..
        " characters, not all of them spaces", 0)
    end
    out[i] = text:lower()
  end
  return out
end

function hook.init(config)
  deny, allow = texts(config, "deny"), texts(config, "allow")
  deny_empty, status, body = config.deny_empty, config.status, config.body
  if #deny == 0 and not deny_empty then
    error("config.deny has nothing and deny_empty is false: no request would be refused", 0)
  end
end

local function holds(agent, list)
  for i = 1, #list do
    if agent:find(list[i], 1, true) then return true end
  end
  return false
end

local function is_refused(req)
  local agents = req.headers("user-agent")
  local agent = agents[1] and agents[1][2] or ""
  if #agents > 1 then return true end -- whichever was judged, the service might read the other
  if not agent:find("%S") then return deny_empty end
  agent = agent:lower()
  return holds(agent, deny) and not holds(agent, allow)
end

function hook.request(req)
  if is_refused(req) then gw.reply(status, { ["Cache-Control"] = "no-store" }, body) end
end

return hook

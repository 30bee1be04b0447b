---@meta
-- What Lua hooks of pygw see, for editors with LuaLS: generated from the gateway's own API.
-- It is never run. `pygw hook types` writes the newest.

---@class pygw.Rule
---@field type "string"|"number"|"integer"|"boolean"|"list"|"map"
---@field required? boolean
---@field default? any
---@field enum? any[]
---@field min? number Of a number; of a text, list or map: its length.
---@field max? number
---@field items? "string"|"number"|"integer"|"boolean"|"list"|"map" Of a list.
---@field description? string

---@class pygw.Fetch
---@field method? string GET, or POST with a body, unless said.
---@field path? string With its query; / unless said.
---@field headers? table<string,string|string[]>
---@field body? string
---@field timeout? number Seconds; 5 unless said.

---@class pygw.Fetched
---@field status integer
---@field body string
---@field header fun(name: string): string?
---@field headers fun(name?: string): string[][]

---What a hook's file returns, unless it returns a function, which is `request`.
---@class pygw.Hook
---@field config? table<string, pygw.Rule> What `config:` of its entry may hold.
---@field init? fun(config: table<string, any>) Once, when a worker has loaded it.
---@field wait? boolean Whether it may wait; a file that names `sleep` or `fetch` may.
---@field request? fun(req: pygw.Request) Before the service is asked.
---@field request_body? fun(req: pygw.Request) With the request's body, whole or by piece.
---@field attempt? fun(req: pygw.Request) Before each try at a target.
---@field response? fun(req: pygw.Request, resp: pygw.Response) Before the client is answered.
---@field response_body? fun(req: pygw.Request, resp: pygw.Response) With the response's body.
---@field log? fun(req: pygw.Request, resp: pygw.Response) When it is over.

---What req and resp both have.
---@class pygw.Head
---@field header fun(name: string): string? The first field of the name, in any case, or nil.
---@field headers fun(name?: string): string[][] All fields {name, value}, or one name's.
---@field set_header fun(name: string, value: string|number) In place of all of the name.
---@field add_header fun(name: string, value: string|number) One more field.
---@field del_header fun(name: string): integer Takes the name out: how many they were.

---@class pygw.Request: pygw.Head
---@field method string Written too: the service gets it; the route stays.
---@field scheme string http or https.
---@field authority string Host and port as the client said them.
---@field path string Written too; as it came, escapes and all.
---@field query string Written too; what follows the ?.
---@field client string The client's address, behind trusted proxies.
---@field id string The request's id, of the client's making or ours.
---@field version number 1.0 or 1.1.
---@field body string? Written too, in request_body; nil where no body is.

---@class pygw.Response: pygw.Head
---@field status integer Written too.
---@field body string? Written too, in response_body; nil where no body is.

---What a hook calls.
gw = {}
gw.base64 = {}
gw.json = {}
gw.kv = {}

---A line on standard error.
---@param level "debug"|"info"|"warning"|"error"
---@param text any
function gw.log(level, text) end

---Texts that all hooks of an exchange share.
---@type table<string,string?>
gw.var = {}

---Once.
---@param status integer
---@param headers? table<string,string|string[]>|string
---@param body? string
function gw.reply(status, headers, body) end

---Ends the exchange without an answer.
function gw.abort() end

---Seconds since 1970.
---@return number
function gw.now() end

---Waits; the worker goes on with others.
---@param seconds number
function gw.sleep(seconds) end

---A UUID of version 7.
---@return string
function gw.uuid() end

---The hook's configuration, checked, with defaults.
---@type table<string,any>
gw.config = {}

---Bytes as lower-case hexadecimal.
---@param text string
---@return string
function gw.hex(text) end

---The digest's bytes.
---@param text string
---@return string
function gw.sha256(text) end

---The digest's bytes.
---@param text string
---@return string
function gw.sha1(text) end

---The digest's bytes.
---@param text string
---@return string
function gw.sha512(text) end

---The code's bytes.
---@param key string
---@param text string
---@param digest? "sha256"|"sha1"|"sha512"
---@return string
function gw.hmac(key, text, digest) end

---Compares secrets, in time that tells nothing of them.
---@param a string
---@param b string
---@return boolean
function gw.equal(a, b) end

---With the padding (RFC 4648 section 4).
---@param text string
---@return string
function gw.base64.encode(text) end

---nil for what is none.
---@param text string
---@return string?
function gw.base64.decode(text) end

---For URLs, without padding (section 5).
---@param text string
---@return string
function gw.base64.encode_url(text) end

---nil for what is none.
---@param text string
---@return string?
function gw.base64.decode_url(text) end

---Waits for it.
---@param upstream string
---@param options? pygw.Fetch
---@return pygw.Fetched?, string?, string?
function gw.fetch(upstream, options) end

---What null is in JSON.
---@type table
gw.null = {}

---An empty list: [].
---@type table
gw.json.array = {}

---As gw.null.
---@type table
gw.json.null = {}

---The value, or nil and what is wrong.
---@param text string
---@return any, string?
function gw.json.decode(text) end

---An empty table is {}.
---@param value any
---@return string
function gw.json.encode(value) end

---What is kept in this worker.
---@param key string
---@return string|number|boolean|nil
function gw.kv.get(key) end

---For ttl seconds.
---@param key string
---@param value string|number|boolean
---@param ttl? number
function gw.kv.set(key, value, ttl) end

---The sum; ttl holds for a new key.
---@param key string
---@param by? number
---@param ttl? number
---@return number
function gw.kv.incr(key, by, ttl) end

---Whether there was one.
---@param key string
---@return boolean
function gw.kv.delete(key) end

-- --- specs, for `pygw hook test` ---

---@class pygw.Seen
---@field method string
---@field target string
---@field path string
---@field query string
---@field headers table<string, string> By name in any case: the first value.
---@field fields string[][] All fields in order, each {name, value}.
---@field body string
---@field chunks string[]
---@field upstream string Where the gateway sent it.
---@field json fun(): any

---@class pygw.Run
---@field hook string
---@field phase string
---@field outcome "next"|"reply"|"abort"|"failed"|"wait"|"cancelled"
---@field error string
---@field fault string
---@field waited boolean
---@field seconds number

---@class pygw.Line
---@field level string
---@field hook string
---@field text string

---@class pygw.Answer
---@field status integer 0: the connection ended without an answer.
---@field headers table<string, string> By name in any case: the first value.
---@field fields string[][] All fields in order, each {name, value}.
---@field trailers table<string, string>
---@field body string
---@field chunks string[]
---@field complete boolean
---@field origin pygw.Seen? The request as the service got it last.
---@field seen pygw.Seen[]
---@field hooks pygw.Run[]
---@field log pygw.Line[]
---@field vars table<string, string>
---@field route string
---@field cause string
---@field json fun(): any
---@field outcome fun(hook?: string, phase?: string): string?

---@class pygw.Parts
---@field headers? table<string, string|string[]>
---@field body? string
---@field json? any
---@field chunks? string[]
---@field host? string
---@field client? string
---@field listener? integer

---@class pygw.Origin
---@field answer fun(answer?: integer|string|table|function, parts?: table) From now on.
---@field next fun(...: integer|string|table) The next answers.
---@field refuse fun(reason?: string) Connects fail.
---@field silent fun() It never answers.
---@field requests fun(): pygw.Seen[]

---@class pygw.Gateway
---@field get fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field head fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field post fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field put fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field patch fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field delete fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field options fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field request fun(method: string, target?: string, parts?: pygw.Parts): pygw.Answer
---@field origin pygw.Origin
---@field upstream fun(address: string): pygw.Origin
---@field advance fun(seconds: number)
---@field now fun(): number
---@field log fun(): string[]

pygw = {}

---A gateway with this hook on a route for everything.
---@param place string
---@param config? table<string, any>
---@param options? table<string, any>
---@return pygw.Gateway
function pygw.hook(place, config, options) end

---A gateway with a whole configuration: its file, or a table that says the same.
---@param config string|table
---@param options? table<string, any>
---@return pygw.Gateway
function pygw.gateway(config, options) end

---@param title string
---@param body fun()
function describe(title, body) end

---@param title string
---@param body fun()
function context(title, body) end

---@param title string
---@param body fun()
function it(title, body) end

---@param body fun()
function before_each(body) end

---@param body fun()
function after_each(body) end

---@class pygw.Assert
---@overload fun(value: any, message?: string): any
---@field equal fun(expected: any, got: any)
---@field not_equal fun(unexpected: any, got: any)
---@field same fun(expected: any, got: any) Tables by what is in them.
---@field is_true fun(value: any)
---@field is_false fun(value: any)
---@field is_nil fun(value: any)
---@field is_not_nil fun(value: any)
---@field truthy fun(value: any)
---@field falsy fun(value: any)
---@field near fun(expected: number, got: number, by: number)
---@field matches fun(pattern: string, text: string)
---@field has_error fun(call: fun(), pattern?: string)
---@field has_no_error fun(call: fun())
---@field are pygw.Assert
---@field is pygw.Assert
---@field has pygw.Assert
---@field are_not pygw.Assert
---@field is_not pygw.Assert
---@type pygw.Assert
assert = nil

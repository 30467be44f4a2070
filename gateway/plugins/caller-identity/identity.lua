-- What the plugin knows about headers and tokens. Plain Lua: no Kong, no ngx.

local identity = {}

-- Only the gateway says who calls. The Envoy translator keeps the same lists (src/cas_gateway/filters.py).
local NAMES = {
  ["x-real-ip"] = true,
  ["x-middleware-subrequest"] = true,
  ["x-credential-identifier"] = true,
  ["x-anonymous-consumer"] = true,
  ["forwarded"] = true,
}
local PREFIXES = { "x-user-", "x-consumer-", "x-authenticated-", "x-envoy-" }

local ALGORITHMS = { ES256 = true, RS256 = true, HS256 = true }
local ES256_SIGNATURE_BYTES = 64
local MAX_ID_BYTES = 128
local MAX_SUBJECT_BYTES = 255 -- OpenID Connect Core 1.0, section 2
-- 6ba7b811-9dad-11d1-80b4-00c04fd430c8, of RFC 9562
local URL_NAMESPACE = string.char(107, 167, 184, 17, 157, 173, 17, 209, 128, 180, 0, 192, 79, 212, 48, 200)
local UUID = "^" .. ("%x"):rep(8) .. ("%-" .. ("%x"):rep(4)):rep(3) .. "%-" .. ("%x"):rep(12) .. "$"


-- Servers behind us may read an underscore as a dash.
local function canonical(name)
  return (name:lower():gsub("_", "-"))
end


function identity.tells_who_calls(name)
  name = canonical(name)
  if NAMES[name] then
    return true
  end
  for _, prefix in ipairs(PREFIXES) do
    if name:sub(1, #prefix) == prefix then
      return true
    end
  end
  return false
end


function identity.tells_where_from(name)
  return canonical(name):sub(1, 12) == "x-forwarded-"
end


-- Whether a service would take this for a request's id (cas_kit.telemetry); src/cas_gateway/envoy.py has the same rule.
-- Two values come as a table.
function identity.is_fit_id(value)
  return type(value) == "string" and #value <= MAX_ID_BYTES and value:match("^[%w._:/+=-]+$") ~= nil
end


-- The claims of an Authorization value that the jwt plugin can safely look at, else nil. Whether they are true is for
-- the jwt plugin to find out. `decode` has two functions, base64 and json, each giving nil for what it cannot read.
function identity.claims(authorization, decode)
  if type(authorization) ~= "string" then
    return nil
  end
  local header_part, payload_part, signature_part = authorization:match("^[Bb]earer ([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if not header_part then
    return nil
  end

  local function bytes(part)
    part = part:gsub("-", "+"):gsub("_", "/")
    return decode.base64(part .. ("="):rep(-#part % 4))
  end

  local function object(part)
    local text = bytes(part)
    local value = text and decode.json(text)
    return type(value) == "table" and value or nil
  end

  local header, claims, signature = object(header_part), object(payload_part), bytes(signature_part)
  if not (header and claims and signature) then
    return nil
  end
  -- The jwt plugin prefers a kid among the claims and takes any type for a cache key.
  if not ALGORITHMS[header.alg] or type(header.kid) ~= "string" or claims.kid ~= nil then
    return nil
  end
  if header.alg == "ES256" and #signature ~= ES256_SIGNATURE_BYTES then
    return nil
  end
  return claims
end


-- UUIDv5 (RFC 9562) of a name, as bytes. `sha1` gives 20 bytes.
local function uuid5(namespace, name, sha1)
  local bytes = { sha1(namespace .. name):byte(1, 16) }
  bytes[7] = bytes[7] % 16 + 80
  bytes[9] = bytes[9] % 64 + 128
  return string.char(unpack(bytes))
end


local function spelled(uuid)
  local hex = uuid:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
  return (hex:gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)", "%1-%2-%3-%4-"))
end


-- Whether verified claims are for us. An audience may be one text or a list.
local function is_for(claims, audience)
  if type(claims.aud) ~= "table" then
    return claims.aud == audience
  end
  for _, value in ipairs(claims.aud) do
    if value == audience then
      return true
    end
  end
  return false
end


-- The issuer of the configuration that verified claims are of, if they are for us; its keys must have verified them.
function identity.issuer(claims, conf)
  if claims.iss == conf.issuer then
    return is_for(claims, conf.audience) and { name = conf.issuer, subjects = "same" } or nil
  end
  for _, other in ipairs(conf.others or {}) do
    if claims.iss == other.issuer then
      return is_for(claims, other.audience) and { name = other.issuer, subjects = other.subjects } or nil
    end
  end
  return nil
end


-- The local user whom verified claims speak of, nil when it is nobody. Services find the same (docs/adr/0015).
function identity.user(claims, issuer, sha1)
  local subject = claims.sub
  if type(subject) ~= "string" or #subject == 0 or #subject > MAX_SUBJECT_BYTES then
    return nil
  end
  if issuer.subjects == "same" then
    return subject:match(UUID)
  end
  return spelled(uuid5(uuid5(URL_NAMESPACE, issuer.name, sha1), subject, sha1))
end


return identity

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

local ES256_SIGNATURE_BYTES = 64
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
  if header.alg ~= "ES256" or type(header.kid) ~= "string" or claims.kid ~= nil then
    return nil
  end
  if #signature ~= ES256_SIGNATURE_BYTES then
    return nil
  end
  return claims
end


-- The user whom verified claims speak of, nil when it is none of ours.
function identity.user(claims)
  return type(claims.sub) == "string" and claims.sub:match(UUID) or nil
end


-- Whether verified claims are of our issuer and for us. An audience may be one text or a list.
function identity.is_ours(claims, issuer, audience)
  if claims.iss ~= issuer then
    return false
  end
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


return identity

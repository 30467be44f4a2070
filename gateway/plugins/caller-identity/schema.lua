local typedefs = require "kong.db.schema.typedefs"

return {
  name = "caller-identity",
  fields = {
    { protocols = typedefs.protocols_http },
    { consumer = typedefs.no_consumer },
    { config = {
        type = "record",
        fields = {
          -- Both on a protected service, neither on the global instance.
          { issuer = { type = "string" } },
          { audience = { type = "string" } },
          -- False where programs call, whose tokens name nobody.
          { needs_user = { type = "boolean", default = true } },
        },
        entity_checks = {
          { mutually_required = { "issuer", "audience" } },
        },
    } },
  },
}

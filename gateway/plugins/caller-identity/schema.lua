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
          -- Whose tokens are good beside those of `issuer`; each has a consumer whose custom_id is its name.
          { others = {
              type = "array",
              elements = {
                type = "record",
                fields = {
                  { issuer = { type = "string", required = true } },
                  { audience = { type = "string", required = true } },
                  { subjects = { type = "string", required = true, one_of = { "same", "derived" } } },
                },
              },
          } },
          -- False where programs call, whose tokens name nobody.
          { needs_user = { type = "boolean", default = true } },
        },
        entity_checks = {
          { mutually_required = { "issuer", "audience" } },
        },
    } },
  },
}

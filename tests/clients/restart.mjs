// Run while the auth service restarts: CAS_SESSION is of somebody who signed in before.

import assert from 'node:assert/strict'
import { it } from 'node:test'

import { expired, ok, sessionId, storedUser, tabWith } from './support.mjs'

const session = JSON.parse(process.env.CAS_SESSION)

it('an expired session is renewed as soon as the service is back', async () => {
  const tab = tabWith(expired(session))
  const renewed = ok(await tab.getSession()).session
  assert.notEqual(renewed.refresh_token, session.refresh_token)
  assert.equal(sessionId(renewed), sessionId(session))
  await storedUser(tab)
})

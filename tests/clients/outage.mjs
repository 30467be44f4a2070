// Run while the auth service is away: CAS_SESSION is of somebody who signed in before.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { freshEmail, newAuth, ok, PASSWORD, refused, tabWith } from './support.mjs'

const session = JSON.parse(process.env.CAS_SESSION)
const AWAY = { name: 'AuthRetryableFetchError', status: 502 } // the gateway's answer

describe('while the auth service is away', () => {
  it('nobody can sign up or in, and is told to try again', async () => {
    refused(await newAuth().signUp({ email: freshEmail(), password: PASSWORD }), AWAY)
    refused(await newAuth().signInWithPassword({ email: freshEmail(), password: PASSWORD }), AWAY)
  })

  it('a session stays, though its user cannot be read', async () => {
    const tab = tabWith(session)
    refused(await tab.getUser(), AWAY)
    assert.equal(ok(await tab.getSession()).session.access_token, session.access_token)
  })

  it('nobody is signed out by half', async () => {
    const tab = tabWith(session)
    refused(await tab.signOut(), AWAY)
    assert.ok(ok(await tab.getSession()).session)
  })
})

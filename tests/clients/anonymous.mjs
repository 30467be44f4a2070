// Visitors without an address, and how they become users.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { claims, freshEmail, newAuth, ok, PASSWORD, refused, signedIn, signedUp, storedUser } from './support.mjs'

async function visitor(data) {
  const auth = newAuth()
  return { auth, ...ok(await auth.signInAnonymously({ options: { data } })) }
}

describe('signInAnonymously', () => {
  it('gives a session of a user without an address', async () => {
    const { auth, user, session } = await visitor({ locale: 'cy' })
    assert.equal(user.is_anonymous, true)
    assert.equal(user.email, '')
    assert.equal(user.phone, '')
    assert.deepEqual(user.identities, [])
    assert.equal(user.user_metadata.locale, 'cy')
    const { is_anonymous, amr, role } = claims(session.access_token)
    assert.equal(is_anonymous, true)
    assert.equal(amr[0].method, 'anonymous')
    assert.equal(role, 'authenticated')
    assert.equal((await storedUser(auth)).id, user.id)
    ok(await auth.refreshSession())
  })

  it('makes another one each time', async () => {
    assert.notEqual((await visitor()).user.id, (await visitor()).user.id)
  })
})

describe('becoming a user', () => {
  it('keeps the id and everything stored under it', async () => {
    const { auth, user } = await visitor({ basket: 3 })
    const email = freshEmail()
    const { user: upgraded } = ok(await auth.updateUser({ email }))
    assert.equal(upgraded.id, user.id)
    assert.equal(upgraded.email, email)
    ok(await auth.updateUser({ password: PASSWORD }))
    const { session } = ok(await auth.refreshSession())
    assert.equal(claims(session.access_token).is_anonymous, false)

    const stored = await storedUser(await signedIn({ email }))
    assert.equal(stored.id, user.id)
    assert.equal(stored.is_anonymous, false)
    assert.equal(stored.user_metadata.basket, 3)
    assert.deepEqual(
      stored.identities.map((identity) => identity.provider),
      ['email'],
    )
  })

  it('takes no address of somebody else', async () => {
    const { email } = await signedUp()
    const { auth } = await visitor()
    refused(await auth.updateUser({ email }), { status: 422, code: 'email_exists' })
    assert.equal((await storedUser(auth)).is_anonymous, true)
  })
})

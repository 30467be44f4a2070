// A second factor: an authenticator app.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { claims, listen, newAuth, ok, PASSWORD, refused, signedIn, signedUp, storedUser } from './support.mjs'
import { totp } from './totp.mjs'

const level = async (auth) => ok(await auth.mfa.getAuthenticatorAssuranceLevel())

async function enroll(auth, friendlyName = 'My phone') {
  return ok(await auth.mfa.enroll({ factorType: 'totp', friendlyName, issuer: 'CAS' }))
}

/** Somebody whose app is set up, at aal2: a step of the time is used, the next one is not. */
async function withFactor() {
  const person = await signedUp()
  const factor = await enroll(person.auth)
  ok(await person.auth.mfa.challengeAndVerify({ factorId: factor.id, code: totp(factor.totp.secret) }))
  return { ...person, factor, secret: factor.totp.secret }
}

describe('mfa.enroll', () => {
  it('gives a secret for the app, as text, as an address and as a picture', async () => {
    const { auth } = await signedUp()
    const { id, type, friendly_name, totp: secrets } = await enroll(auth)
    assert.equal(type, 'totp')
    assert.equal(friendly_name, 'My phone')
    assert.match(secrets.secret, /^[A-Z2-7]{32,}$/)
    assert.match(secrets.qr_code, /^data:image\/svg\+xml;utf-8,<(\?xml|svg)/)
    assert.ok(!secrets.qr_code.includes('#'), 'a # would end the address of the picture')
    const uri = new URL(secrets.uri)
    assert.equal(uri.protocol + uri.host, 'otpauth:totp')
    assert.equal(uri.searchParams.get('secret'), secrets.secret)
    assert.equal(uri.searchParams.get('issuer'), 'CAS')

    const { all, totp: verified } = ok(await auth.mfa.listFactors())
    assert.deepEqual(
      all.map((factor) => [factor.id, factor.status, factor.factor_type]),
      [[id, 'unverified', 'totp']],
    )
    assert.deepEqual(verified, [])
  })

  it('takes a name once', async () => {
    const { auth } = await withFactor()
    refused(await auth.mfa.enroll({ factorType: 'totp', friendlyName: 'My phone' }), {
      status: 422,
      code: 'mfa_factor_name_conflict',
    })
  })

  it('refuses kinds that are not offered', async () => {
    const { auth } = await signedUp()
    refused(await auth.mfa.enroll({ factorType: 'phone', phone: '+441632960961', friendlyName: 'Phone' }), {
      status: 422,
      code: 'mfa_phone_enroll_not_enabled',
    })
    refused(await auth.mfa.enroll({ factorType: 'webauthn', friendlyName: 'Key' }), {
      status: 422,
      code: 'mfa_webauthn_enroll_not_enabled',
    })
  })

  it('is not for visitors', async () => {
    const auth = newAuth()
    ok(await auth.signInAnonymously())
    refused(await auth.mfa.enroll({ factorType: 'totp', friendlyName: 'App' }), {
      status: 403,
      code: 'no_authorization',
    })
  })
})

describe('mfa.challenge and mfa.verify', () => {
  it('raise the session to aal2 and end those below', async () => {
    const { auth, email } = await signedUp()
    const other = await signedIn({ email })
    const { events } = listen(auth)
    const factor = await enroll(auth)
    const challenge = ok(await auth.mfa.challenge({ factorId: factor.id }))
    assert.equal(challenge.type, 'totp')
    assert.ok(challenge.expires_at > Date.now() / 1000)
    const verified = ok(
      await auth.mfa.verify({ factorId: factor.id, challengeId: challenge.id, code: totp(factor.totp.secret) }),
    )
    assert.equal(verified.token_type, 'bearer')
    assert.equal(verified.user.factors[0].status, 'verified')
    assert.ok(events.includes('MFA_CHALLENGE_VERIFIED'), events.join())

    const { aal, amr } = claims(verified.access_token)
    assert.equal(aal, 'aal2')
    assert.deepEqual(
      amr.map((entry) => entry.method),
      ['totp', 'password'],
    )
    assert.equal((await level(auth)).currentLevel, 'aal2')
    assert.equal(claims(ok(await auth.refreshSession()).session.access_token).aal, 'aal2')
    assert.equal(ok(await auth.mfa.listFactors()).totp[0].id, factor.id)
    refused(await other.getUser(), { name: 'AuthSessionMissingError' })
  })

  it('ask for the factor after every sign-in', async () => {
    const { email, factor, secret } = await withFactor()
    const auth = await signedIn({ email })
    const before = await level(auth)
    assert.equal(before.currentLevel, 'aal1')
    assert.equal(before.nextLevel, 'aal2')
    assert.equal(before.currentAuthenticationMethods[0].method, 'password')
    ok(await auth.mfa.challengeAndVerify({ factorId: factor.id, code: totp(secret, 1) }))
    assert.equal((await level(auth)).currentLevel, 'aal2')
  })

  it('refuse a wrong code and one that was used', async () => {
    const { auth, factor, secret } = await withFactor()
    const wrong = await auth.mfa.challengeAndVerify({ factorId: factor.id, code: totp(secret, 1000) })
    const error = refused(wrong, { name: 'AuthApiError', status: 422, code: 'mfa_verification_failed' })
    assert.match(error.message, /^Invalid TOTP code/)
    refused(await auth.mfa.challengeAndVerify({ factorId: factor.id, code: totp(secret) }), {
      code: 'mfa_verification_failed',
    })
    assert.equal((await storedUser(auth)).factors.length, 1)
  })

  it('refuse a factor of somebody else', async () => {
    const { factor } = await withFactor()
    const { auth } = await signedUp()
    refused(await auth.mfa.challenge({ factorId: factor.id }), { status: 404, code: 'mfa_factor_not_found' })
  })
})

describe('who has a factor', () => {
  it('changes neither password nor factors without it', async () => {
    const { email, factor } = await withFactor()
    const auth = await signedIn({ email })
    refused(await auth.updateUser({ password: 'a different password' }), { status: 401, code: 'insufficient_aal' })
    refused(await auth.mfa.unenroll({ factorId: factor.id }), { status: 422, code: 'insufficient_aal' })
    refused(await auth.mfa.enroll({ factorType: 'totp', friendlyName: 'Of a thief' }), {
      status: 403,
      code: 'insufficient_aal',
    })
    await signedIn({ email, password: PASSWORD })
  })
})

describe('mfa.unenroll', () => {
  it('removes a verified factor at aal2', async () => {
    const { auth, factor, email } = await withFactor()
    assert.equal(ok(await auth.mfa.unenroll({ factorId: factor.id })).id, factor.id)
    assert.deepEqual(ok(await auth.mfa.listFactors()).all, [])
    assert.equal((await level(await signedIn({ email }))).nextLevel, 'aal1')
  })

  it('removes one that was never verified at aal1', async () => {
    const { auth } = await signedUp()
    const { id } = await enroll(auth)
    ok(await auth.mfa.unenroll({ factorId: id }))
    assert.deepEqual(ok(await auth.mfa.listFactors()).all, [])
  })
})

describe('mfa.getAuthenticatorAssuranceLevel', () => {
  it('reads a token of another client', async () => {
    const { session } = await signedUp()
    const { currentLevel, nextLevel } = ok(
      await newAuth().mfa.getAuthenticatorAssuranceLevel(session.access_token),
    )
    assert.deepEqual([currentLevel, nextLevel], ['aal1', 'aal1'])
  })

  it('is nothing for who is not signed in', async () => {
    assert.equal((await level(newAuth())).currentLevel, null)
  })
})

// E-mail addresses and passwords, where addresses are trusted without a confirmation.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { freshEmail, newAuth, ok, PASSWORD, refused, signedIn, signedUp, storedUser } from './support.mjs'

describe('signUp', () => {
  it('gives a session, and stores the metadata and an identity', async () => {
    const auth = newAuth()
    const email = freshEmail('Grace.Hopper')
    const { user, session } = ok(
      await auth.signUp({ email, password: PASSWORD, options: { data: { full_name: 'Grace Hopper', age: 37 } } }),
    )
    assert.equal(session.token_type, 'bearer')
    assert.equal(session.expires_in, 3600)
    assert.ok(Math.abs(session.expires_at - Date.now() / 1000 - 3600) < 10)
    assert.deepEqual(session.user, user)

    const stored = await storedUser(await signedIn({ email }))
    assert.equal(stored.id, user.id)
    assert.equal(stored.email, email.toLowerCase())
    assert.equal(stored.phone, '')
    assert.equal(stored.aud, 'authenticated')
    assert.equal(stored.role, 'authenticated')
    assert.equal(stored.is_anonymous, false)
    assert.ok(stored.email_confirmed_at)
    assert.deepEqual({ ...stored.user_metadata, age: 37 }, stored.user_metadata)
    assert.equal(stored.user_metadata.full_name, 'Grace Hopper')
    assert.equal(stored.app_metadata.provider, 'email')
    assert.deepEqual(stored.app_metadata.providers, ['email'])
    const [identity] = stored.identities
    assert.equal(stored.identities.length, 1)
    assert.equal(identity.provider, 'email')
    assert.equal(identity.user_id, user.id)
    assert.equal(identity.email, email.toLowerCase())
    assert.ok(identity.identity_id && identity.id && identity.created_at && identity.updated_at)
  })

  it('refuses an address that is taken, whatever its case', async () => {
    const { email } = await signedUp()
    refused(await newAuth().signUp({ email: email.toUpperCase(), password: 'another password 1' }), {
      name: 'AuthApiError',
      status: 422,
      code: 'user_already_exists',
    })
    await signedIn({ email })
  })

  it('refuses a short password and says why', async () => {
    const error = refused(await newAuth().signUp({ email: freshEmail(), password: 'short' }), {
      name: 'AuthWeakPasswordError',
      status: 422,
      code: 'weak_password',
    })
    assert.deepEqual(error.reasons, ['length'])
    assert.match(error.message, /^Password should be at least \d+ characters/)
  })

  it('refuses a password that others use', async () => {
    const error = refused(await newAuth().signUp({ email: freshEmail(), password: 'password123' }), {
      name: 'AuthWeakPasswordError',
      code: 'weak_password',
    })
    assert.deepEqual(error.reasons, ['pwned'])
  })

  it('says when there were too many attempts', async () => {
    const { email } = await signedUp()
    let answer
    for (let attempt = 0; attempt < 15 && answer?.error.status !== 429; attempt++) {
      answer = await newAuth().signUp({ email, password: PASSWORD })
    }
    refused(answer, { name: 'AuthApiError', status: 429, code: 'over_request_rate_limit' })
  })

  it('takes a password of 1,024 bytes whole', async () => {
    const password = 'é'.repeat(511) + 'ab'
    const { email } = await signedUp({ password })
    await signedIn({ email, password })
    const almost = await newAuth().signInWithPassword({ email, password: 'é'.repeat(511) + 'aX' })
    refused(almost, { code: 'invalid_credentials' })
    refused(await newAuth().signUp({ email: freshEmail(), password: password + 'c' }), {
      status: 400,
      code: 'validation_failed',
    })
  })

  it('refuses what is no address', async () => {
    const error = refused(await newAuth().signUp({ email: 'ada@', password: PASSWORD }), {
      name: 'AuthApiError',
      status: 400,
      code: 'validation_failed',
    })
    assert.match(error.message, /^Unable to validate email address: invalid format/)
  })

  it('refuses phone numbers, which are not offered', async () => {
    refused(await newAuth().signUp({ phone: '+441632960961', password: PASSWORD }), {
      name: 'AuthApiError',
      status: 400,
      code: 'phone_provider_disabled',
    })
  })

  it('needs an address or a number', async () => {
    refused(await newAuth().signUp({ password: PASSWORD }), { name: 'AuthInvalidCredentialsError' })
  })
})

describe('signInWithPassword', () => {
  it('starts another session of the same user', async () => {
    const { email, user, session } = await signedUp()
    const auth = newAuth()
    const signedInAgain = ok(await auth.signInWithPassword({ email, password: PASSWORD }))
    assert.equal(signedInAgain.user.id, user.id)
    assert.notEqual(signedInAgain.session.refresh_token, session.refresh_token)
    assert.ok(Date.parse(signedInAgain.user.last_sign_in_at))
  })

  it('answers a wrong password and an unknown address alike', async () => {
    const { email } = await signedUp()
    const expected = { name: 'AuthApiError', status: 400, code: 'invalid_credentials' }
    const wrong = refused(await newAuth().signInWithPassword({ email, password: 'not this one' }), expected)
    const unknown = refused(
      await newAuth().signInWithPassword({ email: freshEmail(), password: 'not this one' }),
      expected,
    )
    assert.equal(wrong.message, 'Invalid login credentials')
    assert.equal(unknown.message, wrong.message)
  })

  it('refuses phone numbers, which are not offered', async () => {
    refused(await newAuth().signInWithPassword({ phone: '+441632960961', password: PASSWORD }), {
      name: 'AuthApiError',
      status: 422,
      code: 'phone_provider_disabled',
    })
  })
})

describe('updateUser', () => {
  it('merges metadata and deletes what is null', async () => {
    const { auth, email } = await signedUp({ data: { full_name: 'Ada', colour: 'blue', age: 36 } })
    const { user } = ok(await auth.updateUser({ data: { colour: null, age: 37, city: 'London' } }))
    const other = await signedIn({ email })
    for (const metadata of [user.user_metadata, (await storedUser(other)).user_metadata]) {
      assert.equal(metadata.full_name, 'Ada')
      assert.equal(metadata.age, 37)
      assert.equal(metadata.city, 'London')
      assert.ok(!('colour' in metadata))
    }
  })

  it('changes the password and ends the other sessions, not this one', async () => {
    const { auth, email } = await signedUp()
    const phone = await signedIn({ email })
    ok(await auth.updateUser({ password: 'a different password' }))

    await storedUser(auth)
    refused(await phone.getUser(), { name: 'AuthSessionMissingError' })
    refused(await newAuth().signInWithPassword({ email, password: PASSWORD }), { code: 'invalid_credentials' })
    await signedIn({ email, password: 'a different password' })
  })

  it('refuses the password of today and a weak one', async () => {
    const { auth } = await signedUp()
    refused(await auth.updateUser({ password: PASSWORD }), { status: 422, code: 'same_password' })
    refused(await auth.updateUser({ password: 'short' }), { name: 'AuthWeakPasswordError', status: 422 })
  })

  it('lets nobody write their own app_metadata', async () => {
    const { auth } = await signedUp()
    refused(await auth.updateUser({ app_metadata: { roles: ['admin'] } }), { status: 403, code: 'not_admin' })
    assert.ok(!(await storedUser(auth)).app_metadata.roles?.includes('admin'))
  })

  it('refuses a phone number, which is not offered', async () => {
    const { auth } = await signedUp()
    refused(await auth.updateUser({ phone: '+441632960961' }), { code: 'phone_provider_disabled' })
  })

  it('needs a session', async () => {
    refused(await newAuth().updateUser({ data: {} }), { name: 'AuthSessionMissingError' })
  })
})

// Signing in, recovering and proving oneself again by mail.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { mailsTo, newMail } from './mails.mjs'
import {
  claims,
  freshEmail,
  listen,
  newAuth,
  ok,
  PASSWORD,
  refused,
  signedIn,
  signedUp,
  SITE,
  storedUser,
} from './support.mjs'

const EXPIRED = { name: 'AuthApiError', status: 403, code: 'otp_expired' }
const otherCode = (code) => String((Number(code) + 1) % 10 ** code.length).padStart(code.length, '0')

describe('signInWithOtp', () => {
  it('makes a user, who signs in with the mailed code', async () => {
    const auth = newAuth()
    const email = freshEmail()
    const mail = await newMail(email, async () => {
      const answer = ok(await auth.signInWithOtp({ email, options: { data: { full_name: 'Ada Lovelace' } } }))
      assert.deepEqual(answer, { user: null, session: null })
    })
    const { user, session } = ok(await auth.verifyOtp({ email, token: mail.code, type: 'email' }))
    assert.equal(user.email, email)
    assert.ok(user.email_confirmed_at)
    assert.equal(user.user_metadata.full_name, 'Ada Lovelace')
    assert.ok(['otp', 'magiclink', 'email/signup'].includes(claims(session.access_token).amr[0].method))
    assert.equal((await storedUser(auth)).id, user.id)
    refused(await newAuth().verifyOtp({ email, token: mail.code, type: 'email' }), EXPIRED)
  })

  it('signs in who exists, by the token of the mailed link', async () => {
    const { email, user } = await signedUp()
    const auth = newAuth()
    const mail = await newMail(email, async () => ok(await auth.signInWithOtp({ email })))
    const answer = ok(await auth.verifyOtp({ token_hash: mail.tokenHash, type: 'magiclink' }))
    assert.equal(answer.user.id, user.id)
    assert.equal((await storedUser(auth)).id, user.id)
    refused(await newAuth().verifyOtp({ token_hash: mail.tokenHash, type: 'magiclink' }), EXPIRED)
  })

  it('sends a link which ends at the application with a session', async () => {
    const { email, user } = await signedUp()
    const mail = await newMail(email, async () =>
      ok(await newAuth().signInWithOtp({ email, options: { emailRedirectTo: `${SITE}/welcome?from=mail` } })),
    )
    const { at, fragment } = await mail.follow()
    assert.equal(at, `${SITE}/welcome?from=mail`)
    assert.equal(fragment.token_type, 'bearer')
    assert.equal(fragment.type, 'magiclink')
    assert.equal(fragment.expires_in, '3600')
    const auth = newAuth()
    assert.equal(ok(await auth.setSession(fragment)).user.id, user.id)
    ok(await auth.refreshSession())

    const again = await mail.follow()
    assert.equal(again.fragment.error_code, 'otp_expired')
    assert.equal(again.fragment.error, 'access_denied')
    assert.ok(again.fragment.error_description)
    assert.equal(new URL(again.at).searchParams.get('error_code'), 'otp_expired')
  })

  it('leads nowhere but to the site and its friends', async () => {
    const { email } = await signedUp()
    const elsewhere = 'https://evil.example/steal'
    const mail = await newMail(email, async () =>
      ok(await newAuth().signInWithOtp({ email, options: { emailRedirectTo: elsewhere } })),
    )
    assert.equal(new URL((await mail.follow()).at).origin, SITE)
  })

  it('makes nobody when told so, and tells nobody that there was nobody', async () => {
    const { email } = await signedUp()
    const options = { shouldCreateUser: false }
    const unknown = freshEmail('nobody')
    assert.deepEqual(ok(await newAuth().signInWithOtp({ email: unknown, options })), { user: null, session: null })
    await newMail(email, async () => ok(await newAuth().signInWithOtp({ email, options })))
    assert.deepEqual(await mailsTo(unknown), [])
    refused(await newAuth().verifyOtp({ email: unknown, token: '123456', type: 'email' }), EXPIRED)
  })

  it('forgives a wrong code once, and ends the code after five', async () => {
    const { email } = await signedUp()
    const auth = newAuth()
    const attempt = async (token) => auth.verifyOtp({ email, token, type: 'email' })

    const first = await newMail(email, async () => ok(await auth.signInWithOtp({ email })))
    refused(await attempt(otherCode(first.code)), EXPIRED)
    ok(await attempt(first.code))

    const second = await newMail(email, async () => ok(await auth.signInWithOtp({ email })))
    for (let guess = 0; guess < 5; guess++) refused(await attempt(otherCode(second.code)), EXPIRED)
    refused(await attempt(second.code), EXPIRED)
  })

  it('lets only the newest code in', async () => {
    const { email } = await signedUp()
    const auth = newAuth()
    const older = await newMail(email, async () => ok(await auth.signInWithOtp({ email })))
    const newer = await newMail(email, async () => ok(await auth.signInWithOtp({ email })))
    if (older.code !== newer.code) refused(await auth.verifyOtp({ email, token: older.code, type: 'email' }), EXPIRED)
    ok(await auth.verifyOtp({ email, token: newer.code, type: 'email' }))
  })

  it('needs an address or a number', async () => {
    refused(await newAuth().signInWithOtp({}), { name: 'AuthInvalidCredentialsError' })
  })
})

describe('verifyOtp', () => {
  it('refuses what was never sent', async () => {
    const { email } = await signedUp()
    refused(await newAuth().verifyOtp({ email, token: '123456', type: 'email' }), EXPIRED)
    refused(await newAuth().verifyOtp({ email: freshEmail(), token: '123456', type: 'email' }), EXPIRED)
    refused(await newAuth().verifyOtp({ token_hash: 'f'.repeat(64), type: 'email' }), EXPIRED)
  })

  it('refuses a type it does not know', async () => {
    refused(await newAuth().verifyOtp({ email: freshEmail(), token: '123456', type: 'telepathy' }), {
      status: 400,
      code: 'validation_failed',
    })
  })
})

describe('resetPasswordForEmail', () => {
  it('lets the owner choose a new password', async () => {
    const { email, user } = await signedUp()
    const auth = newAuth()
    const { events } = listen(auth)
    const mail = await newMail(email, async () =>
      assert.deepEqual(ok(await auth.resetPasswordForEmail(email, { redirectTo: `${SITE}/new-password` })), {}),
    )
    const recovered = ok(await auth.verifyOtp({ email, token: mail.code, type: 'recovery' }))
    assert.equal(recovered.user.id, user.id)
    assert.equal(claims(recovered.session.access_token).amr[0].method, 'recovery')
    assert.ok(events.includes('PASSWORD_RECOVERY'), events.join())
    ok(await auth.updateUser({ password: 'chosen after recovery' }))

    refused(await newAuth().signInWithPassword({ email, password: PASSWORD }), { code: 'invalid_credentials' })
    await signedIn({ email, password: 'chosen after recovery' })
  })

  it('works by the link as well', async () => {
    const { email, user } = await signedUp()
    const mail = await newMail(email, async () =>
      ok(await newAuth().resetPasswordForEmail(email, { redirectTo: `${SITE}/new-password` })),
    )
    const { at, fragment } = await mail.follow()
    assert.equal(at, `${SITE}/new-password`)
    assert.equal(fragment.type, 'recovery')
    assert.equal(ok(await newAuth().setSession(fragment)).user.id, user.id)
  })

  it('answers the same for an unknown address, which gets no mail', async () => {
    const { email } = await signedUp()
    const unknown = freshEmail('nobody')
    assert.deepEqual(ok(await newAuth().resetPasswordForEmail(unknown)), {})
    await newMail(email, async () => ok(await newAuth().resetPasswordForEmail(email)))
    assert.deepEqual(await mailsTo(unknown), [])
  })

  it('refuses what is no address', async () => {
    refused(await newAuth().resetPasswordForEmail('ada@'), { status: 400, code: 'validation_failed' })
  })
})

describe('reauthenticate', () => {
  it('mails a code which confirms a change of the password', async () => {
    const { auth, email } = await signedUp()
    const mail = await newMail(email, async () => ok(await auth.reauthenticate()))
    ok(await auth.updateUser({ password: 'changed with a code', nonce: mail.code }))
    await signedIn({ email, password: 'changed with a code' })
  })

  it('needs a session', async () => {
    refused(await newAuth().reauthenticate(), { name: 'AuthSessionMissingError' })
  })
})

describe('resend', () => {
  it('tells nobody whether an address is known', async () => {
    ok(await newAuth().resend({ type: 'signup', email: freshEmail() }))
    ok(await newAuth().resend({ type: 'email_change', email: freshEmail() }))
  })

  it('tells who is confirmed that they are, and sends nothing to use', async () => {
    const { email } = await signedUp()
    const mail = await newMail(email, async () => ok(await newAuth().resend({ type: 'signup', email })))
    assert.equal(mail.code, null)
  })

  it('needs an address or a number', async () => {
    refused(await newAuth().resend({ type: 'signup' }), { name: 'AuthInvalidCredentialsError' })
  })
})
